"""What a checkpoint may be when it is read again: cut, changed by a bit, another file, or made to deceive."""

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from facelab.errors import FacelabError
from facelab.train import Checkpoint, Recipe, fit
from facelab.train.checkpoint import previous_path

RECIPE = Recipe.parse({"size": 32, "embedding_dim": 8, "backbone": "mobilefacenet", "epochs": 2, "batch_size": 6})


class Stop(Exception):
    pass


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder of a training that was stopped after its second save: the newest checkpoint and the one before."""
    import pandas as pd

    from facelab.data import FaceSet

    chips = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    faces = FaceSet("toy", chips, pd.DataFrame({"identity": np.repeat(["a", "b", "c"], 4)}))
    path = tmp_path_factory.mktemp("trained") / "a.pt"

    def watch(step, *_):
        if step == 2:
            raise Stop

    with pytest.raises(Stop):
        fit(RECIPE, faces, device="cpu", checkpoint=path, checkpoint_seconds=0, watch=watch)
    assert previous_path(path).exists()
    return path


@pytest.fixture
def copy(trained, tmp_path) -> Path:
    for path in (trained, previous_path(trained)):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path / trained.name


def saved(path: Path, **changes: object) -> Path:
    """The checkpoint with other values; one that is ... is left out."""
    values = torch.load(path, weights_only=True) | changes
    torch.save({name: value for name, value in values.items() if value is not ...}, path)
    return path


def test_one_bit_that_has_changed_is_seen(copy):
    """Anywhere in the file: either it is refused, or nothing that was kept is other than it was."""
    whole, was = copy.read_bytes(), Checkpoint.load(copy)
    refused = 0
    random = np.random.default_rng(0)
    for place in random.integers(0, len(whole), 25):
        data = bytearray(whole)
        data[place] ^= 1 << random.integers(8)
        copy.write_bytes(data)
        try:
            state = Checkpoint.load(copy)
        except FacelabError:
            refused += 1
            continue
        assert all(torch.equal(state.network[name], was.network[name]) for name in was.network)
        assert (state.recipe, state.step, state.identities) == (was.recipe, was.step, was.identities)
    assert refused > 15


ODD = {
    "no network": {"network": ...},
    "no step": {"step": ...},
    "a step of text": {"step": "2"},
    "a step below zero": {"step": -1},
    "no steps in an epoch": {"steps_per_epoch": 0},
    "a recipe that is none": {"recipe": [1]},
    "a recipe of another time": {"recipe": {"colour": "red"}},
    "identities that are numbers": {"identities": [1, 2, 3]},
    "weights that are numbers": {"network": {"x": 1.0}},
    "an unknown field": {"colour": "red"},
    "history of something else": {"history": [1, 2]},
    "history without a field": {"history": [{"epoch": 1}]},
}
UNFIT = {
    "weights of another network": {"network": {"x": torch.zeros(3)}},
    "no weights": {"network": {}},
    "more identities": {"identities": ["a", "b", "c", "d"]},
    "no history": {"history": []},
    "no optimiser": {"optimizer": {}},
    "an optimiser of something else": {"optimizer": {"state": {0: 1}, "param_groups": [{}, {}]}},
    "an optimiser of other shapes": {
        "optimizer": {"state": {0: {"momentum_buffer": torch.zeros(7, 7)}}, "param_groups": [{}, {}]}
    },
}


@pytest.mark.parametrize("odd", ODD)
def test_a_checkpoint_that_lacks_something_is_named(copy, odd):
    with pytest.raises(FacelabError, match=r"a\.pt is damaged, or not a checkpoint.*move the file away first"):
        Checkpoint.load(saved(copy, **ODD[odd]))


@pytest.mark.parametrize("odd", ["no step", *UNFIT])
def test_where_the_newest_is_odd_the_one_before_is_used(copy, odd):
    said = []
    state = Checkpoint.load_newest(saved(copy, **(ODD | UNFIT)[odd]), said.append, Checkpoint.check)
    assert state.step == 1
    assert "a.pt is damaged" in said[0]
    previous_path(copy).unlink()
    (copy.parent / "a.pt.damaged").rename(copy)
    with pytest.raises(FacelabError, match=r"a\.pt is damaged, or not a checkpoint"):
        Checkpoint.load_newest(copy, said.append, Checkpoint.check)


def test_weights_of_another_network_build_none(copy):
    for weights in ({"x": torch.zeros(3)}, {}):
        with pytest.raises(FacelabError, match="the network of its recipe has"):
            Checkpoint.load(saved(copy, network=weights)).embedder("cpu")


@pytest.mark.parametrize(
    "content",
    [b"", b"x", b"PK\x03\x04", b"epochs = 20\n", b"identity,file\n", b"\x80\x02}q\x00.", b"PK\x05\x06" + bytes(18)],
    ids=["empty", "one byte", "begun", "toml", "csv", "pickle", "no parts"],
)
def test_what_never_was_a_checkpoint_is_not_to_be_deleted(tmp_path, content):
    path = tmp_path / "notes.pt"
    path.write_bytes(content)
    with pytest.raises(FacelabError, match=r"notes\.pt is damaged, or not a checkpoint") as error:
        Checkpoint.load(path)
    assert "delete" not in str(error.value)


def test_an_archive_that_unfolds_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pt", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(1_000_000))
    with pytest.raises(FacelabError, match="its parts are compressed"):
        Checkpoint.load(tmp_path / "a.pt")


def test_a_pipe_a_folder_and_a_name_that_is_not_utf_8(copy):
    os.mkfifo(copy.parent / "pipe")
    for path, message in ((copy.parent / "pipe", "pipe"), (copy.parent, "Is a directory")):
        with pytest.raises(FacelabError, match=f"cannot read.*{message}"):
            Checkpoint.load(path)
    path = copy.parent / os.fsdecode(b"M\xfcller") / os.fsdecode(b"\xff.pt")
    Checkpoint.load(copy).save(path)
    assert Checkpoint.load(path).step == 2
