"""A training on a GPU: the same bits each time, also after it was stopped, and no step that waits for the GPU."""

import numpy as np
import pandas as pd
import pytest
import torch

from facelab.data import FaceSet
from facelab.errors import FacelabError
from facelab.models import to_input
from facelab.train import Checkpoint, Recipe, augment, fit
from facelab.train.batches import load_batches

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
GPU = torch.device("cuda")

SHAPE = {"size": 64, "embedding_dim": 64, "epochs": 4, "batch_size": 32, "learning_rate": 0.02, "dropout": 0.2}
RECIPES = {
    "cross entropy": {},
    "arcface": {"loss": {"name": "arcface", "scale": 16, "margin": 0.3, "margin_warmup": 0.5}},
    "adaface, adamw": {"loss": {"name": "adaface"}, "optimizer": "adamw", "learning_rate": 1e-3},
    "sphereface": {"loss": {"name": "sphereface"}},
    "curricularface": {"loss": {"name": "curricularface"}, "augmentation": {"saturation": 0.5}},
    "magface": {"loss": {"name": "magface", "lengths": [4, 16]}, "augment": False},
    "triplet": {"loss": {"name": "triplet"}, "images_per_identity": 4},
    "averaged": {"weight_average": 0.9},
}


def recipe(name: str) -> Recipe:
    return Recipe.parse({**SHAPE, **RECIPES[name]})


def faces() -> FaceSet:
    """A selection: 16 identities x 20 chips, each identity with its own mean colour; 10 steps an epoch."""
    random = np.random.default_rng(0)
    colours = random.integers(40, 160, (16, 3))[np.repeat(range(16), 24)]
    images = (colours[:, None, None] + random.integers(0, 80, (len(colours), 64, 64, 3))).astype(np.uint8)
    whole = FaceSet("colours", images, pd.DataFrame({"identity": [f"{i // 24:02d}" for i in range(len(images))]}))
    return whole.select(random.permutation(len(images))[:320])


def assert_same(a: Checkpoint, b: Checkpoint) -> None:
    for mine, other in ((a.network, b.network), (a.loss, b.loss), (a.average, b.average)):
        assert mine.keys() == other.keys()
        for name in mine:
            assert torch.equal(mine[name], other[name]), name
    for row, other_row in zip(a.history, b.history, strict=True):
        assert {**row, "seconds": 0} == {**other_row, "seconds": 0}


class Stop(Exception):
    pass


def stop_at(step: int):
    def watch(now: int, *_: object) -> None:
        if now == step:
            raise Stop

    return watch


@pytest.mark.parametrize(
    ("name", "precision"),
    [("arcface", "fp32"), ("arcface", "bf16"), ("adaface, adamw", "bf16"), ("triplet", "bf16"), ("averaged", "bf16")],
)
def test_same_bits_twice_and_after_a_stop(name, precision, tmp_path):
    whole = fit(recipe(name), faces(), device=GPU, precision=precision)
    assert whole.complete
    assert [row["epoch"] for row in whole.history] == [1, 2, 3, 4]
    assert_same(fit(recipe(name), faces(), device=GPU, precision=precision), whole)
    path = tmp_path / "a.pt"
    with pytest.raises(Stop):
        fit(recipe(name), faces(), device=GPU, precision=precision, checkpoint=path, checkpoint_seconds=0,
            watch=stop_at(13))  # fmt: skip
    assert Checkpoint.load(path).step == 13
    assert_same(fit(recipe(name), faces(), device=GPU, precision=precision, checkpoint=path), whole)


@pytest.mark.parametrize("name", ["arcface", "sphereface"])
def test_the_first_steps_are_those_of_a_cpu(name):
    """Images, dropout off, loss and accuracy: up to rounding, which grows with the steps."""
    short = recipe(name).model_copy(update={"dropout": 0.0, "epochs": 1, "batch_size": 320})
    there, here = (fit(short, faces(), device=device).history[0] for device in (GPU, "cpu"))
    assert there["loss"] == pytest.approx(here["loss"], rel=1e-3)


def test_images_are_changed_as_on_a_cpu():
    chips = torch.from_numpy(faces().array())
    here, there = (
        augment(to_input(chips.to(device), 64), torch.Generator().manual_seed(0), recipe("curricularface").augmentation)
        for device in ("cpu", GPU)
    )
    difference = (there.cpu() - here).abs()
    assert difference.max() < 1e-5


@pytest.mark.parametrize("limit", [2, 0])
def test_batches_are_those_of_a_cpu_wherever_the_chips_are_kept(limit):
    here = load_batches(recipe("arcface"), faces(), 3, torch.device("cpu"))
    there = load_batches(recipe("arcface"), faces(), 3, GPU, memory_gb=limit)
    for (chips, labels), (other_chips, other_labels) in zip(here, there, strict=True):
        assert other_chips.is_cuda
        assert torch.equal(chips, other_chips.cpu())
        assert torch.equal(labels, other_labels.cpu())


@pytest.mark.parametrize(
    ("name", "memory_gb"),
    [("arcface", 0), *[(name, 2) for name in RECIPES if name not in ("triplet", "averaged")]],
)
def test_no_step_waits_for_the_gpu(name, memory_gb):
    """Torch raises where Python would wait, from step 3 on, within an epoch and between two reads of the history."""

    def watch(step: int, *_: object) -> None:
        torch.cuda.set_sync_debug_mode("error" if 2 <= step < 8 else "default")

    try:
        fit(recipe(name), faces(), device=GPU, precision="bf16", memory_gb=memory_gb, watch=watch)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_embeddings_that_are_watched_stay_as_they_are():
    kept, copies = [], []

    def watch(step: int, embeddings: torch.Tensor, *_: object) -> None:
        kept.append(embeddings)
        copies.append(embeddings.cpu())

    fit(recipe("arcface"), faces(), device=GPU, watch=watch)
    assert all(torch.equal(a.cpu(), b) for a, b in zip(kept, copies, strict=True))


def test_a_loss_that_is_not_finite_stops_the_training_before_it_is_saved(tmp_path):
    wild = recipe("cross entropy").model_copy(update={"clip_norm": 1e30, "learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(FacelabError, match="diverged"):
        fit(wild, faces(), device=GPU, checkpoint=tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()
