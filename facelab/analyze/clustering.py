"""Clusters: can the images of an identity be found without labels?"""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_each, unit


def cluster(embeddings: np.ndarray, *, threshold: float = 0.5) -> np.ndarray:
    """Group embeddings without labels; nobody says how many identities there are.

    Agglomerative clustering: the two nearest groups are joined, by the mean cosine of their pairs, while it is at least
    the threshold.

    Args:
        embeddings: shape (n, d).
        threshold: cosine. Choose it on other identities.

    Returns:
        The cluster of each embedding, 0 to K - 1, shape (n,).

    Raises:
        FacelabError: a threshold outside [-1, 1], fewer than two embeddings, or one without direction.
    """
    from sklearn.cluster import AgglomerativeClustering

    x = unit(embeddings)
    if not -1 <= threshold <= 1:
        raise FacelabError(f"threshold={threshold}: a cosine lies in [-1, 1].")
    if len(x) < 2:
        raise FacelabError(f"{len(x)} embeddings: to group them needs at least 2.")
    # scikit-learn joins below a distance, we join at the threshold too
    distance = np.nextafter(1 - threshold, np.inf)
    joined = AgglomerativeClustering(n_clusters=None, metric="cosine", linkage="average", distance_threshold=distance)
    return joined.fit_predict(x)


@dataclass(frozen=True)
class ClusteringScores:
    """Clusters found without labels, against the truth.

    Attributes:
        identities, clusters: how many there are, and how many were found.
        precision: of the pairs of images that were put together, the share that belongs together.
        recall: of the pairs that belong together, the share that was put together.
        f: the harmonic mean of both; 1 if exactly the right pairs were put together.
    """

    identities: int
    clusters: int
    precision: float
    recall: float
    f: float


def clustering_scores(labels: np.ndarray, clusters: np.ndarray) -> ClusteringScores:
    r"""Compare clusters with identities. With :math:`n_{ck}` images of identity c in cluster k:

    .. math:: P = \frac{\sum_{ck} \binom{n_{ck}}{2}}{\sum_k \binom{n_{\cdot k}}{2}}, \quad
        R = \frac{\sum_{ck} \binom{n_{ck}}{2}}{\sum_c \binom{n_{c\cdot}}{2}}, \quad F = \frac{2PR}{P + R}

    Where no pair is put together, precision is 1 (nothing said is wrong); where none belongs together, recall.

    Args:
        labels: true identity of each image, shape (n,).
        clusters: found cluster of each image, shape (n,).

    Raises:
        FacelabError: lengths differ, or there is no image.
    """
    labels, clusters = np.asarray(labels), np.asarray(clusters)
    check_each(labels, clusters=clusters)
    if not len(labels):
        raise FacelabError("no images: there are no clusters to compare.")
    identities, c = np.unique(labels, return_inverse=True)
    found, k = np.unique(clusters, return_inverse=True)
    table = np.zeros((len(identities), len(found)))
    np.add.at(table, (c, k), 1)
    both, put, true = (float((m * (m - 1) / 2).sum()) for m in (table, table.sum(axis=0), table.sum(axis=1)))
    precision, recall = both / put if put else 1.0, both / true if true else 1.0
    f = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return ClusteringScores(len(identities), len(found), precision, recall, f)
