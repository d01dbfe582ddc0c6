"""One threshold: how it is chosen, what it does elsewhere, and what it means in a day's work."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.curve import check_pairs, false_accepts_allowed
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores


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
        accepted, threshold = impostor, min(genuine.min(), impostor.min())
    else:
        first_refused = len(impostor) - allowed - 1
        impostor.partition(first_refused)  # a copy: boolean indexing made it
        refused = impostor[first_refused]
        accepted = impostor[first_refused + 1 :]
        accepted = accepted[accepted > refused]
        genuine_above = genuine[genuine > refused]
        threshold = min((part.min() for part in (accepted, genuine_above) if len(part)), default=np.inf)
    tar = np.count_nonzero(genuine >= threshold) / len(genuine)
    return OperatingPoint(float(threshold), len(accepted) / len(impostor), tar, len(genuine), len(impostor))


def apply_threshold(scores: Scores, threshold: float) -> OperatingPoint:
    """Say what a threshold does on a set.

    Raises:
        FacelabError: the threshold or a score is NaN, no genuine or no impostor pairs.
    """
    if np.isnan(threshold):
        raise FacelabError("threshold NaN: choose one first, at a FAR that the pairs can show.")
    genuine = check_pairs(scores)
    accepted = scores.values >= threshold
    n_genuine = int(np.count_nonzero(genuine))
    tar = np.count_nonzero(accepted & genuine) / n_genuine
    far = np.count_nonzero(accepted & ~genuine) / (len(scores) - n_genuine)
    return OperatingPoint(float(threshold), far, tar, n_genuine, len(scores) - n_genuine)


@dataclass(frozen=True)
class Transfer:
    """A threshold chosen on one set and applied to another.

    Attributes:
        asked: the FAR that was asked for.
        chosen: the threshold on the set it was chosen on.
        applied: the same threshold on the other set.
    """

    asked: float
    chosen: OperatingPoint
    applied: OperatingPoint

    @property
    def drift(self) -> float:
        """How many times the FAR asked for the other set shows; 1 is no drift."""
        return self.applied.far / self.asked

    def __str__(self) -> str:
        return (
            f"threshold {self.chosen.threshold:.3f}, chosen for FAR {self.asked:g}: on the other set FAR is "
            f"{self.applied.far:.2g} ({self.drift:.2g} times what was asked), FRR {self.applied.frr:.2g} "
            f"(was {self.chosen.frr:.2g})"
        )


def transfer_threshold(chosen_on: Scores, applied_to: Scores, far: float) -> Transfer:
    """Choose a threshold at ``far`` on one set and apply it to another; the numbers that a user would meet.

    Raises:
        FacelabError: the first set has too few impostor pairs for ``far``, or see :func:`apply_threshold`.
    """
    impostor_pairs = int(np.count_nonzero(~chosen_on.genuine))
    if far * impostor_pairs < 1 - 1e-9:
        raise FacelabError(f"far={far:g}: {impostor_pairs} impostor pairs are too few to choose a threshold on.")
    chosen = operating_point(chosen_on, far)
    return Transfer(far, chosen, apply_threshold(applied_to, chosen.threshold))


def false_matches_per_day(far: float | Estimate, searches: float, gallery: int = 1) -> float | Estimate:
    r"""Return how many false matches a day to expect: FAR · searches a day · comparisons per search.

    Each search compares one stranger with ``gallery`` references (1 for verification). An interval of FAR becomes an
    interval of the expectation; the number on one day scatters around it.

    Raises:
        FacelabError: a rate outside [0, 1] or a negative number.
    """
    if searches < 0 or gallery < 1:
        raise FacelabError(f"searches={searches}, gallery={gallery}: need searches >= 0 and gallery >= 1.")
    value = far.value if isinstance(far, Estimate) else far
    if not 0 <= value <= 1:
        raise FacelabError(f"far={value}: a rate lies in [0, 1].")
    times = searches * gallery
    if isinstance(far, Estimate):
        return Estimate(far.value * times, far.low * times, far.high * times, far.n)
    return far * times


def chance_of_a_false_match(far: float, gallery: int) -> float:
    """Return the chance that a stranger matches at least one of ``gallery`` references: 1 - (1 - FAR)^gallery.

    This takes comparisons as independent, which they are not quite: some faces match many others (Doddington's
    wolves). So it is a rule of thumb; measure FPIR where you can.

    Raises:
        FacelabError: a rate outside [0, 1] or a gallery smaller than 1.
    """
    if not 0 <= far <= 1 or gallery < 1:
        raise FacelabError(f"far={far}, gallery={gallery}: need a rate in [0, 1] and gallery >= 1.")
    return float(-np.expm1(gallery * np.log1p(-far))) if far < 1 else 1.0
