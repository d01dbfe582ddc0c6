"""``facelab embed``, run for real: what it writes is what the network says of each chip."""

import numpy as np
import pandas as pd
import pytest

from facelab.align import make_chips
from facelab.cli import app
from facelab.data import FaceSet
from facelab.data.images import write_image
from facelab.errors import FacelabError
from facelab.files import RECORD
from facelab.models import files
from facelab.models.files import embed_faces
from facelab.train import Checkpoint, Recipe, fit

pytestmark = pytest.mark.slow
AS_CHIPS = ("--images", "chips")  # no face can be seen on these toys


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A network that has seen one step on noise: its embeddings are of no use, and as exact as any."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    faces = FaceSet("noise", noise, pd.DataFrame({"identity": list("aabbccdd")}))
    path = tmp_path_factory.mktemp("train") / "small.pt"
    fit(Recipe.parse({"size": 32, "embedding_dim": 16, "epochs": 1, "batch_size": 8}), faces, checkpoint=path)
    return path


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(["embed", *map(str, arguments), "--device", "cpu"])
    return stop.value.code


def load(path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


@pytest.fixture
def folder(tmp_path, toy_chips):
    for name, row in {"b/2": 4, "a/1": 0, "a/x": 1, "b/1": 5}.items():
        write_image(tmp_path / "chips" / f"{name}.png", toy_chips[row][0])
    return tmp_path / "chips"


def test_a_folder_of_chips(checkpoint, folder, toy_chips, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(files, "BLOCK", 3)  # more than one block
    assert run(checkpoint, folder, *AS_CHIPS, "--out", tmp_path / "out" / "e.npz") == 0
    assert "4 embeddings of 16 dimensions (taken as aligned chips: as you say)" in capsys.readouterr().out
    found = load(tmp_path / "out" / "e.npz")
    assert set(found) == {"embeddings", "labels", "identities", "files"}
    assert found["files"].tolist() == ["a/1.png", "a/x.png", "b/1.png", "b/2.png"]
    assert (found["identities"].tolist(), found["labels"].tolist()) == (["a", "b"], [0, 0, 1, 1])
    assert (found["embeddings"].dtype, found["labels"].dtype) == (np.float32, np.int64)
    expected = Checkpoint.load(checkpoint).embedder("cpu")(toy_chips.select([0, 1, 5, 4]), normalize=False)
    np.testing.assert_allclose(found["embeddings"], expected, atol=1e-5)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"e.npz", RECORD}


def test_chips_of_nobody_known_have_no_label(checkpoint, folder, toy_chips, tmp_path):
    write_image(folder / "lonely.png", toy_chips[8][0])
    assert run(checkpoint, folder, *AS_CHIPS, "--out", tmp_path / "mixed.npz") == 0
    mixed = load(tmp_path / "mixed.npz")
    assert mixed["files"].tolist() == ["a/1.png", "a/x.png", "b/1.png", "b/2.png", "lonely.png"]
    assert (mixed["identities"].tolist(), mixed["labels"].tolist()) == (["a", "b"], [0, 0, 1, 1, -1])
    assert run(checkpoint, folder / "lonely.png", folder / "a" / "x.png", *AS_CHIPS, "--out", tmp_path / "two.npz") == 0
    two = load(tmp_path / "two.npz")
    assert two["files"].tolist() == ["lonely.png", "x.png"]
    assert (two["labels"].tolist(), len(two["identities"])) == ([-1, -1], 0)
    np.testing.assert_allclose(two["embeddings"], mixed["embeddings"][[4, 1]], atol=1e-5)


def test_photographs_are_detected_and_aligned_first(checkpoint, orl, mtcnn, tmp_path, capsys):
    for row in (0, 1, 10):
        write_image(tmp_path / "people" / orl.table["identity"][row] / f"{row}.png", orl[row][0])
    assert run(checkpoint, tmp_path / "people", "--out", tmp_path / "e.npz") == 0
    assert "detected and aligned by MTCNN: 3 of 3 faces found" in " ".join(capsys.readouterr().out.split())
    expected = embed_faces(Checkpoint.load(checkpoint).embedder("cpu"), make_chips(orl.select([0, 1, 10]), mtcnn)[0])
    np.testing.assert_allclose(load(tmp_path / "e.npz")["embeddings"], expected, atol=1e-4)


def test_every_face_of_a_group_and_the_mirrored_chips(checkpoint, orl, tmp_path):
    for row in (0, 10):
        write_image(tmp_path / "people" / orl.table["identity"][row] / f"{row}.png", orl[row][0])
    write_image(tmp_path / "people" / "s01" / "both.png", np.hstack([orl[0][0], orl[10][0]]))
    options = ["--which", "all", "--images", "photographs", "--flip"]
    assert run(checkpoint, tmp_path / "people", "--out", tmp_path / "e.npz", *options) == 0
    found = load(tmp_path / "e.npz")
    assert found["files"].tolist() == ["s01/0.png", "s01/both.face1.png", "s01/both.face2.png", "s02/10.png"]
    assert (found["identities"].tolist(), found["labels"].tolist()) == (["s01", "s02"], [0, -1, -1, 1])
    unit = found["embeddings"] / np.linalg.norm(found["embeddings"], axis=1, keepdims=True)
    assert (unit[:2] @ unit[[0, 3]].T).argmax(axis=1).tolist() == [0, 0]


def test_what_cannot_be_embedded_is_said_and_nothing_written(checkpoint, folder, tmp_path, capsys):
    (folder / "a" / "bad.png").write_bytes(b"no picture")
    assert run(checkpoint, folder, *AS_CHIPS, "--out", tmp_path / "e.npz") == 1
    assert "bad.png" in capsys.readouterr().out
    assert len(load(tmp_path / "e.npz")["files"]) == 4
    for arguments, message in (
        ((tmp_path / "none.pt", folder), "there is no checkpoint"),
        ((checkpoint, "nobody"), "there is no data set 'nobody': give orl,"),
        ((checkpoint, tmp_path / "gone.png"), "there is no readable picture in"),
        ((checkpoint, folder, "--detector", "haar"), "detector 'haar': choose one of"),
    ):
        assert run(*arguments, "--out", tmp_path / "never.npz") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "never.npz").exists()
    with pytest.raises(FacelabError, match="is empty"):
        embed_faces(Checkpoint.load(checkpoint).embedder("cpu"), FaceSet("x", [], pd.DataFrame({"identity": []})))
