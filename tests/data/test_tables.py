"""Tables and folders: what other libraries write is read right, and every fault is one line."""

import io
import json
import pickle
import subprocess
import sys
from pathlib import Path

import cv2
import layouts
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from facelab.data import FaceSet
from facelab.data.imagefolder import load_imagefolder
from facelab.data.parquet import ParquetImages
from facelab.data.tables import as_identities, load_table, split_of
from facelab.errors import FacelabError, ImageError
from facelab.sources import open_faces


def png(colour: int) -> bytes:
    image = np.full((8, 8, 3), (colour, 10, 20), np.uint8)
    return cv2.imencode(".png", image[:, :, ::-1])[1].tobytes()


def red(faces: FaceSet) -> list[int]:
    return [int(faces[row][0][0, 0, 0]) for row in range(len(faces))]


def who(faces: FaceSet) -> list[str]:
    return [faces.identities[label] for label in faces.labels]


@pytest.fixture
def pictures(tmp_path) -> Path:
    return layouts.write({f"pics/{k}.png": png(30 * k) for k in range(5)}, tmp_path)


CSV = 'file,person,age,note\npics/3.png,007,40,\npics/0.png,Åsa,31,"two\nlines, both"\n\npics/4.png,007,,x\n'


@pytest.mark.parametrize("form", ["plain", "windows", "tabs", "semicolons"])
def test_a_table_of_ones_own(pictures, form):
    text = CSV if form in ("plain", "windows") else CSV.replace("lines, both", "lines")
    text = text.replace(",", {"tabs": "\t", "semicolons": ";"}.get(form, ","))
    data = text.encode()
    path = pictures / ("t.tsv" if form == "tabs" else "t.csv")
    path.write_bytes(b"\xef\xbb\xbf" + data.replace(b"\n", b"\r\n") if form == "windows" else data)
    faces = open_faces(path).faces
    assert who(faces) == ["007", "Åsa", "007"]  # text stays text
    assert red(faces) == [90, 0, 120]
    assert faces.table["age"].tolist()[:2] == [40, 31]
    assert faces.table["file"].tolist() == ["pics/3.png", "pics/0.png", "pics/4.png"]
    assert faces.images.encoded(2) == png(120)


FAULTS = {
    "a field too few": (CSV + "pics/1.png,ada\n", r"line 7 has 2 fields: 'pics/1.png,ada'; line 1 names 4 columns"),
    "no picture there": (CSV + "pics/9.png,ada,1,\n", r"row 4 below the header names pics/9\.png, which is not in"),
    "no name of a picture": (CSV + ",ada,1,\n", "row 4 below the header names no picture in 'file'"),
    "no column of identities": ("file,age\npics/0.png,3\n", "no column for who is on each picture, only file, age"),
    "no column of pictures": ("identity,age\nada,3\n", "no column for the path of each picture"),
    "nothing": ("", "line 1 is ''"),
    "a header alone": ("file,person\n", "no line below its header"),
    "a column twice": ("file,person,file\na,b,c\n", "each once"),
    "Latin-1": (CSV.encode("latin1"), "not UTF-8: line 3"),
    "a quote that is not closed": ('file,person\npics/0.png,"a\npics/1.png,b\n', "row 1 .* a quote before it is not"),
    "a field without end": ('file,person\npics/0.png,"' + "x" * 200_000 + '"\na\n', "line 2 cannot be read as a row"),
    "two people on one picture": ("file,person\npics/0.png,a\npics/0.png,b\n", r"names pics/0\.png in several rows"),
    "a split of another name": ("file,person,split\npics/0.png,a,weird\n", "has the split 'weird'; expected one of"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_table_is_one_line(pictures, fault):
    text, message = FAULTS[fault]
    (pictures / "t.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FacelabError, match=message) as error:
        load_table(pictures / "t.csv")
    assert "\n" not in str(error.value)


def test_what_a_table_means_is_not_taken_by_the_letter(pictures):
    text = "file,person,split\rpics/0.png,-1,Val\rpics/1.png, 2,train\rpics/2.png,2 ,DEV\r"  # as an old Mac ends lines
    (pictures / "t.csv").write_text(text, newline="")
    faces = load_table(pictures / "t.csv")
    assert who(faces) == ["", "2", "2"]
    assert faces.table["split"].tolist() == ["validation", "train", "validation"]  # and so it is not trained on
    (pictures / "q.csv").write_text('file,person,"a;b;c"\npics/0.png,ann,1\n')
    assert who(load_table(pictures / "q.csv")) == ["ann"]


def write_parquet(path: Path, columns: dict, *, rows: int = 2, names: list[str] | None = None) -> Path:
    table = pa.table(columns)
    if names:
        info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}, "image": {"_type": "Image"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    path.parent.mkdir(exist_ok=True)
    pq.write_table(table, path, row_group_size=rows)
    return path


def images(*colours: int) -> pa.Array:
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    return pa.array([{"bytes": png(colour), "path": f"{colour}.png"} for colour in colours], kind)


@pytest.fixture
def shards(tmp_path) -> Path:
    for name, colours, labels in (
        ("train-00000-of-00002", (0, 30, 60), [1, 0, 1]), ("train-00001-of-00002", (90,), [2]), ("test", (120,), [-1])
    ):  # fmt: skip
        columns = {
            "image": images(*colours),
            "label": labels,
            "age": [1.5] * len(labels),
            "box": [[1, 2]] * len(labels),
        }
        write_parquet(tmp_path / "data" / f"{name}.parquet", columns, names=["bob", "ann", "cy"])
    return tmp_path / "data"


def test_shards_as_hugging_face_has_them(shards):
    faces = open_faces(shards).faces
    order = ["test", "train", "train", "train", "train"]
    assert faces.table["split"].tolist() == order
    assert who(faces) == ["", "ann", "bob", "ann", "cy"]  # -1: nobody knows
    assert red(faces) == [120, 0, 30, 60, 90]
    assert red(faces.select([4, 0, 3])) == [90, 120, 60]
    assert faces.table["file"].tolist() == ["120.png", "0.png", "30.png", "60.png", "90.png"]
    assert faces.table["age"].tolist() == [1.5] * 5
    assert "box" not in faces.table
    assert faces.images.encoded(4) == png(90)
    again = pickle.loads(pickle.dumps(faces))
    assert red(again) == red(faces)


def test_an_fsspec_address_and_a_column_of_bytes(shards):
    import fsspec

    data = io.BytesIO()
    pq.write_table(pa.table({"jpg": [png(9), png(8), png(7)]}), data, row_group_size=1)
    fsspec.filesystem("memory").pipe_file("/set/a.parquet", data.getvalue())
    lazy = ParquetImages(["memory://set/a.parquet"] * 2, "jpg")
    assert len(lazy) == 6
    assert [int(lazy[row][0, 0, 0]) for row in (5, 0, 3, -2)] == [7, 9, 9, 8]
    with pytest.raises(IndexError):
        lazy[6]


def test_a_parquet_table_of_paths(pictures):
    path = write_parquet(pictures / "t.parquet", {"path": ["pics/2.png", "pics/1.png"], "identity": [20, 3]})
    faces = load_table(path)
    assert who(faces) == ["20", "03"]
    assert red(faces) == [60, 30]


def test_faults_of_parquet(tmp_path, shards):
    whole = (shards / "test.parquet").read_bytes()
    for data in (whole[:-9], whole[:20], b"<html>", b""):
        (shards / "test.parquet").write_bytes(data)
        with pytest.raises(FacelabError, match=r"test\.parquet is no whole Parquet file"):
            load_table(shards)
    write_parquet(shards / "test.parquet", {"image": images(1), "who": ["x"]})
    with pytest.raises(FacelabError, match="no column for who is on each"):
        load_table(shards)
    write_parquet(shards / "train-00001-of-00002.parquet", {"image": images(1), "age": [1.0]})
    write_parquet(shards / "test.parquet", {"image": images(1), "label": [0], "age": [1.0]})
    with pytest.raises(FacelabError, match=r"train-00001-of-00002\.parquet has no column 'label', which test\.parquet"):
        load_table(shards)
    empty = pa.array([{"bytes": None, "path": None}, {"bytes": b"x", "path": "b"}, {"bytes": None, "path": "c.png"}])
    faces = load_table(write_parquet(tmp_path / "n.parquet", {"image": empty, "label": [5, 6, 6]}))
    with pytest.raises(ImageError, match=r"n\.parquet row 0 has no bytes"):
        faces[0]
    with pytest.raises(ImageError, match=r"n\.parquet: cannot read .*c\.png: No such file"):
        faces[2]
    with pytest.raises(ImageError, match=r"n\.parquet row 1: 1 bytes that are not a whole image"):
        faces[1]
    with pytest.raises(FacelabError, match="the label 3 has no name; there are 2 names"):
        load_table(write_parquet(tmp_path / "l.parquet", {"image": images(1), "label": [3]}, names=["a", "b"]))
    with pytest.raises(FacelabError, match="an identity is a list"):
        load_table(write_parquet(tmp_path / "l.parquet", {"image": images(1), "label": [[3]]}))
    assert who(load_table(write_parquet(tmp_path / "b.parquet", {"image": images(1), "label": [True]}))) == ["True"]
    with pytest.raises(FacelabError, match="of type list"):
        load_table(write_parquet(tmp_path / "l.parquet", {"image": [[1]], "label": [3]}))


def test_large_row_groups_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr("facelab.data.tables.LARGE", 10)
    with pytest.warns(UserWarning, match="row groups of up to"):
        load_table(write_parquet(tmp_path / "a.parquet", {"image": images(1, 2), "label": [0, 1]}))


def test_identities_of_numbers_and_of_text():
    assert as_identities(np.array([3, 20, -1])).tolist() == ["03", "20", ""]
    assert as_identities(pd.array([3, None], dtype="Int64")).tolist() == ["3", ""]
    assert as_identities(pd.Series(["b", None, "a"])).tolist() == ["b", "", "a"]
    with pytest.raises(FacelabError, match=r"identity is 1\.5"):
        as_identities(np.array([1.5]))


def test_splits():
    names = ["train", "val", "dev-1", "Test.parquet", "tester", "training_set", "people"]
    assert [split_of(name) for name in names] == ["train", "validation", "validation", "test", "", "train", ""]


SPLIT = {
    f"set/{split}/{name}/{k}.png": png(10 * k) for split in ("train", "test") for name in ("ann", "bob") for k in (1, 2)
}


@pytest.mark.parametrize("where", ["set.zip", "."])
def test_one_name_in_two_splits_is_one_identity(tmp_path, where):
    layouts.write(SPLIT, tmp_path / where)
    faces = open_faces(tmp_path / where.replace(".", "set", where == ".")).faces
    assert faces.identities == ["ann", "bob"]
    expected = [(name.split("/")[1], name.split("/")[2]) for name in (faces.table["file"])] if where != "." else None
    got = list(zip(faces.table["split"], who(faces), strict=True))
    assert sorted(got) == sorted(
        [(split, name) for split in ("train", "test") for name in ("ann", "bob") for _ in (1, 2)]
    )
    assert expected is None or got == expected


def test_metadata_says_who_it_is(tmp_path):
    files = {"a/1.png": png(10), "a/2.png": png(20), "a/left.png": png(30)}
    layouts.write(files | {"a/metadata.csv": b"file_name,person,age\n2.png,ada,3\n./1.png,bob,4\n"}, tmp_path / "set")
    opened = open_faces(tmp_path / "set")
    assert who(opened.faces) == ["bob", "ada"]
    assert opened.faces.table["age"].tolist() == ["4", "3"]
    assert [str(error).partition(": ")[2] for error in opened.errors] == [
        "a/left.png is not in the metadata; left out."
    ]
    lines = [{"file_name": "a/1.png", "label": 2}, {"file_name": "a/2.png", "label": 10}]
    layouts.write({"metadata.jsonl": layouts.text(*map(json.dumps, lines))}, tmp_path / "set")
    (tmp_path / "set" / "a" / "metadata.csv").unlink()
    assert who(load_imagefolder(tmp_path / "set")[0]) == ["02", "10"]


METADATA = {
    "missing": ("file_name,label\n1.png,a\n3.png,b\n", r"metadata\.csv line 3 names 3\.png, which is not there"),
    "short": ("file_name,label\n1.png\n", r"line 2 has 1 field: '1\.png'; line 1 names 2 columns"),
    "twice": ("file_name,label\n1.png,a\n1.png,b\n", r"line 3 names 1\.png again"),
    "unnamed": ("file,label\n1.png,a\n", "line 2 has no 'file_name'"),
    "outside": ("file_name,label\n../x.png,a\n", "leads out of the folder"),
    "Latin-1": ("file_name,label\n1.png,Åsa\n".encode("latin1"), "line 2 is not UTF-8"),
    "a column twice": ("file_name,label,label\n1.png,a,b\n", "line 1 is .*each once"),
    "a field without end": ("file_name,label\n1.png," + "x" * 200_000 + "\n", "line 2 cannot be read as a row"),
    "nobody": ("file_name,age\n1.png,3\n", "does not lie in LABEL/FILE"),
}


@pytest.mark.parametrize("fault", METADATA)
def test_a_fault_of_metadata_is_one_line(tmp_path, fault):
    text, message = METADATA[fault]
    layouts.write(
        {"1.png": png(1), "metadata.csv": text if isinstance(text, bytes) else text.encode()}, tmp_path / "set"
    )
    with pytest.raises(FacelabError, match=message):
        load_imagefolder(tmp_path / "set")


def test_a_line_that_is_no_json_is_named(tmp_path):
    layouts.write({"1.png": png(1), "metadata.jsonl": b'{"file_name": "1.png", "label": "a"}\n[1]\n'}, tmp_path / "set")
    with pytest.raises(FacelabError, match=r"metadata\.jsonl line 2 is no JSON object: '\[1\]'"):
        load_imagefolder(tmp_path / "set")


PEER = """
import sys, datasets
datasets.disable_progress_bars()
folder, out = sys.argv[1:]
found = datasets.load_dataset("imagefolder", data_dir=folder, cache_dir=out + "/cache")
for split, part in found.items():
    part.to_parquet(f"{out}/data/{split}-00000-of-00001.parquet", batch_size=2)
    names = part.features["label"].names
    for row in part:
        print(split, names[row["label"]], row["image"].convert("RGB").getpixel((0, 0))[0])
"""


@pytest.mark.slow
def test_the_package_datasets_sees_the_same_in_a_folder_and_writes_parquet_that_reads_back(tmp_path, monkeypatch):
    pictures = {name.removeprefix("set/"): png(7 * k) for k, name in enumerate(SPLIT)}
    layouts.write(pictures, tmp_path / "set")
    (tmp_path / "out" / "data").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    arguments = [sys.executable, "-c", PEER, str(tmp_path / "set"), str(tmp_path / "out")]
    told = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split("\n")[:-1]
    for path in (tmp_path / "set", tmp_path / "out" / "data"):
        faces = open_faces(path).faces
        ours = zip(faces.table["split"], who(faces), red(faces), strict=True)
        assert sorted(" ".join(map(str, row)) for row in ours) == sorted(told)
        assert len(told) == 8
