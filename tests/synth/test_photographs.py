import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.synth.dataset import make
from facelab.synth.photographs import PhotographRecipe, load_photographs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs") / "set"
    make(PhotographRecipe(8, seed=2, width=320, height=240, largest=120, smallest=24), folder)
    return load_photographs(folder)


def test_every_face_has_a_box_around_its_landmarks(photographs):
    assert len(photographs) == 8
    for photograph in photographs:
        n = len(photograph.boxes)
        assert 1 <= n <= 4
        assert photograph.image.shape == (240, 320, 3)
        assert photograph.landmarks.shape == (n, 5, 2)
        assert photograph.visible.shape == (n, 5)
        assert len(photograph.occluders) == n
        for box, points in zip(photograph.boxes, photograph.landmarks, strict=True):
            assert (box[:2] < points.mean(axis=0)).all()
            assert (points.mean(axis=0) < box[2:]).all()


def test_the_same_seed_gives_the_same_photographs(photographs, tmp_path):
    make(PhotographRecipe(2, seed=2, width=320, height=240, largest=120, smallest=24), tmp_path / "set")
    again = load_photographs(tmp_path / "set")
    for k in range(2):
        assert np.array_equal(again[k].image, photographs[k].image)


def test_a_detector_trained_on_real_photographs_finds_them(photographs):
    from facelab.detect import MTCNN

    found = total = 0
    for photograph, detections in zip(photographs, MTCNN().detect([p.image for p in photographs]), strict=True):
        for points, visible in zip(photograph.landmarks, photograph.visible, strict=True):
            if visible.all():
                total += 1
                found += any(
                    np.linalg.norm(d.landmarks - points, axis=1).mean() < 0.3 * np.linalg.norm(points[0] - points[1])
                    for d in detections
                )
    assert total >= 5
    assert found >= 0.7 * total


def test_wrong_sizes_are_refused():
    with pytest.raises(FacelabError, match=r"photographs=0"):
        PhotographRecipe(0)
    with pytest.raises(FacelabError, match=r"8 <= smallest <= largest"):
        PhotographRecipe(1, smallest=100, largest=50)


def test_chips_are_not_photographs(small_set):
    with pytest.raises(FacelabError, match=r"holds no set of photographs"):
        load_photographs(small_set)
