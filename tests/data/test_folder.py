import numpy as np
import pytest

from facelab.data import load_folder
from facelab.data.images import write_image
from facelab.errors import FacelabError

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
