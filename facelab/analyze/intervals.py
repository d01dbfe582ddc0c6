"""Intervals for whatever is a ratio of sums over images: identities are drawn again, not images."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.checks import check_values
from facelab.evaluate.estimate import Estimate


def ratio_by_identity(
    numerator: np.ndarray, denominator: np.ndarray, labels: np.ndarray, *, replicates: int = 2000, seed: int = 0
) -> Estimate:
    r"""Return a ratio of sums over images with its 95 % interval from an identity bootstrap; n counts images.

    .. math:: r = \frac{\sum_i a_i}{\sum_i b_i}

    Images of one identity resemble each other, so identities are drawn with replacement, each with all its images, and
    the ratios of the draws give the interval, see :func:`facelab.evaluate.bootstrap_interval`.

    Args:
        numerator, denominator: a and b of each image, shape (n,).
        labels: identity of each image, shape (n,).
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: lengths differ, a value is not finite, or fewer than two identities.
    """
    labels, a, b = check_values(labels, numerator=numerator, denominator=denominator)
    identities, codes = np.unique(labels, return_inverse=True)
    if len(identities) < 2:
        raise FacelabError(f"{len(identities)} identity: an interval over identities needs at least 2.")
    sums = np.stack([np.bincount(codes, weights=a), np.bincount(codes, weights=b)], axis=1)
    draws = np.concatenate(
        [counts @ sums for counts in draw_identities(len(identities), replicates, np.random.default_rng(seed))]
    )
    ratio, ratios = float(a.sum() / b.sum()), draws[:, 0] / draws[:, 1]
    return bootstrap_interval(ratio, ratios, len(labels), len(identities), share=False)
