import json

import numpy as np
import pytest
from PIL import Image
from skimage import data

from facelab.cli import app
from facelab.data.images import read_image, write_image
from facelab.detect import Detection
from facelab.detect.files import detect_files, mark_faces
from facelab.errors import FacelabError
from facelab.files import RECORD


def test_a_bad_file_is_skipped_and_reported(tmp_path):
    write_image(tmp_path / "in" / "astronaut.png", data.astronaut())
    write_image(tmp_path / "in" / "moon.png", np.repeat(data.moon()[:, :, None], 3, axis=2))
    (tmp_path / "in" / "bad.jpg").write_bytes(b"no picture")
    counts, errors = detect_files([tmp_path / "in", tmp_path / "gone.png"], tmp_path / "out")
    assert {path.name: count for path, count in counts.items()} == {"astronaut.png": 1, "moon.png": 0}
    assert sorted(str(error).split()[2].strip(":").split("/")[-1] for error in errors) == ["bad.jpg", "gone.png"]
    (face,) = json.loads((tmp_path / "out" / "astronaut.json").read_text())
    assert (len(face["box"]), np.shape(face["landmarks"])) == (4, (5, 2))
    assert 0.9 < face["score"] <= 1
    assert json.loads((tmp_path / "out" / "moon.json").read_text()) == []
    marked = read_image(tmp_path / "out" / "astronaut.png")
    assert (marked != data.astronaut()).any(axis=2).sum() > 100  # box and points are drawn
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {RECORD, *(f"{name}{suffix}" for name in ("astronaut", "moon") for suffix in (".json", ".png"))}


def test_equal_names_are_an_error_before_any_work(tmp_path):
    with pytest.raises(FacelabError, match="rename one"):
        detect_files([tmp_path / "a" / "x.png", tmp_path / "b" / "x.jpg"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_command_says_what_was_skipped_and_exits_with_1(tmp_path, capsys):
    write_image(tmp_path / "astronaut.png", data.astronaut())
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(SystemExit) as stop:
        app(["detect", str(tmp_path / "astronaut.png"), str(tmp_path / "bad.jpg"), "--out", str(tmp_path / "out")])
    assert stop.value.code == 1
    out = capsys.readouterr().out
    assert "1 face\n" in out
    assert "skipped:" in out
    assert "bad.jpg" in out


FACE = data.astronaut()[:260, 80:360]


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(list(map(str, arguments)))
    return stop.value.code


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_boxes_of_a_turned_photograph_are_pixels_of_the_upright_one(tmp_path, orientation):
    tags = Image.Exif()
    tags[274] = orientation
    turns = {3: 2, 6: 1, 8: 3}[orientation]  # how the camera lay, in quarters to the left
    Image.fromarray(np.ascontiguousarray(np.rot90(FACE, turns))).save(tmp_path / "turned.png", exif=tags)
    write_image(tmp_path / "upright.png", FACE)
    assert run("detect", tmp_path / "turned.png", tmp_path / "upright.png", "--out", tmp_path / "out") == 0
    turned, upright = (json.loads((tmp_path / "out" / f"{name}.json").read_text()) for name in ("turned", "upright"))
    assert turned == upright
    (face,) = turned
    x0, y0, x1, y1 = face["box"]
    assert x0 < 135 < x1  # her nose
    assert y0 < 115 < y1
    # The marked picture is the upright one, and shows what the JSON file says.
    found = Detection(np.array(face["box"]), face["score"], np.array(face["landmarks"]))
    np.testing.assert_array_equal(read_image(tmp_path / "out" / "turned.png"), mark_faces(FACE, [found]))


@pytest.mark.filterwarnings("default")
def test_command_says_once_that_only_the_first_frame_is_read(tmp_path, capsys):
    blank = Image.new("RGB", (280, 260))
    (tmp_path / "in" / "eileen").mkdir(parents=True)
    Image.fromarray(FACE).save(tmp_path / "in" / "eileen" / "a.gif", save_all=True, append_images=[blank])
    said = (
        f"facelab: {tmp_path / 'in' / 'eileen' / 'a.gif'} holds 2 pictures (frames or pages): only the first is read."
    )
    assert run("detect", tmp_path / "in", "--out", tmp_path / "boxes") == 0
    output = capsys.readouterr()
    assert "a.gif: 1 face\n" in output.out
    assert output.err.count(said) == 1
    assert run("align", tmp_path / "in", "--out", tmp_path / "chips", "--device", "cpu") == 0  # reads the file twice
    output = capsys.readouterr()
    assert "1 of 1 face found" in output.out
    assert output.err.count(said) == 1
    assert (tmp_path / "chips" / "eileen" / "a.png").is_file()


def test_commands_pass_over_pictures_of_odd_sizes_and_files_that_are_none(tmp_path, capsys):
    folder = tmp_path / "in" / "eileen"
    write_image(folder / "face[b].png", FACE)  # a name that a terminal library could take for markup
    write_image(folder / "dot.png", np.zeros((1, 1, 3), np.uint8))
    write_image(folder / "strip.png", np.full((20, 20_000, 3), 90, np.uint8))
    whole = tmp_path / "whole.jpg"
    write_image(whole, FACE)
    (folder / "cut[i].jpg").write_bytes(whole.read_bytes()[:-500])
    assert run("detect", tmp_path / "in", "--out", tmp_path / "boxes") == 1
    out = capsys.readouterr().out
    for line in ("face[b].png: 1 face\n", "dot.png: 0 faces\n", "strip.png: 0 faces\n"):
        assert line in out
    assert out.count("skipped:") == 1
    assert f"cannot decode {folder / 'cut[i].jpg'}" in out
    marked = {path.name: read_image(path).shape for path in (tmp_path / "boxes" / "eileen").glob("*.png")}
    assert marked == {"face[b].png": (260, 280, 3), "dot.png": (1, 1, 3), "strip.png": (20, 20_000, 3)}
    assert run("align", tmp_path / "in", "--out", tmp_path / "chips", "--missing", "default", "--device", "cpu") == 1
    out = capsys.readouterr().out
    assert "1 of 3 faces found" in out
    assert f"cannot decode {folder / 'cut[i].jpg'}" in out
    assert sorted(path.name for path in (tmp_path / "chips" / "eileen").iterdir()) == [
        "dot.png", "face[b].png", "strip.png",
    ]  # fmt: skip


def test_nothing_to_read_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "notes.txt").write_text("no picture")
    for verb in ("detect", "align"):
        assert run(verb, tmp_path / "empty", "--out", tmp_path / "out") == 2
        error = capsys.readouterr().err.strip()
        assert "no photograph in" in error
        assert str(tmp_path / "empty") in error
        assert len(error.splitlines()) == 1
    assert run("detect", "--out", tmp_path / "out") == 2
    assert "photos" in capsys.readouterr().err.lower()  # the argument that is missing
    assert run("align", tmp_path / "nowhere", "--out", tmp_path / "out") == 2
    assert "nowhere is not a folder" in capsys.readouterr().err
    with pytest.raises(FacelabError, match="no photograph given"):
        detect_files([], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_photograph_is_never_overwritten(tmp_path):
    write_image(tmp_path / "a.png", FACE)
    with pytest.raises(FacelabError, match=r"would overwrite .*a\.png"):
        detect_files([tmp_path / "a.png"], tmp_path)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), FACE)


def test_the_users_own_files_are_never_replaced(tmp_path, capsys):
    write_image(tmp_path / "in" / "eileen.png", FACE)
    (tmp_path / "out").mkdir()
    for name in ("eileen.json", "eileen.png"):
        own = tmp_path / "out" / name
        own.write_bytes(b"mine")
        assert run("detect", tmp_path / "in", "--out", tmp_path / "out") == 2
        assert f"{name} is there already, and facelab did not make it" in " ".join(capsys.readouterr().err.split())
        assert own.read_bytes() == b"mine"
        own.unlink()
    assert run("detect", tmp_path / "in", "--out", tmp_path / "out") == 0
    assert run("detect", tmp_path / "in", "--out", tmp_path / "out") == 0  # its own files


def test_what_comes_out_does_not_lie_among_the_photographs(tmp_path, capsys):
    write_image(tmp_path / "in" / "eileen.bmp", FACE)
    for verb in ("detect", "align"):
        assert run(verb, tmp_path / "in", "--out", tmp_path / "in") == 2
        assert "holds the photographs themselves" in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["eileen.bmp"]


def test_a_source_is_detected_by_its_name(orl, tmp_path, capsys, monkeypatch):
    few = orl.select([0, 10])
    monkeypatch.setattr("facelab.data.orl.load_orl", lambda: few)
    for arguments, code in ((["orl"], 0), (["orll"], 2)):
        with pytest.raises(SystemExit) as stop:
            app(["detect", *arguments, "--out", str(tmp_path / arguments[0])])
        assert stop.value.code == code
    said = capsys.readouterr()
    assert "2 faces in 2 photographs" in said.out
    assert "AT&T Laboratories Cambridge" in said.out
    assert "there is no data set 'orll': give orl," in said.err
    assert sorted(path.relative_to(tmp_path / "orl").as_posix() for path in (tmp_path / "orl").rglob("*.json")) == [
        "s01/1.json",
        "s02/1.json",
    ]
