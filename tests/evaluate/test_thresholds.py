import numpy as np
import pytest
from sklearn.metrics import det_curve, roc_curve

from facelab.errors import FacelabError
from facelab.evaluate import (
    Estimate,
    Scores,
    apply_threshold,
    chance_of_a_false_match,
    det,
    errors_at,
    false_matches_per_day,
    operating_point,
    pair_scores,
    roc,
    tar_at_far,
    threshold_at_far,
    transfer_threshold,
)
from facelab.evaluate.counts import count_errors


def some_scores(ties: bool = False, seed: int = 0, n: int = 500, shift: float = 0.0) -> Scores:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 6, (2, n))
    values = generator.normal(first == second, 1) + shift
    return Scores(values.round(1) if ties else values, first, second)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("far", [0.0025, 0.01, 0.1, 0.5, 0.99, 1.0])
def test_selection_equals_the_curve_and_scikit_learn(ties, seed, far):
    scores = some_scores(ties, seed)
    point, curve = operating_point(scores, far), roc(scores)
    assert point.tar == pytest.approx(tar_at_far(curve, far))
    assert point.threshold == curve.threshold[curve.far <= far * (1 + 1e-12)][-1]
    fpr, tpr, _ = roc_curve(scores.genuine, scores.values, drop_intermediate=False)
    assert point.tar == pytest.approx(tpr[fpr <= far * (1 + 1e-12)].max())
    assert point.far <= far * (1 + 1e-12)
    assert point.frr == pytest.approx(1 - point.tar)
    again = apply_threshold(scores, point.threshold)
    assert (again.far, again.tar) == (point.far, point.tar)


def test_the_scores_are_not_changed():
    scores = some_scores()
    before = scores.values.copy()
    operating_point(scores, 0.01)
    np.testing.assert_array_equal(scores.values, before)


def test_monotone_transform_and_permutation_change_nothing():
    scores = some_scores(ties=True)
    order = np.random.default_rng(1).permutation(len(scores))
    point = operating_point(scores, 0.05)
    moved = operating_point(Scores(np.exp(scores.values), scores.first, scores.second), 0.05)
    mixed = operating_point(Scores(scores.values[order], scores.first[order], scores.second[order]), 0.05)
    assert (moved.far, moved.tar) == (mixed.far, mixed.tar) == (point.far, point.tar)
    assert moved.threshold == np.exp(point.threshold)


def test_constant_scores_accept_nobody_or_everybody():
    scores = Scores(np.full(20, 0.3), np.zeros(20), np.r_[np.zeros(10), np.ones(10)])
    assert operating_point(scores, 0.5).threshold == np.inf
    assert (operating_point(scores, 0.5).far, operating_point(scores, 0.5).tar) == (0, 0)
    assert threshold_at_far(scores, 1.0) == 0.3


def test_the_smallest_far_that_the_pairs_support_is_a_number_and_a_smaller_one_is_not():
    """49 impostor pairs: 1/49 is measured (also though 49 * (1/49) < 1 in floating point), 1/50 is not."""
    scores = Scores(np.r_[np.arange(49.0), 47.5], np.zeros(50), np.r_[np.ones(49), 0])
    assert operating_point(scores, 1 / 49).tar == 1
    assert tar_at_far(roc(scores), 1 / 49) == 1
    with pytest.warns(UserWarning, match="needs at least 50 impostor pairs, there are 49"):
        assert np.isnan(operating_point(scores, 1 / 50).tar)
    with pytest.warns(UserWarning, match="needs at least 50 impostor pairs, there are 49"):
        assert np.isnan(tar_at_far(roc(scores), 1 / 50))


@pytest.mark.parametrize("far", [0.0, -0.1, 1.1, float("nan")])
def test_a_far_that_is_none_is_an_error(far):
    with pytest.raises(FacelabError, match="far="):
        operating_point(some_scores(), far)
    with pytest.raises(FacelabError, match="far="):
        transfer_threshold(some_scores(), some_scores(), far)


def test_nan_scores_and_missing_pairs_are_named():
    scores = some_scores()
    broken = scores.values.copy()
    broken[17] = np.nan
    with pytest.raises(FacelabError, match="score 17 is NaN"):
        operating_point(Scores(broken, scores.first, scores.second), 0.1)
    with pytest.raises(FacelabError, match="no impostor pairs"):
        operating_point(Scores(scores.values, scores.first, scores.first), 0.1)
    with pytest.raises(FacelabError, match="NaN"):
        apply_threshold(scores, float("nan"))


def test_transfer_worked_by_hand():
    """Chosen: impostors 0.0 .. 0.9, FAR 0.2 lets 0.9 and 0.8 through. The other set scores 0.1 more: 0.7 passes too."""
    impostors = np.arange(10) / 10
    first, second = np.r_[np.zeros(10), 1, 1], np.r_[np.ones(10), 1, 1]
    chosen_on = Scores(np.r_[impostors, 0.95, 0.75], first, second)
    applied_to = Scores(np.r_[(np.arange(10) + 1) / 10, 0.95, 0.85], first, second)
    transfer = transfer_threshold(chosen_on, applied_to, 0.2)
    assert transfer.chosen.threshold == 0.75
    # The lowest threshold with FAR 0.2 is the genuine score 0.75: it accepts both genuine pairs and impostors 0.8, 0.9.
    assert (transfer.chosen.far, transfer.chosen.tar) == (0.2, 1.0)
    assert (transfer.applied.far, transfer.applied.tar) == (0.3, 1.0)
    assert transfer.drift.value == pytest.approx(1.5)
    assert "1.5 times what was asked, 95 % interval" in str(transfer)
    assert (transfer.far.value, transfer.frr.value, transfer.far.n, transfer.frr.n) == (0.3, 0.0, 10, 2)


def test_no_drift_on_the_set_itself_and_some_on_shifted_scores():
    scores = some_scores()
    n = int((~scores.genuine).sum())
    same = transfer_threshold(scores, scores, 20 / n, replicates=200).drift
    assert same.value == pytest.approx(1)
    assert same.low < 1 < same.high
    assert transfer_threshold(scores, some_scores(shift=1.0), 20 / n, replicates=50).drift.value > 2
    with pytest.raises(FacelabError, match="too few"):
        transfer_threshold(scores, scores, 1e-6)


def test_transfer_adds_what_the_choice_of_the_threshold_costs():
    """The second set alone gives a narrower interval; with very many people in the first set it is the same."""
    applied_to = of_people(20, seed=1)

    def widths(number: int) -> tuple[np.ndarray, np.ndarray]:
        transfer = transfer_threshold(of_people(number), applied_to, 0.1, replicates=300)
        alone = errors_at(applied_to, transfer.chosen.threshold, replicates=300)
        both = (transfer.far, transfer.frr)
        assert [rate.value for rate in both] == [rate.value for rate in alone]
        return tuple(np.array([rate.high - rate.low for rate in rates]) for rates in (both, alone))

    few, alone = widths(10)
    assert (few > 1.15 * alone).all()
    many, alone = widths(200)
    np.testing.assert_allclose(many, alone, rtol=0.1)


def test_what_the_choice_of_the_threshold_adds_is_what_it_scatters():
    """FAR on one large set at thresholds from many small ones: its variance is the part that is added, on average."""
    large = of_people(250, seed=7)
    found, added = [], []
    for seed in range(60):
        small = of_people(15, seed=100 + seed)
        threshold = threshold_at_far(small, 0.1)
        found.append(apply_threshold(large, threshold).far)
        first = count_errors(small, threshold)
        error = np.sqrt(first.far_variance())
        strict, loose = (apply_threshold(large, threshold_at_far(small, far)).far for far in (0.1 - error, 0.1 + error))
        added.append(((loose - strict) / 2) ** 2)
    assert np.mean(added) == pytest.approx(np.var(found), rel=0.4)


def test_errors_at_a_threshold_know_that_people_are_a_sample():
    few, many = (errors_at(of_people(number), 0.5, replicates=300) for number in (8, 64))
    for narrow, wide in zip(many, few, strict=True):
        assert narrow.low < narrow.value < narrow.high
        assert narrow.high - narrow.low < 0.7 * (wide.high - wide.low)
    far, frr = errors_at(of_people(8), 99.0, replicates=20)
    assert (far.value, far.low, frr.value, frr.high) == (0, 0, 1, 1)
    assert far.high > 0.2  # nobody of 8 people is no proof
    assert frr.low < 0.8


def of_people(number: int, seed: int = 0) -> Scores:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(number), 4)
    centres = generator.normal(0, 1, (number, 4))[labels]
    return pair_scores(centres + generator.normal(0, 0.7, (len(labels), 4)), labels)


def test_false_matches_a_day():
    assert false_matches_per_day(1e-5, searches=2000, gallery=500) == pytest.approx(10)
    estimate = false_matches_per_day(Estimate(1e-3, 5e-4, 2e-3, 10_000), searches=100)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.1, 0.05, 0.2))
    for wrong in ((1.5, 1, 1), (0.1, -1, 1), (0.1, 1, 0)):
        with pytest.raises(FacelabError):
            false_matches_per_day(*wrong)


@pytest.mark.parametrize(("far", "gallery"), [(0.01, 1), (0.01, 100), (0.3, 7), (0.0, 9), (1.0, 3)])
def test_chance_of_a_false_match(far, gallery):
    assert chance_of_a_false_match(far, gallery) == pytest.approx(1 - (1 - far) ** gallery)


def test_chance_of_a_false_match_at_a_tiny_far_keeps_its_digits():
    assert chance_of_a_false_match(1e-18, 1000) == pytest.approx(1e-15, rel=1e-9)


def test_det_agrees_with_scikit_learn_and_is_straight_for_normal_scores():
    scores = some_scores(seed=3)
    from scipy.stats import norm

    far, frr, _ = det_curve(scores.genuine, scores.values)
    shown = (far > 0) & (far < 1) & (frr > 0) & (frr < 1)
    ours = {(round(x, 9), round(y, 9)) for x, y in zip(*det(roc(scores)), strict=True)}
    peer = {(round(x, 9), round(y, 9)) for x, y in zip(norm.ppf(far[shown]), norm.ppf(frr[shown]), strict=True)}
    assert peer <= ours  # scikit-learn leaves out a few points in the middle of straight runs
    big = some_scores(n=200_000)
    x, y = det(roc(big))
    middle = (np.abs(x) < 1.5) & (np.abs(y) < 1.5)
    slope, _ = np.polyfit(x[middle], y[middle], 1)
    assert slope == pytest.approx(-1, abs=0.02)  # equal spreads
    assert np.corrcoef(x[middle], y[middle])[0, 1] < -0.999
