"""The ROC and what is read from it: AUC, EER, TAR@FAR, DET. Exact, from sorted scores."""

import warnings
from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import number
from facelab.evaluate.scores import Scores

LARGEST = np.finfo(np.float64).max  # the threshold that accepts scores of +inf alone; +inf itself accepts nobody


def accepted(values: np.ndarray, threshold: float) -> np.ndarray:
    """Return which scores are accepted: those as high as the threshold or higher, and none if it is +inf."""
    return (values >= threshold) & (threshold < np.inf)


@dataclass(frozen=True, eq=False)
class Roc:
    """Receiver operating characteristic: what happens if pairs with a score >= threshold are accepted.

    The last axis runs over the thresholds, from +inf (nobody accepted) to the lowest score (all accepted). Axes before
    it, if any, are bootstrap replicates.

    Attributes:
        threshold: shape (k,); +inf, then falling.
        far: false accept rate, the share of impostor pairs accepted; shape (..., k), rises from 0 to 1.
        tar: true accept rate, the share of genuine pairs accepted; shape (..., k), rises from 0 to 1.
        genuine_pairs, impostor_pairs: how many pairs were measured.
    """

    threshold: np.ndarray
    far: np.ndarray
    tar: np.ndarray
    genuine_pairs: int | None = None
    impostor_pairs: int | None = None

    @property
    def frr(self) -> np.ndarray:
        """False reject rate, 1 - TAR; shape (..., k), falls from 1 to 0."""
        return 1 - self.tar


def check_pairs(scores: Scores) -> np.ndarray:
    """Return which pairs are genuine, shape (n,), bool.

    Raises:
        FacelabError: there are no genuine or no impostor pairs, or a score is NaN.
    """
    genuine = scores.genuine
    check_pair_counts(int(np.count_nonzero(genuine)), len(scores))
    unclear = np.isnan(scores.values)
    if unclear.any():
        raise FacelabError(
            f"score {unclear.argmax()} is NaN; check the embeddings of identities "
            f"{scores.first[unclear][0]} and {scores.second[unclear][0]}."
        )
    warn_of_distances(scores)
    return genuine


def warn_of_distances(scores: Scores) -> None:
    """Warn where genuine pairs score clearly lower than impostor pairs, as distances do."""
    genuine = scores.genuine
    with np.errstate(invalid="ignore"):  # infinite scores have no mean
        same, other = scores.values[genuine].mean(), scores.values[~genuine].mean()
        if other - same > 0.5 * scores.values.std():
            warnings.warn(
                f"genuine pairs score lower ({same:.3g} on average) than impostor pairs ({other:.3g}): a score is to "
                "be higher the more alike two images are. If these are distances, give them with a minus sign.",
                stacklevel=4,
            )


def check_pair_counts(genuine_pairs: int, pairs: int) -> None:
    """Raise a FacelabError if there are no genuine or no impostor pairs."""
    if genuine_pairs == 0:
        raise FacelabError(f"there are no genuine pairs among {pairs}; add a second image of an identity.")
    if genuine_pairs == pairs:
        raise FacelabError(f"there are no impostor pairs among {pairs}; add a second identity.")


def roc(scores: Scores, weights: np.ndarray | None = None) -> Roc:
    """Return the exact ROC, from sorted scores, one point for each distinct score; equal scores are accepted together.

    Args:
        scores: the pairs.
        weights: how often each pair counts, shape (..., n); once if not given.

    Raises:
        FacelabError: there are no genuine or no impostor pairs, or a score is NaN.

    Example:
        >>> from facelab.evaluate import pair_scores
        >>> scores = pair_scores(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), np.array([0, 0, 1]))
        >>> curve = roc(scores)
        >>> curve.genuine_pairs, curve.impostor_pairs
        (1, 2)
    """
    genuine = check_pairs(scores)
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores.values, kind="stable")
    values = scores.values[order]
    # The last pair of each distinct score. Not by differences: that of two infinite scores is NaN.
    last = np.append(np.flatnonzero(values[1:] != values[:-1]), len(values) - 1)
    rates = []
    for pairs in (~genuine, genuine):
        accepted = np.cumsum((weights * pairs)[..., order], axis=-1)[..., last]
        with np.errstate(invalid="ignore"):  # a bootstrap replicate may have no such pair: NaN
            rate = accepted / accepted[..., -1:]
        rates.append(np.concatenate([np.zeros((*rate.shape[:-1], 1)), rate], axis=-1))
    (far, tar), number = rates, int(np.count_nonzero(genuine))
    return Roc(np.append(np.inf, np.minimum(values[last], LARGEST)), far, tar, number, len(scores) - number)


def auc(curve: Roc) -> np.ndarray:
    """Return the area under the ROC: the chance that a genuine pair scores above an impostor pair (a tie is half).

    Example:
        >>> from facelab.evaluate import Scores, roc
        >>> scores = Scores(np.array([0.9, 0.4, 0.6, 0.1]), np.array([0, 1, 0, 0]), np.array([0, 1, 1, 1]))
        >>> float(auc(roc(scores)))  # the pairs (0, 0) and (1, 1) are genuine; three of four comparisons are right
        0.75
    """
    return (np.diff(curve.far) * (curve.tar[..., 1:] + curve.tar[..., :-1]) / 2).sum(axis=-1)


def eer(curve: Roc) -> np.ndarray:
    """Return the equal error rate: FAR where it equals FRR = 1 - TAR, on a straight line between points of the ROC.

    Example:
        >>> from facelab.evaluate import Scores, roc
        >>> scores = Scores(np.array([0.9, 0.4, 0.6, 0.1]), np.array([0, 1, 0, 0]), np.array([0, 1, 1, 1]))
        >>> float(eer(roc(scores)))
        0.5
    """
    gap = curve.far + curve.tar - 1  # FAR - FRR, rises from -1 to 1
    after = np.argmax(gap >= 0, axis=-1)[..., None]

    def at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, index, axis=-1)[..., 0]

    gap0, gap1 = at(gap, after - 1), at(gap, after)
    far0, far1 = at(curve.far, after - 1), at(curve.far, after)
    return far0 + (far1 - far0) * -gap0 / (gap1 - gap0)


def tar_at_far(curve: Roc, far: float, impostor_pairs: int | None = None) -> np.ndarray:
    """Return the best TAR at a threshold whose FAR is ``far`` or less; no interpolation.

    A FAR below 1 / impostor pairs cannot be measured: the result is NaN, with a warning.

    Args:
        curve: of any number of replicates.
        far: in (0, 1].
        impostor_pairs: how many were measured; the curve's own count if not given.

    Raises:
        FacelabError: ``far`` outside (0, 1], or the number of impostor pairs is not known.

    Example:
        >>> from facelab.evaluate import Scores, roc
        >>> scores = Scores(np.array([0.9, 0.4, 0.6, 0.1]), np.array([0, 1, 0, 0]), np.array([0, 1, 1, 1]))
        >>> float(tar_at_far(roc(scores), far=0.5))
        1.0
    """
    impostor_pairs = curve.impostor_pairs if impostor_pairs is None else impostor_pairs
    if impostor_pairs is None:
        raise FacelabError("tar_at_far: this curve does not know its number of impostor pairs; give impostor_pairs.")
    far = number(far, "far")
    if false_accepts_allowed(far, impostor_pairs) == 0:
        return np.full(curve.tar.shape[:-1], np.nan)
    allowed = curve.far <= far * ROUNDING
    return np.where(np.isnan(curve.tar[..., -1]), np.nan, np.where(allowed, curve.tar, 0).max(axis=-1))


ROUNDING = 1 + 1e-12  # 0.01 of 4500 pairs is 45 pairs, also in floating point


def false_accepts_allowed(
    far: float, impostor_pairs: int, *, unit: str = "TAR at FAR", of: str = "impostor pairs"
) -> int:
    """Return how many of the impostor pairs may be accepted at ``far``.

    0 means that so low a FAR cannot be measured with so few pairs; a warning says how many it takes.

    Raises:
        FacelabError: ``far`` outside (0, 1].
    """
    far = number(far, "far")
    if not 0 < far <= 1:
        raise FacelabError(f"far={far}: it must lie in (0, 1].")
    allowed = int(far * ROUNDING * impostor_pairs)
    if allowed == 0:
        needed = int(np.ceil(1 / far - 1e-6))
        warnings.warn(f"{unit} {far:g} needs at least {needed} {of}, there are {impostor_pairs}: NaN", stacklevel=3)
    return allowed


def det(curve: Roc) -> tuple[np.ndarray, np.ndarray]:
    r"""Return the detection error trade-off: FAR and FRR on the normal-deviate scale :math:`\Phi^{-1}`.

    On these axes the scores of two normal distributions give a straight line. Only points where both rates lie strictly
    between 0 and 1 can be shown. Source: A. Martin et al., "The DET curve in assessment of detection task performance",
    Eurospeech 1997; ISO/IEC 19795-1.

    Args:
        curve: one curve, not replicates.

    Returns:
        (deviate of FAR, deviate of FRR), each of shape (points,).
    """
    from scipy.special import ndtri

    shown = (curve.far > 0) & (curve.far < 1) & (curve.tar > 0) & (curve.tar < 1)
    return ndtri(curve.far[shown]), ndtri(1 - curve.tar[shown])


def curve_from_counts(
    vertices: np.ndarray, lowest: float, genuine: np.ndarray, impostor_above: np.ndarray, impostor_from: np.ndarray
) -> Roc:
    """Return the exact ROC of one or many samples, given counts at the genuine scores only.

    Between two genuine scores the TAR stands still, so the curve runs level; its corners are just above and at each
    genuine score. The points between that :func:`roc` also lists lie on the same line, so AUC, EER and TAR@FAR agree.

    Args:
        vertices: the m distinct genuine scores, falling.
        lowest: the lowest score of all pairs.
        genuine: how many genuine pairs have each of these scores; shape (..., m).
        impostor_above: how many impostor pairs score more than each, and in the end how many there are; (..., m + 1).
        impostor_from: how many impostor pairs score as much or more; shape (..., m).
    """
    m = len(vertices)
    far, tar = (np.zeros((*genuine.shape[:-1], 2 * m + 2)) for _ in range(2))
    accepted = np.cumsum(genuine, axis=-1)
    tar[..., 2::2] = accepted  # points: nobody; then above and at each genuine score in turn; then everybody
    tar[..., 3::2] = accepted
    far[..., 1::2] = impostor_above
    far[..., 2::2] = impostor_from
    threshold = np.empty(2 * m + 2)
    threshold[0] = np.inf
    threshold[1:-1:2] = np.nextafter(vertices, np.inf)
    threshold[2::2] = np.minimum(vertices, LARGEST)
    threshold[-1] = lowest
    with np.errstate(invalid="ignore"):  # a bootstrap replicate may have no such pair: NaN
        far /= impostor_above[..., -1:]
        tar /= accepted[..., -1:]
    return Roc(threshold, far, tar)
