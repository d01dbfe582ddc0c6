"""Accuracy at a threshold that was chosen on other pairs: the ten folds of LFW."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.scores import Scores


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    r"""Accuracy on each fold at the threshold chosen on the others.

    Attributes:
        accuracies: shape (k,).
        thresholds: shape (k,).
        n: pairs in all.
    """

    accuracies: np.ndarray
    thresholds: np.ndarray
    n: int

    @property
    def mean(self) -> float:
        """Mean accuracy."""
        return float(self.accuracies.mean())

    @property
    def standard_error(self) -> float:
        r"""Standard error of the mean, :math:`\sqrt{\sum_i (p_i - \bar p)^2 / (k - 1)} / \sqrt k`, as LFW defines it.

        (Much code prints the standard deviation of the folds instead, which is about three times as large.)
        """
        return float(self.accuracies.std(ddof=1) / np.sqrt(len(self.accuracies)))

    def __str__(self) -> str:
        return (
            f"{100 * self.mean:.2f} ± {100 * self.standard_error:.2f} % ({self.n} pairs, {len(self.accuracies)} folds)"
        )


def consecutive_folds(pairs: int, folds: int = 10) -> np.ndarray:
    """Return the fold of each pair where the list stands fold by fold, as LFW's does; shape (pairs,)."""
    return np.arange(pairs) * folds // pairs


def fold_accuracy(scores: Scores, folds: np.ndarray | int = 10) -> FoldAccuracy:
    r"""Return the accuracy over folds; a fold's threshold is the best one on the other folds.

    Exact: the candidates are all thresholds that tell the training scores apart, not a grid. The best threshold is
    placed midway between the training scores on its two sides; of several equally good ones the highest is taken. (A
    threshold *at* a training score would refuse half of the gap for no reason: of perfectly separable pairs one would
    always be wrong.) With :math:`s_{(1)} \ge s_{(2)} \ge \dots`, accepting the first i training pairs gets

    .. math:: \mathrm{impostors} + \sum_{j \le i} (1 \text{ if genuine}, -1 \text{ if impostor})

    of them right: one cumulative sum. Source: G. B. Huang, M. Ramesh, T. Berg, E. Learned-Miller, "Labeled Faces in the
    Wild", UMass Amherst TR 07-49, 2007 (view 2).

    Args:
        scores: the pairs.
        folds: the fold of each pair, shape (n,), or a number of folds into which the list is cut in order. The folds of
            LFW share no identity; folds of your own should not either.

    Raises:
        FacelabError: fewer than two folds, a score that is not finite, or training folds that lack genuine or impostor
            pairs.
    """
    values, genuine = scores.values, scores.genuine
    if np.isscalar(folds):
        folds = consecutive_folds(len(scores), int(folds))
    folds = np.asarray(folds)
    if folds.shape != values.shape:
        raise FacelabError(f"folds {folds.shape}: expected one for each of {len(values)} pairs.")
    names = np.unique(folds)
    if len(names) < 2:
        raise FacelabError(f"{len(names)} fold(s): at least 2 are needed, one to choose the threshold and one to test.")
    if not np.isfinite(values).all():
        raise FacelabError(f"score {np.flatnonzero(~np.isfinite(values))[0]} is not finite.")
    order = np.argsort(-values, kind="stable")
    sorted_values, sorted_folds = values[order], folds[order]
    gain = np.where(genuine[order], 1, -1)
    accuracies, thresholds = np.empty(len(names)), np.empty(len(names))
    for k, name in enumerate(names):
        train = sorted_folds != name
        kept, steps = sorted_values[train], gain[train]
        if abs(steps.sum()) == len(steps):
            kind = "impostor" if steps[0] == 1 else "genuine"
            raise FacelabError(f"without fold {name} there are no {kind} pairs to choose a threshold on.")
        last = np.flatnonzero(np.append(kept[1:] != kept[:-1], True))  # equal scores are accepted together
        right = np.append(0, np.cumsum(steps)[last])  # plus the impostors, which do not matter for the best
        best = right.argmax()
        upper, lower = kept[last[:-1]], kept[last[:-1] + 1]
        middle = (upper + lower) / 2
        cuts = np.concatenate([[np.inf], np.where(middle > lower, middle, upper), [-np.inf]])
        thresholds[k] = cuts[best]
        test = folds == name
        accuracies[k] = ((values[test] >= thresholds[k]) == genuine[test]).mean()
    return FoldAccuracy(accuracies, thresholds, len(values))
