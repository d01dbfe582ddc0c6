"""Every image with every other one: in memory, or streamed where there are too many pairs for that."""

import math
import warnings
from typing import ClassVar

import numpy as np

from facelab.evaluate import (
    Estimate,
    Roc,
    Scores,
    auc,
    eer,
    errors_at,
    far_variance,
    operating_point,
    pair_blocks,
    pair_scores,
    streamed_roc,
    tar_at_far,
    verification_of_pairs,
)
from facelab.evaluate.curve import ROUNDING, false_accepts_allowed
from facelab.reports.outcome import Embedded


class AllPairs:
    """All pairs of a set, in memory.

    Attributes:
        what: ``scores`` are, at the end of a sentence.
        scores: of all pairs.
        curve: what the ROC is drawn from.
        genuine_pairs, impostor_pairs: how many there are.
        fewest: false accepts that a rate must stand for, to be given.
    """

    what: ClassVar[str] = "every image with every other one"
    fewest: ClassVar[int] = 1

    def __init__(self, seen: Embedded):
        self.scores = pair_scores(seen.raw, seen.chips.labels)
        self.curve: Scores | Roc = self.scores
        self.genuine_pairs = int(np.count_nonzero(self.scores.genuine))
        self.impostor_pairs = len(self.scores) - self.genuine_pairs

    def measure(self, fars: tuple[float, ...], *, replicates: int, seed: int) -> dict[str, Estimate]:
        """See :func:`facelab.evaluate.verification_of_pairs`."""
        return verification_of_pairs(self.scores, fars=fars, replicates=replicates, seed=seed)

    def threshold(self, far: float) -> float:
        """See :func:`facelab.evaluate.threshold_at_far`; here NaN comes without a warning."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return operating_point(self.scores, far).threshold

    def errors_at(self, threshold: float, *, replicates: int, seed: int) -> tuple[Estimate, Estimate]:
        """See :func:`facelab.evaluate.errors_at`."""
        return errors_at(self.scores, threshold, replicates=replicates, seed=seed)


class StreamedPairs(AllPairs):
    """More pairs than fit into memory: values are of all pairs, counted as they stream by.

    An interval needs to know who is on each pair, which a stream does not keep: so intervals are those of the
    identities that were drawn. These are fewer, so the intervals are rather too wide.

    Attributes:
        scores: of the pairs of the identities drawn.
    """

    what = "every image with every other one, of the identities drawn"
    curve: Roc

    def __init__(self, seen: Embedded, threshold: float | None = None):
        """Args:
        seen: with those drawn, or with the pairs of a folder.
        threshold: at which errors will be asked for, if it is known.
        """
        self.scores = pair_scores(seen.raw[seen.shown], seen.chips.labels[seen.shown])
        self._embeddings, self._labels = seen.raw, seen.chips.labels
        if seen.stored is None:
            self.curve = streamed_roc(seen.raw, seen.chips.labels)
        else:
            self.curve = seen.stored.count(threshold).roc()
        self.genuine_pairs, self.impostor_pairs = self.curve.genuine_pairs or 0, self.curve.impostor_pairs or 0

    def measure(self, fars: tuple[float, ...], *, replicates: int, seed: int) -> dict[str, Estimate]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a FAR that those drawn cannot show has no interval
            intervals = super().measure(fars, replicates=replicates, seed=seed)
        values = {"auc": auc(self.curve), "eer": eer(self.curve)}
        values |= {f"tar_at_far_{far:g}": tar_at_far(self.curve, far) for far in fars}
        pairs = self.genuine_pairs + self.impostor_pairs
        return {
            name: _around(float(value), intervals[name], self.genuine_pairs if name.startswith("tar") else pairs)
            for name, value in values.items()
        }

    def threshold(self, far: float) -> float:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if not false_accepts_allowed(far, self.impostor_pairs):
                return np.nan
        return float(self.curve.threshold[np.flatnonzero(self.curve.far <= far * ROUNDING)[-1]])

    def errors_at(self, threshold: float, *, replicates: int, seed: int) -> tuple[Estimate, Estimate]:
        far, frr = super().errors_at(threshold, replicates=replicates, seed=seed)
        at = np.flatnonzero(self.curve.threshold >= threshold)[-1]
        listed = self.curve.threshold[at] == threshold
        let_in = float(self.curve.far[at]) if listed else self._let_in(threshold) / self.impostor_pairs
        return (
            _around(let_in, far, self.impostor_pairs),
            _around(float(self.curve.frr[at]), frr, self.genuine_pairs),
        )

    def _let_in(self, threshold: float) -> int:
        return sum(
            int(np.count_nonzero((scores >= threshold) & (self._labels[first] != self._labels[second])))
            for first, second, scores in pair_blocks(self._embeddings)
        )


class SampledPairs(AllPairs):
    """All genuine pairs, and impostor pairs drawn at random; intervals know of the draw.

    A rate is given where the draw holds 30 false accepts or more, as of fewer the few pairs drawn decide.

    Args:
        scores: from :func:`facelab.evaluate.sampled_scores`.
    """

    what = "all genuine ones, and impostor pairs drawn at random"
    fewest = 30

    def __init__(self, scores: Scores):
        self.scores = self.curve = scores
        self.genuine_pairs = int(np.count_nonzero(scores.genuine))
        self.impostor_pairs = len(scores) - self.genuine_pairs

    def price(self, threshold: float) -> str:
        """Say what the draw costs at a threshold."""
        variance, drawn = far_variance(self.scores, threshold)
        share = drawn / variance if variance else 0.0
        return (
            f"of the variance of FAR at the threshold, {share:.0%} comes from the draw of pairs and the rest from the "
            f"draw of people: with all pairs, its interval would be about {1 - math.sqrt(1 - share):.0%} shorter."
        )


def _around(value: float, interval: Estimate, n: int) -> Estimate:
    """Return a value with the interval of a part of the people, which always holds it; NaN stays NaN."""
    low, high = np.minimum(interval.low, value), np.maximum(interval.high, value)
    return Estimate(value, float(low), float(high), n, interval.identities)
