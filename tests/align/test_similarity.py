import numpy as np
import pytest
from skimage.transform import SimilarityTransform

from facelab.align import TEMPLATE, similarity, template
from facelab.errors import FacelabError


@pytest.mark.parametrize("seed", range(20))
def test_agrees_with_scikit_image(seed):
    generator = np.random.default_rng(seed)
    source = generator.normal(50, 20, (5, 2))
    target = TEMPLATE + generator.normal(0, 10, (5, 2))
    expected = SimilarityTransform.from_estimate(source, target).params[:2]
    np.testing.assert_allclose(similarity(source, target), expected, atol=1e-9)


@pytest.mark.parametrize("n", [2, 3, 5, 68])
def test_recovers_a_known_transform(n):
    generator = np.random.default_rng(n)
    angle, scale, move = 0.7, 1.8, np.array([5.0, -3.0])
    matrix = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    source = generator.normal(0, 30, (n, 2))
    np.testing.assert_allclose(similarity(source, source @ matrix.T + move), np.column_stack([matrix, move]), atol=1e-9)


def test_reflections_are_excluded():
    mirrored = TEMPLATE * [-1, 1]
    matrix = similarity(mirrored, TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_two_points_on_a_line_through_the_eyes_are_enough():
    matrix = similarity(TEMPLATE[:2] * 2 + 7, TEMPLATE[:2])
    np.testing.assert_allclose(matrix, [[0.5, 0, -3.5], [0, 0.5, -3.5]], atol=1e-12)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (np.full((5, 2), 3.0), "coincide"),
        (np.where(np.arange(5)[:, None] == 2, np.nan, TEMPLATE), "NaN"),
        (TEMPLATE[:1], r"\(1, 2\)"),
        (TEMPLATE[:4], r"\(4, 2\)"),
        (TEMPLATE.T, r"\(2, 5\)"),
    ],
)
def test_degenerate_points_are_errors(source, message):
    target = TEMPLATE[:1] if len(source) == 1 else TEMPLATE
    with pytest.raises(FacelabError, match=message):
        similarity(source, target)


def test_template_scales():
    np.testing.assert_allclose(template(112), TEMPLATE)
    np.testing.assert_allclose(template(224), 2 * TEMPLATE)
    with pytest.raises(FacelabError, match="size=0"):
        template(0)
