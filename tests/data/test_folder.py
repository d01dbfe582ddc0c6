import os

import numpy as np
import pytest

from facelab.data import ImageFiles, load_folder, read_image
from facelab.data.folder import find_images, load_photographs, name_pictures
from facelab.data.foreign import foreign
from facelab.data.images import write_image
from facelab.errors import FacelabError, ImageError

IMAGE = np.zeros((8, 8, 3), np.uint8)


def test_sub_folders_are_identities_and_a_bad_file_is_reported_not_fatal(tmp_path):
    for name in ("ada/1.png", "ada/2.jpg", "bob/1.PNG"):
        write_image((tmp_path / name).with_suffix(".png"), IMAGE)
    (tmp_path / "ada" / "bad.jpg").write_bytes(b"no picture")
    (tmp_path / "ada" / "notes.txt").write_text("no picture either, and not one by name")
    (tmp_path / "ada" / ".hidden.png").write_bytes(b"")
    (tmp_path / "ada" / "party.jpg").mkdir()  # a folder, whatever its name
    write_image(tmp_path / "nobody.png", IMAGE)
    with pytest.warns(UserWarning, match=r"no pictures by their suffix were not read: \.txt \(1\)"):
        faces, errors = load_folder(tmp_path)
    assert faces.table["identity"].tolist() == ["ada", "ada", "bob"]
    assert faces.table["file"].tolist() == ["ada/1.png", "ada/2.png", "bob/1.png"]
    assert len(errors) == 2
    assert "nobody.png lies in no sub-folder" in str(errors[0])
    assert "bad.jpg" in str(errors[1])


@pytest.mark.parametrize("name", ["raw.dng", "scan", "a.PSD", "video.mp4"])
def test_no_file_is_dropped_without_a_word(tmp_path, name):
    write_image(tmp_path / "ada" / "1.png", IMAGE)
    (tmp_path / "ada" / name).write_bytes(b"who knows")
    faces, (error,) = load_folder(tmp_path)
    assert len(faces) == 1
    assert name in str(error)
    assert "convert it" in str(error)


def test_links_are_followed_and_what_they_cannot_reach_is_said(tmp_path):
    write_image(tmp_path / "far" / "1.png", IMAGE)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "ada").symlink_to(tmp_path / "far")
    (tmp_path / "set" / "round").symlink_to(tmp_path / "set")
    (tmp_path / "set" / "gone.jpg").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "far" / "pipe.png")
    faces, errors = load_folder(tmp_path / "set")
    assert faces.table["file"].tolist() == ["ada/1.png"]
    assert sorted(str(error).rpartition("set/")[2] for error in errors) == [
        "ada/pipe.png is no file but a broken link, a pipe or a device; left out.",
        "gone.jpg is no file but a broken link, a pipe or a device; left out.",
        "round is a link to a folder that it lies in; left out.",
    ]


def test_an_identity_is_the_folder_that_holds_the_pictures(tmp_path):
    for name in ("part1/ada/1", "part2/bob/1"):
        write_image(tmp_path / f"{name}.png", IMAGE)
    with pytest.warns(UserWarning, match=r"named by the folders that hold pictures, such as part1/ada/"):
        assert load_folder(tmp_path)[0].identities == ["ada", "bob"]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ("train/ada/1", "val/ada/1", "val/bob/1"),
            r"train/ada/ and in val/ada/.*'ada'.*give one part.*/train\.",
        ),
        (("ada/0/1", "ada/1/1", "bob/0/1"), "ada/0/ and in bob/0/"),
        (("ada/1", "bob/deep/1"), "2 depths, in ada/ and in bob/deep/"),
    ],
)
def test_folders_that_may_or_may_not_be_identities_are_refused(tmp_path, files, message):
    for name in files:
        write_image(tmp_path / f"{name}.png", IMAGE)
    with pytest.raises(FacelabError, match=message):
        load_folder(tmp_path)
    with pytest.warns(UserWarning, match="nobody has a name"):  # who wants no names gets the pictures
        assert load_photographs([tmp_path])[0].table["identity"].tolist() == [""] * len(files)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train.rec", b"\x0a\x23\xd7\xce", "RecordIO"),
        ("identity_CelebA.txt", b"1.jpg 7\r\n", "CelebA"),
        ("faces.parquet", b"PAR1", "Parquet"),
    ],
)
def test_a_set_of_another_project_is_called_by_its_name(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    write_image(tmp_path / "img_align_celeba" / "1.png", IMAGE)
    with pytest.raises(
        FacelabError,
        match=rf"{said}.*(facelab does not read it|no folder of identities: give (recordio|celeba|table|web\w+):)",
    ):
        load_folder(tmp_path)
    assert said in foreign(tmp_path / name)
    assert not foreign(tmp_path / "img_align_celeba" / "1.png")


def test_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(FacelabError, match="IDENTITY/PHOTO"):
        load_folder(tmp_path)


def test_a_picture_given_twice_is_refused(tmp_path):
    write_image(tmp_path / "ada" / "1.png", IMAGE)
    with pytest.raises(FacelabError, match="give one of them"):
        name_pictures([tmp_path, tmp_path / "ada"])


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(FacelabError, match="nowhere is not a folder"):
        load_folder(tmp_path / "nowhere")


def test_a_pool_reads_what_a_loop_reads_in_the_same_order(tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.data.folder._CHUNK", 2)
    generator = np.random.default_rng(0)
    for k in range(23):
        path = tmp_path / f"p {k % 5}" / f"{k}.png"
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
    _, (error,) = load_folder(tmp_path)
    assert "cannot read the folder" in str(error)
    assert "lost+found" in str(error)


def test_names_need_not_be_utf8(tmp_path):
    """As in archives of long ago: the bytes of Latin-1."""
    folder = os.fsencode(tmp_path) + b"/J\xf6rg"
    os.mkdir(folder)
    write_image(tmp_path / "1.png", IMAGE)
    (tmp_path / "1.png").rename(os.fsdecode(folder + b"/\xe9.png"))
    faces, errors = load_folder(tmp_path)
    assert not errors
    assert [os.fsencode(name) for name in faces.identities] == [b"J\xf6rg"]
    assert faces[0][0].shape == IMAGE.shape


def test_a_damaged_record_of_chips_is_one_line(tmp_path):
    write_image(tmp_path / "ada" / "1.png", IMAGE)
    (tmp_path / "chips.csv").write_text("chip,landmarks\n" + "x" * 200_000)
    with pytest.raises(FacelabError, match=r"chips\.csv is damaged: field larger"):
        load_folder(tmp_path)
