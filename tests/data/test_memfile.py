"""Memory-mapped sets: chips come back as they were, blue and red in their places, and every fault is one line."""

import json
from pathlib import Path

import numpy as np
import pytest

from facelab.data.memfile import load_memfile
from facelab.errors import FacelabError, ImageError
from facelab.sources import open_faces


@pytest.fixture
def chips() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (8, 16, 12, 3)).astype(np.uint8)


@pytest.fixture
def folder(tmp_path, chips) -> Path:
    """As AdaFace writes it: OpenCV's order of colours, (x / 255 - 0.5) / 0.5, channels first, ``np.memmap``."""
    where = tmp_path / "lfw" / "memfile"
    where.mkdir(parents=True)
    values = ((chips[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255) - 0.5) / 0.5
    kept = np.memmap(where / "mem_file.dat", np.float32, "w+", shape=values.shape)
    kept[:] = values
    kept.flush()
    (where / "mem_file.conf").write_text(json.dumps({"shape": values.shape, "dtype": "float32"}))
    np.save(tmp_path / "lfw_list.npy", np.array([True, False, True, False]))
    return tmp_path


@pytest.mark.parametrize("inside", ["", "lfw"])
def test_chips_come_back(folder, chips, inside):
    opened = open_faces(folder / inside, pairs=True)
    assert opened.source.name == "memfile"
    np.testing.assert_array_equal(opened.faces.array(), chips)
    assert opened.pairs.genuine.tolist() == [True, False, True, False]
    assert (opened.faces.labels[opened.pairs.first] == opened.faces.labels[opened.pairs.second]).tolist() == [
        1,
        0,
        1,
        0,
    ]
    with pytest.raises(FacelabError, match="does not say who is on them"):
        open_faces(folder / inside)


FAULTS = {
    "cut": (lambda f: (f / "lfw/memfile/mem_file.dat").write_bytes(b"1234"), "has 4 bytes, .* describes 18,432"),
    "a strange shape": (lambda f: (f / "lfw/memfile/mem_file.conf").write_text("[1]"), "describes no chips"),
    "no JSON": (lambda f: (f / "lfw/memfile/mem_file.conf").write_text("{"), "is not JSON"),
    "no list": (lambda f: (f / "lfw_list.npy").unlink(), r"lfw_list\.npy"),
    "a list of objects": (lambda f: np.save(f / "lfw_list.npy", np.array([{}], object)), "without running code"),
    "a list that is cut": (lambda f: (f / "lfw_list.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'"), "no array"),
    "an empty list": (lambda f: (f / "lfw_list.npy").write_bytes(b""), "no array of NumPy"),
    "a short list": (lambda f: np.save(f / "lfw_list.npy", np.array([True])), "lists 1 pair, for 8 pictures"),
    "another list": (lambda f: np.save(f / "lfw_list.npy", np.arange(4)), "something else than true and false"),
    "not normalised": (
        lambda f: (f / "lfw/memfile/mem_file.dat").write_bytes(np.full(4608, 200, np.float32).tobytes()), "outside .-1"
    ),
    "two sets": (
        lambda f: [(f / "b/memfile").mkdir(parents=True), (f / "b/memfile/mem_file.conf").write_text("")], "2 sets"
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(folder, fault):
    FAULTS[fault][0](folder)
    with pytest.raises(FacelabError, match=FAULTS[fault][1]):
        load_memfile(folder)


def test_a_file_that_shrinks_is_said(folder):
    faces, _ = load_memfile(folder)
    (folder / "lfw/memfile/mem_file.dat").write_bytes(b"")
    with pytest.raises(ImageError, match="cut short at picture 7"):
        faces[7]
