"""Intervals that know that pairs share people: identities are drawn again, not pairs."""

import operator
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import array, check_values, number, seeded
from facelab.evaluate.curve import Roc, check_pairs, curve_from_counts
from facelab.evaluate.estimate import Estimate, wilson, wilson_ends
from facelab.evaluate.scores import Scores

_BLOCK_VALUES = 4_000_000  # numbers held at once, 32 MB in float64
_CACHED_VALUES = 200_000  # numbers worked on at once: 1.6 MB stay in the cache of a core, which is twice as fast
_ROUNDING = 1e-12  # an AUC of 1 is a sum of many steps, and misses 1 by a few times 1e-16


def draw_identities(identities: int, replicates: int, generator: np.random.Generator, block: int = 100):
    """Draw identities with replacement; yield how often each was drawn, in blocks of shape (<= block, identities).

    The draws do not depend on the size of the blocks.

    Raises:
        FacelabError: fewer than two replicates; one tells nothing of how much they differ.
    """
    try:
        replicates = operator.index(replicates)
    except TypeError:
        raise FacelabError(f"replicates = {replicates!r}: expected a whole number, such as 2000.") from None
    if replicates < 2:
        raise FacelabError(f"replicates = {replicates}: an interval needs 2 or more; 2000 is a good number.")
    share = np.full(identities, 1 / identities)
    for start in range(0, replicates, block):
        size = min(block, replicates - start)
        yield generator.multinomial(identities, share, size=size).astype(np.float64)


def identity_bootstrap(
    scores: Scores, replicates: int, generator: np.random.Generator, block: int = 100
) -> Iterator[np.ndarray]:
    """Draw identities with replacement; yield how often each pair then counts, in blocks of shape (<= block, n).

    An identity drawn c times counts its genuine pairs c times and its impostor pairs with an identity drawn d times
    c * d times; it is never an impostor to itself. This is the plain way, in memory block * n;
    :func:`bootstrap_curves` computes the same curves in less.
    """
    identities, first, second = codes(scores)
    for counts in draw_identities(identities, replicates, generator, block):
        yield np.where(scores.genuine, counts[:, first], counts[:, first] * counts[:, second])


def bootstrap_curves(scores: Scores, replicates: int, generator: np.random.Generator) -> Iterator[Roc]:
    """Yield the exact ROC of each draw of identities, in blocks of replicates (the first axis of the rates).

    Vectorised over replicates and, in blocks, over pairs: with m distinct genuine scores, memory is bounded by a few
    blocks of 32 MB, or 40 bytes * m if that is more. A replicate without a genuine or an impostor pair has NaN rates.

    Source: A. B. Owen, "The pigeonhole bootstrap", Ann. Appl. Statist. 1, 2007 (both sides of a pair are drawn);
    A. B. Owen, D. Eckles, "Bootstrapping data arrays of arbitrary order", Ann. Appl. Statist. 6, 2012 (a pair
    weighs the product of the weights of its sides). The variance is overestimated, mildly so where identities decide,
    and three times where each pair is noise of its own; so FAR has a closed form, see
    :func:`facelab.evaluate.counts.pair_variance`.

    Raises:
        FacelabError: there are no genuine or no impostor pairs, or a score is NaN.
    """
    genuine = check_pairs(scores)
    identities, first, second = codes(scores)
    vertices, vertex = np.unique(-scores.values[genuine], return_inverse=True)
    m = len(vertices)
    # Bins of impostor scores, falling: 2k lies between vertex k - 1 and k, 2k + 1 at vertex k, 2m below the last.
    falling = -scores.values[~genuine]
    bins = np.searchsorted(vertices, falling, "left") + np.searchsorted(vertices, falling, "right")
    order = np.argsort(bins, kind="stable")
    bins, i, j = bins[order], first[~genuine][order], second[~genuine][order]
    own = first[genuine][np.argsort(vertex, kind="stable")]
    vertex = np.sort(vertex)
    block = int(np.clip(_BLOCK_VALUES // (2 * m + 1), 1, 100))
    for counts in draw_identities(identities, replicates, generator, block):
        drawn = np.ascontiguousarray(counts.T)  # one row per identity, so that picking pairs copies whole rows
        genuine_counts = _sum_by_bin(lambda a, b, drawn=drawn: drawn[own[a:b]], vertex, m, len(counts))
        impostors = _sum_by_bin(lambda a, b, drawn=drawn: drawn[i[a:b]] * drawn[j[a:b]], bins, 2 * m + 1, len(counts))
        impostors = np.cumsum(impostors, axis=0).T
        curve = curve_from_counts(
            -vertices, scores.values.min(), genuine_counts.T, impostors[:, ::2], impostors[:, 1::2]
        )
        yield Roc(curve.threshold, curve.far, curve.tar, len(own), len(bins))


def bootstrap_interval(value: float, draws: np.ndarray, n: int, identities: int, *, share: bool) -> Estimate:
    """Return a value with its 95 % interval from draws of identities: the one place where draws become an interval.

    A share gets :func:`share_interval` with :func:`draws_variance`.

    What is no share (an angle, a difference, a ratio, a median) gets the range of the middle of its draws, a little
    more than 95 % of them, so that the mean of k normal values gets Student's interval: T. C. Hesterberg, "What
    teachers should know about the bootstrap", Amer. Statist. 69, 2015 (the expanded percentile interval). It always
    holds the value; one that is the same in every draw gets no width.

    Args:
        value: the measure on the data as it is.
        draws: the measure on each draw of identities, shape (r,); those that are NaN do not count.
        n: what the estimate counts.
        identities: how many were drawn from (or photographs, where those were drawn).
        share: whether the value is a share: a rate, an accuracy, AUC, EER, a mean of those.
    """
    value, draws = number(value, "value"), array(draws, np.float64, "draws")
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or len(draws) < 2:
        return Estimate(float(value), np.nan, np.nan, n, identities)
    if share:
        return share_interval(value, draws_variance(value, draws, identities), n, identities)
    # Infinite draws (a ratio to nothing) stand in their place: no interpolation between them and others.
    finite = bool(np.isfinite(draws).all())
    tail = _tail(identities)
    low = np.quantile(draws, tail, method="linear" if finite else "lower")
    high = np.quantile(draws, 1 - tail, method="linear" if finite else "higher")
    return Estimate(float(value), float(min(low, value)), float(max(high, value)), n, identities)


def draws_variance(value: float, draws: np.ndarray, identities: int) -> float:
    r"""Return the variance of a share over other identities: that of its draws, and what they lack.

    .. math:: V = \operatorname{var}(\text{draws}) + \hat p (1 - \hat p) / k^2

    Draws of k identities from k lack one k-th of the variance, which is at most :math:`p (1 - p) / k`, as if each
    identity were all right or all wrong. Near 0 and 1 this bound is what is needed: a sample often holds none of the
    few identities that make the errors, and its draws are then all alike.

    Args:
        value: the share on the data as it is.
        draws: the share on each draw of identities, shape (r,); those that are NaN do not count.
        identities: how many were drawn from, k.
    """
    draws = draws[~np.isnan(draws)]
    return float(draws.var(ddof=1) + value * (1 - value) / identities**2) if len(draws) > 1 else np.nan


def share_interval(value: float, variance: float, n: int, identities: int, freedom: float | None = None) -> Estimate:
    r"""Return a share with Wilson's interval for as many independent trials as would have this variance.

    .. math:: n_\mathrm{eff} = \hat p (1 - \hat p) / V, \qquad z = t_{0.975}(k - 1)

    but no more trials than items. So the interval lies in [0, 1], is longer towards the middle, and has a width. Where
    the share is 0 or 1 nothing is known of the variance, and few people are no proof: the trials are then the
    identities, and z = 1.96. Sources: E. L. Korn, B. I. Graubard, "Confidence intervals for proportions with small
    expected number of positive counts estimated from survey data", Survey Methodology 24, 1998 (effective trials);
    R. Fogliato, P. Patil, P. Perona, "Confidence intervals for error rates in 1:1 matching tasks", IJCV 2024, arXiv
    2306.01198 (Wilson's form for FAR and FRR).

    Args:
        value: in [0, 1].
        variance: of the value, over other identities.
        n: items counted.
        identities: how many the variance was estimated from.
        freedom: degrees of freedom of the variance; identities - 1 if not given.
    """
    from scipy.special import stdtrit

    if np.isnan(value) or np.isnan(variance):
        return Estimate(float(value), np.nan, np.nan, n, identities)
    if abs(value - round(value)) < _ROUNDING:
        sample = min(identities, n)
        return replace(wilson(round(value) * sample, sample), n=n, identities=identities)
    freedom = identities - 1 if freedom is None else freedom
    if freedom <= 0:  # of one identity nothing follows for others
        return Estimate(float(value), 0.0, 1.0, n, identities)
    trials = np.clip(value * (1 - value) / variance, 1, n) if variance > 0 else n
    return Estimate(float(value), *wilson_ends(float(value), trials, float(stdtrit(freedom, 0.975))), n, identities)


def mean_interval(value: float, variance: float, n: int, identities: int) -> Estimate:
    """Return a mean with Student's 95 % interval, from its variance over identities, at least two."""
    from scipy.special import stdtrit

    half = float(stdtrit(identities - 1, 0.975) * np.sqrt(variance))
    return Estimate(float(value), float(value) - half, float(value) + half, n, identities)


def ratio_interval(value: float, variance: float, n: int, identities: int) -> Estimate:
    """Return a positive ratio with Student's 95 % interval of its logarithm, whose variance is given."""
    if identities < 2:
        return Estimate(float(value), 0.0, np.inf, n, identities)
    log = mean_interval(np.log(value), variance, n, identities)
    with np.errstate(over="ignore"):
        return Estimate(float(value), float(np.exp(log.low)), float(np.exp(log.high)), n, identities)


def _tail(identities: int) -> float:
    """Return the share of draws to leave out on each side: the mean of k normal values then gets Student's interval."""
    from scipy.special import ndtr, stdtrit

    if identities < 2:
        return 0.0
    return float(ndtr(-stdtrit(identities - 1, 0.975) * np.sqrt(identities / (identities - 1))))


def mean_by_identity(
    values: np.ndarray, labels: np.ndarray, *, share: bool, replicates: int = 2000, seed: int = 0
) -> Estimate:
    """Return the mean over images, such as the share named rightly, with its interval over identities.

    Identities are drawn again with all their images: for what will happen with other people, not with other images of
    the same ones. A share gets the interval of :func:`bootstrap_interval`, any other mean Student's. n counts images.

    Args:
        values: one for each image, shape (n,); booleans, or shares, for a share.
        labels: identity of each image, shape (n,).
        share: whether the mean is a share, see :func:`bootstrap_interval`.
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: no images, another number of labels, or a value that is not finite, or is no share.
    """
    labels, values = check_values(labels, value=values)
    outside = (values < 0) | (values > 1)
    if share and outside.any():
        row = outside.argmax()
        raise FacelabError(f"value of image {row} is {values[row]:g}: a share lies in [0, 1]; else say share=False.")
    identities, codes = np.unique(labels, return_inverse=True)
    total, count = np.bincount(codes, values), np.bincount(codes)
    blocks = draw_identities(len(identities), replicates, seeded(seed))
    draws = np.concatenate([(drawn @ total) / (drawn @ count) for drawn in blocks])
    if share or len(identities) < 2:
        return bootstrap_interval(values.mean(), draws, len(values), len(identities), share=share)
    variance = draws.var(ddof=1) * len(identities) / (len(identities) - 1)  # draws lack one part of as many
    return mean_interval(values.mean(), variance, len(values), len(identities))


def codes(scores: Scores) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of identities and the two sides of each pair as 0 .. number - 1."""
    identities, codes = np.unique(np.concatenate([scores.first, scores.second]), return_inverse=True)
    return len(identities), codes[: len(scores)], codes[len(scores) :]


def _sum_by_bin(rows, bins: np.ndarray, number: int, width: int) -> np.ndarray:
    """Add up ``rows(start, stop)``, shape (stop - start, width), by their bins (sorted) to shape (number, width)."""
    total = np.zeros((number, width))
    step = max(1, min(_BLOCK_VALUES, _CACHED_VALUES) // width)
    for start in range(0, len(bins), step):
        part = bins[start : start + step]
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        total[part[starts]] += np.add.reduceat(rows(start, start + len(part)), starts, axis=0)
    return total
