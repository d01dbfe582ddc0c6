"""Images that are near to everybody: a disease of many dimensions that hurts identification."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import unit


def k_occurrence(embeddings: np.ndarray, k: int = 10) -> np.ndarray:
    r"""Return how often each embedding is among the k nearest (by cosine) of another one; shape (n,), mean k.

    .. math:: N_k(i) = \#\{j \ne i : x_i \in \mathrm{kNN}(x_j)\}

    Source: M. Radovanović, A. Nanopoulos, M. Ivanović, "Hubs in space: popular nearest neighbors in high-dimensional
    data", JMLR 11, 2010.

    Raises:
        FacelabError: k is not in [1, n - 1], or an embedding has no direction.
    """
    x = unit(embeddings)
    if not 1 <= k < len(x):
        raise FacelabError(f"k={k} of {len(x)} embeddings: choose 1 to {len(x) - 1}.")
    counts = np.zeros(len(x), dtype=np.int64)
    step = max(1, 4_000_000 // len(x))  # blocks of 32 MB
    for start in range(0, len(x), step):
        cosines = x[start : start + step] @ x.T
        rows = np.arange(len(cosines))
        cosines[rows, start + rows] = -np.inf
        nearest = np.argpartition(cosines, -k, axis=1)[:, -k:]
        counts += np.bincount(nearest.ravel(), minlength=len(x))
    return counts


def hubness(embeddings: np.ndarray, k: int = 10) -> float:
    r"""Return the skewness of :func:`k_occurrence`: about 0 without hubs; above 1 a few images are near to everybody.

    .. math:: S = \frac{\operatorname{mean}((N_k - k)^3)}{\sigma^3}

    If every embedding occurs equally often, it is 0. Source: as :func:`k_occurrence`, equation 1.
    """
    counts = k_occurrence(embeddings, k).astype(np.float64)
    deviation = counts.std()
    return float((((counts - k) / deviation) ** 3).mean()) if deviation else 0.0
