import json

import numpy as np
import pytest
from skimage import data

from facelab.cli import app
from facelab.data.images import read_image, write_image
from facelab.detect.files import detect_files
from facelab.errors import FacelabError


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
    assert sorted(p.suffix for p in (tmp_path / "out").iterdir()) == [".json", ".json", ".png", ".png"]


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
