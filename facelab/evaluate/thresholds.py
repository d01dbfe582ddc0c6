"""One threshold: how it is chosen, what it does elsewhere, and what it means in a day's work."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import share_interval
from facelab.evaluate.checks import check_threshold, number
from facelab.evaluate.counts import count_errors
from facelab.evaluate.curve import LARGEST, accepted, check_pairs, false_accepts_allowed
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores

Rate = TypeVar("Rate", float, Estimate)


@dataclass(frozen=True)
class OperatingPoint:
    """What one threshold does on one set: pairs with a score >= ``threshold`` are accepted.

    Attributes:
        threshold: a score; +inf accepts nobody, NaN says that no threshold could be chosen.
        far: share of impostor pairs accepted.
        tar: share of genuine pairs accepted.
        genuine_pairs, impostor_pairs: how many pairs were measured.
    """

    threshold: float
    far: float
    tar: float
    genuine_pairs: int
    impostor_pairs: int

    @property
    def frr(self) -> float:
        """False reject rate, 1 - TAR."""
        return 1 - self.tar


def threshold_at_far(scores: Scores, far: float) -> float:
    """Return the lowest score that, used as threshold, keeps FAR at ``far`` or less.

    Exact, by selection instead of sorting: with k false accepts allowed, everything above the (k + 1)-th highest
    impostor score is accepted. A FAR below 1 / impostor pairs cannot be measured: NaN, with a warning. If the highest
    score of all is an impostor's and shared by more pairs than allowed, the threshold is +inf.

    Raises:
        FacelabError: ``far`` outside (0, 1], a NaN score, no genuine or no impostor pairs.

    Example:
        >>> from facelab.evaluate import Scores
        >>> scores = Scores(np.array([0.9, 0.4, 0.6, 0.1]), np.array([0, 1, 0, 0]), np.array([0, 1, 1, 1]))
        >>> float(threshold_at_far(scores, far=0.5))  # accepts one of the two impostor pairs
        0.4
    """
    return operating_point(scores, far).threshold


def operating_point(scores: Scores, far: float) -> OperatingPoint:
    """Choose the threshold as :func:`threshold_at_far` does, and say what it does on the set it was chosen on.

    Its TAR is TAR@FAR, the same as :func:`facelab.evaluate.tar_at_far` reads from the whole curve, in linear time.
    """
    is_genuine = check_pairs(scores)
    genuine, impostor = scores.values[is_genuine], scores.values[~is_genuine]
    allowed = false_accepts_allowed(far, len(impostor))
    if allowed == 0:
        return OperatingPoint(np.nan, np.nan, np.nan, len(genuine), len(impostor))
    if allowed == len(impostor):
        let_in, threshold = impostor, min(genuine.min(), impostor.min(), LARGEST)
    else:
        first_refused = len(impostor) - allowed - 1
        impostor.partition(first_refused)  # a copy: boolean indexing made it
        refused = impostor[first_refused]
        let_in = impostor[first_refused + 1 :]
        let_in = let_in[let_in > refused]
        genuine_above = genuine[genuine > refused]
        parts = [part for part in (let_in, genuine_above) if len(part)]
        threshold = min((min(part.min(), LARGEST) for part in parts), default=np.inf)
    tar = int(np.count_nonzero(accepted(genuine, threshold))) / len(genuine)
    return OperatingPoint(float(threshold), len(let_in) / len(impostor), tar, len(genuine), len(impostor))


def apply_threshold(scores: Scores, threshold: float) -> OperatingPoint:
    """Say what a threshold does on a set.

    Raises:
        FacelabError: the threshold or a score is NaN, no genuine or no impostor pairs.
    """
    threshold = check_threshold(threshold)
    genuine = check_pairs(scores)
    passed = accepted(scores.values, threshold)
    n_genuine = int(np.count_nonzero(genuine))
    tar = int(np.count_nonzero(passed & genuine)) / n_genuine
    far = int(np.count_nonzero(passed & ~genuine)) / (len(scores) - n_genuine)
    return OperatingPoint(float(threshold), far, tar, n_genuine, len(scores) - n_genuine)


def errors_at(scores: Scores, threshold: float, *, replicates: int = 2000, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Return FAR and FRR at a fixed threshold, each with its 95 % interval over identities; n counts pairs.

    The variance of FAR has a closed form, see :func:`facelab.evaluate.counts.pair_variance`; that of FRR is found by
    drawing identities. The threshold is taken as given. One that was itself chosen on a sample is uncertain too; see
    :func:`transfer_threshold`.

    Args:
        scores: the pairs.
        threshold: pairs with a score as high or higher are accepted.
        replicates, seed: of the draws.

    Raises:
        FacelabError: see :func:`apply_threshold`.
    """
    counts = count_errors(scores, apply_threshold(scores, threshold).threshold)
    return counts.far(), counts.frr(counts.draw_frr(replicates, seed))


@dataclass(frozen=True)
class Transfer:
    """A threshold chosen on one set and applied to another.

    Attributes:
        asked: the FAR that was asked for.
        chosen: the threshold on the set it was chosen on.
        applied: the same threshold on the other set.
        far, frr: of the other set, each with its 95 % interval: both sets are samples of people.
    """

    asked: float
    chosen: OperatingPoint
    applied: OperatingPoint
    far: Estimate
    frr: Estimate

    @property
    def drift(self) -> Estimate:
        """How many times the FAR asked for the other set shows; 1 is no drift."""
        value, low, high = (rate / self.asked for rate in (self.far.value, self.far.low, self.far.high))
        return Estimate(value, low, high, self.far.n)

    def __str__(self) -> str:
        return (
            f"threshold {self.chosen.threshold:.3f}, chosen for FAR {self.asked:g}: on the other set FAR is "
            f"{self.far.value:.2g}, {self.drift.value:.2g} times what was asked, 95 % interval {self.drift.low:.2g} to "
            f"{self.drift.high:.2g}; FRR is {self.frr.value:.2g}, 95 % interval {self.frr.low:.2g} to "
            f"{self.frr.high:.2g} (was {self.chosen.frr:.2g})"
        )


def transfer_threshold(
    chosen_on: Scores, applied_to: Scores, far: float, *, replicates: int = 2000, seed: int = 0
) -> Transfer:
    """Choose a threshold at ``far`` on one set and apply it to another; the numbers that a user would meet.

    Both sets are samples of people, and the intervals know it: to the variance of a rate on the second set at this
    threshold comes what the choice of the threshold adds. Other people of the first set would have had another FAR
    there, by about its standard error; the thresholds at which it is so much higher and lower say how much the rates of
    the second set move (delta method). Degrees of freedom are Satterthwaite's.

    Args:
        chosen_on: the set on which the threshold is chosen.
        applied_to: the set that it is applied to; of other people.
        far: asked for on the first set.
        replicates, seed: of the draws for FRR.

    Raises:
        FacelabError: the first set has too few impostor pairs for ``far``, or see :func:`apply_threshold`.
    """
    far, impostor_pairs = number(far, "far"), int(np.count_nonzero(~chosen_on.genuine))
    if far * impostor_pairs < 1 - 1e-9:
        raise FacelabError(f"far={far:g}: {impostor_pairs} impostor pairs are too few to choose a threshold on.")
    chosen = operating_point(chosen_on, far)
    applied = apply_threshold(applied_to, chosen.threshold)
    first, second = (count_errors(scores, chosen.threshold) for scores in (chosen_on, applied_to))
    error = np.sqrt(first.far_variance())
    asked = max(far - error, 1 / impostor_pairs), min(far + error, 1.0)
    strict, loose = (apply_threshold(applied_to, threshold_at_far(chosen_on, other)) for other in asked)
    step = error / (asked[1] - asked[0]) if asked[1] > asked[0] else 0.0
    draws = second.draw_frr(replicates, seed)

    def interval(rate: Estimate, own: float, moved: float) -> Estimate:
        variances = np.array([own, (step * moved) ** 2])
        total, identities = float(variances.sum()), rate.identities or 1
        free = np.maximum([identities - 1, first.far_people - 1], 1)
        freedom = total**2 / (variances**2 / free).sum() if total else float(free[0])
        return share_interval(rate.value, total, rate.n, identities, freedom)

    return Transfer(
        far,
        chosen,
        applied,
        interval(second.far(), second.far_variance(), loose.far - strict.far),
        interval(second.frr(draws), second.frr_variance(draws), strict.frr - loose.frr),
    )


def false_matches_per_day(far: Rate, searches: float, gallery: int = 1) -> Rate:
    r"""Return how many false matches a day to expect: FAR · searches a day · comparisons per search.

    Each search compares one stranger with ``gallery`` references (1 for verification). An interval of FAR becomes an
    interval of the expectation; the number on one day scatters around it.

    Raises:
        FacelabError: a rate outside [0, 1] or a negative number.

    Example:
        >>> false_matches_per_day(0.001, searches=1000, gallery=500)
        500.0
    """
    if searches < 0 or gallery < 1:
        raise FacelabError(f"searches={searches}, gallery={gallery}: need searches >= 0 and gallery >= 1.")
    value = far.value if isinstance(far, Estimate) else far
    if not 0 <= value <= 1:
        raise FacelabError(f"far={value}: a rate lies in [0, 1].")
    times = searches * gallery
    if isinstance(far, Estimate):
        return Estimate(far.value * times, far.low * times, far.high * times, far.n)  # type: ignore[return-value]
    return far * times


def chance_of_a_false_match(far: float, gallery: int) -> float:
    """Return the chance that a stranger matches at least one of ``gallery`` references: 1 - (1 - FAR)^gallery.

    This takes comparisons as independent, which they are not quite: some faces match many others (Doddington's
    wolves). So it is a rule of thumb; measure FPIR where you can.

    Raises:
        FacelabError: a rate outside [0, 1] or a gallery smaller than 1.

    Example:
        >>> round(chance_of_a_false_match(0.001, gallery=500), 2)
        0.39
    """
    if not 0 <= far <= 1 or gallery < 1:
        raise FacelabError(f"far={far}, gallery={gallery}: need a rate in [0, 1] and gallery >= 1.")
    return float(-np.expm1(gallery * np.log1p(-far))) if far < 1 else 1.0
