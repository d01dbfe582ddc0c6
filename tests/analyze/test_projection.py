import numpy as np
import pytest
from sklearn.metrics import silhouette_score

from facelab.analyze import project
from facelab.errors import FacelabError


def clusters() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(5), 12)
    return generator.normal(0, 1, (5, 32))[labels] + generator.normal(0, 0.2, (60, 32)), labels


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_clusters_stay_apart_and_the_seed_decides(method):
    embeddings, labels = clusters()
    points = project(embeddings, method=method, seed=3)
    assert points.shape == (60, 2)
    assert silhouette_score(points, labels) > 0.4
    np.testing.assert_array_equal(points, project(embeddings, method=method, seed=3))


def test_pca_keeps_the_largest_spread():
    embeddings, _ = clusters()
    centred = embeddings - embeddings.mean(axis=0)
    singular = np.linalg.svd(centred, compute_uv=False)[:2]
    np.testing.assert_allclose(np.linalg.norm(project(embeddings, method="pca"), axis=0), singular, rtol=1e-4)


def test_bad_arguments_are_named():
    with pytest.raises(FacelabError, match="umap"):
        project(np.zeros((10, 3)), method="umap")
    with pytest.raises(FacelabError, match="at least 4"):
        project(np.zeros((3, 3)))
