"""Angles on the sphere: how close the images of one identity lie, and how far the identities are apart."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_embeddings, unit
from facelab.evaluate.scores import pair_scores


@dataclass(frozen=True, eq=False)
class CentreAngles:
    """Angles of n embeddings to class centres, in radians.

    Attributes:
        own: to the centre of the own identity, shape (n,).
        other: to the nearest centre of another identity, shape (n,).
        nearest: the label of that other identity, shape (n,).
    """

    own: np.ndarray
    other: np.ndarray
    nearest: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Which embeddings are nearer to their own centre than to any other; shape (n,), bool."""
        return self.own < self.other


def mean_directions(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the identities, rising, shape (C,), and their mean directions of length 1, shape (C, d).

    .. math:: \mu_c = \frac{\sum_{y_i = c} \hat x_i}{\lVert \sum_{y_i = c} \hat x_i \rVert}

    Raises:
        FacelabError: an embedding has no direction, or those of an identity cancel out.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    identities, codes = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(identities), embeddings.shape[1]))
    np.add.at(sums, codes, embeddings)
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    if (lengths < 1e-12).any():
        raise FacelabError(f"identity {identities[lengths.argmin()]}: its embeddings cancel out, so it has no centre.")
    return identities, sums / lengths


def centre_angles(embeddings: np.ndarray, labels: np.ndarray, centres: np.ndarray | None = None) -> CentreAngles:
    r"""Measure the angle of each embedding to its own and to the nearest other class centre, in radians.

    .. math:: \theta_i = \arccos(\hat x_i \cdot \hat W_{y_i}), \qquad
        \theta'_i = \min_{j \ne y_i} \arccos(\hat x_i \cdot \hat W_j)

    An image is named rightly where :math:`\theta_i < \theta'_i`; ArcFace asks for :math:`\theta_i + m < \theta'_i`.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,); with ``centres`` they are rows of it.
        centres: class centres of a trained loss, shape (C, d). Without them the mean direction of each identity stands
            for its centre, and the own centre is the mean of the identity's *other* images: an image that helped to
            make its centre would lie too near to it.

    Raises:
        FacelabError: an embedding or a centre without direction, fewer than two identities, a label without a centre,
            or, without ``centres``, an identity with one image.

    Example:
        >>> x, labels = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]]), np.array([0, 0, 1, 1])
        >>> angles = centre_angles(x, labels)
        >>> np.degrees(angles.own).round(1), np.degrees(angles.other).round(1)
        (array([36.9, 36.9, 36.9, 36.9]), array([108.4,  71.6,  71.6, 108.4]))
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    if centres is None:
        identities, means = mean_directions(embeddings, labels)
        codes = np.searchsorted(identities, labels)
        single = identities[np.bincount(codes) < 2]
        if len(single):
            raise FacelabError(f"identity {single[0]} has one image, so no other image makes its centre; leave it out.")
        sums = np.zeros_like(means)
        np.add.at(sums, codes, embeddings)
        rest = sums[codes] - embeddings
        own = np.einsum("nd,nd->n", embeddings, rest) / np.linalg.norm(rest, axis=1)
    else:
        means, identities = unit(centres), np.arange(len(centres))
        outside = (labels < 0) | (labels >= len(means))
        if outside.any():
            raise FacelabError(f"label {labels[outside][0]}: there are {len(means)} centres, for labels from 0.")
        codes = labels
        own = np.einsum("nd,nd->n", embeddings, means[codes])
    if len(means) < 2:
        raise FacelabError(f"{len(means)} identity: a nearest other centre needs at least 2.")
    others = embeddings @ means.T
    others[np.arange(len(others)), codes] = -np.inf
    nearest = others.argmax(axis=1)
    other = others[np.arange(len(others)), nearest]
    return CentreAngles(_arccos(own), _arccos(other), identities[nearest])


def pair_angles(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the angles of all genuine (intra-class) and all impostor (inter-class) pairs, in radians.

    Example:
        >>> genuine, impostor = pair_angles(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), np.array([0, 0, 1]))
        >>> np.degrees(genuine).round(1), np.degrees(impostor).round(1)
        (array([36.9]), array([90. , 53.1]))
    """
    scores = pair_scores(embeddings, labels)
    angles = _arccos(scores.values)
    return angles[scores.genuine], angles[~scores.genuine]


def d_prime(embeddings: np.ndarray, labels: np.ndarray) -> float:
    r"""Return d', how far genuine and impostor angles lie apart in units of their spread: 0 if not at all.

    .. math:: d' = \frac{\bar\theta_\text{inter} - \bar\theta_\text{intra}}
        {\sqrt{(\sigma^2_\text{inter} + \sigma^2_\text{intra}) / 2}}

    It sees means and spreads, and not the tails, in which errors at a low FAR are made. NaN if no angle differs from
    the others of its kind. Source of d' for biometric scores: J. Daugman, "Biometric decision landscapes", University
    of Cambridge technical report UCAM-CL-TR-482, 2000.

    Raises:
        FacelabError: there are no genuine or no impostor pairs.

    Example:
        >>> turn = np.radians([0, 20, 100, 140])
        >>> round(d_prime(np.stack([np.cos(turn), np.sin(turn)], axis=1), np.array([0, 0, 1, 1])), 2)
        4.62
    """
    intra, inter = pair_angles(embeddings, labels)
    if not len(intra) or not len(inter):
        raise FacelabError(f"{len(intra)} genuine and {len(inter)} impostor pairs: both are needed.")
    deviation = np.sqrt((inter.var() + intra.var()) / 2)
    return float((inter.mean() - intra.mean()) / deviation) if deviation else float("nan")


def _arccos(cosines: np.ndarray) -> np.ndarray:
    return np.arccos(np.clip(cosines, -1, 1))
