"""A training that begins with the weights of another one."""

import hashlib

import numpy as np
import pandas as pd
import pytest
import torch

from facelab.cli import app
from facelab.data import FaceSet
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.models import pretrained, shipped_networks
from facelab.train import Checkpoint, Recipe, fit
from facelab.train import loop as loop_module
from facelab.train.checkpoint import network_sha256
from facelab.train.state import start_or_resume

pytestmark = pytest.mark.slow

RECIPE = Recipe.parse(
    {"backbone": "mobilefacenet", "size": 64, "embedding_dim": 8, "epochs": 1, "batch_size": 6}
    | {"learning_rate": 0.02, "loss": {"name": "arcface", "scale": 8, "margin": 0.2}}
)
CPU = {"device": "cpu"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A training of one epoch: its file and its checkpoint."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    faces = FaceSet("toy", images, pd.DataFrame({"identity": np.repeat(["a", "b", "c"], 4)}))
    path = tmp_path_factory.mktemp("first") / "first.pt"
    return path, fit(RECIPE, faces, checkpoint=path, **CPU), faces


def others(faces: FaceSet) -> FaceSet:
    return FaceSet("others", faces.images, faces.table.assign(identity=np.repeat(["d", "e"], 6)))


def test_it_begins_with_the_weights_and_records_them(first):
    path, before, faces = first
    recipe = RECIPE.model_copy(update={"seed": 1})
    state = start_or_resume(recipe, faces, None, path)
    assert state.started_from == hashlib.sha256(path.read_bytes()).hexdigest()
    assert all(torch.equal(state.network[name], x) for name, x in before.network.items())
    assert torch.equal(state.loss["centres"], before.loss["centres"])  # the same identities and the same loss
    assert start_or_resume(recipe, others(faces), None, path).loss == {}
    cosface = Recipe.parse({**recipe.model_dump(), "loss": {"name": "cosface"}})
    assert start_or_resume(cosface, faces, None, path).loss == {}
    assert state.step == 0
    assert start_or_resume(recipe, faces, None).started_from == ""


def test_the_first_step_is_one_from_those_weights(first):
    """With a learning rate of next to nothing, the network stays what it began with; batch statistics move."""
    path, before, faces = first
    recipe = RECIPE.model_copy(update={"learning_rate": 1e-30, "weight_decay": 0.0, "seed": 1})
    after = fit(recipe, faces, start_from=path, **CPU)
    for name, tensor in before.network.items():
        same = torch.allclose(after.network[name], tensor, rtol=0, atol=1e-20)
        assert same != ("running_" in name or "num_batches" in name), name
    assert torch.equal(after.loss["centres"], before.loss["centres"])


def test_frozen_layers_keep_weights_and_batch_statistics(first):
    path, before, faces = first
    recipe = RECIPE.model_copy(update={"frozen": ("0", "1.0")})
    after = fit(recipe, others(faces), start_from=path, **CPU)
    moved = {name for name, tensor in before.network.items() if not torch.equal(after.network[name], tensor)}
    assert moved
    assert not any(name.startswith(("0.", "1.0.")) for name in moved)
    whole = RECIPE.model_copy(update={"frozen": ("",)})
    linear = fit(whole, others(faces), start_from=path, **CPU)
    assert all(torch.equal(linear.network[name], tensor) for name, tensor in before.network.items())
    assert linear.history


def test_a_resumed_run_of_a_started_one_gives_the_same_bits(first, tmp_path, monkeypatch):
    path, _, faces = first
    recipe = RECIPE.model_copy(update={"epochs": 2, "frozen": ("0",)})
    whole = fit(recipe, others(faces), start_from=path, **CPU)
    record, count = loop_module.Training.record, iter(range(100))

    def stop(*arguments):
        if next(count) == 3:
            raise KeyboardInterrupt
        record(*arguments)

    monkeypatch.setattr(loop_module.Training, "record", stop)
    options = {"checkpoint": tmp_path / "a.pt", "start_from": path, "checkpoint_seconds": 0, **CPU}
    with pytest.raises(KeyboardInterrupt):
        fit(recipe, others(faces), **options)
    monkeypatch.undo()
    assert Checkpoint.load(tmp_path / "a.pt").step == 3
    for wrong in ({"start_from": None}, {"start_from": "synthfaces-arcface"}):
        with pytest.raises(FacelabError, match=r"began with the weights of the network of SHA-256 .*, not of"):
            fit(recipe, others(faces), **options | wrong)
    cosface = {**recipe.model_dump(), "loss": {"name": "cosface"}}
    with pytest.raises(FacelabError, match=r"made with loss\.name = arcface, not cosface"):
        fit(Recipe.parse(cosface), others(faces), **options)
    resumed = fit(recipe, others(faces), **options)
    for mine, other in ((resumed.network, whole.network), (resumed.loss, whole.loss)):
        assert mine.keys() == other.keys()
        assert all(torch.equal(mine[name], other[name]) for name in mine)
    assert Checkpoint.load(tmp_path / "a.pt").started_from == whole.started_from != ""


def test_what_cannot_be_started_from(first, tmp_path):
    path, _, faces = first
    for changes, message in (
        ({"embedding_dim": 16}, "--set backbone=mobilefacenet --set embedding_dim=8 --set size=64"),
        ({"backbone": "resnet18", "pretrained": True}, "choose one"),
        ({"frozen": ("layer9",)}, "'layer9': there is no such layer, only 0, "),
    ):
        with pytest.raises(FacelabError, match=message):
            fit(Recipe.parse({**RECIPE.model_dump(), **changes}), faces, start_from=path, **CPU)
    with pytest.raises(FacelabError, match="would stay random"):
        fit(RECIPE.model_copy(update={"frozen": ("0",)}), faces, **CPU)
    triplet = Recipe.parse({**RECIPE.model_dump(), "frozen": ("",), "loss": {"name": "triplet"}})
    with pytest.raises(FacelabError, match="nothing is left to train"):
        fit(triplet, faces, start_from=path, **CPU)
    with pytest.raises(FacelabError, match=r"there is no checkpoint .*synthfaces-arcface"):
        fit(RECIPE, faces, start_from=tmp_path / "none.pt", **CPU)


def test_a_field_that_nobody_uses_changes_no_recipe():
    assert "frozen" not in RECIPE.changes()
    assert RECIPE.model_copy(update={"frozen": ("0",)}).changes()["frozen"] == ("0",)


@pytest.mark.parametrize("name", ["synthfaces-arcface", "synthfaces-cross-entropy"])
def test_a_network_of_the_package_is_opened_by_its_name(name, first):
    state, about = Checkpoint.open(name), shipped_networks()[name]
    assert state.complete
    assert (state.recipe.backbone, state.recipe.size) == (about["backbone"], about["size"])
    assert network_sha256(name) == about["sha256"]
    chips = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    np.testing.assert_array_equal(state.embedder("cpu")(chips), pretrained(name, device="cpu")(chips))
    recipe = Recipe.parse({**RECIPE.model_dump(), "embedding_dim": about["embedding_dim"]})
    started = start_or_resume(recipe, first[2], None, name)
    assert started.started_from == about["sha256"]
    assert torch.equal(started.network["0.0.weight"], state.network["0.0.weight"])


def test_command(first, tmp_path, capsys):
    path, _, faces = first
    for row, (image, _) in enumerate(faces):
        write_image(tmp_path / "chips" / faces.table["identity"].iloc[row] / f"{row}.png", image)
    recipe = tmp_path / "own.toml"
    recipe.write_text(
        'backbone = "mobilefacenet"\nsize = 64\nembedding_dim = 8\nepochs = 1\nbatch_size = 6\nfrozen = ["0"]\n'
    )
    arguments = [
        "train",
        recipe,
        "--data",
        tmp_path / "chips",
        "--images",
        "chips",
        "--out",
        tmp_path / "out",
        "--device",
        "cpu",
    ]
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in (*arguments, "--start-from", path)])
    assert stop.value.code == 0
    assert Checkpoint.load(tmp_path / "out" / "training.pt").started_from == network_sha256(path)
