import copy
import logging
import math
import os
import resource
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import create_model
from torch import nn

from facelab.data import FaceSet
from facelab.data.folder import load_folder
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.files import RECORD
from facelab.losses import ArcFace, MagFace
from facelab.models.backbones import embedding_head
from facelab.models.registry import BACKBONES
from facelab.train import Checkpoint, Recipe, fit
from facelab.train import loop as loop_module
from facelab.train import state as state_module
from facelab.train.batches import _groups, epoch_order, held_in_memory
from facelab.train.checkpoint import previous_path
from facelab.train.health import check_epoch, check_lengths, check_weights
from facelab.train.schedule import set_schedule
from facelab.train.state import _optimizer, cache_path

pytestmark = pytest.mark.slow


# A loop is a loop: a network of two layers stands in for ResNet18, and makes steps and checkpoints cheap. What is asked
# of a real network, of its learning and after kill -9, is asked of the course's, ResNet34.
def two_layers(embedding_dim: int, *, dropout: float) -> nn.Module:
    layers = [nn.Conv2d(3, 8, 5, stride=2), nn.BatchNorm2d(8), nn.PReLU(8), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(nn.Sequential(*layers), *embedding_head(32, embedding_dim, dropout=dropout))


@pytest.fixture(scope="module", autouse=True)
def _small_network():
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, "resnet18", two_layers)
        yield


RECIPE = Recipe.parse(
    {"backbone": "resnet18", "size": 32, "embedding_dim": 8, "epochs": 4, "batch_size": 5, "dropout": 0.2}
    | {"learning_rate": 0.02, "loss": {"name": "arcface", "scale": 8, "margin": 0.2, "margin_warmup": 0.5}}
)


def assert_same(a: Checkpoint, b: Checkpoint) -> None:
    """Bit for bit, times excepted."""
    assert (a.step, a.recipe, a.identities) == (b.step, b.recipe, b.identities)
    for mine, other in ((a.network, b.network), (a.loss, b.loss)):
        assert mine.keys() == other.keys()
        for name in mine:
            assert torch.equal(mine[name], other[name]), name
    for row, other_row in zip(a.history, b.history, strict=True):
        assert {**row, "seconds": 0} == {**other_row, "seconds": 0}


class Interrupted(KeyboardInterrupt):
    pass


@pytest.fixture
def interrupt_after(monkeypatch):
    """Make a training stop, as by Ctrl-C, after a number of steps."""

    def arrange(steps: int) -> None:
        record, count = loop_module.Training.record, iter(range(10_000))

        def stop(*args):
            if next(count) == steps:
                raise Interrupted
            record(*args)

        monkeypatch.setattr(loop_module.Training, "record", stop)

    return arrange


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_resume_equals_an_uninterrupted_run_bit_for_bit(toy_chips, tmp_path, monkeypatch, interrupt_after, steps):
    """12 images in batches of 5 are 2 steps an epoch: interrupted within an epoch (1, 5) and between two (2)."""
    whole = fit(RECIPE, toy_chips, device="cpu")
    path = tmp_path / "a.pt"
    interrupt_after(steps)
    with pytest.raises(Interrupted):
        fit(RECIPE, toy_chips, device="cpu", checkpoint=path, checkpoint_seconds=0)
    monkeypatch.undo()
    assert Checkpoint.load(path).step == steps
    known = {"a.pt", "a.previous.pt", "a.csv", RECORD}
    assert "a.pt" in {p.name for p in tmp_path.iterdir()} <= known  # no half-written file
    resumed = fit(RECIPE, toy_chips, device="cpu", checkpoint=path)
    assert_same(resumed, whole)
    assert_same(Checkpoint.load(path), whole)
    assert whole.complete
    assert len(whole.history) == 4


def test_watching_sees_every_step_and_changes_nothing(toy_chips):
    seen = []

    def watch(step, embeddings, labels, loss):
        assert embeddings.shape == (5, 8)
        assert not embeddings.requires_grad
        seen.append((step, labels.tolist(), loss.margin_factor))

    assert_same(fit(RECIPE, toy_chips, device="cpu", watch=watch), fit(RECIPE, toy_chips, device="cpu"))
    assert [step for step, _, _ in seen] == list(range(8))
    assert [factor for _, _, factor in seen] == pytest.approx([0.25, 0.5, 0.75, 1, 1, 1, 1, 1])


def test_accuracy_and_watch_see_the_class_centres_that_gave_the_loss(toy_chips):
    """A step of this size throws them far away; what is recorded of it is of before."""
    seen = []

    def watch(step, embeddings, labels, loss):
        seen.append((embeddings.clone(), labels, loss.centres.detach().clone(), loss(embeddings, labels).item()))

    changes = {"epochs": 2, "batch_size": 12, "optimizer": "sgd", "learning_rate": 100.0, "warmup": 0.0}
    recipe = RECIPE.model_copy(update=changes)
    row = fit(recipe, toy_chips, device="cpu", watch=watch).history[0]
    (embeddings, labels, centres, value), (_, _, later, _) = seen
    torch.manual_seed(recipe.seed)  # as a training begins: the network first, then the centres
    recipe.build_network()
    initial = recipe.build_loss(3).centres.detach()
    assert torch.equal(centres, initial)
    assert (later - initial).norm() > 10 * initial.norm()
    assert value == row["loss"]
    cos_theta = nn.functional.normalize(embeddings) @ nn.functional.normalize(initial).T
    assert row["accuracy"] == pytest.approx((cos_theta.argmax(dim=1) == labels).float().mean().item())


def test_a_complete_training_is_used_again(toy_chips, tmp_path):
    first = fit(RECIPE, toy_chips, checkpoint=tmp_path / "a.pt")
    modified = (tmp_path / "a.pt").stat().st_mtime_ns
    assert_same(fit(RECIPE, toy_chips, checkpoint=tmp_path / "a.pt"), first)
    assert (tmp_path / "a.pt").stat().st_mtime_ns == modified


def test_the_cache_keeps_trainings_on_other_faces_or_of_another_recipe_apart(toy_chips, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    recipe = Recipe.from_toml("quick")
    path = cache_path("course", "toy", recipe, toy_chips)
    assert path.parent == tmp_path / "course"
    assert path == cache_path("course", "toy", recipe, toy_chips)
    brighter = FaceSet(toy_chips.name, toy_chips.array() + np.uint8(1), toy_chips.table)
    assert cache_path("course", "toy", recipe, brighter) != path
    assert cache_path("course", "toy", recipe.model_copy(update={"epochs": 1}), toy_chips) != path
    more = create_model("More", __base__=Recipe, warp=(float, 0.5))  # the recipes of a later facelab
    assert cache_path("course", "toy", more.parse(recipe.model_dump()), toy_chips) == path
    assert cache_path("course", "toy", more.parse({**recipe.model_dump(), "warp": 1.0}), toy_chips) != path


def test_the_seed_decides_and_the_global_random_state_does_not(toy_chips):
    torch.manual_seed(1)
    first = fit(RECIPE, toy_chips)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    assert_same(fit(RECIPE, toy_chips), first)
    assert torch.equal(torch.get_rng_state(), state)  # nor is it disturbed
    other = fit(RECIPE.model_copy(update={"seed": 1}), toy_chips)
    assert not torch.equal(other.loss["centres"], first.loss["centres"])


@pytest.mark.parametrize(
    ("loss", "backbone"),
    [
        ({"name": "cross_entropy"}, "resnet18"),
        ({"name": "arcface", "scale": 8, "margin": 0.2}, "resnet34"),
        ({"name": "combined", "scale": 8, "m1": 1.1, "m2": 0.1, "m3": 0.1}, "resnet18"),
        ({"name": "triplet", "mining": "batch-all"}, "resnet34"),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else value,
)
def test_learns_what_can_be_learned(toy_chips, loss, backbone):
    recipe = Recipe.parse({"size": 32, "embedding_dim": 8, "epochs": 20, "batch_size": 12, "loss": loss})
    recipe = recipe.model_copy(update={"backbone": backbone})
    checkpoint = fit(recipe.model_copy(update={"learning_rate": 0.05, "augment": False}), toy_chips)
    assert checkpoint.history[-1]["loss"] < 0.5 * checkpoint.history[0]["loss"]
    assert checkpoint.history[-1]["accuracy"] > 0.9
    assert checkpoint.embedder()(toy_chips).shape == (12, 8)


def test_every_image_is_used_once_in_an_epoch_and_the_order_changes():
    recipe = RECIPE.model_copy(update={"batch_size": 4})
    epochs = [epoch_order(recipe, np.zeros(12), epoch) for epoch in range(4)]
    assert all(epoch.shape == (3, 4) and sorted(epoch.ravel()) == list(range(12)) for epoch in epochs)
    assert len({tuple(epoch.ravel()) for epoch in epochs}) == 4


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_schedule_warms_up_and_falls_as_a_cosine(optimizer):
    recipe = Recipe.parse(
        {"learning_rate": 1.0, "centre_learning_rate": 3.0, "warmup": 0.1, "optimizer": optimizer}
        | {"loss": {"name": "arcface", "scale": 30, "scale_warmup": [10, 0.2], "margin_warmup": 0.5}}
    )
    loss = recipe.build_loss(3)
    chosen = _optimizer(recipe, torch.nn.Linear(2, 2), loss)
    assert type(chosen).__name__.lower() == optimizer
    rates, of_centres, margins, scales = [], [], [], []
    for step in range(100):
        set_schedule(recipe, (step + 1) / 100, chosen, loss)
        rates.append(chosen.param_groups[0]["lr"])
        of_centres.append(chosen.param_groups[1]["lr"])
        margins.append(loss.margin_factor)
        scales.append(loss.scale)
    np.testing.assert_allclose(rates[:9], np.arange(1, 10) / 10)
    np.testing.assert_allclose(rates[9:], [(1 + math.cos(math.pi * k / 90)) / 2 for k in range(91)], atol=1e-12)
    np.testing.assert_allclose(of_centres, 3 * np.array(rates))
    np.testing.assert_allclose(margins, np.minimum(np.arange(1, 101) / 50, 1))
    np.testing.assert_allclose(scales, np.minimum(10 + 20 * np.arange(1, 101) / 20, 30))


def test_another_recipe_or_other_images_do_not_go_on_from_a_checkpoint(toy_chips, tmp_path):
    path = tmp_path / "a.pt"
    short = RECIPE.model_copy(update={"epochs": 1})
    fit(short, toy_chips, checkpoint=path)
    with pytest.raises(FacelabError, match="epochs = 1, not 4"):
        fit(RECIPE, toy_chips, checkpoint=path)
    others = FaceSet("others", 255 - toy_chips.images, toy_chips.table)
    with pytest.raises(FacelabError, match="other images"):
        fit(short, others, checkpoint=path)


@pytest.mark.parametrize("text", ["hello\n", "epoch,loss\n1,2\n", "Recipe", "# a text", "", "1e5", "{}", "(lp0\n"])
def test_a_text_is_no_checkpoint(tmp_path, text):
    (tmp_path / "a.pt").write_text(text)
    with pytest.raises(FacelabError, match=r"not a checkpoint that facelab train saved"):
        Checkpoint.load(tmp_path / "a.pt")


def test_damaged_checkpoint_is_named_and_kept(toy_chips, tmp_path):
    path = tmp_path / "a.pt"
    fit(RECIPE.model_copy(update={"epochs": 1}), toy_chips, checkpoint=path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(FacelabError, match=r"a\.pt is damaged"):
        fit(RECIPE, toy_chips, checkpoint=path)
    assert path.stat().st_size == 5000
    torch.save({"weights": 1}, path)
    with pytest.raises(FacelabError, match="not a checkpoint"):
        Checkpoint.load(path)
    with pytest.raises(FacelabError, match="there is no checkpoint"):
        Checkpoint.load(tmp_path / "none.pt")


def test_a_loss_that_is_not_finite_stops_the_training(toy_chips, monkeypatch):
    recipe = RECIPE.model_copy(update={"clip_norm": 1e30, "learning_rate": 1e30, "warmup": 0.0})
    with pytest.raises(FacelabError, match="diverged"):
        fit(recipe.model_copy(update={"loss": Recipe().loss}), toy_chips)


@pytest.mark.parametrize("every", [3, 100])
def test_a_history_that_is_read_now_and_then_is_the_same(toy_chips, tmp_path, monkeypatch, every):
    """As on a GPU; 2 steps an epoch, then 12."""
    for recipe in (RECIPE, RECIPE.model_copy(update={"batch_size": 2, "epochs": 2, "dropout": 0.0})):
        whole = fit(recipe, toy_chips, device="cpu")
        with monkeypatch.context() as patch:
            patch.setitem(state_module.READ, "cpu", every)
            path = tmp_path / f"{recipe.batch_size}.pt"
            assert_same(fit(recipe, toy_chips, device="cpu", checkpoint=path, checkpoint_seconds=0), whole)
            assert_same(Checkpoint.load(path), whole)


def test_a_loss_that_is_read_later_stops_the_training_before_it_is_saved(toy_chips, tmp_path, monkeypatch):
    monkeypatch.setitem(state_module.READ, "cpu", 100)
    recipe = RECIPE.model_copy(update={"clip_norm": 1e30, "learning_rate": 1e30, "warmup": 0.0, "batch_size": 2})
    with pytest.raises(FacelabError, match=r"nan at step [12]\b"):
        fit(recipe, toy_chips, device="cpu", checkpoint=tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_too_small_a_set_is_an_error():
    images = np.zeros((3, 32, 32, 3), np.uint8)
    with pytest.raises(FacelabError, match="too small"):
        fit(RECIPE, FaceSet("one", images, pd.DataFrame({"identity": ["a"] * 3})))


def test_bf16_trains_and_keeps_parameters_in_float32(toy_chips):
    checkpoint = fit(RECIPE.model_copy(update={"epochs": 1}), toy_chips, precision="bf16")
    assert all(tensor.dtype != torch.bfloat16 for tensor in (*checkpoint.network.values(), *checkpoint.loss.values()))
    assert math.isfinite(checkpoint.history[0]["loss"])


@pytest.mark.parametrize("name", ["sphereface", "adaface", "curricularface", "triplet"])
def test_resume_restores_what_a_loss_remembers(toy_chips, tmp_path, monkeypatch, interrupt_after, name):
    """Moving averages and the annealing's iteration are buffers; a triplet loss has nothing to remember."""
    recipe = Recipe.parse({**RECIPE.model_dump(), "epochs": 2, "loss": {"name": name}})
    whole = fit(recipe, toy_chips, device="cpu")
    interrupt_after(3)
    with pytest.raises(Interrupted):
        fit(recipe, toy_chips, device="cpu", checkpoint=tmp_path / "a.pt", checkpoint_seconds=0)
    monkeypatch.undo()
    assert_same(fit(recipe, toy_chips, device="cpu", checkpoint=tmp_path / "a.pt"), whole)


KILLED = """
import sys
import numpy as np, pandas as pd, torch
torch.set_num_threads(1)
from facelab.data import FaceSet
from facelab.train import Recipe, fit
chips = FaceSet("toy", np.load(sys.argv[1]), pd.DataFrame({"identity": np.repeat(["a", "b", "c"], 4)}))
recipe, path, seconds = Recipe.model_validate_json(sys.argv[2]), sys.argv[3], float(sys.argv[4])
fit(recipe, chips, device="cpu", checkpoint=path, checkpoint_seconds=seconds)
"""


def test_goes_on_exactly_after_kill_9(toy_chips, tmp_path):
    """Real processes: one is killed while it trains or writes, as soon as it has saved a checkpoint; one goes on; one
    is left alone. All are fresh, as a user's are: after other tests, this process was once seen to give other bits."""
    np.save(tmp_path / "chips.npy", toy_chips.images)
    path, other = tmp_path / "run" / "a.pt", tmp_path / "whole" / "a.pt"
    recipe = Recipe.parse({**RECIPE.model_dump(), "backbone": "resnet34", "weight_average": 0.5})
    recipe = recipe.model_copy(update={"optimizer": "adamw", "learning_rate": 1e-3})
    command = [sys.executable, "-c", KILLED, str(tmp_path / "chips.npy"), recipe.model_dump_json()]
    process = subprocess.Popen([*command, str(path), "0"], stderr=subprocess.DEVNULL)
    while not path.exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not Checkpoint.load_newest(path, print).complete  # killed between two renames, only the previous is there
    for again in (path, other):
        subprocess.run([*command, str(again), "30"], check=True)
    resumed, whole = Checkpoint.load(path), Checkpoint.load(other)
    assert resumed.complete
    assert_same(resumed, whole)
    assert all(torch.equal(whole.average[name], resumed.average[name]) for name in whole.average)
    table = pd.read_csv(path.with_suffix(".csv"))
    assert table["epoch"].tolist() == [1, 2, 3, 4]  # no row twice
    np.testing.assert_allclose(table["loss"], [row["loss"] for row in whole.history])


def small(step: int, values: int = 4) -> Checkpoint:
    """A checkpoint that is not complete, as far as files are concerned."""
    return Checkpoint(RECIPE, ["a"], "", step=step, steps_per_epoch=2, network={"x": torch.full((values,), step)})


def test_a_damaged_checkpoint_is_named_and_the_one_before_is_used(tmp_path):
    path, said = tmp_path / "a.pt", []
    for step in (1, 2):
        small(step).save(path)
    assert (Checkpoint.load(path).step, Checkpoint.load(previous_path(path)).step) == (2, 1)
    path.write_bytes(path.read_bytes()[:300])
    assert Checkpoint.load_newest(path, said.append).step == 1
    assert "a.pt is damaged" in said[0]
    assert "step 1" in said[0]
    small(2).save(path)  # goes on: the damaged one does not push out the good one
    assert Checkpoint.load_newest(path, said.append).step == 2
    assert Checkpoint.load(previous_path(path)).step == 1
    path.unlink()  # killed between two renames
    assert Checkpoint.load_newest(path, said.append).step == 1
    assert len(said) == 1
    small(8).save(path)
    assert not previous_path(path).exists()  # complete: nothing to go back to
    assert Checkpoint.load_newest(tmp_path / "none.pt", said.append) is None


def test_a_full_disk_is_a_clear_error_and_keeps_the_last_good_checkpoint(tmp_path):
    """The system refuses to write more than 100 kB to a file, in the middle of writing it."""
    path = tmp_path / "a.pt"
    small(1).save(path)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    try:
        with pytest.raises(FacelabError, match=r"cannot write .*a\.pt.*Free space"):
            small(2, values=1_000_000).save(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert Checkpoint.load(path).step == 1
    assert os.listdir(tmp_path) == ["a.pt"]


def test_a_complete_checkpoint_of_the_format_before_can_be_read(tmp_path):
    values = {**small(8).__dict__, "recipe": RECIPE.model_dump(), "format": 2}
    del values["average"]
    torch.save(values, tmp_path / "old.pt")
    assert Checkpoint.load(tmp_path / "old.pt").complete
    torch.save({**values, "optimizer": {"state": {}}}, tmp_path / "old.pt")
    with pytest.raises(FacelabError, match="not a checkpoint of this version"):
        Checkpoint.load(tmp_path / "old.pt")


def test_batches_of_identities_hold_k_images_of_each_and_no_image_twice():
    labels = np.repeat(range(12), 9)
    recipe = Recipe.parse({"batch_size": 12, "images_per_identity": 4})
    orders = [epoch_order(recipe, labels, epoch) for epoch in range(2)]
    for order in orders:
        assert order.shape == (8, 12)  # 12 identities x 2 groups of 4, 3 groups a batch
        assert len(np.unique(order)) == order.size
        assert all((np.unique(labels[batch], return_counts=True)[1] % 4 == 0).all() for batch in order)
    assert (orders[0] != orders[1]).any()
    assert np.mean([len(np.unique(labels[batch])) for batch in orders[0]]) > 2.7  # nearly always 3 identities


def one_by_one(order: np.ndarray, labels: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """What ``_groups`` says, identity after identity: too slow for 85,000 of them."""
    groups, places = [], []
    for identity in np.unique(labels):
        images = order[labels[order] == identity]
        count = max(1, len(images) // k)
        groups.append(np.resize(images, (count, k)))
        places.append((np.arange(count) + random.random(count)) / count)
    return np.concatenate(groups)[np.argsort(np.concatenate(places), kind="stable")]


@pytest.mark.parametrize("k", [2, 3, 7])
def test_groups_of_an_identity_are_drawn_as_they_always_were(k):
    """The order of an epoch is a function of the seed, or else no training could be made again."""
    for seed in range(20):
        random = np.random.default_rng(seed)
        labels = random.permutation(np.repeat(np.arange(2, 32), random.integers(1, 20, 30)))  # some have fewer than k
        order, twin = random.permutation(len(labels)), copy.deepcopy(random)
        np.testing.assert_array_equal(_groups(order, labels, k, random), one_by_one(order, labels, k, twin))
        assert random.random() == twin.random()


def test_an_identity_with_few_images_repeats_them():
    order = epoch_order(Recipe.parse({"batch_size": 6, "images_per_identity": 3}), np.array([0, 0, 1, 1, 1, 1]), 0)
    assert sorted(np.array([0, 0, 1, 1, 1, 1])[order[0]]) == [0, 0, 0, 1, 1, 1]
    with pytest.raises(FacelabError, match="too few"):
        epoch_order(Recipe.parse({"batch_size": 6, "images_per_identity": 3}), np.zeros(4, int), 0)


def test_triplets_train_on_batches_of_identities(toy_chips):
    recipe = Recipe.parse(
        {**RECIPE.model_dump(), "batch_size": 6, "images_per_identity": 2, "loss": {"name": "triplet"}}
    )
    assert math.isfinite(fit(recipe, toy_chips).history[-1]["loss"])


def test_the_average_of_the_weights_is_what_is_used(toy_chips, monkeypatch):
    """Against a moving average made by hand from what there was after each step."""
    recipe, seen = RECIPE.model_copy(update={"weight_average": 0.6, "epochs": 2}), []
    plain = fit(RECIPE.model_copy(update={"epochs": 2}), toy_chips)
    original = loop_module.Training.update

    def update(self, *args):
        original(self, *args)
        seen.append(self._plain.state_dict()["3.running_mean"].clone())

    monkeypatch.setattr(loop_module.Training, "update", update)
    averaged = fit(recipe, toy_chips)
    expected = seen[0]
    for value in seen[1:]:
        expected = 0.6 * expected + 0.4 * value
    torch.testing.assert_close(averaged.build_network().state_dict()["3.running_mean"], expected)
    assert all(torch.equal(averaged.network[name], plain.network[name]) for name in plain.network)


@pytest.mark.parametrize("loss", ["arcface", "triplet"])
def test_a_loss_that_does_not_move_is_reported_once_with_remedies(loss):
    recipe = Recipe.parse({"epochs": 10, "loss": {"name": loss}})
    state = Checkpoint(recipe, [], "", step=0, steps_per_epoch=20)
    for epoch in range(8):
        state.history.append({"epoch": epoch + 1, "loss": 0.2001 if loss == "triplet" else 40.0, "accuracy": 0.01})
        if epoch == 2:
            with pytest.warns(RuntimeWarning, match="learning_rate"):
                check_epoch(state)
        else:
            check_epoch(state)  # a warning here would be an error


def test_a_loss_that_moves_is_not_reported():
    state = Checkpoint(Recipe.parse({"epochs": 10}), [], "", step=0, steps_per_epoch=20)
    for epoch in range(8):
        state.history.append({"epoch": epoch + 1, "loss": 6.2 * 0.95**epoch, "accuracy": 0.01})
        check_epoch(state)


def test_a_real_training_that_does_not_move_is_reported(toy_chips, monkeypatch):
    monkeypatch.setattr("facelab.train.health.STEPS", 4)
    recipe = Recipe.parse({**RECIPE.model_dump(), "epochs": 6, "batch_size": 12, "learning_rate": 1e-12})
    recipe = recipe.model_copy(update={"augment": False, "dropout": 0.0, "loss": Recipe().loss})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit(recipe, toy_chips)
    assert [str(w.message)[:22] for w in caught if w.category is RuntimeWarning] == ["the loss does not move"]


def test_images_are_decoded_once_if_they_fit_and_that_is_said(toy_chips, caplog):
    lazy = FaceSet("lazy", list(toy_chips.images), toy_chips.table).select([3, 1, 5])
    with caplog.at_level(logging.INFO, logger="facelab"):
        held = held_in_memory(lazy, limit_gb=1)
        again = held_in_memory(lazy, limit_gb=1e-6)
    assert isinstance(held.images, np.ndarray)
    assert again is lazy
    assert held.labels.tolist() == lazy.labels.tolist()
    np.testing.assert_array_equal(held.array(), lazy.array())
    assert "3 images decoded once" in caplog.messages[0]
    assert "decoded again" in caplog.messages[1]


def test_processes_that_decode_change_nothing(toy_chips, tmp_path):
    for i in range(len(toy_chips)):
        (tmp_path / toy_chips.table["identity"][i]).mkdir(exist_ok=True)
        write_image(tmp_path / toy_chips.table["identity"][i] / f"{i:03d}.png", toy_chips[i][0])
    folder, _ = load_folder(tmp_path)
    assert not isinstance(folder.images, np.ndarray)  # files, decoded when their turn comes
    in_memory = fit(RECIPE, folder, device="cpu")
    assert_same(in_memory, fit(RECIPE, folder, device="cpu", memory_gb=0))
    assert_same(in_memory, fit(RECIPE, folder, device="cpu", memory_gb=0, workers=2))


@pytest.mark.parametrize("name", ["triplet", "cross_entropy", "sphereface", "adaface"])
def test_a_training_that_diverges_is_never_saved_with_weights_that_are_no_numbers(toy_chips, tmp_path, name):
    """Triplets of embeddings that are not numbers once had the loss 0, and the training was complete."""
    recipe = {"backbone": "resnet18", "size": 32, "embedding_dim": 8, "epochs": 3, "batch_size": 12, "warmup": 0.0}
    recipe |= {"learning_rate": 1e30, "clip_norm": 1e30, "loss": {"name": name}, "images_per_identity": 4}
    with pytest.raises(FacelabError, match="the training has diverged"):
        fit(Recipe.parse(recipe), toy_chips, device="cpu", checkpoint=tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_a_weight_that_is_not_finite_is_named():
    check_weights(1, {"a": torch.ones(2), "count": torch.tensor(3)})
    with pytest.raises(FacelabError, match=r"weights are not finite after step 7 \(b\)"):
        check_weights(7, {"a": torch.ones(2), "b": torch.tensor([1.0, math.inf])})


@pytest.mark.parametrize("rises", [False, True])
def test_on_a_small_set_a_gain_by_chance_is_no_progress(rises):
    """80 images: an accuracy that jumps up by four of them in the first epoch that is judged has told nothing."""
    recipe = Recipe.parse({"epochs": 8, "batch_size": 8, "loss": {"name": "arcface"}})
    state = Checkpoint(recipe, [], "", step=0, steps_per_epoch=10)
    for epoch, accuracy in enumerate([0.125, 0.1, 0.1, 0.12, 0.175]):
        accuracy += 0.2 * rises * (epoch > 2)
        state.history.append({"epoch": epoch + 1, "loss": 40.0 + 0.1 * (epoch % 2), "accuracy": accuracy})
        if epoch == 4 and not rises:
            with pytest.warns(RuntimeWarning, match="does not move"):
                check_epoch(state)
        else:
            check_epoch(state)  # a warning here would be an error


def test_a_magface_whose_range_the_embeddings_do_not_reach_is_said():
    generator = torch.Generator().manual_seed(0)
    for dimensions, warns in ((32, True), (64, True), (512, False)):
        embeddings = torch.randn(100, dimensions, generator=generator)  # as a batch normalisation leaves them
        check_lengths(ArcFace(5, dimensions), embeddings)
        if warns:
            with pytest.warns(RuntimeWarning, match=rf"outside of 10 to 110.*embedding_dim = {dimensions}"):
                check_lengths(MagFace(5, dimensions), embeddings)
        else:
            check_lengths(MagFace(5, dimensions), embeddings)
