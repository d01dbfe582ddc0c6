import os

import numpy as np
import pytest

from facelab.data import ImageFiles, load_folder, read_image
from facelab.data.folder import find_images
from facelab.data.images import write_image
from facelab.errors import FacelabError, ImageError

IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_sub_folders_are_identities_and_a_bad_file_is_reported_not_fatal(tmp_path):
    for name in ("ada/1.png", "ada/2.jpg", "bob/deep/1.PNG"):
        write_image((tmp_path / name).with_suffix(".png"), IMAGE)
    (tmp_path / "ada" / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "ada" / "notes.txt").write_text("no picture either, and not one by name")
    (tmp_path / "ada" / ".hidden.png").write_bytes(b"")
    (tmp_path / "ada" / "party.jpg").mkdir()  # a folder, whatever its name
    write_image(tmp_path / "nobody.png", IMAGE)
    faces, errors = load_folder(tmp_path)
    assert faces.table["identity"].tolist() == ["ada", "ada", "bob"]
    assert faces.table["file"].tolist() == ["ada/1.png", "ada/2.png", "bob/deep/1.png"]
    assert len(errors) == 1
    assert "bad.jpg" in str(errors[0])


def test_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(FacelabError, match="IDENTITY/PHOTO"):
        load_folder(tmp_path)


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FacelabError, match="nowhere is not a folder"):
        load_folder(tmp_path / "nowhere")


def test_a_pool_reads_what_a_loop_reads_in_the_same_order(tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.data.folder._CHUNK", 2)
    generator = np.random.default_rng(0)
    for k in range(23):
        path = tmp_path / f"p {k % 5}" / f"{'deep/' * (k % 3)}{k}.png"
        write_image(path, generator.integers(0, 255, (4 + k, 30 - k, 3)).astype(np.uint8))
        if k % 4 == 0:
            path.write_bytes(path.read_bytes()[:40])
    good, bad = [], []
    for path in sorted(tmp_path.rglob("*.png")):  # an independent way to the same order
        try:
            good.append((path, read_image(path)))
        except ImageError as error:
            bad.append(str(error))
    faces, errors = load_folder(tmp_path)
    assert [str(error) for error in errors] == bad
    assert len(bad) == 6
    assert faces.table["file"].tolist() == [path.relative_to(tmp_path).as_posix() for path, _ in good]
    assert faces.table["identity"].tolist() == [path.relative_to(tmp_path).parts[0] for path, _ in good]
    for row, (_, image) in enumerate(good):
        np.testing.assert_array_equal(faces[row][0], image)
        assert (faces.table["height"][row], faces.table["width"][row]) == image.shape[:2]


def test_no_pixel_is_kept(tmp_path):
    for k in range(3):
        write_image(tmp_path / "ada" / f"{k}.png", IMAGE)
    faces, _ = load_folder(tmp_path)
    assert isinstance(faces.images, ImageFiles)
    write_image(tmp_path / "ada" / "1.png", IMAGE + 200)
    assert faces[1][0].max() == 200  # read when it is asked for


def test_a_folder_that_may_not_be_read_is_passed_over(tmp_path, monkeypatch):
    write_image(tmp_path / "ada" / "1.png", IMAGE)
    (tmp_path / "lost+found").mkdir()
    scan = os.scandir

    def refuse(folder):
        if str(folder).endswith("lost+found"):
            raise PermissionError(folder)
        return scan(folder)

    monkeypatch.setattr("os.scandir", refuse)
    assert find_images(tmp_path) == [tmp_path / "ada" / "1.png"]
