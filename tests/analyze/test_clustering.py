import itertools

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, linkage

from facelab.analyze import cluster, clustering_scores
from facelab.errors import FacelabError


def test_scores_against_loops_over_pairs():
    generator = np.random.default_rng(0)
    labels, clusters = generator.integers(0, 5, 40), generator.integers(0, 7, 40)
    pairs = list(itertools.combinations(range(40), 2))
    together = [clusters[i] == clusters[j] for i, j in pairs]
    belong = [labels[i] == labels[j] for i, j in pairs]
    right = sum(a and b for a, b in zip(together, belong, strict=True))
    found = clustering_scores(labels, clusters)
    precision, recall = right / sum(together), right / sum(belong)
    assert (found.precision, found.recall) == pytest.approx((precision, recall))
    assert found.f == pytest.approx(2 * precision * recall / (precision + recall))
    assert (found.identities, found.clusters) == (5, 7)


def test_scores_of_perfect_single_and_scattered_clusters():
    labels = np.repeat(["a", "b", "c"], 4)
    perfect = clustering_scores(labels, np.repeat([7, 2, 5], 4))  # names do not matter
    assert (perfect.precision, perfect.recall, perfect.f) == (1, 1, 1)
    one = clustering_scores(labels, np.zeros(12))
    assert (one.recall, one.precision) == pytest.approx((1, 18 / 66))
    scattered = clustering_scores(labels, np.arange(12))
    assert (scattered.precision, scattered.recall, scattered.f, scattered.clusters) == (1, 0, 0, 12)


@pytest.mark.parametrize("threshold", [-0.5, 0.0, 0.3, 0.7])
def test_agglomerative_against_scipy(groups, threshold):
    x, _ = groups
    expected = fcluster(linkage(x, "average", metric="cosine"), 1 - threshold, "distance")
    assert clustering_scores(expected, cluster(x, threshold=threshold)).f == 1


def test_clear_groups_are_found():
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 10)
    x = generator.normal(0, 1, (5, 32))[labels] + generator.normal(0, 0.1, (50, 32))
    found = clustering_scores(labels, cluster(x, threshold=0.6))
    assert (found.clusters, found.f) == (5, 1)


def test_noise_is_a_cluster_for_each_image():
    x = np.eye(12)  # nothing is near anything
    assert len(np.unique(cluster(x, threshold=0.5))) == 12
    assert len(np.unique(cluster(x, threshold=0.0))) == 1  # all at exactly the threshold


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: cluster(np.eye(4), threshold=2), "threshold=2"),
        (lambda: cluster(np.eye(1)), "1 embeddings"),
        (lambda: clustering_scores(np.zeros(3), np.zeros(2)), r"\(2,\)"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
