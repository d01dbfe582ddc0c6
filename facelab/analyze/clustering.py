"""Clusters: do the images of an identity form one, and can it be found without labels?"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_each, check_embeddings, unit


@dataclass(frozen=True)
class ClusterQuality:
    """How well the true identities form clusters.

    Attributes:
        silhouette: mean of (b - a)/max(a, b), with a the mean cosine distance to the own identity and b that to the
            nearest other one; -1 to 1, higher is better.
        davies_bouldin: mean over identities of the worst (spread + spread')/distance between centroids; from 0, lower
            is better. Of normalised embeddings, with Euclidean distance.
    """

    silhouette: float
    davies_bouldin: float


def cluster_quality(embeddings: np.ndarray, labels: np.ndarray) -> ClusterQuality:
    """Measure how well the true identities form clusters, with scikit-learn.

    Sources: P. J. Rousseeuw, J. Comput. Appl. Math. 20, 1987; D. L. Davies, D. W. Bouldin, IEEE TPAMI 1, 1979.

    Raises:
        FacelabError: fewer than two identities, or as many as images; or an embedding without direction.
    """
    from sklearn.metrics import davies_bouldin_score, silhouette_score

    x, labels = check_embeddings(embeddings, labels)
    identities = len(np.unique(labels))
    if not 2 <= identities < len(x):
        raise FacelabError(f"{identities} identities in {len(x)} images: cluster quality needs 2 to {len(x) - 1}.")
    return ClusterQuality(float(silhouette_score(x, labels, metric="cosine")), float(davies_bouldin_score(x, labels)))


def cluster(
    embeddings: np.ndarray,
    *,
    method: Literal["agglomerative", "hdbscan"] = "agglomerative",
    threshold: float = 0.5,
    smallest: int = 3,
) -> np.ndarray:
    """Group embeddings without labels; nobody says how many identities there are.

    Args:
        embeddings: shape (n, d).
        method: ``"agglomerative"`` joins the two nearest groups, by their mean cosine, while it is at least
            ``threshold``; ``"hdbscan"`` looks for dense regions and needs no threshold.
        threshold: cosine, for the agglomerative method. Choose it on other identities.
        smallest: images of the smallest cluster that HDBSCAN may find. Images in no dense region each become a cluster
            of their own.

    Returns:
        The cluster of each embedding, 0 to K - 1, shape (n,).

    Raises:
        FacelabError: an unknown method, a threshold outside [-1, 1], too few embeddings, or one without direction.
    """
    from sklearn.cluster import HDBSCAN, AgglomerativeClustering

    x = unit(embeddings)
    if method not in ("agglomerative", "hdbscan"):
        raise FacelabError(f"method={method!r}: choose 'agglomerative' or 'hdbscan'.")
    if not -1 <= threshold <= 1:
        raise FacelabError(f"threshold={threshold}: a cosine lies in [-1, 1].")
    if len(x) < 2 or not 2 <= smallest <= len(x):
        raise FacelabError(f"{len(x)} embeddings, smallest={smallest}: need at least 2, and 2 <= smallest <= n.")
    if method == "hdbscan":
        # On the sphere, the Euclidean distance falls with the cosine, so the neighbours are the same.
        found = HDBSCAN(min_cluster_size=smallest, copy=True).fit_predict(x)
        noise = found < 0
        found[noise] = found.max() + 1 + np.arange(noise.sum())
        return found
    joined = AgglomerativeClustering(
        n_clusters=None,
        metric="cosine",
        linkage="average",
        distance_threshold=np.nextafter(
            1 - threshold, np.inf
        ),  # scikit-learn joins below, we join at the threshold too
    )
    return joined.fit_predict(x)


@dataclass(frozen=True)
class ClusteringScores:
    """Clusters found without labels, against the truth.

    Attributes:
        identities, clusters: how many there are, and how many were found.
        nmi, ari: normalised mutual information (arithmetic mean), adjusted Rand index; 1 is perfect.
        precision, recall, f: over pairs of images: of those put together, the share that belongs together, and so on.
        bcubed_precision, bcubed_recall, bcubed_f: the same, averaged over images, so that large identities do not rule.
    """

    identities: int
    clusters: int
    nmi: float
    ari: float
    precision: float
    recall: float
    f: float
    bcubed_precision: float
    bcubed_recall: float
    bcubed_f: float


def clustering_scores(labels: np.ndarray, clusters: np.ndarray) -> ClusteringScores:
    r"""Compare clusters with identities. With :math:`n_{ck}` images of identity c in cluster k:

    .. math:: P = \frac{\sum_{ck} \binom{n_{ck}}{2}}{\sum_k \binom{n_{\cdot k}}{2}}, \quad
        R = \frac{\sum_{ck} \binom{n_{ck}}{2}}{\sum_c \binom{n_{c\cdot}}{2}}, \quad F = \frac{2PR}{P + R}, \quad
        P_{B^3} = \frac1n \sum_{ck} \frac{n_{ck}^2}{n_{\cdot k}}, \quad
        R_{B^3} = \frac1n \sum_{ck} \frac{n_{ck}^2}{n_{c\cdot}}

    Where no pair is put together, precision is 1 (nothing said is wrong). Source of BCubed: A. Bagga, B. Baldwin,
    "Entity-based cross-document coreferencing using the vector space model", ACL 1998.

    Args:
        labels: true identity of each image, shape (n,).
        clusters: found cluster of each image, shape (n,).

    Raises:
        FacelabError: lengths differ, or there is no image.
    """
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    labels, clusters = np.asarray(labels), np.asarray(clusters)
    check_each(labels, clusters=clusters)
    if not len(labels):
        raise FacelabError("no images: there are no clusters to compare.")
    identities, c = np.unique(labels, return_inverse=True)
    found, k = np.unique(clusters, return_inverse=True)
    table = np.zeros((len(identities), len(found)))
    np.add.at(table, (c, k), 1)
    sizes, true_sizes = table.sum(axis=0), table.sum(axis=1)
    both, together, true = (float((m * (m - 1) / 2).sum()) for m in (table, sizes, true_sizes))
    precision, recall = both / together if together else 1.0, both / true if true else 1.0
    b_precision = float((table**2 / sizes).sum() / len(labels))
    b_recall = float((table**2 / true_sizes[:, None]).sum() / len(labels))
    return ClusteringScores(
        len(identities),
        len(found),
        float(normalized_mutual_info_score(labels, clusters)),
        float(adjusted_rand_score(labels, clusters)),
        precision,
        recall,
        _f(precision, recall),
        b_precision,
        b_recall,
        _f(b_precision, b_recall),
    )


def _f(precision: float, recall: float) -> float:
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
