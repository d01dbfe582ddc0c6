import numpy as np
import pytest
from scipy import stats
from scipy.optimize import minimize

from facelab.errors import FacelabError
from facelab.evaluate import Calibration, Scores, calibrate, cllr


def normal_scores(genuine: int, impostor: int, seed: int = 0) -> Scores:
    """Genuine N(0.6, 0.2), impostor N(0, 0.2): the log likelihood ratio is 15 s - 4.5."""
    generator = np.random.default_rng(seed)
    values = np.r_[generator.normal(0.6, 0.2, genuine), generator.normal(0, 0.2, impostor)]
    return Scores(values, np.zeros(genuine + impostor), np.r_[np.zeros(genuine), np.ones(impostor)])


@pytest.mark.parametrize(("genuine", "impostor"), [(100_000, 100_000), (20_000, 200_000)])
def test_finds_the_likelihood_ratio_whatever_the_mix(genuine, impostor):
    calibration = calibrate(normal_scores(genuine, impostor))
    assert calibration.slope == pytest.approx(15, rel=0.02)
    assert calibration.intercept == pytest.approx(-4.5, rel=0.02)
    assert calibration.threshold() == pytest.approx(0.3, abs=0.005)  # halfway, where both densities are equal


def test_agrees_with_a_general_minimiser():
    """What balanced logistic regression minimises is Cllr itself."""
    scores = normal_scores(60, 300)
    ours = calibrate(scores)
    peer = minimize(lambda x: cllr(x[0] * scores.values + x[1], scores.genuine), [1.0, 0.0], options={"gtol": 1e-9})
    assert (ours.slope, ours.intercept) == pytest.approx(tuple(peer.x), rel=1e-3)
    assert cllr(ours.log_likelihood_ratio(scores.values), scores.genuine) <= peer.fun + 1e-9


def test_probability_moves_with_the_prior_and_never_overflows():
    calibration = Calibration(15, -4.5)
    assert calibration.probability(0.3) == pytest.approx(0.5)
    assert calibration.probability(0.3, prior=0.01) == pytest.approx(0.01)
    s = calibration.threshold(0.9, prior=1e-4)
    assert calibration.probability(s, prior=1e-4) == pytest.approx(0.9)
    np.testing.assert_array_equal(calibration.probability(np.array([-1e6, 1e6])), [0, 1])


def test_calibrated_shares_are_what_they_say():
    scores = normal_scores(50_000, 50_000)
    p = calibrate(normal_scores(50_000, 50_000, seed=1)).probability(scores.values)
    for low in np.arange(0.1, 0.9, 0.1):
        inside = (p >= low) & (p < low + 0.1)
        assert scores.genuine[inside].mean() == pytest.approx(p[inside].mean(), abs=0.03)


def test_cllr_worked_by_hand():
    genuine = np.array([True, False])
    assert cllr(np.zeros(2), genuine) == pytest.approx(1)
    # ratios of 3 and 1/3: log2(1 + 1/3) on both sides
    assert cllr(np.log([3, 1 / 3]), genuine) == pytest.approx(np.log2(4 / 3))
    assert cllr(np.array([1e5, -1e5]), genuine) == 0
    with pytest.raises(FacelabError, match="no impostor pairs"):
        cllr(np.zeros(2), np.array([True, True]))


def test_the_cost_has_an_interval_over_people_not_over_pairs():
    """Each person is easy or hard in all pairs at once: what is drawn decides, however many pairs there are."""
    people = np.arange(12).repeat(5)
    i, j = np.triu_indices(60, k=1)
    ease = np.where(people % 2, 0.5, 0.1)
    scores = Scores(np.where(people[i] == people[j], ease[i], 0.0), people[i], people[j])
    calibration = Calibration(15, -4.5)
    cost = calibration.cost(scores, replicates=300)
    assert cost.value == pytest.approx(cllr(15 * scores.values - 4.5, scores.genuine))
    easy, hard, impostor = (np.logaddexp(0, -ell) / np.log(2) for ell in (3.0, -3.0, 4.5))
    assert cost.identities == 12
    # Genuine pairs cost the mean over 12 people, drawn again: Student's interval of it, as impostors are all alike.
    half = stats.t.ppf(0.975, 11) * (hard - easy) / 2 / 11**0.5
    mean = ((easy + hard) / 2 + impostor) / 2
    assert (cost.low, cost.high) == pytest.approx((mean - half / 2, mean + half / 2), abs=0.15 * half)
    assert calibration.cost(scores, replicates=300) == cost
    with pytest.raises(FacelabError, match="no impostor pairs"):
        calibration.cost(Scores(np.ones(2), np.zeros(2), np.zeros(2)))


@pytest.mark.filterwarnings("ignore:genuine pairs score lower")
@pytest.mark.parametrize("sign", [1, -1])
def test_scores_that_do_not_overlap_or_do_not_differ_are_errors(sign):
    first, second = np.zeros(6), np.r_[np.zeros(3), np.ones(3)]
    with pytest.raises(FacelabError, match="do not overlap"):
        calibrate(Scores(sign * np.array([0.7, 0.8, 0.9, 0.1, 0.2, 0.3]), first, second))
    with pytest.raises(FacelabError, match="all 6 scores"):
        calibrate(Scores(np.full(6, 0.4), first, second))
    for prior in (0, 1):
        with pytest.raises(FacelabError, match="probability"):
            Calibration(1, 0).probability(np.zeros(1), prior=prior)
