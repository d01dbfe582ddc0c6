"""Errors at one threshold, counted by identity: all that their variance needs."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from facelab.evaluate.bootstrap import bootstrap_interval, codes, draw_identities, draws_variance, share_interval
from facelab.evaluate.checks import seeded
from facelab.evaluate.curve import accepted
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores

Matrix = Any  # a NumPy array, or a sparse array of SciPy


@dataclass(frozen=True, eq=False)
class ErrorCounts:
    """Pairs and errors of k identities at one threshold.

    Attributes:
        genuine, refused: genuine pairs of each identity, and how many of them are refused; (k,).
        impostor, accepted: impostor pairs of each two, and how many of them are accepted; (k, k), dense or sparse,
            symmetric with a zero diagonal: each pair stands on both sides.
    """

    genuine: np.ndarray
    refused: np.ndarray
    impostor: Matrix
    accepted: Matrix

    @property
    def far_rate(self) -> float:
        """Share of impostor pairs accepted; NaN if there are none."""
        return _share(self.accepted, self.impostor)

    @property
    def frr_rate(self) -> float:
        """Share of genuine pairs refused; NaN if there are none."""
        return _share(self.refused, self.genuine)

    @property
    def far_people(self) -> int:
        """How many identities are on impostor pairs."""
        return int(np.count_nonzero(self.impostor.sum(axis=0)))

    @property
    def frr_people(self) -> int:
        """How many identities have genuine pairs."""
        return int(np.count_nonzero(self.genuine))

    def far_variance(self) -> float:
        """Variance of FAR over other identities, see :func:`pair_variance`."""
        variance = pair_variance(self.far_residuals(), disjoint_correction(self.impostor))
        if np.isinf(variance):  # too few identities to tell: as if each were all wrong or all right
            return self.far_rate * (1 - self.far_rate) / max(self.far_people, 1)
        return variance

    def far_residuals(self) -> Matrix:
        """Return how much each two identities add to FAR, beyond the mean; shape (k, k), the sum is 0."""
        return (self.accepted - self.far_rate * self.impostor) / self.impostor.sum()

    def frr_draws(self, drawn: np.ndarray) -> np.ndarray:
        """Return FRR of each draw, shape (r,), from how often each identity was drawn, shape (r, k)."""
        with np.errstate(invalid="ignore"):  # a draw may have no genuine pair: NaN
            return (drawn @ self.refused) / (drawn @ self.genuine)

    def frr_variance(self, draws: np.ndarray) -> float:
        """Variance of FRR over other identities, from draws of identities."""
        return draws_variance(self.frr_rate, draws, self.frr_people)

    def far(self) -> Estimate:
        """FAR with its 95 % interval over identities; n counts pairs."""
        pairs = int(self.impostor.sum()) // 2
        return share_interval(self.far_rate, self.far_variance(), pairs, self.far_people)

    def frr(self, draws: np.ndarray) -> Estimate:
        """FRR with its 95 % interval from draws of identities; n counts pairs."""
        return bootstrap_interval(self.frr_rate, draws, int(self.genuine.sum()), self.frr_people, share=True)

    def draw_frr(self, replicates: int, seed: int) -> np.ndarray:
        """Draw identities, and return FRR of each draw, shape (replicates,)."""
        blocks = draw_identities(len(self.genuine), replicates, seeded(seed))
        return np.concatenate([self.frr_draws(drawn) for drawn in blocks])


def count_errors(scores: Scores, threshold: float) -> ErrorCounts:
    """Count the errors at a threshold by identity."""
    identities, first, second = codes(scores)
    genuine, passed = scores.genuine, accepted(scores.values, threshold)

    def by_identity(pairs: np.ndarray) -> np.ndarray:
        return np.bincount(first[pairs], minlength=identities).astype(np.float64)

    def by_two(pairs: np.ndarray) -> Matrix:
        return sum_by_two(first[pairs], second[pairs], np.ones(int(pairs.sum())), identities)

    return ErrorCounts(
        by_identity(genuine), by_identity(genuine & ~passed), by_two(~genuine), by_two(~genuine & passed)
    )


def mean_over_pairs(values: np.ndarray, weights: np.ndarray, scores: Scores) -> Estimate:
    """Return the weighted mean of a value of each pair, genuine or impostor, with its 95 % interval over identities.

    Args:
        values: whether each pair was told rightly, or another share; shape (n,).
        weights: of the pairs, sum 1; shape (n,).
        scores: who is on the pairs; n counts pairs.
    """
    identities, first, second = codes(scores)
    mean = float(values @ weights)
    residuals = sum_by_two(first, second, weights * (values - mean) / 2, identities)
    correction = disjoint_correction(sum_by_two(first, second, weights / 2, identities))
    variance = pair_variance(residuals, correction)
    if np.isinf(variance):
        variance = mean * (1 - mean) / identities
    return share_interval(mean, variance, len(values), identities)


def sum_by_two(first: np.ndarray, second: np.ndarray, values: np.ndarray, identities: int) -> Matrix:
    """Return the sum of the values of the pairs of each two identities, shape (k, k), sparse.

    Each pair stands on both sides; one of an identity with itself counts twice on the diagonal, so that all pairs weigh
    alike.
    """
    from scipy.sparse import coo_array

    one = coo_array((values, (first, second)), shape=(identities, identities)).tocsr()
    return (one + one.T).tocsr()


def pair_variance(residuals: Matrix, correction: float) -> float:
    r"""Return the variance, over other identities, of a mean over pairs of identities.

    Two pairs vary together where they share an identity. With :math:`g_{ij}` what the pair (i, j) adds to the mean,
    less the mean's own part, the sum over all pairs of pairs that share one identity or both is

    .. math:: V = c \Big( \sum_i \big( 2 \sum_{j \ne i} g_{ij} + g_{ii} \big)^2 - 2 \sum_{i \ne j} g_{ij}^2 \Big)

    This is the variance of a U-statistic (W. Hoeffding, Ann. Math. Statist. 19, 1948), as R. Fogliato, P. Patil,
    P. Perona (IJCV 2024, arXiv 2306.01198) estimate that of FAR, where :math:`g_{ii} = 0`. Their estimate is c = 1,
    which is too small, as the mean was itself found from the same pairs: by a factor of 1.6 with 10 identities and 1.15
    with 30. With c from :func:`disjoint_correction` it is without bias where all pairs of identities count alike. Never
    less than what pairs alone would scatter, without what they share.

    Args:
        residuals: g, shape (k, k), symmetric; all entries sum to 0.
        correction: c.
    """
    if np.isinf(correction):
        return np.inf
    rows, own, apart = _sums(residuals)
    alone = 2 * apart + (own**2).sum()
    return float(max(correction * ((rows**2).sum() - 2 * apart), alone))


def disjoint_correction(pairs: Matrix) -> float:
    r"""Return the square of the number of pairs over the number of pairs of pairs that share no identity.

    Where every two of k identities count alike that is :math:`k (k - 1) / ((k - 2) (k - 3))`. Infinite if all share
    one.

    Args:
        pairs: how much the pairs of each two identities count, shape (k, k), symmetric; see :func:`sum_by_two`.
    """
    rows, _, apart = _sums(pairs)
    total = float(pairs.sum())
    disjoint = total**2 - (rows**2).sum() + 2 * apart
    return total**2 / disjoint if disjoint > 1e-9 * total**2 else np.inf


def _sums(pairs: Matrix) -> tuple[np.ndarray, np.ndarray, float]:
    """Return what each identity takes part in, what of it is with itself, both (k,); the squares off the diagonal."""
    own = np.asarray(pairs.diagonal())
    rows = 2 * np.asarray(pairs.sum(axis=0)).ravel() - own
    return rows, own, float((pairs * pairs).sum() - (own**2).sum())


def _share(part: Matrix, whole: Matrix) -> float:
    total = whole.sum()
    return float(part.sum() / total) if total else np.nan
