"""What every detector returns, and what it takes to add one."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from skimage import data

from facelab.cli import app
from facelab.data.images import write_image
from facelab.detect import Detection, detector_title, detectors, make_detector, registry
from facelab.errors import FacelabError
from facelab.plots import precision_recall_curves

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("landmarks", [True, False])
def test_json_and_back_is_exact(landmarks):
    generator = np.random.default_rng(0)
    for _ in range(50):
        box = np.sort(generator.normal(0, 500, (2, 2)), axis=0).ravel().astype(np.float32)
        points = generator.normal(0, 500, (5, 2))
        face = Detection(box, float(generator.random()), points.astype(np.float32) if landmarks else None)
        back = Detection.from_dict(json.loads(json.dumps(face.to_dict())))
        assert (back.box.dtype, back.box.tobytes(), back.score) == (np.float32, face.box.tobytes(), face.score)
        if landmarks:
            assert (back.landmarks.dtype, back.landmarks.tobytes()) == (np.float32, face.landmarks.tobytes())
        else:
            assert back.landmarks is None


GOOD = {"box": [0, 1, 2, 3], "score": 0.5, "landmarks": [[0, 1], [2, 1], [1, 2], [0, 3], [2, 3]]}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([0, 1, 2, 3], r"keys box, score and landmarks; this one is \[0, 1, 2, 3\]"),
        ({"box": [0, 1, 2, 3], "score": 1}, r"the keys \['box', 'score'\]"),
        (GOOD | {"age": 31}, "the keys .*'age'"),
        (GOOD | {"box": [0, 1, 2]}, r"the box of a detection is \[0, 1, 2\]; expected finite numbers of shape \(4,\)"),
        (GOOD | {"box": [0, 1, 2, float("nan")]}, "box of a detection"),
        (GOOD | {"box": [0, 1, 2, 1e300]}, "box of a detection"),
        (GOOD | {"box": "0 1 2 3"}, "box of a detection"),
        (GOOD | {"box": None}, "box of a detection"),
        (GOOD | {"box": [2, 1, 0, 3]}, r"the box of a detection is \[2, 1, 0, 3\]; expected x0 < x1"),
        (GOOD | {"score": 7}, "the score of a detection is 7; expected a number from 0 to 1"),
        (GOOD | {"score": [0.5]}, "the score of a detection is .*one finite number"),
        (GOOD | {"score": True}, "score of a detection"),
        (GOOD | {"score": float("inf")}, "score of a detection"),
        (GOOD | {"landmarks": [[0, 1]] * 4}, r"landmarks of a detection .*\(5, 2\)"),
        (GOOD | {"landmarks": [[0, 1]] * 4 + [[0]]}, "landmarks of a detection"),
        (GOOD | {"landmarks": [["0", "1"]] * 5}, "landmarks of a detection"),
        (GOOD | {"landmarks": [[0, 1]] * 5}, r"landmarks of a detection are one point: \[0.0, 1.0\]"),
    ],
)
def test_what_is_no_detection_is_one_clear_line(wrong, message):
    with pytest.raises(FacelabError, match=message) as error:
        Detection.from_dict(wrong)
    assert len(str(error.value).splitlines()) == 1


class Middle:
    """A detector that takes the middle of every photograph for a face."""

    def __init__(self, *, min_face: int = 20, max_faces: int | None = None):
        pass

    def detect(self, images):
        return [[Detection(np.array([w / 4, h / 4, 3 * w / 4, 3 * h / 4], np.float32), 1.0, None)]
                for h, w, _ in (image.shape for image in images)]  # fmt: skip


@pytest.fixture
def another(monkeypatch):
    """A detector more: its file and its row."""
    module = ModuleType("its_file")
    module.Middle = Middle
    monkeypatch.setitem(sys.modules, "its_file", module)
    monkeypatch.setitem(registry._DETECTORS, "middle", registry._Row("its_file:Middle", "The middle"))


def test_another_detector_is_its_file_and_its_row(another, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        app(["detect", "--help"])
    assert re.search(r"--detector.*One of .*, middle\.", capsys.readouterr().out)
    with pytest.raises(FacelabError, match=r"choose one of .*, middle"):
        make_detector("haar")
    curve = {"ap": {"value": 0.1}, "curve": {"recall": [0.1], "precision": [1]}}
    (panel,) = precision_recall_curves({"middle": curve}).axes
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["The middle (AP 0.10)"]
    write_image(tmp_path / "a.png", data.astronaut())
    with pytest.raises(SystemExit) as stop:
        app(["detect", str(tmp_path / "a.png"), "--detector", "middle", "--out", str(tmp_path / "out")])
    assert stop.value.code == 0
    (face,) = json.loads((tmp_path / "out" / "a.json").read_text())
    assert face == {"box": [128.0, 128.0, 384.0, 384.0], "score": 1.0, "landmarks": None}


def test_no_other_place_names_a_detector():
    """Where one is named twice, a new one would be forgotten there. MTCNN is the course's own; a cascade is a word.

    The page on ethics says of all weights that come from the web whose photographs they were trained on.
    """
    ethics = ROOT / "book" / "ethics_and_law.md"
    texts = [ROOT / "README.md", *set(ROOT.glob("book/*.md")) - {ethics}, *ROOT.glob("facelab/**/*.py")]
    assert len(texts) > 100
    for name in set(detectors()) - {"mtcnn", "cascade"}:
        named = {path.relative_to(ROOT).as_posix() for path in texts if name in path.read_text("utf-8").lower()}
        assert named == {"facelab/detect/registry.py", f"facelab/detect/{name}.py"}


def test_titles_are_those_of_the_table_and_a_name_that_is_none_stays():
    assert (detector_title("cascade"), detector_title("ours")) == ("LBP cascade", "ours")
