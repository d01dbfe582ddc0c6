"""WebDataset: what its own package writes and reads is read the same, and every fault is one line."""

import io
import tarfile
from pathlib import Path

import layouts
import numpy as np
import pytest
from webdataset import TarWriter, tariterators

from facelab.data.archives import _indexed
from facelab.data.webdataset import load_webdataset
from facelab.errors import FacelabError, ImageError
from facelab.sources import open_faces


def picture(colour: int) -> bytes:
    return layouts.jpeg(np.full((16, 16, 3), colour, np.uint8))


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


def test_what_the_package_writes_is_read_as_it_reads_it(tmp_path):
    (tmp_path / "set").mkdir()
    keys = iter(["b/0001.x", "b/0002", "c.d/0003", "0004", "0005"])
    for shard, labels in (("train-000000.tar", [10, 2, 2]), ("val-000000.tar", [3, 10])):
        with TarWriter(str(tmp_path / "set" / shard)) as writer:
            for label in labels:
                key = next(keys).removesuffix(".x")
                writer.write({"__key__": key, "jpg": picture(20 * label + 1), "cls": label, "txt": "a face"})
    faces = open_faces(tmp_path / "set").faces
    expected = []
    for shard in ("train-000000.tar", "val-000000.tar"):
        with (tmp_path / "set" / shard).open("rb") as stream:
            read = tariterators.group_by_keys(tariterators.tar_file_expander([{"url": shard, "stream": stream}]))
            expected += [(one["__key__"], int(one["cls"]), one["jpg"]) for one in read]
    assert [file.removesuffix(".jpg") for file in faces.table["file"]] == [key for key, _, _ in expected]
    assert [faces.identities[label] for label in faces.labels] == [f"{label:02d}" for _, label, _ in expected]
    assert [faces.images.encoded(row) for row in range(5)] == [data for _, _, data in expected]
    assert faces.table["split"].tolist() == ["train"] * 3 + ["validation"] * 2
    assert faces[4][0].shape == (16, 16, 3)


SAMPLES = {
    "a.jpg": picture(1),
    "a.json": b'{"identity": "Ann"}',
    "x.y/b.c.jpg": picture(2),
    "x.y/b.json": b'{"label": "Bo"}',
}


@pytest.mark.parametrize("form", ["tar", "tgz"])
def test_a_key_ends_at_the_first_dot_of_the_name_of_the_file(tmp_path, form):
    path = layouts.write(SAMPLES, tmp_path / f"one.{form}")
    faces = open_faces(path).faces
    assert [faces.identities[label] for label in faces.labels] == ["Ann", "Bo"]
    assert faces[1][0].mean() == pytest.approx(2, abs=1)
    if form == "tgz":  # what is unpacked may be deleted; what is known of it stays
        for kept in (tmp_path / "home" / "archives").iterdir():
            kept.unlink()
        _indexed.cache_clear()
        assert load_webdataset(path)[0][0].mean() == pytest.approx(1, abs=1)


def test_it_is_looked_through_once(tmp_path, monkeypatch):
    path = layouts.write(SAMPLES, tmp_path / "one.tar")
    load_webdataset(path)
    monkeypatch.setattr("facelab.data.webdataset.open_archive", None)
    assert len(load_webdataset(path)) == 2


FAULTS = {
    "no label": ({"a.jpg": picture(1), "b.jpg": picture(1), "a.cls": b"1"}, r"who is on b\.jpg: there is no b\.cls"),
    "no identity in it": ({"a.jpg": picture(1), "a.json": b'{"caption": 1}'}, r"a\.json says nothing under identity"),
    "no JSON": ({"a.jpg": picture(1), "a.json": b"{"}, r"a\.json says nothing"),
    "a list in it": ({"a.jpg": picture(1), "a.json": b'{"label": [1]}'}, r"a\.json says nothing under identity"),
    "nobody in it": ({"a.jpg": picture(1), "a.json": b'{"label": null}'}, r"a\.json says nothing under identity"),
    "an empty label": ({"a.jpg": picture(1), "a.cls": b" "}, r"a\.cls is no name"),
    "two pictures": ({"a.jpg": picture(1), "a.face.png": picture(1), "a.cls": b"1"}, "are one sample"),
    "out of it": ({"../a.jpg": picture(1), "../a.cls": b"1"}, "leads out of the archive"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(tmp_path, fault):
    files, message = FAULTS[fault]
    with pytest.raises(FacelabError, match=message):
        load_webdataset(layouts.write(files, tmp_path / "one.tar"))


def test_a_tar_that_is_cut_short(tmp_path):
    path = layouts.write(SAMPLES, tmp_path / "one.tar")
    faces = load_webdataset(path)
    data = path.read_bytes()
    path.write_bytes(data[:700])
    with pytest.raises(ImageError, match=r"one\.tar: x\.y/b\.c\.jpg is cut short"):
        faces[1]
    with pytest.raises(FacelabError, match="cut short"):
        load_webdataset(path)


def test_names_that_are_not_utf8(tmp_path):
    path = tmp_path / "one.tar"
    with tarfile.open(path, "w", encoding="latin1", format=tarfile.GNU_FORMAT) as packed:
        for name, data in {"Åsa.jpg": picture(7), "Åsa.txt": "Åsa".encode("latin1")}.items():
            about = tarfile.TarInfo(name)
            about.size = len(data)
            packed.addfile(about, io.BytesIO(data))
    faces = load_webdataset(path)
    assert faces.identities[0].encode("utf-8", "surrogateescape") == "Åsa".encode("latin1")
    assert faces[0][0].mean() == pytest.approx(7, abs=1)


def test_an_ordinary_tar_of_folders_is_no_webdataset(tmp_path):
    path = layouts.write({f"{who}/{k}.jpg": picture(k) for who in ("a", "b") for k in (1, 2)}, tmp_path / "p.tar")
    assert open_faces(path).source.name == "folder"
    assert Path(path).exists()
