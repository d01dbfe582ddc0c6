"""Archives: read in place, as their folder would be; and what is damaged or would harm is one line."""

import io
import pickle
import stat
import struct
import tarfile
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from facelab.data import archives, load_folder
from facelab.data.archives import Folder, Layout, StoredImages, open_archive, open_place
from facelab.errors import FacelabError, ImageError


def picture(seed: int) -> bytes:
    image = np.random.default_rng(seed).integers(0, 256, (9, 8, 3), dtype=np.uint8)
    return cv2.imencode(".png", image)[1].tobytes()


FILES = {f"faces/{who}/{k}.png": picture(10 * ord(who) + k) for who in "ab" for k in (1, 2)} | {
    "faces/list.txt": b"x\n"
}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, data in files.items():
                packed.writestr(name, data)
        return path
    mode = {".tar": "w", ".tgz": "w:gz", ".bz2": "w:bz2", ".xz": "w:xz"}[path.suffix]
    with tarfile.open(path, mode) as packed:
        for name, data in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            packed.addfile(about, io.BytesIO(data))
    return path


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


KINDS = ["a.zip", "a.tar", "a.tgz", "a.tar.bz2", "a.tar.xz"]


@pytest.mark.filterwarnings("ignore::UserWarning")  # of files that are no pictures, of folders in folders
@pytest.mark.parametrize("name", KINDS)
def test_an_archive_reads_as_its_folder(name, tmp_path, home):
    for file, data in FILES.items():
        (tmp_path / "top" / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "top" / file).write_bytes(data)
    folder, packed = Folder(tmp_path / "top"), open_place(pack(tmp_path / name, FILES))
    assert sorted(packed.names) == sorted(folder.names) == sorted(FILES)
    assert all(packed.read(file) == folder.read(file) == data for file, data in FILES.items())
    assert "faces/a/1.png" in packed
    assert "faces/a/3.png" not in packed
    faces, errors = load_folder(tmp_path / name)
    expected, _ = load_folder(tmp_path / "top")
    assert not errors
    assert faces.identities == ["a", "b"]
    np.testing.assert_array_equal(faces.array(), expected.array())
    unpacked = list((home / "archives").glob("*")) if home.exists() else []
    assert len(unpacked) == (name not in ("a.zip", "a.tar"))
    assert pickle.loads(pickle.dumps(packed)).read("faces/b/2.png") == FILES["faces/b/2.png"]  # as a worker gets it
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(packed.read, list(FILES) * 20)) == list(FILES.values()) * 20


def test_an_old_tar_has_no_name_of_its_format(tmp_path):
    data = bytearray(pack(tmp_path / "a.tar", FILES).read_bytes())
    for start in range(0, len(data), 512):
        if data[start + 257 : start + 262] == b"ustar":
            data[start + 257 : start + 265] = bytes(8)
            data[start + 148 : start + 156] = b" " * 8
            data[start + 148 : start + 156] = b"%06o\0 " % sum(data[start : start + 512])
    (tmp_path / "a.tar").write_bytes(data)
    assert open_archive(tmp_path / "a.tar").read("faces/b/2.png") == FILES["faces/b/2.png"]
    (tmp_path / "b.tar").write_bytes(bytes(2048))
    with pytest.raises(FacelabError, match="no zip or tar archive"):
        open_archive(tmp_path / "b.tar")


def test_what_file_managers_add_is_no_data(tmp_path):
    added = {"__MACOSX/faces/a/._1.png": b"x", "faces/.DS_Store": b"x", "faces/a/._2.png": b"x"}
    assert open_archive(pack(tmp_path / "a.zip", FILES | added)).names == list(FILES)


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "x/../../a.png", "C:\\a.png", "\\a.png"])
@pytest.mark.parametrize("kind", ["a.zip", "a.tar", "a.tgz"])
def test_names_that_lead_out_are_refused(kind, name, tmp_path):
    with pytest.raises(FacelabError, match=r"leads out of the archive; it is not read"):
        open_archive(pack(tmp_path / kind, FILES | {name: b"x"}))
    assert not (tmp_path.parent / "a.png").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(kind, tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        about = tarfile.TarInfo("faces/a/1.png")
        about.type, about.linkname = kind, "/etc/passwd"
        packed.addfile(about)
    with pytest.raises(FacelabError, match=r"faces/a/1.png is a (link|device or a pipe), and archives .* not read"):
        open_archive(tmp_path / "a.tar")


def test_a_link_in_a_zip_is_refused(tmp_path):
    about = zipfile.ZipInfo("faces/a/1.png")
    about.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:
        packed.writestr(about, "/etc/passwd")
    with pytest.raises(FacelabError, match=r"is a link"):
        open_archive(tmp_path / "a.zip")


@pytest.mark.parametrize("kind", ["a.zip", "a.tgz"])
def test_a_bomb_is_bounded(kind, tmp_path, monkeypatch, home):
    monkeypatch.setattr(archives, "SLACK", 1 << 20)
    pack(tmp_path / kind, {"faces/a/1.pgm": bytes(8 << 20)})
    with pytest.raises(FacelabError, match=r"would become [\d,]+ or more, as in a zip bomb; it is not read"):
        open_archive(tmp_path / kind)
    assert not list((home / "archives").glob("*")) if home.exists() else True


def test_files_that_share_their_bytes_are_a_bomb(tmp_path):
    data = bytearray(pack(tmp_path / "a.zip", {"a": b"1" * 50, "b": b"1" * 50}).read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    struct.pack_into("<L", data, second + 20, 4000)  # as many bytes as lie in others too
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FacelabError, match="share their bytes"):
        open_archive(tmp_path / "a.zip")


def test_a_file_that_is_larger_than_it_says_is_damaged(tmp_path):
    data = bytearray(pack(tmp_path / "a.zip", {"a.txt": b"1" * 5000}).read_bytes())
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 10)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FacelabError, match=r"a\.txt is damaged"):
        open_archive(tmp_path / "a.zip").read("a.txt")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_what_is_cut_short_is_said(kind, part, tmp_path, home):
    data = pack(tmp_path / kind, FILES).read_bytes()
    length = int(part * len(data)) if kind != "a.tar" else [2048, 1536 * 3][part > 0.5]
    (tmp_path / kind).write_bytes(data[:length])
    with pytest.raises(FacelabError, match=r"cut short.*Get the whole file again"):
        open_archive(tmp_path / kind)
    assert not list((home / "archives").glob("*")) if home.exists() else True


def test_a_byte_that_has_changed_is_seen(tmp_path):
    data = bytearray(pack(tmp_path / "a.zip", FILES).read_bytes())
    data[data.index(b"1.png") + 5 + 20] ^= 255
    (tmp_path / "a.zip").write_bytes(data)
    packed = open_archive(tmp_path / "a.zip")
    with pytest.raises(FacelabError, match=r"faces/a/1\.png is damaged"):
        packed.read("faces/a/1.png")
    with pytest.raises(ImageError, match="damaged"):  # and so it is left out as any other bad picture
        StoredImages(packed, ["faces/a/1.png"])[0]


def test_names_without_end_are_refused(tmp_path):
    about = tarfile.TarInfo("././@LongLink")
    about.type, about.size = tarfile.GNUTYPE_LONGNAME, 1
    (tmp_path / "a.tar").write_bytes((about.tobuf(tarfile.GNU_FORMAT) + b"x".ljust(512, b"\0")) * 2000)
    with pytest.raises(FacelabError, match="no whole tar archive"):
        open_archive(tmp_path / "a.tar")


def test_a_web_page_in_place_of_the_file(tmp_path):
    page = b"\xef\xbb\xbf\n<!DOCTYPE html><html><title>Google Drive - Virus scan warning</title>"
    (tmp_path / "a.zip").write_bytes(page)
    with pytest.raises(FacelabError, match=r"is a web page \(HTML\) that was saved in place of the file"):
        open_archive(tmp_path / "a.zip")
    with pytest.raises(FacelabError, match="web page"):
        open_archive(pack(tmp_path / "b.zip", {"list.txt": page})).read("list.txt")
    (tmp_path / "c.zip").write_bytes(b"")
    with pytest.raises(FacelabError, match="It is empty"):
        open_archive(tmp_path / "c.zip")
    (tmp_path / "list.txt").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    with pytest.raises(FacelabError, match="git lfs pull"):
        Folder(tmp_path).read("list.txt")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("kind", ["a.zip", "a.tar"])
def test_one_name_twice_is_refused(kind, tmp_path):
    with pytest.raises(FacelabError, match=r"holds two files faces/a/1\.png"):
        open_archive(pack(tmp_path / kind, FILES | {"./faces/a/1.png": b"other"}))


@pytest.mark.filterwarnings("ignore:.*named by the folders")
def test_names_in_other_encodings_stay_what_they_are(tmp_path):
    raw = "faces/Jos\xe9/1.png".encode("latin-1")
    with tarfile.open(tmp_path / "a.tar", "w", encoding="latin-1", format=tarfile.GNU_FORMAT) as packed:
        about = tarfile.TarInfo(raw.decode("latin-1"))
        about.size = len(picture(1))
        packed.addfile(about, io.BytesIO(picture(1)))
    data = pack(tmp_path / "a.zip", {"faces/Jos~/1.png": picture(1)}).read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"Jos~", b"Jos\xe9"))
    data = pack(tmp_path / "b.zip", {"faces/Jo~~/1.png": picture(1)}).read_bytes()
    (tmp_path / "b.zip").write_bytes(data.replace(b"Jo~~", "Joé".encode()))
    for kind in ("a.tar", "a.zip"):
        (name,) = open_archive(tmp_path / kind).names
        assert name.encode("utf-8", "surrogateescape") == raw  # as the folder would have it
        assert load_folder(tmp_path / kind)[0].array().shape == (1, 9, 8, 3)
    assert open_archive(tmp_path / "b.zip").names == ["faces/Joé/1.png"]  # UTF-8 without its flag


def test_encrypted_and_rare_are_said(tmp_path):
    data = bytearray(pack(tmp_path / "a.zip", {"a.txt": b"1" * 50}).read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(FacelabError, match="encrypted"):
        open_archive(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_LZMA) as packed:
        packed.writestr("a.txt", b"1" * 50)
    with pytest.raises(FacelabError, match="rare way"):
        open_archive(tmp_path / "b.zip")


def test_a_compressed_file_that_is_no_archive(tmp_path):
    import gzip

    (tmp_path / "a.tgz").write_bytes(gzip.compress(b"hello" * 500))
    with pytest.raises(FacelabError, match="packed with gzip, but is no tar archive inside"):
        open_archive(tmp_path / "a.tgz")


def test_where_bytes_lie(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed:  # not deflated
        packed.writestr("train.rec", b"0123456789")
    for path in (tmp_path / "a.zip", pack(tmp_path / "a.tar", {"train.rec": b"0123456789"})):
        file, begin, size = open_archive(path).span("train.rec")
        assert file.read_bytes()[begin : begin + size] == b"0123456789"
    assert open_archive(pack(tmp_path / "b.zip", {"train.rec": b"0" * 99})).span("train.rec") is None


def test_a_layout_is_known_without_a_look_at_every_picture(tmp_path):
    for k in range(150):
        (tmp_path / "set" / "pictures").mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / "pictures" / f"{k}.jpg").touch()
    (tmp_path / "set" / "pictures" / "identity_x.txt").touch()
    place = Layout(str(tmp_path / "set"))
    assert place.has("identity_*.txt", "pictures/")
    assert not place.has("identity_*.csv")
    assert len(place.names) == 102
    packed = Layout(str(pack(tmp_path / "a.zip", FILES)))
    assert packed.has("list.txt", "faces/", "faces/?/1.png")
    assert not packed.has("ist.txt")
