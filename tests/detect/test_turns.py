"""Turned pictures, and which of several faces is taken."""

import numpy as np
import pytest

from facelab.align import make_chips
from facelab.cli import app
from facelab.data import FaceSet
from facelab.detect import Detection, choose, make_detector
from facelab.detect.turns import SURE, QuarterTurns
from facelab.errors import FacelabError
from facelab.train import Recipe
from facelab.train.run import run_training


@pytest.mark.parametrize("turns", range(4))
def test_a_turned_photograph_gives_the_same_face_in_its_own_coordinates(orl, mtcnn, turns):
    """rot90 loses nothing, so the face is the same to the bit: each landmark lies on the pixel that rot90 moved."""
    photograph = orl[0][0]
    height, width = photograph.shape[:2]
    (expected,) = mtcnn.detect([photograph])[0]
    (face,) = QuarterTurns(mtcnn).detect([np.rot90(photograph, turns)])[0]
    assert face.turn == -turns % 4
    assert face.score == expected.score
    place = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)  # x, y of each pixel, upright
    x, y = np.round(face.landmarks.astype(float)).astype(int).T
    np.testing.assert_allclose(np.rot90(place, turns)[y, x], expected.landmarks, atol=0.51)
    corners = face.box[[0, 2]].clip(0).round().astype(int), face.box[[1, 3]].clip(0).round().astype(int)
    found = np.rot90(place, turns)[corners[1], corners[0]]
    np.testing.assert_allclose(np.sort(found, axis=0).ravel(), expected.box.clip(0), atol=0.51)
    assert Detection.from_dict(face.to_dict()).turn == face.turn


@pytest.mark.parametrize("method", ["five-point", "eyes", "crop"])
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_the_chip_of_a_turned_photograph_is_upright(orl, mtcnn, method, turns):
    upright = orl.select([0])
    lying = FaceSet("turned", [np.rot90(orl[0][0], turns).copy()], upright.table.reset_index(drop=True))
    expected, _ = make_chips(upright, mtcnn, method=method)
    chips, report = make_chips(lying, QuarterTurns(mtcnn), method=method)
    assert np.abs(chips[0][0].astype(int) - expected[0][0]).mean() < 1
    assert chips.table["turn"].tolist() == [-turns % 4]
    assert str(report).endswith("1 face turned")


class Scores:
    """Finds a face with the given score in each picture, by the number of quarters that it is turned; 0: none."""

    def __init__(self, *scores: float):
        self.scores, self.seen = scores, 0

    def detect(self, images):
        self.seen += len(images)
        found = []
        for image in images:
            score = self.scores[int(image[0, 0, 0])]
            box = np.array([1, 1, 3, 3], np.float32)
            found.append([Detection(box, score, None)] if score else [])
        return found


def numbered() -> np.ndarray:
    """A picture whose first pixel tells how often it was turned anticlockwise."""
    image = np.zeros((5, 8, 3), np.uint8)
    image[0, -1], image[-1, -1], image[-1, 0] = 1, 2, 3
    return image


@pytest.mark.parametrize(
    ("scores", "turn", "seen"),
    [
        ((SURE, 1, 1, 1), 0, 1),  # sure: not looked at again
        ((0, 0, 0.9, 0), 2, 4),
        ((0.99, 0, 1, 0.995), 2, 4),  # a wrong face upside down scores less than the right one
        ((0.9, 0.9, 0.9, 0.9), 0, 4),
        ((0, 0, 0, 0), None, 4),
    ],
)
def test_the_surest_position_is_taken(scores, turn, seen):
    detector = Scores(*scores)
    (faces,) = QuarterTurns(detector).detect([numbered()])
    assert [face.turn for face in faces] == ([] if turn is None else [turn])
    assert detector.seen == seen


def test_make_detector_takes_turns():
    detector = make_detector("cascade", turns=True, min_face=30)
    assert isinstance(detector, QuarterTurns)
    assert detector.title == "Cascade (and quarter turns)"


def face(x: float, y: float, side: float) -> Detection:
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2], np.float32)
    points = box[:2] + np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]]) * side
    return Detection(box, 0.9, points.astype(np.float32))


SUBJECT, STRANGER, CHILD = face(120, 130, 80), face(220, 120, 200), face(30, 200, 40)


def test_which_of_several_faces():
    faces = [STRANGER, SUBJECT, CHILD]
    assert choose(faces, "largest", 250, 250) == [STRANGER]
    assert choose(faces, "middle", 250, 250) == [SUBJECT]
    assert choose(faces, "all", 250, 250) == [CHILD, SUBJECT, STRANGER]
    for which in ("largest", "middle", "all"):
        assert choose([], which, 250, 250) == []
    with pytest.raises(FacelabError, match="which='centre': choose 'largest', 'middle' or 'all'"):
        choose([], "centre", 250, 250)


@pytest.mark.parametrize("verb", [["train", "quick"], ["evaluate", "synthfaces-arcface"]], ids=lambda verb: verb[0])
def test_options_that_chips_do_not_heed_are_refused(verb, capsys):
    for option in (["--turns"], ["--which", "middle"]):
        with pytest.raises(SystemExit) as stop:
            app([*verb, "--data", "strangers", *option])
        assert stop.value.code == 2
        assert f"{option[0]} would do nothing" in capsys.readouterr().err


def test_training_takes_no_face_of_whom_nobody_knows(tmp_path):
    with pytest.raises(FacelabError, match="--which all: nobody knows"):
        run_training(Recipe(), "strangers", tmp_path, which="all")
