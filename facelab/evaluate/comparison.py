"""Is one model better than another? Paired over seeds and identities, with many comparisons corrected for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_curves, share_interval
from facelab.evaluate.checks import array, check_finite, seeded
from facelab.evaluate.curve import Roc, roc
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.scores import Scores

_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True)
class Comparison:
    """The difference between two models, first minus second, measured under the same seeds on the same identities.

    Attributes:
        difference: mean over seeds with its 95 % interval; n counts identities.
        p_value: two-sided, of no difference.
        seeds: trainings of each model. With one seed the interval says nothing about other trainings.
    """

    difference: Estimate
    p_value: float
    seeds: int

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.difference.low > 0 or self.difference.high < 0

    def sentence(self, first: str, second: str, *, points: bool = True) -> str:
        """Say it in words: "ArcFace is higher by 2.1 points, 95 % interval 0.4 to 3.9, five seeds".

        The interval is turned to the direction that the sentence speaks of.

        Args:
            first, second: names of the models; ``second`` is named where no difference is shown.
            points: whether the values are shares, to be told in percentage points.
        """
        factor, digits = (100, 1) if points else (1, 3)
        unit = " points" if points else ""
        d = self.difference
        value, low, high = d.value * factor, d.low * factor, d.high * factor
        if self.shown and value < 0:
            value, low, high = -value, -high, -low
        below, middle, above = (f"{x:z.{digits}f}".replace("-", "−") for x in (low, value, high))
        if self.shown:
            start = f"{first} is {'higher' if d.value > 0 else 'lower'} by {middle}{unit}"
        else:
            start = f"no difference shown, {first} minus {second} is {middle}{unit}"
        number = _NUMBERS[self.seeds] if self.seeds < len(_NUMBERS) else str(self.seeds)
        seeds = "one seed only, so other trainings may differ more" if self.seeds == 1 else f"{number} seeds"
        return f"{start}, 95 % interval {below} to {above}, {seeds}"


def compare_by_identity(first: np.ndarray, second: np.ndarray, *, share: bool) -> Comparison:
    r"""Compare two models whose measure is a mean over identities (such as the share of probes named rightly).

    Seeds and identities are both drawn from many, and crossed: every seed meets every identity. With
    :math:`d_{si}` the difference for seed s and identity i, the variance of their mean is estimated by

    .. math:: V = V_S + V_I - V_{SI}, \quad
        V_S = \frac{\operatorname{var}_s(\bar d_{s\cdot})}{S}, \quad
        V_I = \frac{\operatorname{var}_i(\bar d_{\cdot i})}{I}, \quad
        V_{SI} = \frac{\sum_{si} (d_{si} - \bar d_{s\cdot} - \bar d_{\cdot i} + \bar d)^2}{S I (S-1)(I-1)}

    and never taken to be less than the larger of :math:`V_S, V_I`. The interval is Student's, with Satterthwaite's
    degrees of freedom. This is the two-way random-effects analysis that reader studies use (readers are our seeds,
    cases our identities): N. A. Obuchowski, H. E. Rockette, Comm. Statist. Simulation 24, 1995; S. L. Hillis, Statist.
    Med. 26, 2007 (their degrees of freedom count readers only).

    Shares :math:`p_1, p_2` also get what few identities do not show, as a sample may hold none of those that make the
    errors: :math:`e_i = p_i (1 - p_i) / k^2` for k identities (:func:`facelab.evaluate.bootstrap.draws_variance`).
    Both models lack the same ones, so with the correlation :math:`\rho` of their values the difference gets
    :math:`e_1 + e_2 - 2 \rho \sqrt{e_1 e_2}`.

    Args:
        first, second: value of each model for each seed and identity, shape (seeds, identities); row s of both comes
            from the same seed, column i from the same identity.
        share: whether the values are shares, in [0, 1].

    Raises:
        FacelabError: shapes differ, fewer than two identities, a value that is not finite, or one that is no share.
    """
    first, second = (array(x, np.float64) for x in (first, second))
    if first.shape != second.shape or first.ndim != 2 or not len(first):
        raise FacelabError(f"first {first.shape}, second {second.shape}: expected (seeds, identities) for both.")
    d = first - second
    if not np.isfinite(d).all():
        seed, identity = np.argwhere(~np.isfinite(d))[0]
        raise FacelabError(f"seed {seed}, identity {identity}: a value is not finite, so there is no pair to compare.")
    seeds, identities = d.shape
    if identities < 2:
        raise FacelabError(f"{identities} identities: at least 2 are needed to know how much they differ.")
    variance, freedom = _crossed(*_variances(d), seeds, identities)
    if share:
        outside = (np.minimum(first, second) < 0) | (np.maximum(first, second) > 1)
        if outside.any():
            seed, identity = np.argwhere(outside)[0]
            raise FacelabError(f"seed {seed}, identity {identity}: a share lies in [0, 1]; else say share=False.")
        variance += _lack(first, second, first.mean(axis=0), second.mean(axis=0), identities)
    return _comparison(float(d.mean()), (variance, freedom), seeds, identities)


def compare_scores(
    first: Sequence[Scores],
    second: Sequence[Scores],
    measure: Callable[[Roc], np.ndarray],
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> Comparison:
    """Compare two models by any measure of the ROC (``auc``, ``lambda curve: tar_at_far(curve, 0.01)``).

    As :func:`compare_by_identity`, with the two variances over identities estimated by the identity bootstrap: every
    model and every training meets the same draws, so what is hard about an identity cancels.

    Args:
        first, second: scores of the same pairs, one for each seed; position s of both comes from the same seed.
        measure: a share, from a curve of shape (..., k) to values of shape (...).
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: the pairs or the numbers of seeds differ, or see :func:`facelab.evaluate.roc`.
    """
    if len(first) != len(second) or not len(first):
        raise FacelabError(f"{len(first)} and {len(second)} trainings: expected the same seeds for both.")
    everyone = [*first, *second]
    for scores in everyone[1:]:
        if not (np.array_equal(scores.first, first[0].first) and np.array_equal(scores.second, first[0].second)):
            raise FacelabError("the scores are not of the same pairs; compare models on one list of pairs.")
    points = np.array([float(measure(roc(scores))) for scores in everyone])
    draws = np.array([_draws(scores, measure, replicates, seed) for scores in everyone])
    seeds, identities = len(first), len(np.union1d(first[0].first, first[0].second))
    return compare_draws(points[:seeds], points[seeds:], draws[:seeds], draws[seeds:], identities)


def compare_draws(
    first: np.ndarray, second: np.ndarray, first_draws: np.ndarray, second_draws: np.ndarray, identities: int
) -> Comparison:
    """Compare two models whose measure, a share, has been taken already, on the data and on each draw of identities.

    Args:
        first, second: the measure of each model for each seed, shape (seeds,).
        first_draws, second_draws: the measure on each draw of identities, shape (seeds, r); draw k is the same
            everywhere.
        identities: how many were drawn from.

    Raises:
        FacelabError: a measure that is not finite, or hardly any draw that is.
    """
    seeds = len(first)
    first, second, draws = np.asarray(first), np.asarray(second), np.array([first_draws, second_draws])
    check_finite("the measure of seed", first - second)
    draws = draws[..., np.isfinite(draws).all(axis=(0, 1))]  # a draw may lack genuine pairs
    if draws.shape[2] < 2:
        raise FacelabError("hardly any draw of identities has genuine and impostor pairs; add identities.")
    variance, freedom = _crossed(*_drawn_variances(first - second, draws[0] - draws[1], identities), seeds, identities)
    variance += _lack(first, second, draws[0].mean(axis=0), draws[1].mean(axis=0), identities)
    return _comparison(float((first - second).mean()), (variance, freedom), seeds, identities)


def share_over_seeds(right: np.ndarray, n: int) -> Estimate:
    """Return the mean of a share over trainings, with its 95 % interval over seeds and identities.

    The variance is that of :func:`compare_by_identity`, with what :func:`facelab.evaluate.bootstrap.draws_variance`
    adds; the interval is Wilson's, so it lies in [0, 1].

    Args:
        right: share of each identity's images that is right, shape (seeds, identities).
        n: what the estimate counts.
    """
    seeds, identities = right.shape
    return _share(float(right.mean()), _crossed(*_variances(right), seeds, identities), n, identities)


def drawn_share_over_seeds(values: np.ndarray, draws: np.ndarray, n: int, identities: int) -> Estimate:
    """Return the mean over trainings of any share, as :func:`share_over_seeds`, from draws of identities.

    Args:
        values: the share for each seed, shape (seeds,).
        draws: the share on each draw of identities, shape (seeds, r); draw k is the same everywhere.
        n: what the estimate counts.
        identities: how many were drawn from.
    """
    draws = draws[:, np.isfinite(draws).all(axis=0)]
    variance = _crossed(*_drawn_variances(np.asarray(values), draws, identities), len(values), identities)
    return _share(float(np.mean(values)), variance, n, identities)


def _share(value: float, crossed: tuple[float, float], n: int, identities: int) -> Estimate:
    variance, freedom = crossed
    return share_interval(value, variance + value * (1 - value) / identities**2, n, identities, freedom)


def _draws(scores: Scores, measure: Callable[[Roc], np.ndarray], replicates: int, seed: int) -> np.ndarray:
    curves = bootstrap_curves(scores, replicates, seeded(seed))
    return np.concatenate([measure(curve) for curve in curves])


def _variances(d: np.ndarray) -> tuple[float, float, float]:
    """Return the variance of the mean of (seeds, identities) values: from seeds, from identities, what is in both."""
    seeds, identities = d.shape
    v_identity = d.mean(axis=0).var(ddof=1) / identities
    if seeds == 1:
        return 0.0, v_identity, 0.0
    rest = d - d.mean(axis=1, keepdims=True) - d.mean(axis=0) + d.mean()
    v_both = (rest**2).sum() / (d.size * (seeds - 1) * (identities - 1))
    return d.mean(axis=1).var(ddof=1) / seeds, v_identity, v_both


def _drawn_variances(values: np.ndarray, draws: np.ndarray, identities: int) -> tuple[float, float, float]:
    """The same of a measure (seeds,) and its draws (seeds, r)."""
    seeds, lacking = len(values), identities / max(identities - 1, 1)  # draws lack one part of as many
    v_identity = lacking * draws.mean(axis=0).var(ddof=1)
    if seeds == 1:
        return 0.0, v_identity, 0.0
    v_both = max(0.0, (lacking * draws.var(axis=1, ddof=1).mean() - v_identity) / (seeds - 1))
    return values.var(ddof=1) / seeds, v_identity, v_both


def _crossed(v_seed: float, v_identity: float, v_both: float, seeds: int, identities: int) -> tuple[float, float]:
    """Return the variance of the mean and its degrees of freedom."""
    variance = max(v_seed + v_identity - v_both, v_seed, v_identity)
    free_seeds, free_identities = max(seeds - 1, 1), max(identities - 1, 1)
    if variance == 0:
        return 0.0, free_identities
    shares = np.array([v_seed, v_identity, v_both]) / variance
    return variance, float(1 / (shares**2 / [free_seeds, free_identities, free_seeds * free_identities]).sum())


def _lack(first: np.ndarray, second: np.ndarray, first_draws, second_draws, identities: int) -> float:
    """Return what the variance of a difference of two shares lacks, see :func:`compare_by_identity`."""
    shares = np.array([first.mean(), second.mean()])
    if not (shares * (1 - shares) > 0).any():  # no error seen is no proof: the middle of Wilson's interval
        ends = [wilson(round(share) * identities, identities) for share in shares]
        shares = np.array([(end.low + end.high) / 2 for end in ends])
    lack = np.sqrt(shares * (1 - shares)) / identities
    (a, both), (_, b) = np.cov(first_draws, second_draws)
    correlation = both / np.sqrt(a * b) if a > 0 and b > 0 else 0.0
    return max(0.0, float((lack**2).sum() - 2 * correlation * lack.prod()))


def _comparison(value: float, crossed: tuple[float, float], seeds: int, identities: int) -> Comparison:
    from scipy.special import stdtr, stdtrit

    variance, freedom = crossed
    if variance == 0:
        return Comparison(Estimate(value, value, value, identities, identities), float(value == 0), seeds)
    half = stdtrit(freedom, 0.975) * np.sqrt(variance)
    p_value = 2 * stdtr(freedom, -abs(value) / np.sqrt(variance))
    difference = Estimate(value, float(value - half), float(value + half), identities, identities)
    return Comparison(difference, float(p_value), seeds)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    r"""Return the p values corrected for their number, so that the chance of *any* false finding stays below the level.

    With :math:`p_{(1)} \le \dots \le p_{(m)}`:

    .. math:: \tilde p_{(i)} = \max_{j \le i} \min(1, (m - j + 1)\, p_{(j)})

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statist. 6, 1979.

    Args:
        p_values: by name of the comparison.

    Returns:
        The corrected values under the same names, in the same order.

    Raises:
        FacelabError: a value outside [0, 1].
    """
    for name, p in p_values.items():
        if not 0 <= p <= 1:
            raise FacelabError(f"p value {p} of {name!r}: it must lie in [0, 1].")
    corrected, largest = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = largest
    return {name: corrected[name] for name in p_values}


def holm_sentence(p_values: Mapping[str, float], level: float = 0.05) -> str:
    """Say in words what is left after Holm's correction: "of 3 comparisons, 1 is shown at level 0.05 after Holm's
    correction: ArcFace and softmax (p = 0.012)".

    Args:
        p_values: by name of the comparison, not yet corrected.
        level: the chance of any false finding that one is ready to bear.

    Raises:
        FacelabError: see :func:`holm`.
    """
    shown = {name: p for name, p in holm(p_values).items() if p < level}
    verb = "is" if len(shown) == 1 else "are"
    named = ", ".join(f"{name} (p = {p:.3f})" if p >= 0.001 else f"{name} (p < 0.001)" for name, p in shown.items())
    start = f"of {len(p_values)} comparisons, {len(shown) or 'none'} {verb if shown else 'is'} shown at level {level:g}"
    return f"{start} after Holm's correction" + (f": {named}" if named else "")
