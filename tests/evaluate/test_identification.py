import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from facelab.errors import FacelabError
from facelab.evaluate import closed_set_accuracy, leave_one_out_rank1, nearest_centroid, wilson


def random_sets(seed: int = 0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 1, (6, 10))
    labels = np.repeat(np.arange(6), 7)
    return [(centres[labels] + generator.normal(0, 1.3, (42, 10)), labels) for _ in range(2)]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_nearest_centroid_agrees_with_scikit_learn(seed):
    (gallery, labels), (probes, probe_labels) = random_sets(seed)
    peer = NearestCentroid().fit(unit(gallery), labels)
    peer.centroids_ = unit(peer.centroids_)  # on the sphere, nearest by distance is nearest by cosine
    expected = peer.predict(unit(probes))
    np.testing.assert_array_equal(nearest_centroid(gallery, labels, probes), expected)
    accuracy = closed_set_accuracy(gallery, labels, probes, probe_labels)
    assert accuracy.value == pytest.approx((expected == probe_labels).mean())
    assert accuracy.n == 42


def test_rank1_agrees_with_scikit_learn():
    (x, labels), _ = random_sets()
    neighbours = KNeighborsClassifier(2, metric="cosine").fit(x, labels).kneighbors(x, return_distance=False)[:, 1]
    assert leave_one_out_rank1(x, labels).value == pytest.approx((labels[neighbours] == labels).mean())


def test_a_probe_of_a_stranger_is_an_error():
    (gallery, labels), (probes, probe_labels) = random_sets()
    with pytest.raises(FacelabError, match="identity 9"):
        closed_set_accuracy(gallery, labels, probes, np.where(probe_labels == 5, 9, probe_labels))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (58, 75), (57, 75), (90, 90), (1, 1)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    estimate = wilson(k, n)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert estimate.low <= estimate.value <= estimate.high


def test_wilson_of_the_project_this_course_grew_from():
    estimate = wilson(58, 75)
    assert [round(100 * x, 1) for x in (estimate.low, estimate.high)] == [66.7, 85.3]


@pytest.mark.parametrize(("k", "n"), [(1, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_errors(k, n):
    with pytest.raises(FacelabError):
        wilson(k, n)
