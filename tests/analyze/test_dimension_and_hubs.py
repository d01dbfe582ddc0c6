import numpy as np
import pytest
from scipy.stats import skew
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from facelab.analyze import dimensions_for, hubness, isotropy, k_occurrence, participation_ratio, spectrum
from facelab.errors import FacelabError


def axes_with(variances: list[float]) -> np.ndarray:
    """Two points on each axis, so that the covariance is diagonal with these variances."""
    points = np.diag(np.sqrt(variances))
    return np.concatenate([points, -points])


def test_participation_ratio_of_known_spreads():
    assert participation_ratio(axes_with([1, 1, 1, 1, 1])) == pytest.approx(5)
    assert participation_ratio(axes_with([1, 0, 0])) == pytest.approx(1)
    assert participation_ratio(axes_with([3, 1])) == pytest.approx(16 / 10)


def test_dimensions_for_a_share():
    x = axes_with([90, 6, 3, 1])
    assert [dimensions_for(spectrum(x), share) for share in (0.5, 0.9, 0.95, 0.96, 0.99, 1)] == [1, 1, 2, 2, 3, 4]


def test_spectrum_is_that_of_pca(groups, rotation):
    x, _ = groups
    np.testing.assert_allclose(spectrum(x), PCA().fit(x).explained_variance_ratio_, atol=1e-12)
    np.testing.assert_allclose(spectrum(x @ rotation + 5), spectrum(x), atol=1e-12)  # turned and moved


def test_isotropy_of_known_sets(groups, rotation):
    assert isotropy(np.concatenate([np.eye(4), -np.eye(4)])) == pytest.approx(1)
    cone = np.tile([1.0, 0.0], (10, 1))
    assert isotropy(cone) == pytest.approx(np.exp(-2))  # Z is 10 e along the cone, 10 / e against it
    assert isotropy(groups[0] @ rotation) == pytest.approx(isotropy(groups[0]))


@pytest.mark.parametrize("k", [1, 5, 47])
def test_k_occurrence_against_scikit_learn(groups, k):
    unit = groups[0] / np.linalg.norm(groups[0], axis=1, keepdims=True)
    neighbours = NearestNeighbors(n_neighbors=k).fit(unit).kneighbors(return_distance=False)  # leaves each point itself
    np.testing.assert_array_equal(k_occurrence(groups[0], k), np.bincount(neighbours.ravel(), minlength=48))


def test_hubness_is_the_skewness():
    x = np.random.default_rng(0).normal(size=(300, 100))
    assert hubness(x, 5) == pytest.approx(skew(k_occurrence(x, 5)))
    assert hubness(np.eye(4), 3) == 0  # everybody is everybody's neighbour


def test_one_hub_is_seen():
    """The middle of the directions is the nearest neighbour of all others."""
    x = np.concatenate([np.eye(30), np.ones((1, 30))])
    counts = k_occurrence(x, 1)
    assert counts[30] == 30
    assert hubness(x, 1) > 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spectrum(np.ones((4, 3))), "all embeddings are equal"),
        (lambda: spectrum(np.array([[1.0, np.nan], [0, 1]])), "finite"),
        (lambda: dimensions_for(np.ones(3) / 3, 1.2), "share=1.2"),
        (lambda: k_occurrence(np.eye(3), 3), "choose 1 to 2"),
        (lambda: isotropy(np.zeros((3, 2))), "zero"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
