"""One interval: few people are no proof, what is no share is not taken for one, and one place makes it of draws."""

import ast
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import t as student

import facelab
from facelab.analyze import linear_probe, rank_correlation, ratio_by_identity, response
from facelab.detect import Detection, average_precision, match, photograph_bootstrap
from facelab.errors import FacelabError
from facelab.evaluate import (
    Estimate,
    Scores,
    bootstrap_interval,
    closed_set_accuracy,
    error_versus_reject,
    errors_at,
    errors_by_group,
    fold_accuracy,
    leave_one_out_rank1,
    mean_by_identity,
    open_set,
    pair_scores,
    threshold_at_far,
    transfer_threshold,
    verification,
    verification_of_pairs,
    wilson,
)
from facelab.evaluate.estimate import wilson_ends
from facelab.synth.vary import Sweep

# Five people whom nothing confuses, four images of each; and three strangers.
LABELS = np.repeat(np.arange(5), 4)
X = np.eye(8)[LABELS] + 0.01 * np.random.default_rng(0).normal(size=(20, 8))
STRANGERS = np.eye(8)[5:]
SCORES = pair_scores(X, LABELS)
OPPOSITE = Scores(-SCORES.values, SCORES.first, SCORES.second)
FEW = {"replicates": 50}


def group(rate: str) -> Estimate:
    return getattr(errors_by_group(X, LABELS, LABELS % 2, 0.5, **FEW).groups[0], rate)


def detected(measure, *, seen: bool = True) -> Estimate:
    """One face on each of seven photographs, all found or none, and no false alarm."""
    box = np.array([0.0, 0, 10, 10])
    matches = match([[Detection(box, 0.9, None)] if seen else []] * 7, [box[None]] * 7)
    draws = photograph_bootstrap(lambda counts: measure(matches, counts), 7, replicates=50)
    return bootstrap_interval(measure(matches, np.ones(7)), draws, 7, 7, share=True)


def recall(matches, counts) -> float:
    return float(counts @ matches.face_found() / counts.sum())


def probe() -> Estimate:
    """The word stands in the embedding, and is another from image to image."""
    labels, even = np.repeat(np.arange(12), 2), np.arange(24) % 2
    return linear_probe(np.eye(2)[even], np.array(["even", "odd"])[even], labels, folds=2, **FEW).score


SURE = {
    "AUC": (1, lambda: verification(X, LABELS, **FEW)["auc"]),
    "EER": (0, lambda: verification(X, LABELS, **FEW)["eer"]),
    "TAR": (1, lambda: verification(X, LABELS, **FEW)["tar_at_far_0.01"]),
    "AUC of the opposite": (0, lambda: verification_of_pairs(OPPOSITE, **FEW)["auc"]),
    "EER of the opposite": (1, lambda: verification_of_pairs(OPPOSITE, **FEW)["eer"]),
    "TAR of the opposite": (0, lambda: verification_of_pairs(OPPOSITE, **FEW)["tar_at_far_0.01"]),
    "FAR": (0, lambda: errors_at(SCORES, 0.5, **FEW)[0]),
    "FRR": (0, lambda: errors_at(SCORES, 0.5, **FEW)[1]),
    "FRR after transfer": (0, lambda: transfer_threshold(SCORES, SCORES, 0.1, **FEW).frr),
    "folds": (1, lambda: fold_accuracy(SCORES, np.arange(len(SCORES)) % 10).estimate),
    "FAR of a group": (0, lambda: group("far")),
    "FRR of a group": (0, lambda: group("frr")),
    "FRR of what is not refused": (0, lambda: error_versus_reject(X, LABELS, np.arange(20), 0.5, **FEW).area),
    "DIR": (1, lambda: open_set(X, LABELS, np.r_[X, STRANGERS], np.r_[LABELS, 5, 6, 7]).dir_at_far(0.5, **FEW)),
    "closed set": (1, lambda: closed_set_accuracy(X, LABELS, X, LABELS)),
    "rank 1": (1, lambda: leave_one_out_rank1(X, LABELS)),
    "mean of shares": (1, lambda: mean_by_identity(np.ones(20), LABELS, share=True, **FEW)),
    "probe": (1, probe),
    "AP": (1, lambda: detected(average_precision)),
    "recall": (1, lambda: detected(recall)),
    "recall of the blind": (0, lambda: detected(recall, seen=False)),
}


@pytest.mark.filterwarnings("ignore:group 1 shows no error")  # so it has no ratio to the other
@pytest.mark.filterwarnings("ignore:genuine pairs score lower")  # those of the opposite
@pytest.mark.parametrize("name", SURE)
def test_a_share_of_all_or_nothing_is_not_certain(name):
    value, measure = SURE[name]
    estimate = measure()
    assert estimate.value == value
    end, open_end = (estimate.low, 1 - estimate.high) if value == 0 else (1 - estimate.high, estimate.low)
    assert end == 0
    assert 0 < open_end < 0.87  # Wilson of 20 images leaves 0.16 open, of five people 0.43


@pytest.mark.parametrize("identities", [3, 12, 70])
def test_tar_and_frr_say_the_same_of_the_same_pairs(identities):
    labels = np.repeat(np.arange(identities), 3)
    scores = pair_scores(np.eye(identities)[labels], labels)
    tar = verification_of_pairs(scores, fars=(0.1,), **FEW)["tar_at_far_0.1"]
    frr = errors_at(scores, threshold_at_far(scores, 0.1), **FEW)[1]
    expected = wilson(0, identities)
    assert (frr.low, frr.high, frr.n) == (0, expected.high, 3 * identities)
    assert (1 - tar.high, 1 - tar.low, tar.n) == pytest.approx((frr.low, frr.high, frr.n), abs=1e-12)


def test_every_point_of_a_curve_without_errors_has_a_width():
    """Image 0 of each identity looks away: once its pairs are refused, no error is left."""
    first = np.arange(20) % 4 == 0
    embeddings = np.where(first[:, None], -np.eye(5)[LABELS], np.eye(5)[LABELS])
    curve = error_versus_reject(embeddings, LABELS, ~first, 0.5, limit=0.6, **FEW)
    none = np.abs(curve.frr) < 1e-12
    assert 0 < none.sum() < len(none)
    np.testing.assert_allclose(curve.high[none], wilson(0, 5).high)
    assert (curve.low <= curve.frr + 1e-12).all()


def test_more_people_than_pairs_are_no_more_proof():
    """A share of three things knows no more than three things do, whoever else was drawn from."""
    assert bootstrap_interval(1, np.ones(9), 3, 1000, share=True) == wilson(3, 3)


def test_what_is_no_share_gets_no_width_where_all_draws_agree():
    nothing, one = np.zeros(20), np.ones(20)
    for estimate in (
        mean_by_identity(nothing, LABELS, share=False, **FEW),  # angles of 0
        mean_by_identity(one, LABELS, share=False, **FEW),  # angles of one radian
        ratio_by_identity(nothing, one, LABELS, **FEW),
        ratio_by_identity(one, one, LABELS, **FEW),
        rank_correlation(np.arange(20), np.arange(20) ** 3, LABELS, **FEW),
    ):
        assert (estimate.low, estimate.high) == pytest.approx((estimate.value, estimate.value), abs=1e-12)


def test_a_picture_does_not_move_from_itself():
    images = np.zeros((5, 2, 4, 4, 3), np.uint8)
    images[np.arange(5), 1, :, 0] = 10 * np.arange(5)[:, None, None]
    moved = response(lambda chips: 1.0 + chips.mean(axis=(1, 2)), Sweep("yaw", "radians", np.arange(2.0), 0, images))
    assert moved.moved[0].high < 1e-7  # radians
    assert moved.moved[0].low >= 0


def test_values_that_are_no_shares_are_not_taken_for_some():
    with pytest.raises(FacelabError, match=r"value of image 3 is 44: a share lies in \[0, 1\]; else say share=False"):
        mean_by_identity(np.where(np.arange(20) == 3, 44, 0.5), LABELS, share=True)


def test_the_interval_of_a_share_is_wilsons_with_the_variance_of_the_draws():
    """Worked again by solving Wilson's inequality |p - q| <= t sqrt(q (1 - q) / n) for q."""
    draws = np.random.default_rng(0).normal(0.7, 0.05, 400)
    found = bootstrap_interval(0.7, np.append(draws, np.nan), 1000, 12, share=True)
    trials = 0.21 / (draws.var(ddof=1) + 0.21 / 144)

    def reach(q: float) -> float:
        return abs(0.7 - q) - student.ppf(0.975, 11) * np.sqrt(q * (1 - q) / trials)

    assert (found.value, found.n, found.identities, found.few) == (0.7, 1000, 12, True)
    assert found.low == pytest.approx(brentq(reach, 0.01, 0.7))
    assert found.high == pytest.approx(brentq(reach, 0.7, 0.99))


def test_a_share_has_no_more_trials_than_items_and_some_width_always():
    alike = bootstrap_interval(0.5, np.full(9, 0.5), 20, 1000, share=True)  # each identity half right
    assert (alike.low, alike.high) == pytest.approx(wilson_ends(0.5, 20, student.ppf(0.975, 999)))
    alone = bootstrap_interval(0.5, np.full(9, 0.5), 20, 1, share=True)
    assert (alone.low, alone.value, alone.high) == (0, 0.5, 1)  # one identity says nothing of others


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_of_a_share_holds_it_and_lies_in_0_to_1(seed):
    """Also with two draws, and however far they are from the value."""
    generator = np.random.default_rng(seed)
    for value in (0.0, 1e-15, 1e-6, generator.random(), 1 - 1e-9, 1.0):
        draws = generator.random(generator.integers(2, 5)).round(seed % 3)
        identities, n = (int(number) for number in generator.integers(1, [9, 50]))
        found = bootstrap_interval(value, draws, n, identities, share=True)
        assert 0 <= found.low <= found.value <= found.high <= 1
        assert found.low < found.high


def test_the_interval_of_a_mean_is_students():
    values = np.random.default_rng(0).normal(5, 2, 8)
    labels = np.arange(8)
    found = mean_by_identity(values, labels, share=False, replicates=20_000)
    half = student.ppf(0.975, 7) * values.std(ddof=1) / np.sqrt(8)
    assert (found.low, found.high) == pytest.approx((values.mean() - half, values.mean() + half), rel=0.02)


def test_the_interval_of_what_is_no_share_holds_the_value():
    draws = np.random.default_rng(0).uniform(0.2, 0.8, 999)
    low, high = np.quantile(draws, [0.025, 0.975])
    many = bootstrap_interval(0.5, np.append(draws, np.nan), 10, 10**6, share=False)
    few = bootstrap_interval(0.5, draws, 10, 5, share=False)
    assert (many.low, many.high) == pytest.approx((low, high), abs=1e-3)
    assert few.low < low
    assert few.high > high
    assert bootstrap_interval(0.1, draws, 10, 10, share=False).low == 0.1
    assert bootstrap_interval(0.9, draws, 10, 10, share=False).high == 0.9


@pytest.mark.parametrize("replicates", [-1, 0, 1, 2.5, "many"])
def test_too_few_draws_are_named(replicates):
    with pytest.raises(FacelabError, match=f"replicates = {replicates!r}: .*2000"):
        verification(X, LABELS, replicates=replicates)


@pytest.mark.parametrize(("value", "draws"), [(np.nan, [0.5, 0.5]), (0.5, [np.nan, np.nan]), (0.5, [0.5]), (1.0, [])])
def test_what_was_not_measured_has_no_interval(value, draws):
    found = bootstrap_interval(value, np.array(draws), 10, 10, share=True)
    assert np.isnan([found.low, found.high]).all()


def test_infinite_draws_stand_in_their_place():
    """A ratio to a rate that is 0 in some draws: no end is a mean of a number and infinity."""
    draws = np.append(np.linspace(1, 2, 95), np.full(5, np.inf))
    found = bootstrap_interval(1.5, draws, 2, 10, share=False)
    assert 1 <= found.low < 1.05
    assert found.high == np.inf


def test_nobody_else_makes_ends_of_draws():
    """No percentile at 2.5 or 97.5 % stands anywhere: whoever has draws gives them to bootstrap_interval.

    But for the replayed experiments, which are many results, not draws of one.
    """
    found = set()
    for path in Path(facelab.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("percentile", "quantile", "quantiles")):
                numbers = {inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)}
                if numbers & {2.5, 97.5, 0.025, 0.975, 0.05 / 2, 1 - 0.05 / 2}:
                    found.add(path.relative_to(Path(facelab.__file__).parent).as_posix())
    assert found == {"study/replay.py"}
