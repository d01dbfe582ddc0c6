"""``facelab align``: names and paths, detectors and methods, and faces that ``facelab detect`` has found already."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from skimage import data

from facelab.align import align_batch, template
from facelab.align.files import align_files
from facelab.cli import app
from facelab.data import FaceSet, load_folder
from facelab.data.folder import recorded_chips
from facelab.data.images import read_image, write_image
from facelab.detect import Detection, largest, make_detector
from facelab.detect.files import detect_files
from facelab.files import made

FACE = data.astronaut()[20:220, 130:330]
BLANK = np.full((80, 60, 3), 128, np.uint8)


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(list(map(str, arguments)))
    return stop.value.code


def pictures(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*.png"))}


@pytest.fixture
def people(orl, tmp_path) -> Path:
    """Two identities, two photographs each, of ORL: real ones."""
    for row in (0, 1, 10, 11):
        identity, photo = orl.table.iloc[row][["identity", "photo"]]
        write_image(tmp_path / "people" / identity / f"{photo}.png", orl[row][0])
    return tmp_path / "people"


def test_detections_are_read_instead_of_made_again(people, tmp_path, capsys, monkeypatch):
    assert run("detect", people, "--out", tmp_path / "boxes") == 0
    assert sorted(path.relative_to(tmp_path / "boxes").as_posix() for path in (tmp_path / "boxes").rglob("*.json")) == [
        "s01/1.json", "s01/2.json", "s02/1.json", "s02/2.json",
    ]  # fmt: skip
    assert run("align", people, "--out", tmp_path / "again") == 0
    monkeypatch.setattr("facelab.detect.make_detector", None)  # nothing is detected now
    for method in ("five-point", "eyes", "crop"):
        out = tmp_path / method
        assert run("align", people, "--detections", tmp_path / "boxes", "--method", method, "--out", out) == 0
        assert "4 of 4 faces found" in capsys.readouterr().out
        for name in ("s01/1", "s02/2"):
            (row,) = json.loads((tmp_path / "boxes" / f"{name}.json").read_text())
            points, box = np.array([row["landmarks"]]), np.array([row["box"]])
            (chip,) = align_batch([read_image(people / f"{name}.png")], points, method=method, boxes=box)
            np.testing.assert_array_equal(read_image(out / f"{name}.png"), chip)
    assert pictures(tmp_path / "five-point") == pictures(tmp_path / "again")
    assert pictures(tmp_path / "crop") != pictures(tmp_path / "again")
    tables = [pd.read_csv(tmp_path / name / "chips.csv") for name in ("five-point", "again")]
    pd.testing.assert_frame_equal(*tables)


@pytest.mark.filterwarnings("default")
def test_what_is_missing_on_either_side_is_counted(people, tmp_path, capsys):
    boxes = tmp_path / "boxes"
    assert run("detect", people, "--out", boxes) == 0
    (boxes / "s01" / "1.json").unlink()
    (boxes / "s02" / "1.json").write_text('[{"box": [1, 2, 3]}]')
    (boxes / "s03").mkdir()
    (boxes / "s03" / "9.json").write_text("[]")
    capsys.readouterr()
    assert run("align", people, "--detections", boxes, "--out", tmp_path / "chips") == 1
    said = capsys.readouterr()
    assert "1 of 4 photographs have no detections" in said.out
    assert f"such as s01/1.png: there is no {boxes / 's01' / '1.json'}" in said.out
    assert f"cannot read detections from {boxes / 's02' / '1.json'}: a detection has the keys" in said.out
    assert "2 of 2 faces found" in said.out
    assert (
        f"{boxes} holds 1 file of detections that belong to none of the photographs, such as {boxes / 's03' / '9.json'}"
        in (" ".join(said.err.split()))
    )
    assert list(pictures(tmp_path / "chips")) == ["s01/2.png", "s02/2.png"]
    for folder, message in (
        (tmp_path / "none", "is not a folder. Detect"),
        (people, "can be aligned: 4 of 4"),
    ):
        assert run("align", people, "--detections", folder, "--out", tmp_path / "never") == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "never").exists()


def test_photographs_that_share_their_detections_are_an_error(tmp_path, capsys):
    write_image(tmp_path / "in" / "a.png", FACE)
    write_image(tmp_path / "in" / "a.bmp", BLANK)
    (tmp_path / "boxes").mkdir()
    (tmp_path / "boxes" / "a.json").write_text("[]")
    assert run("align", tmp_path / "in", "--detections", tmp_path / "boxes", "--out", tmp_path / "out") == 2
    assert "a.bmp and a.png would both be cut at the faces in" in capsys.readouterr().err


def test_single_photographs_and_a_flat_folder_need_no_identity(tmp_path, mtcnn):
    write_image(tmp_path / "in" / "eileen.png", FACE)
    write_image(tmp_path / "in" / "blank.png", BLANK)
    photos = [tmp_path / "in" / name for name in ("eileen.png", "blank.png")]
    for name, given in (("files", photos), ("folder", [tmp_path / "in"])):
        assert run("align", *given, "--out", tmp_path / name, "--size", 64) == 0
        (chip,) = pictures(tmp_path / name)
        assert chip == "eileen.png"
        table = pd.read_csv(tmp_path / name / "chips.csv", keep_default_na=False)
        assert table[["identity", "file", "chip"]].values.tolist() == [["", "eileen.png", "eileen.png"]]
    face = largest(mtcnn.detect([FACE])[0])
    (expected,) = align_batch([FACE], face.landmarks[None], 64)
    np.testing.assert_array_equal(read_image(tmp_path / "files" / "eileen.png"), expected)


def test_a_source_is_aligned_by_its_name(orl, tmp_path, capsys, monkeypatch):
    few = orl.select([0, 1, 10])
    monkeypatch.setattr("facelab.data.orl.load_orl", lambda: few)
    assert run("align", "orl", "--out", tmp_path / "chips") == 0
    assert "AT&T Laboratories Cambridge" in capsys.readouterr().out
    assert list(pictures(tmp_path / "chips")) == ["s01/1.png", "s01/2.png", "s02/1.png"]
    for name, message in (
        ("synthfaces-mini", "holds chips, which are aligned already"),
        ("orll", "there is no data set 'orll': give orl,"),
        (tmp_path / "nowhere", "nowhere is not a folder"),
    ):
        assert run("align", name, "--out", tmp_path / "never") == 2
        assert message in capsys.readouterr().err


def test_a_detector_without_landmarks_crops_only(tmp_path, capsys):
    write_image(tmp_path / "in" / "eileen" / "a.png", data.astronaut())
    options = ["--out", tmp_path / "out", "--detector", "cascade"]
    assert run("align", tmp_path / "in", *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]  # below the bar of progress
    assert "finds no landmarks, which method='five-point' needs" in error
    assert not (tmp_path / "out").exists()
    assert run("align", tmp_path / "in", *options, "--method", "crop") == 0
    face = largest(make_detector("cascade").detect([data.astronaut()])[0])
    (expected,) = align_batch([data.astronaut()], method="crop", boxes=face.box[None])
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "eileen" / "a.png"), expected)


def test_a_chip_never_overwrites_its_photograph(tmp_path, capsys):
    write_image(tmp_path / "a.png", FACE)
    assert run("align", tmp_path / "a.png", "--out", tmp_path) == 2
    assert "the chip would overwrite the photograph" in capsys.readouterr().err
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), FACE)


def test_each_photograph_has_a_chip_of_its_own(tmp_path):
    """Also where two differ in the suffix alone, and a third has the name that one of them would get then."""
    photographs = {"a.png": FACE, "a.bmp": FACE[::-1], "a.bmp.webp": FACE[:, ::-1], "b.png": FACE}
    for name, image in photographs.items():
        write_image(tmp_path / "in" / "eileen" / name, image)
    assert run("align", tmp_path / "in", "--out", tmp_path / "out", "--missing", "default") == 0
    table = pd.read_csv(tmp_path / "out" / "chips.csv")
    assert sorted(table["file"]) == sorted(f"eileen/{name}" for name in photographs)
    assert set(pictures(tmp_path / "out")) == set(table["chip"])
    assert len(pictures(tmp_path / "out")) == 4


def test_names_that_are_odd_do_not_stop_the_others(tmp_path):
    """One that is not UTF-8 is written as it is; one that leaves no room for the suffix is left out, and said."""
    people, boxes, chips = (tmp_path / name for name in ("people", "boxes", "chips"))
    for name in (os.fsdecode(b"M\xfcller/a.png"), f"bo/{'x' * 251}.png", "bo/b.png"):
        write_image(people / name, BLANK)
    counts, errors = detect_files([people], boxes, detector="cascade")
    assert len(counts) == 2
    assert "Choose a shorter name" in str(errors[0])
    faces, _ = load_folder(people)
    report, errors = align_files(faces, chips, make_detector("cascade"), method="crop", missing="default")
    assert (report.photographs, errors) == (3, [])
    assert recorded_chips(chips) == set(pictures(chips)) == set(made(chips)) - {"chips.csv"}


def test_the_users_own_table_is_never_replaced(people, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "chips.csv").write_text("mine")
    assert run("align", people, "--out", tmp_path / "out") == 2
    assert "chips.csv is there already, and facelab did not make it" in " ".join(capsys.readouterr().err.split())
    assert (tmp_path / "out" / "chips.csv").read_text() == "mine"


def test_images_are_named_by_file_or_by_number():
    table = pd.DataFrame({"identity": ["b", "a", "b"]})
    assert FaceSet("x", [FACE] * 3, table).files == ["b/1", "a/1", "b/2"]
    assert FaceSet("x", [FACE] * 3, table.assign(file=["p.png", "q.png", "r.png"])).files == ["p.png", "q.png", "r.png"]


@pytest.mark.slow
def test_killed_while_it_writes_it_goes_on_to_the_same_chips(orl, tmp_path):
    """In the middle of its chips."""
    for row in range(60):
        name = "/".join(map(str, orl.table.iloc[row][["identity", "photo"]]))
        write_image(tmp_path / "people" / f"{name}.png", orl[row][0])
        face = Detection(np.array([10, 10, 80, 100], np.float32), 1.0, (template(92) + row % 7).astype(np.float32))
        (tmp_path / "boxes" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "boxes" / f"{name}.json").write_text(json.dumps([face.to_dict()]))
    arguments = ["align", tmp_path / "people", "--detections", tmp_path / "boxes", "--out"]
    command = [sys.executable, "-m", "facelab", *map(str, arguments), str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and len(list((tmp_path / "killed").rglob("*.png"))) < 20:
            time.sleep(0.001)
        process.kill()
    for left in (tmp_path / "killed").rglob(".facelab-*"):
        os.utime(left, (0, 0))  # as if some time had passed
    for name in ("killed", "straight"):
        assert run(*arguments, tmp_path / name) == 0
    assert pictures(tmp_path / "killed") == pictures(tmp_path / "straight")
    assert (tmp_path / "killed" / "chips.csv").read_bytes() == (tmp_path / "straight" / "chips.csv").read_bytes()
