"""The study of detectors on photographs of real people."""

import numpy as np
import pytest
from PIL import Image

from facelab.detect import Detection, make_detector, match
from facelab.evaluate import wilson
from facelab.study import detection

pytestmark = pytest.mark.slow

# The six people of insightface's t1.jpg, left to right, marked by hand from forehead to chin.
SIX = np.array(
    [
        [58, 262, 165, 395],
        [269, 149, 373, 268],
        [464, 264, 570, 410],
        [743, 345, 843, 478],
        [905, 60, 1013, 203],
        [1133, 271, 1229, 398],
    ]
)


def test_faces_on_real_photographs_are_counted_and_drawn(tmp_path):
    counts = detection.measure_real(make_detector("mtcnn"), tmp_path)
    assert counts["skimage/astronaut.png"] == 1
    for source in counts:
        with Image.open(tmp_path / f"{source.replace('/', '-')}.png") as picture:
            assert min(picture.size) > 200


@pytest.mark.parametrize(("name", "false_alarms"), [("mtcnn", 2), ("centerface", 0)])
def test_all_six_people_of_a_group_photograph_are_found(name, false_alarms):
    photographs = detection.real_photographs()
    if "insightface/t1.jpg" not in photographs:
        pytest.skip("insightface is not installed")
    faces = make_detector(name).detect([photographs["insightface/t1.jpg"]])
    matches = match(faces, [SIX])
    assert matches.face_found().all()
    assert (~matches.hit).sum() <= false_alarms


def test_faces_that_are_always_found_are_as_sure_as_their_photographs_are_many():
    """Two faces on each of three photographs, all found, and one on each of four others, of which two are missed."""
    box = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], np.float32)
    truth = [box] * 3 + [box[:1]] * 4
    faces = [[Detection(one, 0.9, None) for one in boxes] for boxes in truth[:5]] + [[], []]
    matches = match(faces, truth)
    found, in_pairs = matches.face_found(), matches.face_photograph < 3
    sure, some = (detection._share(matches, found, rows) for rows in (in_pairs, ~in_pairs))
    assert sure == {**wilson(3, 3).as_dict(), "n": 6}
    assert (some["value"], some["low"], some["high"], some["n"]) == (0.5, 0, 1, 4)
