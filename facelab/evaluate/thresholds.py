"""One threshold: how it is chosen, what it does elsewhere, and what it means in a day's work."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, codes, draw_identities, identity_bootstrap
from facelab.evaluate.checks import check_threshold
from facelab.evaluate.curve import ROUNDING, check_pairs, false_accepts_allowed
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
        accepted, threshold = impostor, min(genuine.min(), impostor.min())
    else:
        first_refused = len(impostor) - allowed - 1
        impostor.partition(first_refused)  # a copy: boolean indexing made it
        refused = impostor[first_refused]
        accepted = impostor[first_refused + 1 :]
        accepted = accepted[accepted > refused]
        genuine_above = genuine[genuine > refused]
        threshold = min((part.min() for part in (accepted, genuine_above) if len(part)), default=np.inf)
    tar = int(np.count_nonzero(genuine >= threshold)) / len(genuine)
    return OperatingPoint(float(threshold), len(accepted) / len(impostor), tar, len(genuine), len(impostor))


def apply_threshold(scores: Scores, threshold: float) -> OperatingPoint:
    """Say what a threshold does on a set.

    Raises:
        FacelabError: the threshold or a score is NaN, no genuine or no impostor pairs.
    """
    check_threshold(threshold)
    genuine = check_pairs(scores)
    accepted = scores.values >= threshold
    n_genuine = int(np.count_nonzero(genuine))
    tar = int(np.count_nonzero(accepted & genuine)) / n_genuine
    far = int(np.count_nonzero(accepted & ~genuine)) / (len(scores) - n_genuine)
    return OperatingPoint(float(threshold), far, tar, n_genuine, len(scores) - n_genuine)


def errors_at(scores: Scores, threshold: float, *, replicates: int = 2000, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Return FAR and FRR at a fixed threshold, each with its 95 % interval over identities; n counts pairs.

    The threshold is taken as given. One that was itself chosen on a sample is uncertain too; see
    :func:`transfer_threshold`.

    Raises:
        FacelabError: see :func:`apply_threshold`.
    """
    point = apply_threshold(scores, threshold)
    return _rates(point, _draws_at_one(scores, threshold, replicates, np.random.default_rng(seed)), scores)


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

    The intervals draw the identities of both sets again: each draw chooses its threshold on a draw of the first set,
    and applies it to a draw of the second. So they hold what a threshold from few people costs. Time and memory grow
    with pairs * ``replicates``: take fewer replicates for millions of pairs.

    Raises:
        FacelabError: the first set has too few impostor pairs for ``far``, or see :func:`apply_threshold`.
    """
    impostor_pairs = int(np.count_nonzero(~chosen_on.genuine))
    if far * impostor_pairs < 1 - 1e-9:
        raise FacelabError(f"far={far:g}: {impostor_pairs} impostor pairs are too few to choose a threshold on.")
    chosen = operating_point(chosen_on, far)
    applied = apply_threshold(applied_to, chosen.threshold)
    generator = np.random.default_rng(seed)
    thresholds = _threshold_draws(chosen_on, far, replicates, generator)
    return Transfer(far, chosen, applied, *_rates(applied, _draws_at(applied_to, thresholds, generator), applied_to))


def _rates(point: OperatingPoint, draws: tuple[np.ndarray, np.ndarray], scores: Scores) -> tuple[Estimate, Estimate]:
    identities = len(np.union1d(scores.first, scores.second))
    return (
        bootstrap_interval(point.far, draws[0], point.impostor_pairs, identities, share=True),
        bootstrap_interval(point.frr, draws[1], point.genuine_pairs, identities, share=True),
    )


def _falling(scores: Scores, pairs: np.ndarray) -> Scores:
    rows = np.flatnonzero(pairs)
    rows = rows[np.argsort(-scores.values[rows], kind="stable")]
    return Scores(scores.values[rows], scores.first[rows], scores.second[rows])


def _weights(scores: Scores, replicates: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield how often each pair counts in each draw, shape (<= block, n), in bounded memory."""
    yield from identity_bootstrap(scores, replicates, generator, block=int(np.clip(4_000_000 // len(scores), 1, 100)))


def _draws_at_one(
    scores: Scores, threshold: float, replicates: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return FAR and FRR of each draw of identities at one threshold: sums over identities, not over pairs."""
    from scipy.sparse import coo_array

    identities, first, second = codes(scores)
    genuine, accepted = scores.genuine, scores.values >= threshold

    def by_identity(pairs: np.ndarray) -> np.ndarray:
        return np.bincount(first[pairs], minlength=identities)

    def by_two(pairs: np.ndarray) -> coo_array:
        ones = np.ones(int(pairs.sum()))
        return coo_array((ones, (first[pairs], second[pairs])), shape=(identities, identities)).tocsr()

    refused, all_genuine = by_identity(genuine & ~accepted), by_identity(genuine)
    let_in, all_impostors = by_two(~genuine & accepted), by_two(~genuine)
    far, frr = [], []
    for drawn in draw_identities(identities, replicates, generator):
        with np.errstate(invalid="ignore"):  # a draw may have no such pair: NaN
            far.append(((drawn @ let_in) * drawn).sum(axis=1) / ((drawn @ all_impostors) * drawn).sum(axis=1))
            frr.append((drawn @ refused) / (drawn @ all_genuine))
    return np.concatenate(far), np.concatenate(frr)


def _threshold_draws(scores: Scores, far: float, replicates: int, generator: np.random.Generator) -> np.ndarray:
    """Return the threshold that each draw of identities would choose, shape (replicates,).

    +inf accepts nobody; NaN is a draw without impostor pairs.
    """
    impostor = _falling(scores, ~scores.genuine)
    above = np.append(np.unique(scores.values), np.inf)
    thresholds = []
    for weights in _weights(impostor, replicates, generator):
        accepted = np.cumsum(weights, axis=1)
        over = accepted > far * ROUNDING * accepted[:, -1:]
        refused = np.where(over.any(axis=1), impostor.values[over.argmax(axis=1)], -np.inf)
        chosen = above[np.searchsorted(above, refused, side="right")]
        thresholds.append(np.where(accepted[:, -1] > 0, chosen, np.nan))
    return np.concatenate(thresholds)


def _draws_at(scores: Scores, thresholds: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return FAR and FRR of each draw of identities at its own threshold, both of the shape of ``thresholds``."""
    ordered = _falling(scores, np.ones(len(scores), dtype=bool))
    genuine = ordered.genuine
    far, frr = np.empty(len(thresholds)), np.empty(len(thresholds))
    firsts = np.searchsorted(-ordered.values, -thresholds, side="right")  # how many pairs are accepted
    done = 0
    for weights in _weights(ordered, len(thresholds), generator):
        part = slice(done, done + len(weights))
        done += len(weights)
        with np.errstate(invalid="ignore"):  # a draw may have no such pair: NaN
            for rates, pairs in ((far, ~genuine), (frr, genuine)):
                counts = np.cumsum(np.where(pairs, weights, 0), axis=1)
                accepted = np.where(
                    firsts[part] > 0, counts[np.arange(len(weights)), np.maximum(firsts[part] - 1, 0)], 0
                )
                rates[part] = accepted / counts[:, -1]
    unknown = np.isnan(thresholds)
    return np.where(unknown, np.nan, far), np.where(unknown, np.nan, 1 - frr)


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
