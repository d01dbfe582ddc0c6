"""How many of the dimensions are used, and how evenly."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_finite, unit


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

    With few embeddings it is too small: n points never fill more than n - 1 dimensions. Source: P. Gao et al., "A
    theory of multineuronal dimensionality, dynamics and measurement", bioRxiv 214262, 2017.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(5000, 8))
        >>> round(participation_ratio(x), 1), round(participation_ratio(x * [1, 1, 0, 0, 0, 0, 0, 0]), 1)
        (8.0, 2.0)
    """
    return float(1 / (spectrum(embeddings) ** 2).sum())


def dimensions_for(shares: np.ndarray, share: float = 0.95) -> int:
    """Return how many principal axes hold ``share`` of the variance.

    Args:
        shares: of each axis, falling, as from :func:`spectrum`.

    Raises:
        FacelabError: a share outside (0, 1].
    """
    if not 0 < share <= 1:
        raise FacelabError(f"share={share}: it must lie in (0, 1].")
    return int(np.searchsorted(np.cumsum(shares), share - 1e-9) + 1)


def isotropy(embeddings: np.ndarray) -> float:
    r"""Return whether all directions are alike: 1 if they are, near 0 if the embeddings lie in a cone.

    .. math:: I = \frac{\min_u Z(u)}{\max_u Z(u)}, \qquad Z(u) = \sum_i e^{u \cdot \hat x_i}

    over both directions u of each eigenvector of :math:`\hat X^T \hat X`. Embeddings are normalised first. Source: J.
    Mu, P. Viswanath, "All-but-the-top: simple and effective postprocessing for word representations", ICLR 2018
    (arXiv:1702.01417), section 2; there the sign of u is left open.

    Raises:
        FacelabError: an embedding without direction.
    """
    x = unit(embeddings)
    directions = np.linalg.svd(x, full_matrices=False)[2]
    along = x @ directions.T
    z = np.concatenate([np.exp(along).sum(axis=0), np.exp(-along).sum(axis=0)])
    return float(z.min() / z.max())
