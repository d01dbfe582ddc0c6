"""Accuracy at a threshold that was chosen on other pairs: the ten folds of LFW."""

from dataclasses import dataclass

import numpy as np

from facelab.data.pairs import consecutive_folds
from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import share_interval
from facelab.evaluate.checks import check_each, check_finite, check_labels
from facelab.evaluate.counts import mean_over_pairs
from facelab.evaluate.curve import warn_of_distances
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores


@dataclass(frozen=True, eq=False)
class FoldAccuracy:
    r"""Accuracy on each fold at the threshold chosen on the others.

    Attributes:
        accuracies: shape (k,).
        thresholds: shape (k,).
        estimate: mean accuracy with its 95 % interval over identities; two pairs vary together where they share one,
            see :func:`facelab.evaluate.counts.pair_variance`. n counts pairs.
    """

    accuracies: np.ndarray
    thresholds: np.ndarray
    estimate: Estimate

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

    @property
    def over_folds(self) -> Estimate:
        """Mean accuracy with Student's 95 % interval over folds, taken as independent; n counts pairs.

        Folds are independent where they share no identity, as those of LFW.
        """
        from scipy.special import stdtrit

        if self.mean in (0, 1):  # folds without an error say no more than people do
            return share_interval(self.mean, 0.0, self.estimate.n, self.estimate.identities or 1)
        half = float(stdtrit(len(self.accuracies) - 1, 0.975)) * self.standard_error
        return Estimate(self.mean, max(0.0, self.mean - half), min(1.0, self.mean + half), self.estimate.n)

    def __str__(self) -> str:
        counted = f"{self.estimate.n} pairs, {len(self.accuracies)} folds"
        return f"{100 * self.mean:.2f} ± {100 * self.standard_error:.2f} % ({counted})"


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
    folds = check_labels(folds, "fold of pair")
    if folds.ndim == 0:
        if folds.dtype.kind not in "iu" or folds < 2:
            raise FacelabError(f"folds = {folds.item()!r}: give a number, at least 2, or the fold of each pair.")
        folds = consecutive_folds(len(scores), int(folds))
    check_each(values, of="pairs", folds=folds)
    names = np.unique(folds)
    if len(names) < 2:
        raise FacelabError(f"{len(names)} fold(s): at least 2 are needed, one to choose the threshold and one to test.")
    check_finite("score", values)
    if genuine.any() and not genuine.all():
        warn_of_distances(scores)
    order = np.argsort(-values, kind="stable")
    sorted_values, sorted_folds = values[order], folds[order]
    gain = np.where(genuine[order], 1, -1)
    accuracies, thresholds = np.empty(len(names)), np.empty(len(names))
    right, weights = np.empty(len(scores)), np.empty(len(scores))
    for k, name in enumerate(names):
        train = sorted_folds != name
        kept, steps = sorted_values[train], gain[train]
        if abs(steps.sum()) == len(steps):
            kind = "impostor" if steps[0] == 1 else "genuine"
            raise FacelabError(f"without fold {name} there are no {kind} pairs to choose a threshold on.")
        last = np.flatnonzero(np.append(kept[1:] != kept[:-1], True))  # equal scores are accepted together
        gained = np.append(0, np.cumsum(steps)[last])  # plus the impostors, which do not matter for the best
        best = gained.argmax()
        upper, lower = kept[last[:-1]], kept[last[:-1] + 1]
        middle = (upper + lower) / 2
        cuts = np.concatenate([[np.inf], np.where(middle > lower, middle, upper), [-np.inf]])
        thresholds[k] = cuts[best]
        test = folds == name
        right[test] = (values[test] >= thresholds[k]) == genuine[test]
        accuracies[k] = right[test].mean()
        weights[test] = 1 / (len(names) * np.count_nonzero(test))
    return FoldAccuracy(accuracies, thresholds, mean_over_pairs(right, weights, scores))


def draw_pairs(
    labels: np.ndarray, generator: np.random.Generator, *, folds: int = 10, each: int = 300
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draw a list of pairs for a set that has none: half genuine, half impostor, in folds without a common identity.

    Identities are dealt out to the folds at random. In each fold, genuine and impostor pairs of its own identities are
    drawn without replacement, as many of each kind as the poorest fold has, at most ``each``. So an accuracy of 50 % is
    chance, and no threshold is chosen on a person that it is tested on.

    Args:
        labels: identity of each image, shape (n,).
        generator: the same seed gives the same list.
        folds: how many; fewer identities than two a fold are an error.
        each: most pairs of each kind in a fold (LFW has 300).

    Returns:
        (first, second, fold): the positions of the two images of each pair, and its fold; shape (p,) each.

    Raises:
        FacelabError: too few identities, or a fold in which nobody has two images.
    """
    identities, codes = np.unique(labels, return_inverse=True)
    if folds < 2 or len(identities) < 2 * folds:
        raise FacelabError(
            f"{len(identities)} identities are too few for {folds} folds: at least {max(4, 2 * folds)} are needed, so "
            "that each fold has two people of its own."
        )
    several = np.bincount(codes) > 1
    # Those with several images are dealt out first, so that they spread over the folds.
    order = np.concatenate([generator.permutation(np.flatnonzero(kind)) for kind in (several, ~several)])
    fold_of = np.empty(len(identities), dtype=np.int64)
    fold_of[order] = np.arange(len(order)) % folds
    candidates = []
    for fold in range(folds):
        rows = np.flatnonzero(fold_of[codes] == fold)
        i, j = np.triu_indices(len(rows), k=1)
        i, j = rows[i], rows[j]
        genuine = codes[i] == codes[j]
        if not genuine.any():
            raise FacelabError(f"too few identities have two images: fold {fold} of {folds} has no genuine pair.")
        candidates.append(((i[genuine], j[genuine]), (i[~genuine], j[~genuine])))
    number = min(each, *(len(i) for kinds in candidates for i, _ in kinds))
    parts = []
    for fold, kinds in enumerate(candidates):
        for i, j in kinds:
            chosen = generator.choice(len(i), number, replace=False)
            parts.append((i[chosen], j[chosen], np.full(number, fold)))
    first, second, of = (np.concatenate(column) for column in zip(*parts, strict=True))
    return first, second, of
