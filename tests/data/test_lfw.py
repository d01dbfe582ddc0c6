"""Writing sets and lists of pairs as LFW has them: what is written reads back as it was."""

import pickle
import shutil

import cv2
import numpy as np
import pytest

from facelab.cli import app
from facelab.data import load_bin, load_folder, read_pairs
from facelab.data.images import write_image
from facelab.data.lfw import lfw_files
from facelab.errors import FacelabError


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(["data", *map(str, arguments)])
    return stop.value.code


@pytest.fixture
def people(tmp_path):
    """Eight identities (one with a space in its name, one a number) with three pictures each, under LFW's names."""
    generator = np.random.default_rng(0)
    for name in ("Ann Lee", "bob", "7", *"cdefg"):
        for k in (1, 2, 3):
            picture = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            write_image(tmp_path / "people" / name / f"{name}_{k:04d}.png", picture)
    return tmp_path / "people"


def write_bin(path, same: list[bool]) -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2 * len(same), 8, 8, 3), dtype=np.uint8)
    path.write_bytes(pickle.dumps(([cv2.imencode(".png", picture)[1].tobytes() for picture in pictures], same)))


def test_pairs_of_ones_own_faces(people, tmp_path, capsys):
    options = ["--folds", 4, "--each", 5]
    assert run("pairs", people, "--out", tmp_path / "pairs.txt", *options) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "40 pairs of FaceSet('people', 24 images, 8 identities): 4 folds without a common identity" in said
    assert "of 5 genuine and 5 impostor pairs each, drawn with seed 0" in said
    lines = (tmp_path / "pairs.txt").read_text().splitlines()
    assert lines[0] == "4\t5"
    assert [len(line.split("\t")) for line in lines[1:]] == ([3] * 5 + [4] * 5) * 4  # as LFW's own file
    faces, _ = load_folder(people)
    listed = read_pairs(tmp_path / "pairs.txt", faces)
    assert np.bincount(listed.fold).tolist() == [10] * 4
    folds_of: dict[int, set[int]] = {}
    for side in (listed.first, listed.second):
        for label, fold in zip(faces.labels[side], listed.fold, strict=True):
            folds_of.setdefault(int(label), set()).add(int(fold))
    assert all(len(folds) == 1 for folds in folds_of.values())
    assert len({*zip(listed.first.tolist(), listed.second.tolist(), strict=True)}) == 40  # none twice
    for seed, same in ((0, True), (1, False)):
        assert run("pairs", people, "--out", tmp_path / "again.txt", *options, "--seed", seed) == 0
        assert ((tmp_path / "again.txt").read_text() == (tmp_path / "pairs.txt").read_text()) == same


def test_a_folder_without_lfws_names_is_copied_under_them(people, tmp_path, capsys):
    (people / "bob" / "bob_0001.png").rename(people / "bob" / "holiday.png")
    assert run("pairs", people, "--out", tmp_path / "pairs.txt", "--folds", 2) == 2
    assert "bob/holiday.png is not called as LFW calls" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "pairs.txt").exists()
    assert run("convert", people, "--out", people) == 2
    assert "choose another folder" in " ".join(capsys.readouterr().err.split())
    for _ in range(2):  # what facelab made it may make again
        assert run("convert", people, "--out", tmp_path / "lfw") == 0
    assert run("pairs", tmp_path / "lfw", "--out", tmp_path / "pairs.txt", "--folds", 2) == 0
    before, after = load_folder(people)[0], load_folder(tmp_path / "lfw")[0]
    np.testing.assert_array_equal(after.array(), before.array())
    assert after.table["identity"].tolist() == before.table["identity"].tolist()


@pytest.mark.parametrize(
    ("same", "form"),
    [
        (([True] * 2 + [False] * 2) * 10, "LFW's format"),
        ([True, False, False] * 10, "lines FILE FILE 1"),  # as such a file may be, though none of the known ones is
    ],
)
def test_a_bin_becomes_a_folder_with_its_pairs_and_folds(tmp_path, capsys, same, form):
    write_bin(tmp_path / "a.bin", same)
    assert run("convert", tmp_path / "a.bin", "--out", tmp_path / "a") == 0
    assert form in " ".join(capsys.readouterr().out.split())
    packed, expected = load_bin(tmp_path / "a.bin")
    faces, bad = load_folder(tmp_path / "a")
    listed = read_pairs(tmp_path / "a" / "pairs.txt", faces)
    assert not bad
    for mine, theirs in ((listed.first, expected.first), (listed.second, expected.second)):
        np.testing.assert_array_equal(faces.array()[mine], packed.array()[theirs])
    np.testing.assert_array_equal(listed.fold, expected.fold)
    np.testing.assert_array_equal(listed.genuine, same)
    np.testing.assert_array_equal(faces.labels[listed.first] == faces.labels[listed.second], same)


def test_names_that_are_no_folders_and_files_of_the_user(people, tmp_path):
    for name in ("", "..", "a/b", "tab\tbed"):
        with pytest.raises(FacelabError, match="cannot be the name of a folder"):
            lfw_files([name])
    assert lfw_files(["a", "b", "a"]) == ["a/a_0001.png", "b/b_0001.png", "a/a_0002.png"]
    (tmp_path / "mine.txt").write_text("notes")
    assert run("pairs", people, "--out", tmp_path / "mine.txt", "--folds", 2) == 2
    assert (tmp_path / "mine.txt").read_text() == "notes"


def test_pictures_of_an_earlier_conversion_are_not_mixed_with_others(people, tmp_path, capsys):
    """Of a person who has withdrawn, say: both would be read as one set."""
    assert run("convert", people, "--out", tmp_path / "lfw") == 0
    shutil.rmtree(people / "bob")
    assert run("convert", people, "--out", tmp_path / "lfw") == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "holds 3 pictures of an earlier run that people has not, such as bob/bob_0001.png" in said
    shutil.rmtree(tmp_path / "lfw")
    assert run("convert", people, "--out", tmp_path / "lfw") == 0
    assert not (tmp_path / "lfw" / "bob").exists()
