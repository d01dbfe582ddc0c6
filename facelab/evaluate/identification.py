"""One to many: who of the gallery is this?"""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.scores import check_embeddings


def nearest_centroid(gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Name each probe after the nearest gallery centroid by cosine; the same scorer for every loss, cross entropy
    included.

    The centroid of an identity is the mean of its normalised gallery embeddings.

    Args:
        gallery: embeddings of known identities, shape (n, d).
        gallery_labels: shape (n,).
        probes: embeddings to be named, shape (m, d).

    Returns:
        The label of each probe, shape (m,).
    """
    gallery, gallery_labels = check_embeddings(gallery, gallery_labels)
    probes, _ = check_embeddings(probes, np.zeros(len(probes)))
    labels = np.unique(gallery_labels)
    centroids = np.stack([gallery[gallery_labels == label].mean(axis=0) for label in labels])
    centroids, _ = check_embeddings(centroids, labels)
    return labels[(probes @ centroids.T).argmax(axis=1)]


def closed_set_accuracy(
    gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray, probe_labels: np.ndarray
) -> Estimate:
    """Return the share of probes that :func:`nearest_centroid` names rightly, with its Wilson interval; n counts
    probes.

    In a closed set the identities are given, and the images are what is drawn at random: so the interval is over
        images.

    Raises:
        FacelabError: a probe's identity is not in the gallery; the set is then not closed.
    """
    strangers = np.setdiff1d(probe_labels, gallery_labels)
    if len(strangers):
        raise FacelabError(f"identity {strangers[0]} has probes but no gallery image; a closed set needs both.")
    right = nearest_centroid(gallery, gallery_labels, probes) == probe_labels
    return wilson(int(right.sum()), len(right))


def leave_one_out_rank1(embeddings: np.ndarray, labels: np.ndarray) -> Estimate:
    """Return the share of images whose nearest other image by cosine shows the same identity, with its interval."""
    embeddings, labels = check_embeddings(embeddings, labels)
    scores = embeddings @ embeddings.T
    np.fill_diagonal(scores, -np.inf)
    right = labels[scores.argmax(axis=1)] == labels
    return wilson(int(right.sum()), len(right))
