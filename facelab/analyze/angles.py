"""Angles between embeddings and class centres: what a margin loss trains, and what to watch while it does."""

import numpy as np

from facelab.analyze import geometry


def centre_angles(embeddings: np.ndarray, labels: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the angle of each embedding to its own class centre and to the nearest other one, in radians.

    These are the first two arrays of :func:`facelab.analyze.geometry.centre_angles`.

    .. math:: θ_y = \arccos(\hat x \cdot \hat W_y), \qquad θ_j = \min_{j \ne y} \arccos(\hat x \cdot \hat W_j)

    An image is named rightly where :math:`θ_y < θ_j`; ArcFace asks for :math:`θ_y + m < θ_j`.

    Args:
        embeddings: shape (n, d), of any length but 0.
        labels: row of ``centres`` that is each embedding's own, shape (n,).
        centres: shape (C, d), of any length but 0; at least two.

    Returns:
        (θ_y, θ_j), each of shape (n,), float64.
    """
    found = geometry.centre_angles(np.asarray(embeddings), np.asarray(labels), np.asarray(centres))
    return found.own, found.other
