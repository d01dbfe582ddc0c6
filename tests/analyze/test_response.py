import numpy as np
import pytest
from scipy import stats

from facelab.analyze import response
from facelab.synth.vary import Sweep


def means(chips: np.ndarray) -> np.ndarray:
    """An embedding that can be worked out by hand: the mean of the left half, of the right half, and a constant."""
    x = chips.astype(np.float64)
    half = x.shape[2] // 2
    return np.stack([x[:, :, :half].mean(axis=(1, 2, 3)), x[:, :, half:].mean(axis=(1, 2, 3)), np.full(len(x), 50)], 1)


def test_response_by_hand():
    images = np.zeros((2, 3, 4, 4, 3), np.uint8)
    images[0, :, :, :2] = np.array([50, 50, 100])[:, None, None, None]
    images[1, :, :, 2:] = np.array([0, 50, 50])[:, None, None, None]
    found = response(means, Sweep("yaw", "radians", np.array([-1.0, 0.0, 1.0]), 1, images))

    def angle(a, b):
        return np.arccos(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))

    first = [(50, 0, 50), (50, 0, 50), (100, 0, 50)]
    second = [(0, 0, 50), (0, 50, 50), (0, 50, 50)]
    expected = [(angle(a, first[1]) + angle(b, second[1])) / 2 for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose([e.value for e in found.moved], expected, atol=1e-7)
    assert found.moved[1].value == pytest.approx(0, abs=1e-7)
    assert found.between == pytest.approx(angle(first[1], second[1]))


def test_the_interval_of_an_angle_is_students_and_none_where_nobody_moves_by_definition():
    start, moved = np.array([10, 20, 30, 40, 50]), np.array([[0, 0, 0, 0, 0], [10, 30, 20, 40, 25], [0, 0, 0, 0, 90]])
    images = (start + moved).T[:, :, None, None, None].repeat(3, axis=-1).astype(np.uint8)

    def turned(chips: np.ndarray) -> np.ndarray:
        angle = chips[:, 0, 0, 0] / 100  # radians
        return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    still, some, one = response(turned, Sweep("yaw", "radians", np.arange(3.0), 0, images)).moved
    assert max(abs(end) for end in (still.value, still.low, still.high)) < 1e-6
    half = stats.t.ppf(0.975, 4) * stats.sem(moved[1]) / 100
    assert (some.low, some.high) == pytest.approx((0.25 - half, 0.25 + half), rel=0.05)
    assert one.low == 0  # one person of five moved: Student's interval ends below 0, an angle does not
    assert one.high > 0.6
