from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ttest_1samp, ttest_rel

from facelab.errors import FacelabError
from facelab.evaluate import (
    Comparison,
    Estimate,
    Scores,
    auc,
    compare_by_identity,
    compare_scores,
    holm,
    holm_sentence,
    roc,
    wilson,
)
from facelab.evaluate.comparison import drawn_share_over_seeds, share_over_seeds


def crossed(generator, seeds, identities, effect=0.0, seed_sd=1.0, identity_sd=1.0, rest_sd=1.0):
    """Values of two models: what is common to both is large, and cancels in the difference."""
    common = generator.normal(0, 20, (1, identities)) + generator.normal(0, 10, (seeds, 1))
    d = effect + generator.normal(0, seed_sd, (seeds, 1)) + generator.normal(0, identity_sd, (1, identities))
    return common + d + generator.normal(0, rest_sd, (seeds, identities)), common + np.zeros((seeds, identities))


@pytest.mark.parametrize(
    ("seed_sd", "identity_sd", "rest_sd"), [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0.2, 1, 3), (0.3, 2, 0)]
)
def test_intervals_cover_the_truth(seed_sd, identity_sd, rest_sd):
    """Whatever varies, seeds, identities or both, at least about 95 % of the intervals hold the true difference."""
    generator = np.random.default_rng(0)
    covered = 0
    for _ in range(600):
        result = compare_by_identity(
            *crossed(generator, 5, 30, 0.5, seed_sd, identity_sd, rest_sd), share=False
        ).difference
        covered += result.low <= 0.5 <= result.high
    assert covered / 600 > 0.925


def test_a_share_over_seeds_stays_a_share_and_knows_both_sources():
    """Of few people all errors are made; a symmetric interval would end above 1."""
    generator = np.random.default_rng(0)
    right = np.ones((4, 40))
    right[:, :2] = generator.uniform(0.3, 0.9, (4, 2))
    plain = compare_by_identity(right, np.zeros_like(right), share=False).difference
    assert plain.high > 1
    share = share_over_seeds(right, 400)
    assert share.low < plain.low < share.value == plain.value < share.high < 1
    assert (share.n, share.identities) == (400, 40)
    drawn = generator.multinomial(40, np.full(40, 1 / 40), size=4000) / 40
    again = drawn_share_over_seeds(right.mean(axis=1), right @ drawn.T, 400, 40)
    assert (again.low, again.high) == pytest.approx((share.low, share.high), abs=0.003)
    shifted = np.clip(right + generator.normal(0, 0.02, (4, 1)), 0, 1)  # trainings that differ
    assert share_over_seeds(shifted, 400).high - share_over_seeds(shifted, 400).low > share.high - share.low
    sure = share_over_seeds(np.ones((4, 40)), 400)
    assert (sure.low, sure.high) == (wilson(40, 40).low, 1)


def test_pairing_makes_the_interval_short():
    first, second = crossed(np.random.default_rng(0), 5, 30, 3.0)
    width = compare_by_identity(first, second, share=False).difference
    unpaired = np.hypot(first.std(), second.std()) / np.sqrt(first.size)
    assert width.high - width.low < unpaired * 4


def test_one_seed_is_the_paired_t_test_over_identities():
    generator = np.random.default_rng(0)
    first, second = generator.normal(0.3, 1, (2, 1, 40))
    peer = ttest_rel(first[0], second[0])
    interval = peer.confidence_interval()
    result = compare_by_identity(first, second, share=False)
    assert result.p_value == pytest.approx(peer.pvalue)
    assert (result.difference.low, result.difference.high) == pytest.approx((interval.low, interval.high))


def test_identities_that_agree_leave_the_t_test_over_seeds():
    d = np.random.default_rng(0).normal(1, 1, (5, 1)) + np.zeros((5, 40))
    result = compare_by_identity(d, np.zeros_like(d), share=False)
    assert result.p_value == pytest.approx(ttest_1samp(d[:, 0], 0).pvalue)


def test_order_and_direction():
    first, second = crossed(np.random.default_rng(0), 5, 30, 1.0)
    result, back = compare_by_identity(first, second, share=False), compare_by_identity(second, first, share=False)
    assert back.difference.value == pytest.approx(-result.difference.value)
    assert (back.difference.low, back.difference.high) == pytest.approx(
        (-result.difference.high, -result.difference.low)
    )
    mixed = compare_by_identity(first[::-1, ::-1], second[::-1, ::-1], share=False)
    assert mixed.difference.low == pytest.approx(result.difference.low)


def test_equal_models_have_no_difference():
    x = np.random.default_rng(0).normal(size=(5, 9))
    result = compare_by_identity(x, x, share=False)
    assert (result.difference.value, result.p_value, result.shown) == (0, 1, False)


def test_a_difference_of_shares_knows_that_few_people_make_the_errors():
    """Many samples of ten people hold hardly one of those who make errors: Student's interval is then too short."""
    generator = np.random.default_rng(0)
    held = {True: 0, False: 0}
    for _ in range(400):
        hard = generator.random((1, 10)) < 0.1
        first, second = (np.where(hard, generator.beta(a, 2, (1, 10)), 0.99) for a in (4, 2))
        for share in held:
            found = compare_by_identity(first, second, share=share).difference
            held[share] += found.low <= 0.1 * (4 / 6 - 2 / 4) <= found.high
    assert held[False] / 400 < 0.65 < 0.9 < held[True] / 400


def test_two_models_without_an_error_may_still_differ():
    right = np.ones((2, 30))
    result = compare_by_identity(right, right, share=True)
    assert result.difference.low < 0 < result.difference.high
    assert (result.difference.value, result.p_value) == (0, 1)


def scores_of(seeds: int, quality: float, identities: int = 25, images: int = 4, entropy: int = 0) -> list[Scores]:
    """Scores of one list of pairs for several trainings; hard identities are hard for every model."""
    people = np.random.default_rng(7)
    labels = np.repeat(np.arange(identities), images)
    i, j = np.triu_indices(len(labels), 1)
    first, second = labels[i], labels[j]
    ease = people.normal(1.5, 0.5, identities)
    noise = people.normal(0, 1, len(i))
    out = []
    for s in range(seeds):
        own = np.random.default_rng([entropy, s]).normal(0, 0.3, len(i))
        out.append(Scores((first == second) * (ease[first] + quality) + noise + own, first, second))
    return out


def test_compare_scores_agrees_with_the_closed_form_where_there_is_one():
    """TAR at a fixed threshold, with as many genuine pairs for each identity, is a mean over identities."""
    a, b = scores_of(5, 0.4), scores_of(5, 0.0, entropy=1)

    def tar(curve):
        return curve.tar[..., np.flatnonzero(curve.threshold >= 2.0)[-1]]

    def shares(trainings):
        return np.array([[(x.values[x.genuine & (x.first == k)] >= 2.0).mean() for k in range(25)] for x in trainings])

    closed = compare_by_identity(shares(a), shares(b), share=True).difference
    drawn = compare_scores(a, b, tar, replicates=4000).difference
    assert drawn.value == pytest.approx(closed.value)
    assert drawn.n == closed.n == 25
    assert drawn.high - drawn.low == pytest.approx(closed.high - closed.low, rel=0.1)


def test_compare_scores_finds_a_difference_and_the_same_twice():
    a, b = scores_of(3, 0.5), scores_of(3, 0.0, entropy=1)
    result = compare_scores(a, b, auc, replicates=300)
    expected = np.mean([auc(roc(x)) - auc(roc(y)) for x, y in zip(a, b, strict=True)])
    assert result.difference.value == pytest.approx(expected)
    assert result.shown
    assert result.p_value < 0.05
    assert compare_scores(a, b, auc, replicates=300) == result
    assert not compare_scores(a, a, auc, replicates=50).shown


def test_what_cannot_be_paired_is_an_error():
    a = scores_of(2, 0.5)
    with pytest.raises(FacelabError, match="2 and 1 trainings"):
        compare_scores(a, a[:1], auc)
    with pytest.raises(FacelabError, match="same pairs"):
        compare_scores(a, [Scores(x.values, x.second, x.first) for x in a], auc)
    with pytest.raises(FacelabError, match=r"\(2, 3\)"):
        compare_by_identity(np.zeros((2, 3)), np.zeros((3, 2)), share=False)
    with pytest.raises(FacelabError, match="1 identities"):
        compare_by_identity(np.zeros((5, 1)), np.zeros((5, 1)), share=False)
    with pytest.raises(FacelabError, match=r"seed 1, identity 0: a share lies in \[0, 1\]"):
        compare_by_identity(np.array([[0.5, 1], [1.5, 0]]), np.zeros((2, 2)), share=True)
    with pytest.raises(FacelabError, match="seed 1, identity 2"):
        compare_by_identity(np.where(np.arange(6).reshape(2, 3) == 5, np.nan, 0), np.zeros((2, 3)), share=False)


@pytest.mark.parametrize(
    ("value", "low", "high", "seeds", "sentence"),
    [
        (0.021, 0.004, 0.039, 5, "ArcFace is higher by 2.1 points, 95 % interval 0.4 to 3.9, five seeds"),
        (-0.021, -0.039, -0.004, 12, "ArcFace is lower by 2.1 points, 95 % interval 0.4 to 3.9, 12 seeds"),
        (
            0.004,
            -0.01,
            0.018,
            5,
            "no difference shown, ArcFace minus softmax is 0.4 points, 95 % interval −1.0 to 1.8, five seeds",
        ),
        (  # no minus before a zero
            0.015,
            -0.0001,
            0.03,
            5,
            "no difference shown, ArcFace minus softmax is 1.5 points, 95 % interval 0.0 to 3.0, five seeds",
        ),
        (
            0.021,
            0.004,
            0.039,
            1,
            "ArcFace is higher by 2.1 points, 95 % interval 0.4 to 3.9, "
            "one seed only, so other trainings may differ more",
        ),
    ],
)
def test_sentence(value, low, high, seeds, sentence):
    assert Comparison(Estimate(value, low, high, 75), 0.01, seeds).sentence("ArcFace", "softmax") == sentence


def test_sentence_without_points():
    comparison = Comparison(Estimate(0.5, 0.25, 0.75, 75), 0.01, 2)
    assert (
        comparison.sentence("A", "B", points=False) == "A is higher by 0.500, 95 % interval 0.250 to 0.750, two seeds"
    )


def test_holm_worked_by_hand():
    """Falling factors 4, 3, 2, 1; the third value 0.06 lifts the fourth."""
    corrected = holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert corrected == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(corrected) == ["a", "b", "c", "d"]
    assert holm({}) == {}
    with pytest.raises(FacelabError, match="'x'"):
        holm({"x": float("nan")})


def test_holm_says_what_is_left():
    said = holm_sentence({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.0001})
    assert said == "of 4 comparisons, 2 are shown at level 0.05 after Holm's correction: a (p = 0.030), d (p < 0.001)"
    assert holm_sentence({"a": 0.04, "b": 0.03}) == (
        "of 2 comparisons, none is shown at level 0.05 after Holm's correction"
    )
    assert "1 is shown at level 0.2" in holm_sentence({"a": 0.04, "b": 0.9}, level=0.2)


@pytest.mark.parametrize("seed", range(5))
def test_holm_is_closed_testing_with_bonferroni(seed):
    """Independent definition: the worst Bonferroni value over all sets of comparisons that hold this one."""
    p = dict(enumerate((np.random.default_rng(seed).random(6) ** 3).tolist()))
    expected = {
        name: max(
            min(1, size * min(p[k] for k in group))
            for size in range(1, 7)
            for group in combinations(p, size)
            if name in group
        )
        for name in p
    }
    assert holm(p) == pytest.approx(expected)
