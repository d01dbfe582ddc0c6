"""One to one: are these two images of the same identity?"""

import warnings
from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores, pair_scores


@dataclass(frozen=True, eq=False)
class Roc:
    """Receiver operating characteristic: what happens if pairs with a score >= threshold are accepted.

    The last axis runs over the thresholds, from +inf (nobody accepted) to the lowest score (all accepted). Axes before
    it, if any, are bootstrap replicates.

    Attributes:
        threshold: shape (k,); +inf, then every distinct score, falling.
        far: false accept rate, the share of impostor pairs accepted; shape (..., k), rises from 0 to 1.
        tar: true accept rate, the share of genuine pairs accepted; shape (..., k), rises from 0 to 1.
    """

    threshold: np.ndarray
    far: np.ndarray
    tar: np.ndarray


def roc(scores: Scores, weights: np.ndarray | None = None) -> Roc:
    """Return the exact ROC, from sorted scores; equal scores are accepted together.

    Args:
        scores: the pairs.
        weights: how often each pair counts, shape (..., n); once if not given.

    Raises:
        FacelabError: there are no genuine or no impostor pairs, or a score is NaN.
    """
    genuine = scores.genuine
    if not genuine.any() or genuine.all():
        kind, remedy = (
            ("impostor", "a second identity") if genuine.any() else ("genuine", "a second image of an identity")
        )
        raise FacelabError(f"there are no {kind} pairs among {len(scores)}; add {remedy}.")
    if np.isnan(scores.values).any():
        raise FacelabError(f"score {np.flatnonzero(np.isnan(scores.values))[0]} is NaN.")
    weights = np.ones(len(scores)) if weights is None else weights
    order = np.argsort(-scores.values, kind="stable")
    values = scores.values[order]
    last = np.append(np.flatnonzero(np.diff(values)), len(values) - 1)  # the last pair of each distinct score
    rates = []
    for pairs in (~genuine, genuine):
        accepted = np.cumsum((weights * pairs)[..., order], axis=-1)[..., last]
        with np.errstate(invalid="ignore"):  # a bootstrap replicate may have no such pair: NaN
            rate = accepted / accepted[..., -1:]
        rates.append(np.concatenate([np.zeros((*rate.shape[:-1], 1)), rate], axis=-1))
    return Roc(np.append(np.inf, values[last]), *rates)


def auc(curve: Roc) -> np.ndarray:
    """Return the area under the ROC: the chance that a genuine pair scores above an impostor pair (a tie is half)."""
    return (np.diff(curve.far) * (curve.tar[..., 1:] + curve.tar[..., :-1]) / 2).sum(axis=-1)


def eer(curve: Roc) -> np.ndarray:
    """Return the equal error rate: FAR where it equals FRR = 1 - TAR, on a straight line between points of the ROC."""
    gap = curve.far + curve.tar - 1  # FAR - FRR, rises from -1 to 1
    after = np.argmax(gap >= 0, axis=-1)[..., None]

    def at(values: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, index, axis=-1)[..., 0]

    gap0, gap1 = at(gap, after - 1), at(gap, after)
    far0, far1 = at(curve.far, after - 1), at(curve.far, after)
    return far0 + (far1 - far0) * -gap0 / (gap1 - gap0)


def tar_at_far(curve: Roc, far: float, impostor_pairs: int) -> np.ndarray:
    """Return the best TAR at a threshold whose FAR is ``far`` or less; no interpolation.

    A FAR below 1 / ``impostor_pairs`` cannot be measured with that many pairs: the result is NaN, with a warning.

    Raises:
        FacelabError: ``far`` outside (0, 1].
    """
    if not 0 < far <= 1:
        raise FacelabError(f"far={far}: it must lie in (0, 1].")
    if far * impostor_pairs < 1:
        warnings.warn(
            f"TAR at FAR {far:g} needs at least {1 / far:.0f} impostor pairs, there are {impostor_pairs}: NaN",
            stacklevel=2,
        )
        return np.full(curve.tar.shape[:-1], np.nan)
    allowed = curve.far <= far * (1 + 1e-12)  # 0.01 of 4500 pairs is 45 pairs, also in floating point
    return np.where(np.isnan(curve.tar[..., -1]), np.nan, np.where(allowed, curve.tar, 0).max(axis=-1))


def verification(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    fars: tuple[float, ...] = (0.01,),
    replicates: int = 2000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measure verification over all pairs of images, with 95 % intervals from an identity bootstrap.

    Pairs share people: one identity with a poor image spoils many pairs at once. So identities are drawn with
    replacement, not pairs, and the interval is the 2.5 % to 97.5 % range over ``replicates`` draws. An identity drawn
    twice counts its genuine pairs twice and its impostor pairs with every other identity; it is never an impostor to
    itself.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        fars: false accept rates to report TAR at.
        replicates: bootstrap draws.
        seed: of the draws.

    Returns:
        ``auc``, ``eer`` (n: all pairs) and ``tar_at_far_0.01`` and so on (n: genuine pairs).
    """
    scores = pair_scores(embeddings, labels)
    impostors = int((~scores.genuine).sum())

    def measure(curve: Roc) -> dict[str, np.ndarray]:
        values = {"auc": auc(curve), "eer": eer(curve)}
        return values | {f"tar_at_far_{far:g}": tar_at_far(curve, far, impostors) for far in fars}

    point = measure(roc(scores))
    draws = [
        measure(roc(scores, weights)) for weights in identity_bootstrap(scores, replicates, np.random.default_rng(seed))
    ]
    estimates = {}
    for name, value in point.items():
        values = np.concatenate([draw[name] for draw in draws])
        low, high = np.nan, np.nan
        if np.isfinite(value):
            low, high = np.nanpercentile(values, [2.5, 97.5])
        n = int(scores.genuine.sum()) if name.startswith("tar") else len(scores)
        estimates[name] = Estimate(float(value), float(low), float(high), n)
    return estimates


def identity_bootstrap(scores: Scores, replicates: int, generator: np.random.Generator, block: int = 100):
    """Draw identities with replacement; yield how often each pair then counts, in blocks of shape (<= block, n)."""
    identities, codes = np.unique(np.concatenate([scores.first, scores.second]), return_inverse=True)
    first, second = codes[: len(scores)], codes[len(scores) :]
    share = np.full(len(identities), 1 / len(identities))
    for start in range(0, replicates, block):
        counts = generator.multinomial(len(identities), share, size=min(block, replicates - start)).astype(np.float64)
        yield np.where(scores.genuine, counts[:, first], counts[:, first] * counts[:, second])
