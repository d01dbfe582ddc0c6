from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import t as student
from scipy.stats import ttest_1samp

from facelab.errors import FacelabError
from facelab.evaluate import Scores, draw_pairs, fold_accuracy
from facelab.evaluate.estimate import wilson_ends
from facelab.evaluate.folds import consecutive_folds


def some_scores(n: int = 200, ties: bool = False, seed: int = 0) -> Scores:
    generator = np.random.default_rng(seed)
    genuine = np.arange(n) % 2
    values = generator.normal(genuine * 1.5, 1)
    return Scores(values.round(1) if ties else values, np.zeros(n), 1 - genuine)


def brute_force(scores: Scores, folds: np.ndarray) -> list[float]:
    """Try a threshold in every gap of the training scores, the highest first."""
    accuracies = []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        distinct = sorted(set(scores.values[train]), reverse=True)
        candidates = [np.inf, *[(a + b) / 2 for a, b in pairwise(distinct)], -np.inf]
        best, chosen = -1.0, None
        for threshold in candidates:
            accuracy = ((scores.values[train] >= threshold) == scores.genuine[train]).mean()
            if accuracy > best:
                best, chosen = accuracy, threshold
        accuracies.append(((scores.values[test] >= chosen) == scores.genuine[test]).mean())
    return accuracies


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_brute_force_loop(ties, seed):
    scores = some_scores(ties=ties, seed=seed)
    result = fold_accuracy(scores)
    np.testing.assert_allclose(result.accuracies, brute_force(scores, consecutive_folds(200)))
    assert result.mean == pytest.approx(np.mean(result.accuracies))
    # LFW's definition, written out
    mu = sum(result.accuracies) / 10
    sigma = (sum((p - mu) ** 2 for p in result.accuracies) / 9) ** 0.5
    assert result.standard_error == pytest.approx(sigma / 10**0.5)


@pytest.mark.parametrize("seed", range(3))
def test_the_chosen_threshold_is_at_least_as_good_in_training_as_any_of_a_grid(seed):
    scores = some_scores(seed=seed)
    result, folds = fold_accuracy(scores), consecutive_folds(200)
    for fold, threshold in enumerate(result.thresholds):
        train = folds != fold

        def right(t, train=train):
            return ((scores.values[train] >= t) == scores.genuine[train]).mean()

        assert right(threshold) >= max(right(t) for t in np.arange(-4, 6, 0.01))


def test_separable_pairs_are_all_right():
    genuine = np.arange(60) % 2
    generator = np.random.default_rng(0)
    scores = Scores(generator.uniform(0, 0.3, 60) + 0.6 * genuine, np.zeros(60), 1 - genuine)
    result = fold_accuracy(scores)
    assert result.mean == 1
    assert result.standard_error == 0
    assert str(result) == "100.00 ± 0.00 % (60 pairs, 10 folds)"


def test_affine_transform_and_order_within_folds_change_nothing():
    scores, folds = some_scores(), consecutive_folds(200)
    before = fold_accuracy(scores)
    order = np.random.default_rng(1).permutation(200)
    moved = fold_accuracy(Scores(4 * scores.values + 8, scores.first, scores.second))
    mixed = fold_accuracy(Scores(scores.values[order], scores.first[order], scores.second[order]), folds[order])
    np.testing.assert_allclose(moved.accuracies, before.accuracies)
    np.testing.assert_allclose(mixed.accuracies, before.accuracies)


def test_constant_scores_are_as_good_as_a_coin():
    scores = Scores(np.full(100, 0.5), np.zeros(100), np.arange(100) % 2)
    assert fold_accuracy(scores).mean == 0.5


def test_neighbouring_floating_point_scores_are_told_apart():
    low = 0.5
    high = np.nextafter(low, 1)
    genuine = np.arange(40) % 2
    assert fold_accuracy(Scores(np.where(genuine, high, low), np.zeros(40), 1 - genuine)).mean == 1


def test_lfw_folds():
    folds = consecutive_folds(6000)
    np.testing.assert_array_equal(folds, np.repeat(np.arange(10), 600))


def test_what_cannot_be_measured_is_named():
    scores = some_scores()
    with pytest.raises(FacelabError, match="at least 2"):
        fold_accuracy(scores, 1)
    with pytest.raises(FacelabError, match=r"\(3,\)"):
        fold_accuracy(scores, np.arange(3))
    with pytest.raises(FacelabError, match="no impostor pairs"):
        fold_accuracy(Scores(scores.values, scores.first, scores.first))
    broken = np.where(np.arange(200) == 5, np.nan, scores.values)
    with pytest.raises(FacelabError, match="score 5 is not finite"):
        fold_accuracy(Scores(broken, scores.first, scores.second))


@pytest.mark.parametrize("seed", range(3))
def test_drawn_pairs_are_balanced_distinct_and_share_no_identity_between_folds(seed):
    labels = np.repeat(np.arange(25), np.random.default_rng(seed).integers(2, 9, 25))
    first, second, fold = draw_pairs(labels, np.random.default_rng(seed), folds=5, each=12)
    same = labels[first] == labels[second]
    assert len({frozenset(pair) for pair in zip(first.tolist(), second.tolist(), strict=True)}) == len(first)
    assert (first != second).all()
    people = [set(labels[np.r_[first[fold == k], second[fold == k]]]) for k in range(5)]
    for k in range(5):
        assert same[fold == k].sum() == (~same[fold == k]).sum() == same.sum() / 5
        assert not people[k] & set().union(*people[:k], *people[k + 1 :])
    again = draw_pairs(labels, np.random.default_rng(seed), folds=5, each=12)
    np.testing.assert_array_equal(np.array(again), np.array((first, second, fold)))


def test_too_few_identities_for_the_folds_are_an_error():
    with pytest.raises(FacelabError, match="19 identities are too few for 10 folds: at least 20"):
        draw_pairs(np.repeat(np.arange(19), 3), np.random.default_rng(0))
    with pytest.raises(FacelabError, match="no genuine pair"):
        draw_pairs(np.r_[np.arange(20), 0], np.random.default_rng(0))
    first, _, fold = draw_pairs(np.r_[np.arange(20), np.arange(10)], np.random.default_rng(0))
    assert len(first) == 20  # the ten identities with two images spread over the ten folds
    assert np.bincount(fold).tolist() == [2] * 10


def test_the_interval_over_folds_is_students():
    result = fold_accuracy(some_scores())
    interval = ttest_1samp(result.accuracies, 0).confidence_interval()
    assert (result.over_folds.low, result.over_folds.high) == pytest.approx((interval.low, interval.high))
    assert result.over_folds.n == 200


def test_the_interval_over_identities_knows_who_shares_pairs():
    """The variance is the sum over all pairs of pairs with a common identity; of people on one pair each, binomial."""
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 12, (2, 200))
    scores = Scores(generator.normal(first == second, 1), first, second)
    result = fold_accuracy(scores)
    right = np.concatenate(
        [
            (scores.values[part] >= t) == scores.genuine[part]
            for t, part in zip(result.thresholds, np.split(np.arange(200), 10), strict=True)
        ]
    )
    assert result.estimate.value == pytest.approx(result.mean) == pytest.approx(right.mean())
    sides = np.stack([scores.first, scores.second])
    shared = (sides[:, None, :, None] == sides[None, :, None, :]).any(axis=(0, 1))
    rest = right - right.mean()
    variance = (shared * np.outer(rest, rest)).sum() / (~shared).sum()
    identities = len(np.unique(sides))
    trials = result.mean * (1 - result.mean) / variance
    expected = wilson_ends(result.mean, min(200, trials), student.ppf(0.975, identities - 1))
    assert (result.estimate.low, result.estimate.high) == pytest.approx(expected)
    assert (result.estimate.n, result.estimate.identities) == (200, identities)
    scores = some_scores()
    strangers = Scores(scores.values, np.arange(200), np.where(scores.genuine, np.arange(200), np.arange(200) + 500))
    alone = fold_accuracy(strangers).estimate
    binomial = wilson_ends(alone.value, 200, 1.97)
    assert (alone.low, alone.high) == pytest.approx(binomial, abs=0.005)
