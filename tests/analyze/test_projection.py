import numpy as np
import pytest
import torch
from sklearn.metrics import silhouette_score

from facelab.analyze import project, trust
from facelab.analyze.projection import _PROJECTIONS
from facelab.errors import FacelabError


def clusters() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 12)
    return generator.normal(0, 1, (5, 32))[labels] + generator.normal(0, 0.2, (60, 32)), labels


@pytest.mark.parametrize("method", ["tsne", "pca", pytest.param("umap", marks=pytest.mark.slow), "sphere"])
def test_clusters_stay_apart_and_the_seed_decides(method):
    embeddings, labels = clusters()
    threads = torch.get_num_threads()
    points = project(embeddings, method=method, seed=3)
    assert torch.get_num_threads() == threads  # Numba sets it; what is trained afterwards would come out otherwise
    assert points.shape == (60, 3 if method == "sphere" else 2)
    assert points.dtype == np.float32
    assert silhouette_score(points, labels) > 0.4
    np.testing.assert_array_equal(points, project(embeddings, method=method, seed=3))


def test_pca_keeps_the_largest_spread():
    embeddings, _ = clusters()
    centred = embeddings - embeddings.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(project(embeddings, method="pca"), axis=0), singular, rtol=1e-4)


def test_sphere_keeps_three_dimensions_up_to_a_turn():
    x = np.random.default_rng(0).normal(size=(40, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    wide = unit @ np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))[0][:3]
    points = project(wide, method="sphere")
    np.testing.assert_allclose(points @ points.T, unit @ unit.T, atol=1e-5)


def by_brute_force(space: np.ndarray, map_: np.ndarray, k: int) -> float:
    """Trustworthiness from its definition, with loops."""
    n, penalty = len(space), 0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        by_space = sorted(others, key=lambda j: ((space[i] - space[j]) ** 2).sum())
        by_map = sorted(others, key=lambda j: ((map_[i] - map_[j]) ** 2).sum())
        for j in by_map[:k]:
            penalty += max(0, by_space.index(j) + 1 - k)
    return 1 - 2 / (n * k * (2 * n - 3 * k - 1)) * penalty


@pytest.mark.parametrize("k", [3, 9])
def test_trust_against_brute_force(k):
    generator = np.random.default_rng(0)
    x = generator.normal(size=(30, 6))
    points = x[:, :2] + generator.normal(0, 0.5, (30, 2))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    found = trust(x, points, k=k)
    assert found.trustworthiness == pytest.approx(by_brute_force(unit, points, k))
    assert found.continuity == pytest.approx(by_brute_force(points, unit, k))


def test_trust_of_a_true_and_of_a_random_map():
    turn = np.sort(np.random.default_rng(0).uniform(0, 1.5, 60))
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    assert vars(trust(circle, circle, k=5)) == pytest.approx({"trustworthiness": 1, "continuity": 1})
    assert vars(trust(circle * 3, circle * 0.1 + 7, k=5)) == pytest.approx({"trustworthiness": 1, "continuity": 1})
    nonsense = np.random.default_rng(1).normal(size=(60, 2))
    assert all(0.35 < value < 0.65 for value in vars(trust(circle, nonsense, k=5)).values())


def test_tsne_draws_groups_in_noise():
    """Why a map is no proof: points without any structure get a map with holes, PCA shows none."""
    noise = np.random.default_rng(0).normal(size=(300, 50))

    def clumping(points: np.ndarray) -> float:
        """Variation of the counts in the cells of a 6 x 6 grid over the ranks; 1 if points fall evenly by chance."""
        ranks = points.argsort(axis=0).argsort(axis=0) * 6 // len(points)
        counts = np.bincount(ranks[:, 0] * 6 + ranks[:, 1], minlength=36)
        return float(counts.var() / counts.mean())

    assert clumping(project(noise, neighbours=3)) > 1.5 * clumping(project(noise, method="pca"))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: project(np.zeros((10, 3)), method="isomap"), "isomap"),
        (lambda: project(np.zeros((3, 3))), "at least 4"),
        (lambda: project(np.full((5, 3), np.nan)), "embedding 0"),
        (lambda: project(np.eye(10), neighbours=10), "neighbours=10"),
        (lambda: project(np.eye(10), neighbours=9), "perplexity"),
        (lambda: project(np.random.default_rng(0).normal(size=(5, 2)), method="sphere"), "at least 3"),
        (lambda: trust(np.eye(10), np.zeros((9, 2))), "9 points"),
        (lambda: trust(np.eye(10), np.zeros((10, 2)), k=5), "k=5"),
    ],
)
def test_bad_arguments_are_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()


@pytest.mark.parametrize("method", ["tsne", "umap", "pca", "sphere"])
def test_a_collapsed_network_has_no_map(method):
    with pytest.raises(FacelabError, match="all 30 embeddings are equal"):
        project(np.ones((30, 8)), method=method)


@pytest.mark.parametrize("method", ["tsne", "umap", "sphere"])
def test_an_embedding_without_direction_is_named(method):
    x = np.random.default_rng(0).normal(size=(30, 8))
    x[3] = 0
    with pytest.raises(FacelabError, match="embedding 3 is zero"):
        project(x, method=method)
    assert np.isfinite(project(x, method="pca")).all()  # which compares no directions


def test_a_map_that_is_not_finite_is_refused(monkeypatch):
    monkeypatch.setitem(_PROJECTIONS, "tsne", lambda x, *_: np.full((len(x), 2), np.nan))
    x = np.random.default_rng(0).normal(size=(30, 8))
    with pytest.raises(FacelabError, match="finds no map of these 30 embeddings; are they nearly equal"):
        project(x, method="tsne")
