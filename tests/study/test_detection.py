"""The study of detectors on photographs of real people."""

import tomllib

import numpy as np
import pytest
from PIL import Image
from plans import DETECTION

from facelab.detect import Detection, make_detector, match
from facelab.evaluate import wilson
from facelab.study import detection
from facelab.study.experiment import Job, Outcome
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan
from facelab.synth.photographs import load_photographs
from facelab.synth.recipe import folder_of

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
    assert counts == {"skimage/astronaut.png": 1}  # nobody who was not asked
    with Image.open(tmp_path / "astronaut.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(("name", "false_alarms"), [("mtcnn", 2), ("centerface", 0)])
def test_all_six_people_of_a_group_photograph_are_found(group_photo, name, false_alarms):
    faces = make_detector(name).detect([group_photo])
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
    assert (some["value"], some["n"]) == (0.5, 4)
    assert (some["low"], some["high"]) == pytest.approx((0.06, 0.94), abs=0.03)  # four photographs, all or nothing


class KnowsTheTruth:
    """A detector that is told what is on each photograph, and finds it moved by a tenth of the eyes' distance."""

    def __init__(self, photographs):
        self.photographs = iter(photographs)

    def detect(self, images):
        photograph = next(self.photographs)
        np.testing.assert_array_equal(images[0], photograph.image)
        eyes = np.linalg.norm(photograph.landmarks[:, 0] - photograph.landmarks[:, 1], axis=1)
        moved = photograph.landmarks + 0.1 * eyes[:, None, None] * np.array([0.6, 0.8])
        return [[Detection(box, 0.9, points) for box, points in zip(photograph.boxes, moved, strict=True)]]


def test_the_study_on_a_few_photographs(tmp_path):
    plan = Plan.parse(tomllib.loads(DETECTION))
    folder = run_plan(plan, tmp_path, device="cpu")
    values = make_report(folder).values
    assert list(values["detectors"]) == ["mtcnn", "cascade"]
    assert values["detectors"]["mtcnn"]["orl"]["found"]["n"] == 3
    assert (tmp_path / "runs" / "mtcnn" / "astronaut.png").is_file()

    photographs = load_photographs(folder_of(folder.outcome("photographs").values["folder"]))
    perfect = detection.measure(KnowsTheTruth(photographs), photographs)
    faces = sum(len(photograph.boxes) for photograph in photographs)
    assert perfect["faces"] == perfect["detections"] == values["detectors"]["mtcnn"]["faces"] == faces
    assert perfect["ap"]["value"] == perfect["recall"]["value"] == perfect["precision"]["value"] == 1
    assert perfect["nme"]["value"] == pytest.approx(0.1, rel=1e-4)
    np.testing.assert_allclose(perfect["error_by_landmark"], 0.1, rtol=1e-3)
    assert sum(share["n"] for share in perfect["recall_by"]["occluder"].values()) == faces


def test_a_detector_whose_model_is_not_here_is_left_out(monkeypatch, tmp_path):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    plan = Plan.parse(tomllib.loads(DETECTION.replace("cascade", "yunet")))
    job = Job("cpu", 1, tmp_path, tmp_path, {}, False)
    found = plan.settings.runs()["yunet"].compute(job)
    assert found.values["left_out"].startswith("YuNet's model is not at FACELAB_HOME/")
    values = plan.settings.values({"mtcnn": Outcome({"ap": 1}), "yunet": found})
    assert (list(values["detectors"]), list(values["left_out"])) == (["mtcnn"], ["yunet"])
