"""RecordIO: files that MXNet wrote read back, any records read back, and every fault is one line."""

import multiprocessing
import os
import pickle
import shutil
import struct
import warnings
import zipfile
from pathlib import Path

import cv2
import layouts
import numpy as np
import pandas as pd
import pytest

from facelab.cli import app
from facelab.data import FaceSet
from facelab.data.parts import part
from facelab.data.pieces import LargeFile
from facelab.data.recordio import MAGIC, Records, load_recordio, read_index, unpack
from facelab.errors import FacelabError, ImageError
from facelab.train import Recipe, fit

MXNET = Path(__file__).parent / "recordio"  # written by make.py there


def record(content: bytes) -> bytes:
    """Write a record as dmlc/recordio.cc does: the magic at multiples of four is cut out."""
    cuts = [at for at in range(0, len(content) - 3, 4) if content[at : at + 4] == MAGIC]
    starts, ends = [0, *(at + 4 for at in cuts)], [*cuts, len(content)]
    out = b""
    for k, (start, end) in enumerate(zip(starts, ends, strict=True)):
        kind = 0 if not cuts else 1 if not k else 3 if k == len(cuts) else 2
        out += MAGIC + struct.pack("<I", kind << 29 | end - start) + content[start:end] + bytes(-(end - start) % 4)
    return out


def picture(labels: list[float], colour: int = 90, *, flag: bool = True) -> bytes:
    data = cv2.imencode(".png", np.full((16, 16, 3), colour, np.uint8))[1].tobytes()
    return header(labels, flag=flag) + data


def header(labels: list[float], *, flag: bool = True) -> bytes:
    if not flag:
        return struct.pack("<IfQQ", 0, labels[0], 0, 0)
    return struct.pack("<IfQQ", len(labels), 0, 0, 0) + np.array(labels, "<f4").tobytes()


def written(folder: Path, contents: dict[int, bytes], name: str = "train") -> Path:
    folder.mkdir(exist_ok=True)
    data, lines = b"", []
    for key, content in contents.items():
        lines.append(f"{key}\t{len(data)}\n")
        data += record(content)
    (folder / f"{name}.rec").write_bytes(data)
    (folder / f"{name}.idx").write_text("".join(lines))
    return folder / f"{name}.rec"


def packed(identities: list[int], **changes: bytes) -> dict[int, bytes]:
    """Return the contents of a set of InsightFace."""
    number = len(identities)
    people = list(dict.fromkeys(identities))
    contents = {0: header([number + 1, number + 1 + len(people)])}
    contents |= {key: picture([who, 1], 10 * key) for key, who in enumerate(identities, start=1)}
    for key, who in enumerate(people, start=number + 1):
        first = identities.index(who) + 1
        contents[key] = header([first, first + identities.count(who)])
    return contents | {int(key[1:]): content for key, content in changes.items()}


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))


@pytest.mark.parametrize("name", ["", "plain.rec"])
def test_what_mxnet_wrote_reads_back(name):
    faces = load_recordio(MXNET / name)
    assert faces.identities == ["0", "3", "7"]  # gaps take no place
    assert faces.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]
    assert faces.table["record"].tolist() == (list(range(7)) if name else list(range(1, 8)))
    other = load_recordio(MXNET / ("" if name else "plain.rec"))
    for row in range(7):
        image, _ = faces[row]
        assert image.shape == (24, 24, 3)
        np.testing.assert_array_equal(image, other[row][0])  # of one, the picture stands in two parts
    assert faces[0][0][:, :, 0].mean() > faces[0][0][:, :, 2].mean() + 5  # skin is red: RGB


def test_mxnet_cuts_the_magic_out_and_it_is_back():
    records = Records(LargeFile(MXNET / "train.rec"))
    position = int(read_index((MXNET / "train.idx").read_bytes(), "train.idx")[1][4])
    assert records.file.read(position + 4, 4)[3] >> 5 == 1  # the first of several parts
    assert records.read(position).endswith(MAGIC + b"aligned." + MAGIC + b"x" + MAGIC)


def test_records_with_the_magic_anywhere_read_back(tmp_path):
    """0, 1, 2, 3, 5, 1 aligned, 1 not aligned, 1 at the end: parts 1, 2, 3, 4, 6, 2, 1, 2, as MXNet writes them."""
    fill = bytes(range(8))
    contents = [fill, MAGIC + fill, MAGIC * 2 + fill, (MAGIC + fill) * 3, MAGIC * 5, fill + MAGIC + b"abc"]
    contents += [b"a" + MAGIC + fill, fill + MAGIC]
    data = [record(content) for content in contents]
    assert [len(one.split(MAGIC)) - 1 for one in data] == [1, 2, 3, 4, 6, 2, 2, 2]  # the seventh holds one as content
    (tmp_path / "x.rec").write_bytes(b"".join(data))
    starts = np.cumsum([0, *map(len, data[:-1])]).tolist()
    records = Records(LargeFile(tmp_path / "x.rec"))
    assert [records.read(start) for start in starts] == contents


def test_a_header_is_known_by_its_lack_of_a_picture_not_by_its_flag(tmp_path):
    """Pictures with two labels from key 0 on: other readers take the first for a header, and find no picture."""
    pictures = {key: picture([who, 1], 10 * key) for key, who in enumerate([5, 5, 2])}
    faces = load_recordio(written(tmp_path / "set", pictures))
    assert len(faces) == 3
    assert faces.labels.tolist() == [1, 1, 0]
    assert faces.identities == ["2", "5"]
    assert faces[2][0][0, 0].tolist() == [20, 20, 20]


def test_an_index_in_any_order_with_windows_line_ends_and_a_blank_last_line(tmp_path):
    rec = written(tmp_path / "set", packed([4, 4, 9]))
    lines = rec.with_suffix(".idx").read_text().splitlines()
    rec.with_suffix(".idx").write_bytes(("\r\n".join(lines[::-1]) + "\r\n\r\n").encode())
    faces = load_recordio(tmp_path / "set")
    assert [faces.identities[label] for label in faces.labels] == ["4", "4", "9"]
    assert [faces[row][0][0, 0, 0] for row in range(3)] == [10, 20, 30]


def test_names_sort_as_numbers_do(tmp_path):
    faces = load_recordio(written(tmp_path / "set", packed([2, 2, 10, 10])))
    assert faces.identities == ["02", "10"]


@pytest.mark.parametrize("ranges", [([1, 3], [3, 4]), ([1, 2], [2, 5]), ([2, 3], [3, 5]), ([1, 1], [1, 5])])
def test_ranges_that_contradict_the_pictures_are_not_believed(tmp_path, ranges):
    contents = packed([4, 4, 9, 9], _5=header(ranges[0]), _6=header(ranges[1]))
    assert load_recordio(written(tmp_path / "set", contents)).labels.tolist() == [0, 0, 1, 1]


def test_counts_that_float32_has_rounded_come_from_the_index(tmp_path):
    """Glint360K: 17,091,657 pictures, and its header says 17,091,656. The pictures between are left out here."""
    big = 17_091_657
    contents = {0: header([big, big + 2])}
    contents |= {key: picture([who, 1], 50 * (1 + who)) for key, who in ((big - 3, 0), (big - 2, 1), (big - 1, 1))}
    contents |= {big: header([big - 3, big - 2]), big + 1: header([big - 2, big])}
    assert np.float32(big) == big - 1
    faces = load_recordio(written(tmp_path / "set", contents))
    assert faces.labels.tolist() == [0, 1, 1]
    assert faces.table["record"].tolist() == [big - 3, big - 2, big - 1]


def test_another_number_of_identities_is_said(tmp_path):
    written(tmp_path / "set", packed([1, 1, 2]))
    (tmp_path / "set" / "property").write_text("2,16,16\nshuffled\n")
    load_recordio(tmp_path / "set")
    (tmp_path / "set" / "property").write_text("10575,16,16")
    with pytest.warns(UserWarning, match="promises 10575 identities; the records are of 2"):
        load_recordio(tmp_path / "set")


def test_labels_are_looked_at_once(tmp_path, monkeypatch):
    rec = written(tmp_path / "set", {key: picture([who], flag=False) for key, who in enumerate([3, 1, 3])}, "many")
    assert load_recordio(rec).labels.tolist() == [1, 0, 1]
    with monkeypatch.context() as patched:
        patched.setattr(Records, "labels", None)
        assert load_recordio(rec).labels.tolist() == [1, 0, 1]
    written(tmp_path / "set", {key: picture([who], flag=False) for key, who in enumerate([3, 1, 1, 1])}, "many")
    assert load_recordio(rec).labels.tolist() == [1, 0, 0, 0]
    for kept in (tmp_path / "home" / "indexes").iterdir():
        kept.write_bytes(b"damaged")
    assert load_recordio(rec).labels.tolist() == [1, 0, 0, 0]


FAULTS = {
    "truncated": (lambda rec, idx: rec.write_bytes(rec.read_bytes()[:-300]), r"train\.rec .*truncated"),
    "its last record cut": (lambda rec, idx: rec.write_bytes(rec.read_bytes()[:-4]), r"rec is truncated: the record"),
    "not RecordIO": (lambda rec, idx: rec.write_bytes(b"<html>" * 400), "has no record at position 0"),
    "the index of another": (
        lambda rec, idx: idx.write_text("0\t0\n1\t44\n2\t100\n"), "at position 44, where its index has record 1"
    ),
    "a position past the end": (
        lambda rec, idx: idx.write_text(idx.read_text() + "9\t99999999\n"), r"has record 9 at position 99,999,999"
    ),
    "a bad line": (lambda rec, idx: idx.write_text(idx.read_text() + "9\n"), r"train\.idx line 7 is '9'"),
    "a word for a number": (lambda rec, idx: idx.write_text("0\t0\nx\t8\n"), r"train\.idx line 2 is 'x\\t8'"),
    "no number of this world": (lambda rec, idx: idx.write_text(f"0\t{10**30}\n"), "too large ones"),
    "a negative position": (lambda rec, idx: idx.write_text("0\t-4\n"), r"line 1 is '0\\t-4'"),
    "a binary index": (lambda rec, idx: idx.write_bytes(bytes(range(256))), r"train\.idx line 1"),
    "one key twice": (lambda rec, idx: idx.write_text("0\t0\n1\t44\n0\t0\n"), "the key 0 twice, again in line 3"),
    "one position twice": (lambda rec, idx: idx.write_text("0\t0\n1\t44\n2\t44\n"), "keys 1 and 2 at one position, 44"),
    "an empty index": (lambda rec, idx: idx.write_text(""), r"train\.idx holds no lines"),
    "no index": (lambda rec, idx: idx.unlink(), r"train\.idx is missing"),
    "half an index": (
        lambda rec, idx: idx.write_text("".join(idx.read_text().splitlines(True)[:3])), "lists 2 pictures, its header"
    ),
    "no property of numbers": (lambda rec, idx: rec.with_name("property").write_text("many"), "it begins with 'many'"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_one_line(tmp_path, fault):
    rec = written(tmp_path / "set", packed([1, 1, 2]))
    FAULTS[fault][0](rec, rec.with_suffix(".idx"))
    with pytest.raises(FacelabError, match=FAULTS[fault][1]) as error:
        load_recordio(tmp_path / "set")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", [-1, 0.5, float("nan"), 2.0**24])
def test_a_label_that_is_no_identity_is_named(tmp_path, label):
    rec = written(tmp_path / "set", {0: picture([1], flag=False), 1: picture([label], flag=False)})
    with pytest.raises(FacelabError, match=r"record 1 has the label"):
        load_recordio(rec)


def test_a_record_that_is_no_picture_is_named(tmp_path):
    rec = written(tmp_path / "set", {0: b"short", 1: picture([1])})
    with pytest.raises(FacelabError, match="record 0: it has 5 bytes"):
        load_recordio(rec)
    with pytest.raises(FacelabError, match="announces 99 labels"):
        unpack(struct.pack("<IfQQ", 99, 0, 0, 0))
    contents = packed([1, 1, 2], _2=header([1, 1]) + b"no picture")
    faces = load_recordio(written(tmp_path / "other", contents))
    with pytest.raises(ImageError, match=r"train\.rec record 2: 10 bytes that are not a whole image"):
        faces[1]


def test_a_damaged_place_inside_is_named_when_it_is_read(tmp_path):
    rec = written(tmp_path / "set", packed([1, 1, 2]))
    faces = load_recordio(rec)
    data = bytearray(rec.read_bytes())
    data[int(faces.images.positions[1])] ^= 1
    rec.write_bytes(data)
    with pytest.raises(ImageError, match=r"train\.rec record 2: .* has no record at position \d+"):
        faces[1]


def test_folders_with_several_and_without(tmp_path):
    (tmp_path / "home").mkdir()
    for name in ("a", "b"):
        written(tmp_path / "set", packed([1, 1, 2]), name)
    with pytest.raises(FacelabError, match=r"holds 2 files \.rec: a\.rec and b\.rec"):
        load_recordio(tmp_path / "set")
    with pytest.raises(FacelabError, match=r"holds 0 files \.rec"):
        load_recordio(tmp_path / "home")
    assert load_recordio(tmp_path / "set" / "b.rec").name == "b"
    with pytest.raises(FacelabError, match=r"no\.idx is missing"):
        load_recordio(tmp_path / "no.rec")
    with pytest.raises(FacelabError, match="it is no file"):
        LargeFile(tmp_path)


def test_withdrawn_sets_are_said(monkeypatch):
    monkeypatch.setattr("facelab.data.recordio._WITHDRAWN", {(3, 7): "MS1MV9, which was made of MS-Celeb-1M"})
    with pytest.warns(UserWarning, match=r"counts of MS1MV9.*withdrew"):
        load_recordio(MXNET)


@pytest.mark.slow
@pytest.mark.parametrize(("start", "number"), [("fork", 3), ("spawn", 1)])
def test_many_processes_read_at_once(start, number):
    """Each has a handle of its own: a shared one would be moved by the others."""
    if start not in multiprocessing.get_all_start_methods():
        pytest.skip("no such way to start processes here")
    faces = load_recordio(MXNET)
    expected = {row: int(faces[row][0].sum()) for row in range(7)}
    context = multiprocessing.get_context(start)
    orders = [np.random.default_rng(k).integers(0, 7, 60).tolist() for k in range(number)]
    queues = [context.Queue() for _ in orders]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # forking beside threads, as DataLoader does
        workers = [
            context.Process(target=layouts.sums_of, args=(faces, *one)) for one in zip(orders, queues, strict=True)
        ]
        for worker in workers:
            worker.start()
    for order, queue in zip(orders, queues, strict=True):
        assert queue.get(timeout=60) == [expected[row] for row in order]
    for worker in workers:
        worker.join()


def test_a_file_is_opened_for_each_process_and_never_pickled(tmp_path):
    (tmp_path / "x").write_bytes(b"0123456789")
    file = LargeFile(tmp_path / "x")
    assert (file.read(3, 4), file.read(8, 9), file.read(99, 1)) == (b"3456", b"89", b"")
    assert pickle.loads(pickle.dumps(file)).read(0, 2) == b"01"
    handle, file._process = file._file, -1  # as after a fork
    assert file.read(0, 1) == b"0"
    assert file._process == os.getpid()
    assert file._file == handle  # the old one was closed
    file.close()
    assert file.read(0, 1) == b"0"


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app([str(argument) for argument in arguments])
    return stop.value.code


@pytest.mark.slow
def test_train_reads_with_workers_and_holds_nothing(tmp_path):
    quick = ["size=32", "epochs=1", "batch_size=6", "backbone=mobilefacenet"]
    out = ["--out", tmp_path / "out", "--memory", 0, "--workers", 2, "--device", "cpu"]
    assert run("train", "quick", "--data", MXNET, *out, *(word for one in quick for word in ("--set", one))) == 0
    faces = load_recordio(MXNET)
    held = FaceSet("held", np.stack([image for image, _ in faces]), faces.table.reset_index(drop=True))
    expected = fit(Recipe.from_toml("quick", quick), held, device="cpu").history[-1]
    table = pd.read_csv(tmp_path / "out" / "training.csv").iloc[-1]
    assert (table["loss"], table["accuracy"]) == pytest.approx((expected["loss"], expected["accuracy"]))


@pytest.mark.parametrize("pack", ["zip", "tar"])
def test_the_archive_that_it_came_in_is_read_in_place(tmp_path, pack):
    shutil.make_archive(str(tmp_path / "faces"), pack, MXNET.parent, MXNET.name)
    if pack == "zip":
        with pytest.raises(FacelabError, match=r"train\.rec is deflated"):
            load_recordio(tmp_path / "faces.zip")
        with zipfile.ZipFile(tmp_path / "faces.zip", "w") as stored:
            for path in [*MXNET.glob("train.*"), MXNET / "property"]:
                stored.write(path, f"faces/{path.name}")
    faces = load_recordio(tmp_path / f"faces.{pack}")
    assert faces.identities == ["0", "3", "7"]
    np.testing.assert_array_equal(faces[3][0], load_recordio(MXNET)[3][0])


def test_a_worker_gets_the_part_that_it_needs():
    faces = load_recordio(MXNET)
    some = part(faces.select([6, 2, 3]), [2, 0])
    np.testing.assert_array_equal(some[0][0], faces[3][0])
    assert len(some.images) == 2


def test_data_info_of_one_file(capsys):
    assert run("data", "info", MXNET / "plain.rec") == 0
    said = capsys.readouterr().out
    assert "im2rec" in said
    assert "plain.rec" in said
