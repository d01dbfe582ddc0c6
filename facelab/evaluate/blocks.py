"""Pairs of embeddings that lie in many files: all of them counted, or some of them drawn, one block against another."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_embeddings, check_labels, seeded
from facelab.evaluate.counts import count_errors
from facelab.evaluate.curve import Roc, check_pair_counts
from facelab.evaluate.scores import Scores, listed_scores

STEPS = 65_536  # thresholds from -1 to 1, 3e-5 apart
_BLOCK_PAIRS = 2_000_000  # scores computed at once: 8 MB, and as much for their steps


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Scores of pairs, counted by step: step k holds the scores from -1 + 2 k / STEPS on, below the next.

    Attributes:
        genuine, impostor: pairs of each step, shape (STEPS,), int64.
        threshold: one more threshold that was asked for, if any.
        genuine_passed, impostor_passed: pairs with a score as high or higher.
    """

    genuine: np.ndarray
    impostor: np.ndarray
    threshold: float | None = None
    genuine_passed: int = 0
    impostor_passed: int = 0

    def __add__(self, other: "PairCounts") -> "PairCounts":
        return PairCounts(
            self.genuine + other.genuine,
            self.impostor + other.impostor,
            self.threshold,
            self.genuine_passed + other.genuine_passed,
            self.impostor_passed + other.impostor_passed,
        )

    def roc(self) -> Roc:
        """Return the ROC at the lower end of each step that holds a pair, and at the threshold that was asked for.

        Every point is exact: so many pairs score as high or higher. What lies between two thresholds is not known, so
        TAR at a FAR is the best of these thresholds, and never too high; AUC takes the pairs of one step as equal.

        Raises:
            FacelabError: there are no genuine or no impostor pairs.
        """
        genuine, impostor = (np.cumsum(counts[::-1]) for counts in (self.genuine, self.impostor))
        check_pair_counts(int(genuine[-1]), int(genuine[-1] + impostor[-1]))
        held = np.flatnonzero((self.genuine + self.impostor)[::-1])
        threshold = -1 + 2 * (STEPS - 1 - held) / STEPS
        passed = np.stack([impostor[held], genuine[held]])
        if self.threshold is not None:
            place = int(np.searchsorted(-threshold, -self.threshold))
            asked = [[self.impostor_passed], [self.genuine_passed]]
            threshold = np.insert(threshold, place, self.threshold)
            passed = np.insert(passed, [place], asked, axis=1)
        far, tar = np.concatenate([[[0], [0]], passed], axis=1) / [impostor[-1:], genuine[-1:]]
        return Roc(np.append(np.inf, threshold), far, tar, int(genuine[-1]), int(impostor[-1]))


def count_pairs(
    embeddings: np.ndarray,
    labels: np.ndarray,
    others: tuple[np.ndarray, np.ndarray] | None = None,
    *,
    threshold: float | None = None,
) -> PairCounts:
    """Count the pairs of a block of embeddings, each once, or those of one block with another.

    The counts of all blocks, and of every two of them, add up to those of all pairs. Scores are dot products in
    float32, as in :func:`facelab.evaluate.streamed_roc`.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        others: the other block's embeddings, shape (m, d), and labels, shape (m,).
        threshold: one that is no step, to be counted at exactly.

    Raises:
        FacelabError: see :func:`facelab.evaluate.checks.check_embeddings`.

    Example:
        >>> counts = count_pairs(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), np.array([0, 0, 1]))
        >>> int(counts.genuine.sum()), int(counts.impostor.sum())
        (1, 2)
    """
    first, first_labels = _sorted(embeddings, labels)
    second, second_labels = (first, first_labels) if others is None else _sorted(*others)
    within = others is None
    starts = np.searchsorted(second_labels, first_labels, side="left")  # the genuine pairs of a row are a run
    ends = np.searchsorted(second_labels, first_labels, side="right")
    every, genuine = np.zeros(STEPS, np.int64), np.zeros(STEPS, np.int64)
    passed = genuine_passed = row = 0
    while row < len(first):
        column = row if within else 0
        stop = min(len(first), row + max(1, _BLOCK_PAIRS // max(1, len(second) - column)))
        scores = first[row:stop] @ second[column:].T
        steps = _steps(scores)
        if within:  # what lies right of the diagonal
            right = np.triu_indices(stop - row, k=1, m=scores.shape[1])
            every += np.bincount(steps[right], minlength=STEPS)
        else:
            every += np.bincount(steps.ravel(), minlength=STEPS)
        own = [
            slice(max(starts[k], k + 1) - column if within else starts[k], ends[k] - column) for k in range(row, stop)
        ]
        runs = [steps[k, run] for k, run in enumerate(own) if run.stop > run.start]
        genuine += np.bincount(np.concatenate(runs), minlength=STEPS) if runs else 0
        if threshold is not None:
            above = scores >= threshold
            passed += int(np.count_nonzero(above[right] if within else above))
            genuine_passed += sum(int(np.count_nonzero(above[k, run])) for k, run in enumerate(own))
        row = stop
    return PairCounts(genuine, every - genuine, threshold, genuine_passed, passed - genuine_passed)


def _steps(scores: np.ndarray) -> np.ndarray:
    steps = (scores + 1) * (STEPS / 2)
    return np.clip(steps, 0, STEPS - 1, out=steps).astype(np.int32)


def _sorted(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings normalised in float32, the same identities side by side."""
    embeddings, labels = check_embeddings(embeddings, labels)
    order = np.argsort(labels, kind="stable")
    return embeddings[order].astype(np.float32), labels[order]


def sampled_scores(embeddings: np.ndarray, labels: np.ndarray, impostors: int, *, seed: int = 0) -> Scores:
    """Return the scores of all genuine pairs, and of impostor pairs drawn at random: where there are too many of these.

    Each impostor pair is as likely as any other, and may come twice. Whatever is measured on these scores with its
    interval over identities holds what the sample costs, see :func:`far_variance`.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        impostors: how many impostor pairs to draw.
        seed: of the draw.

    Raises:
        FacelabError: there are no genuine or no impostor pairs, or ``impostors`` is not positive.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> scores = sampled_scores(generator.normal(size=(300, 8)), np.arange(300) // 3, impostors=1000)
        >>> int(scores.genuine.sum()), int((~scores.genuine).sum())
        (300, 1000)
    """
    labels = check_labels(labels)
    return listed_scores(embeddings, labels, *listed_pairs(labels, impostors, seed=seed))


def listed_pairs(labels: np.ndarray, impostors: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which pairs :func:`sampled_scores` compares: the rows of the two sides, shape (p,) each."""
    if impostors < 1:
        raise FacelabError(f"impostors={impostors}: draw 1 pair or more; a million is a good number.")
    genuine = _genuine_pairs(labels)
    check_pair_counts(len(genuine[0]), len(labels) * (len(labels) - 1) // 2)
    drawn = _draw_impostors(labels, impostors, seeded(seed))
    first, second = (np.concatenate(sides) for sides in zip(genuine, drawn, strict=True))
    return first, second


def _genuine_pairs(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], labels[order], side="right")
    others = ends - np.arange(len(labels)) - 1  # of the same identity, behind each
    first = np.repeat(np.arange(len(labels)), others)
    second = np.arange(others.sum()) - np.repeat(np.cumsum(others) - others, others) + first + 1
    return order[first], order[second]


def _draw_impostors(labels: np.ndarray, number: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw pairs of two identities with replacement, all alike likely."""
    first, second = np.empty(number, np.int64), np.empty(number, np.int64)
    again = np.arange(number)
    while len(again):
        first[again], second[again] = (generator.integers(len(labels), size=len(again)) for _ in range(2))
        again = again[labels[first[again]] == labels[second[again]]]
    return first, second


def far_variance(scores: Scores, threshold: float) -> tuple[float, float]:
    r"""Return the variance of FAR at a threshold over other people and other samples, and the sample's part of it.

    With n impostor pairs drawn from all pairs of a set,

    .. math:: \operatorname{var}(\hat p) = V_\text{people} + \frac{p (1 - p)}{n}

    The first part is that of FAR over all pairs of as many other people; the second is what it costs that only n of
    these pairs were looked at. The variance of :func:`facelab.evaluate.counts.pair_variance` over the drawn pairs is
    their sum, so it is estimated from the sample alone: pairs that share an identity vary together, and each pair
    varies by itself.

    Args:
        scores: from :func:`sampled_scores`.
        threshold: pairs with a score as high or higher are accepted.

    Returns:
        (the whole, the sample's part), the second never more than the first.
    """
    counts = count_errors(scores, threshold)
    whole, pairs = counts.far_variance(), int(counts.impostor.sum()) // 2
    return whole, min(whole, counts.far_rate * (1 - counts.far_rate) / pairs)
