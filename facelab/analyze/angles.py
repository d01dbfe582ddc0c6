"""Angles between embeddings and class centres: what a margin loss trains, and what to watch while it does."""

import numpy as np


def centre_angles(embeddings: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the angle of each embedding to its own class centre and to the nearest other one, in radians.

    .. math:: θ_y = \arccos(\hat x \cdot \hat W_y), \qquad θ_j = \min_{j \ne y} \arccos(\hat x \cdot \hat W_j)

    An image is named rightly where :math:`θ_y < θ_j`; ArcFace asks for :math:`θ_y + m < θ_j`.

    Args:
        embeddings: shape (n, d), of any length but 0.
        labels: row of ``centres`` that is each embedding's own, shape (n,).
        centres: shape (C, d), of any length but 0; at least two.

    Returns:
        (θ_y, θ_j), each of shape (n,), float64.
    """
    x, w = (np.asarray(a, dtype=np.float64) for a in (embeddings, centres))
    cosines = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (w / np.linalg.norm(w, axis=1, keepdims=True)).T
    rows = np.arange(len(x)), np.asarray(labels)
    own = np.arccos(cosines[rows].clip(-1, 1))
    cosines[rows] = -np.inf
    return own, np.arccos(cosines.max(axis=1).clip(-1, 1))
