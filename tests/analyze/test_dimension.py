import numpy as np
import pytest
from sklearn.decomposition import PCA

from facelab.analyze import participation_ratio, spectrum
from facelab.errors import FacelabError


def axes_with(variances: list[float]) -> np.ndarray:
    """Two points on each axis, so that the covariance is diagonal with these variances."""
    points = np.diag(np.sqrt(variances))
    return np.concatenate([points, -points])


def test_participation_ratio_of_known_spreads():
    assert participation_ratio(axes_with([1, 1, 1, 1, 1])) == pytest.approx(5)
    assert participation_ratio(axes_with([1, 0, 0])) == pytest.approx(1)
    assert participation_ratio(axes_with([3, 1])) == pytest.approx(16 / 10)


def test_spectrum_is_that_of_pca(groups, rotation):
    x, _ = groups
    np.testing.assert_allclose(spectrum(x), PCA().fit(x).explained_variance_ratio_, atol=1e-12)
    np.testing.assert_allclose(spectrum(x @ rotation + 5), spectrum(x), atol=1e-12)  # turned and moved


def test_random_pairs_scatter_by_one_over_the_root_of_the_dimension():
    """What chapter 11 reads from it: cosines of independent embeddings of mean zero, in uneven dimensions."""
    x = np.random.default_rng(0).normal(size=(2000, 64)) * np.linspace(1, 0.1, 64)
    cosines = np.einsum("nd,nd->n", x[:1000], x[1000:]) / np.sqrt((x[:1000] ** 2).sum(1) * (x[1000:] ** 2).sum(1))
    assert np.sqrt((cosines**2).mean()) == pytest.approx(participation_ratio(x) ** -0.5, rel=0.1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spectrum(np.ones((4, 3))), "all embeddings are equal"),
        (lambda: spectrum(np.array([[1.0, np.nan], [0, 1]])), "finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
