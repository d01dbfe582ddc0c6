"""How many of the dimensions are used."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_finite


def spectrum(embeddings: np.ndarray) -> np.ndarray:
    r"""Return the share of the variance along each principal axis, falling, shape (min(n, d),); they sum to 1.

    .. math:: p_k = \lambda_k / \sum_j \lambda_j, \qquad \lambda = \text{eigenvalues of the covariance}

    Pass normalised embeddings where only directions count: a spread in length is a spread too.

    Raises:
        FacelabError: fewer than two embeddings, a value that is not finite, or all embeddings are equal.
    """
    x = np.asarray(embeddings, dtype=np.float64)
    if x.ndim != 2 or len(x) < 2:
        raise FacelabError(f"embeddings {x.shape}: expected (n, d) with n >= 2.")
    check_finite("embedding", x)
    variances = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    if variances.sum() <= 1e-20 * max(1.0, (x**2).sum()):
        raise FacelabError("all embeddings are equal: the network has collapsed, and there is no spread to measure.")
    return variances / variances.sum()


def participation_ratio(embeddings: np.ndarray) -> float:
    r"""Return the effective dimension: 1 if the spread lies on one line, d if it is the same in all d dimensions.

    .. math:: D = \frac{(\sum_k \lambda_k)^2}{\sum_k \lambda_k^2}

    Two independent embeddings of mean zero and length 1 have a cosine of root mean square :math:`1/\sqrt D`. With few
    embeddings D is too small: n points never fill more than n - 1 dimensions. Source: P. Gao et al., "A theory of
    multineuronal dimensionality, dynamics and measurement", bioRxiv 214262, 2017.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(5000, 8))
        >>> round(participation_ratio(x), 1), round(participation_ratio(x * [1, 1, 0, 0, 0, 0, 0, 0]), 1)
        (8.0, 2.0)
    """
    return float(1 / (spectrum(embeddings) ** 2).sum())
