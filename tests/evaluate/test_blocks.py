"""Pairs block by block: counts agree with the exact ROC, and a sample's interval knows of people and of the draw."""

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import (
    auc,
    count_pairs,
    eer,
    errors_at,
    far_variance,
    pair_scores,
    sampled_scores,
    streamed_roc,
    tar_at_far,
)
from facelab.evaluate.blocks import STEPS, listed_pairs
from facelab.evaluate.counts import count_errors
from facelab.evaluate.coverage import POPULATIONS, TRUTH


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray]:
    return POPULATIONS["look-alikes"].draw(80, np.random.default_rng(0))


@pytest.mark.parametrize("block_pairs", [1, 700, 2_000_000])
def test_counts_of_blocks_add_up_to_the_roc_of_all_pairs(drawn, block_pairs, monkeypatch):
    monkeypatch.setattr("facelab.evaluate.blocks._BLOCK_PAIRS", block_pairs)
    x, labels = drawn
    shuffled = np.random.default_rng(1).permutation(len(x))
    parts = [(x[rows], labels[rows]) for rows in np.array_split(shuffled, 3)]
    counts = [count_pairs(*a, None if a is b else b) for i, a in enumerate(parts) for b in parts[i:]]
    curve, exact = sum(counts[1:], counts[0]).roc(), streamed_roc(x, labels)
    assert (curve.genuine_pairs, curve.impostor_pairs) == (exact.genuine_pairs, exact.impostor_pairs)
    assert auc(curve) == pytest.approx(auc(exact), abs=1e-6)
    assert eer(curve) == pytest.approx(eer(exact), abs=1e-4)
    for far in (0.1, 0.01, 0.001):
        assert tar_at_far(exact, far) - 2e-3 <= tar_at_far(curve, far) <= tar_at_far(exact, far)
    scores = pair_scores(x, labels)
    for k in range(0, len(curve.threshold), 101):  # each point is what its threshold does, but for float32's rounding
        passed = scores.values >= curve.threshold[k]
        assert passed[~scores.genuine].mean() == pytest.approx(curve.far[k], abs=1e-4)
        assert passed[scores.genuine].mean() == pytest.approx(curve.tar[k], abs=1e-4)


def test_a_threshold_that_is_no_step_is_counted_at(drawn):
    x, labels = drawn
    threshold = 0.3 + 0.5 / STEPS
    curve = sum((count_pairs(x[200:], labels[200:], threshold=threshold),
                 count_pairs(x[:200], labels[:200], (x[200:], labels[200:]), threshold=threshold)),
                count_pairs(x[:200], labels[:200], threshold=threshold)).roc()  # fmt: skip
    at = int(np.flatnonzero(curve.threshold == threshold)[0])
    scores = pair_scores(x, labels)
    assert curve.far[at] == pytest.approx((scores.values >= threshold)[~scores.genuine].mean(), abs=1e-12)
    assert curve.tar[at] == pytest.approx((scores.values >= threshold)[scores.genuine].mean(), abs=1e-12)
    assert (np.diff(curve.threshold) < 0).all()
    assert (np.diff(curve.far) >= 0).all()


def test_all_genuine_pairs_and_alike_likely_impostors():
    labels = np.array([2, 0, 2, 1, 0, 2, 3])
    first, second = listed_pairs(labels, 60_000, seed=1)
    genuine = labels[first] == labels[second]
    assert {frozenset(pair) for pair in zip(first[genuine].tolist(), second[genuine].tolist(), strict=True)} == {
        frozenset(pair) for pair in [(0, 2), (0, 5), (2, 5), (1, 4)]
    }
    assert genuine.sum() == 4
    low, high = np.sort([first, second], axis=0)[:, ~genuine]
    _, counts = np.unique(low * 7 + high, return_counts=True)
    assert len(counts) == 21 - 4
    assert np.abs(counts - 60_000 / 17).max() < 5 * np.sqrt(60_000 / 17)  # five standard errors
    with pytest.raises(FacelabError, match="there are no impostor pairs"):
        listed_pairs(np.zeros(4, int), 5, seed=0)
    with pytest.raises(FacelabError, match="there are no genuine pairs"):
        listed_pairs(np.arange(4), 5, seed=0)


def test_the_draw_adds_its_own_variance(drawn):
    """Of one set, samples scatter as the second part of the variance says."""
    x, labels = drawn
    threshold, scores = TRUTH["look-alikes"]["threshold at FAR 0.1"], pair_scores(x, labels)
    whole = count_errors(scores, threshold)
    fars, parts = [], []
    for seed in range(200):
        sample = sampled_scores(x, labels, 1000, seed=seed)
        fars.append(count_errors(sample, threshold).far_rate)
        parts.append(far_variance(sample, threshold))
    whole_variance, of_draw = np.mean(parts, axis=0)
    assert np.mean(fars) == pytest.approx(whole.far_rate, abs=4 * np.std(fars) / np.sqrt(200))
    assert np.var(fars) == pytest.approx(of_draw, rel=0.4)  # 200 variances: 10 % standard error
    assert whole_variance - of_draw == pytest.approx(whole.far_variance(), rel=0.5)


@pytest.mark.parametrize(("far", "impostors"), [(0.1, 1000), (0.1, 20_000), (0.01, 5000)])
def test_intervals_of_samples_hold_the_truth(far, impostors):
    population, generator = POPULATIONS["look-alikes"], np.random.default_rng([impostors])
    threshold, held, narrower = TRUTH[population.name][f"threshold at FAR {far:g}"], 0, 0
    for seed in range(60):
        x, labels = population.draw(60, generator)
        rate = count_errors(sampled_scores(x, labels, impostors, seed=seed), threshold).far()
        everything = count_errors(pair_scores(x, labels), threshold).far()
        held += rate.low <= far <= rate.high
        narrower += everything.high - everything.low < rate.high - rate.low
    assert held >= 51  # of 60; 57 are expected, and fewer than 51 come once in 200 times
    assert narrower > 40
    found = errors_at(sampled_scores(x, labels, impostors, seed=0), threshold, replicates=2)[0]
    assert found == count_errors(sampled_scores(x, labels, impostors, seed=0), threshold).far()
