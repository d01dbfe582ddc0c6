"""From many dimensions to two or three, for the eye only; and how far to trust the result."""

import os
import sys
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_finite, unit
from facelab.files import can_write, facelab_home, package_folder

METHODS = ("pca", "tsne", "umap", "sphere")


def project(
    embeddings: np.ndarray,
    *,
    method: Literal["pca", "tsne", "umap", "sphere"] = "tsne",
    seed: int = 0,
    neighbours: float | None = None,
) -> np.ndarray:
    """Project embeddings to the plane, or to the sphere in three dimensions.

    - ``"pca"`` keeps large distances and may lay groups over each other.
    - ``"tsne"`` (openTSNE, cosine distance, started from PCA) keeps neighbours together and shows groups, but sizes of
      groups and distances between them mean nothing, and it draws groups in pure noise.
    - ``"umap"`` (umap-learn, cosine distance) likewise. The first call on a machine compiles for about 20 seconds.
    - ``"sphere"``: the three principal axes of the embeddings (not centred, so that the origin stays), each point then
      brought to length 1. Angles in many dimensions are mostly lost.

    Sources: L. van der Maaten, G. Hinton, JMLR 9, 2008 (t-SNE); P. G. Poličar, M. Stražar, B. Zupan, J. Stat. Softw.
    109, 2024 (openTSNE); L. McInnes, J. Healy, J. Melville, arXiv:1802.03426 (UMAP).

    Args:
        embeddings: shape (n, d), n >= 4.
        method: see above.
        seed: of t-SNE and UMAP.
        neighbours: the perplexity of t-SNE (30, less for few embeddings) or the number of neighbours of UMAP (15).

    Returns:
        Shape (n, 2), or (n, 3) for ``"sphere"``; float32.

    Raises:
        FacelabError: too few embeddings, values that are not finite, embeddings that are all equal, one of length 0
            where the method compares directions (all but ``"pca"``), an unknown method, or neighbours that do not fit.

    Example:
        >>> project(np.random.default_rng(0).normal(size=(50, 8)), method="pca").shape
        (50, 2)
    """
    if method not in METHODS:
        raise FacelabError(f"method={method!r}: choose one of {', '.join(METHODS)}.")
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or len(x) < 4:
        raise FacelabError(f"{len(x)} embeddings: a map needs at least 4.")
    check_finite("embedding", x)
    if neighbours is not None and not 1 < neighbours < len(x):
        raise FacelabError(f"neighbours={neighbours} of {len(x)} embeddings: choose more than 1 and fewer than n.")
    if method != "pca":
        unit(x)  # a cosine needs a direction
    if (x == x[0]).all():
        raise FacelabError(f"all {len(x)} embeddings are equal (a collapsed network?), so there is nothing to map.")
    points = _PROJECTIONS[method](x, seed, neighbours).astype(np.float32)
    if not np.isfinite(points).all():
        raise FacelabError(f"{method} finds no map of these {len(x)} embeddings; are they nearly equal?")
    return points


def _pca(x: np.ndarray, seed: int, neighbours: float | None) -> np.ndarray:
    from sklearn.decomposition import PCA

    return PCA(2, svd_solver="full").fit_transform(x)


def _sphere(x: np.ndarray, seed: int, neighbours: float | None) -> np.ndarray:
    x = unit(x)
    if x.shape[1] < 3:
        raise FacelabError(f"embeddings of {x.shape[1]} dimensions: the sphere needs at least 3.")
    points = x @ np.linalg.svd(x, full_matrices=False)[2][:3].T
    return points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)


def _let_numba_cache() -> None:
    """Give Numba a place for what it compiles for openTSNE and UMAP, where their own folder cannot be written."""
    place = package_folder("numba", "t-SNE and UMAP come")
    if "NUMBA_CACHE_DIR" not in os.environ and not can_write(place):
        os.environ["NUMBA_CACHE_DIR"] = str(facelab_home() / "numba")
        if "numba" in sys.modules:  # it has read the environment already
            sys.modules["numba"].config.reload_config()


def _tsne(x: np.ndarray, seed: int, neighbours: float | None) -> np.ndarray:
    _let_numba_cache()
    from openTSNE import TSNE

    perplexity = neighbours or min(30.0, (len(x) - 1) / 3)
    if perplexity > (len(x) - 1) / 3:  # openTSNE would lower it, with a warning
        raise FacelabError(f"neighbours={neighbours} (perplexity) needs at least {3 * perplexity + 1:.0f} embeddings.")
    map_ = TSNE(perplexity=perplexity, metric="cosine", neighbors="exact", random_state=seed, n_jobs=1)
    return np.asarray(map_.fit(x))


def _umap(x: np.ndarray, seed: int, neighbours: float | None) -> np.ndarray:
    _let_numba_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of TensorFlow and of notebook widgets, neither of which is used here
        from umap import UMAP
    from threadpoolctl import threadpool_limits

    number = int(neighbours or min(15, len(x) - 1))
    # A given seed means one thread; saying so spares a warning. Spectral starts need more points than components + 1.
    start = "spectral" if len(x) > 10 else "random"
    with threadpool_limits(user_api="openmp"):  # Numba sets the number of threads of others too: give it back
        return UMAP(n_neighbors=number, metric="cosine", init=start, random_state=seed, n_jobs=1).fit_transform(x)


_PROJECTIONS = {"pca": _pca, "tsne": _tsne, "umap": _umap, "sphere": _sphere}


@dataclass(frozen=True)
class Trust:
    """How far a map can be trusted about neighbours; both lie in [0, 1], a random map gives about 0.5.

    Attributes:
        trustworthiness: low if points are neighbours on the map that are not in the space (false neighbours).
        continuity: low if neighbours in the space are far apart on the map (torn neighbours).
    """

    trustworthiness: float
    continuity: float


def trust(embeddings: np.ndarray, points: np.ndarray, *, k: int = 10) -> Trust:
    r"""Measure how far a projection keeps the k nearest neighbours.

    .. math:: T(k) = 1 - \frac{2}{n k (2n - 3k - 1)} \sum_i \sum_{j \in U_k(i)} (r(i, j) - k)

    with :math:`U_k(i)` the points that are among the k nearest of i on the map but not in the space, and r(i, j) their
    rank in the space. Continuity is the same with space and map swapped. Embeddings are normalised, so neighbours in
    the space are those by cosine. Source: J. Venna, S. Kaski, "Neighborhood preservation in nonlinear projection
    methods: an experimental study", ICANN 2001.

    Args:
        embeddings: shape (n, d).
        points: their projection, shape (n, 2) or (n, 3).
        k: neighbours to look at, fewer than n / 2.

    Raises:
        FacelabError: lengths differ, an embedding without direction, or k does not fit.
    """
    from sklearn.manifold import trustworthiness

    x = unit(embeddings)
    if len(points) != len(x):
        raise FacelabError(f"{len(x)} embeddings and {len(points)} points: expected one point for each embedding.")
    if not 1 <= k < len(x) / 2:
        raise FacelabError(f"k={k} of {len(x)} embeddings: choose 1 or more, and fewer than n / 2.")
    return Trust(float(trustworthiness(x, points, n_neighbors=k)), float(trustworthiness(points, x, n_neighbors=k)))
