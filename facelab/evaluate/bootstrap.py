"""Intervals that know that pairs share people: identities are drawn again, not pairs."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_values
from facelab.evaluate.curve import Roc, check_pairs, curve_from_counts
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.scores import Scores

_BLOCK_VALUES = 4_000_000  # numbers held at once, 32 MB in float64
_ROUNDING = 1e-12  # an AUC of 1 is a sum of many steps, and misses 1 by a few times 1e-16


def draw_identities(identities: int, replicates: int, generator: np.random.Generator, block: int = 100):
    """Draw identities with replacement; yield how often each was drawn, in blocks of shape (<= block, identities).

    The draws do not depend on the size of the blocks.
    """
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

    Source: R. M. Bolle, N. K. Ratha, S. Pankanti, "Error analysis of pattern recognition systems: the subsets
    bootstrap", CVIU 93, 2004 (draw subsets that belong together, because matches of one person depend on each other).

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
    """Return a value with the range of 95 % of its draws: the one place where draws become an interval.

    The interval always holds the value. Draws that are NaN do not count. Where a share is 0 or 1, every draw shows the
    same, and few people are no proof; the interval is then Wilson's with identities as the sample size.

    Args:
        value: the measure on the data as it is.
        draws: the measure on each draw of identities, shape (r,).
        n: what the estimate counts.
        identities: how many were drawn from (or photographs, where those were drawn).
        share: whether the value is a share: a rate, an accuracy, AUC, EER, a mean of those. Angles, differences, ratios
            and medians are not: one that is 0 in every draw gets 0 to 0.
    """
    draws = np.asarray(draws, dtype=np.float64)
    draws = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(draws):
        return Estimate(float(value), np.nan, np.nan, n)
    whole = round(value) if share else None
    if whole is not None and abs(value - whole) < _ROUNDING:
        sample = min(identities, n)
        return replace(wilson(whole * sample, sample), n=n)
    # Infinite draws (a ratio to nothing) stand in their place: no interpolation between them and others.
    finite = bool(np.isfinite(draws).all())
    low = np.quantile(draws, 0.025, method="linear" if finite else "lower")
    high = np.quantile(draws, 0.975, method="linear" if finite else "higher")
    return Estimate(float(value), float(min(low, value)), float(max(high, value)), n)


def mean_by_identity(
    values: np.ndarray, labels: np.ndarray, *, share: bool, replicates: int = 2000, seed: int = 0
) -> Estimate:
    """Return the mean over images, such as the share named rightly, with its interval over identities.

    Identities are drawn again with all their images: for what will happen with other people, not with other images of
    the same ones. n counts images.

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
    blocks = draw_identities(len(identities), replicates, np.random.default_rng(seed))
    draws = np.concatenate([(drawn @ total) / (drawn @ count) for drawn in blocks])
    return bootstrap_interval(values.mean(), draws, len(values), len(identities), share=share)


def codes(scores: Scores) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of identities and the two sides of each pair as 0 .. number - 1."""
    identities, codes = np.unique(np.concatenate([scores.first, scores.second]), return_inverse=True)
    return len(identities), codes[: len(scores)], codes[len(scores) :]


def _sum_by_bin(rows, bins: np.ndarray, number: int, width: int) -> np.ndarray:
    """Add up ``rows(start, stop)``, shape (stop - start, width), by their bins (sorted) to shape (number, width)."""
    total = np.zeros((number, width))
    step = max(1, _BLOCK_VALUES // width)
    for start in range(0, len(bins), step):
        part = bins[start : start + step]
        starts = np.flatnonzero(np.diff(part, prepend=-1))
        total[part[starts]] += np.add.reduceat(rows(start, start + len(part)), starts, axis=0)
    return total
