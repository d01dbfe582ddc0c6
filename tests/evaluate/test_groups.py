import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import Estimate, WorstToBest, errors_by_group, pair_scores, wilson
from facelab.evaluate.bootstrap import draw_identities
from facelab.evaluate.counts import count_errors
from facelab.evaluate.groups import _count


def some_faces(seed: int = 0):
    """Twelve identities; every image is lit from the left or the right, and light from the right blurs it."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(12), 6)
    groups = np.where(generator.random(72) < 0.4, "right", "left")
    noise = np.where(groups == "right", 1.6, 1.0)[:, None]
    return generator.normal(0, 1, (12, 12))[labels] + noise * generator.normal(0, 1, (72, 12)), labels, groups


def loop(embeddings, labels, groups, group, threshold):
    """Return (impostors accepted, impostors, genuine refused, genuine), pair by pair."""
    accepted = impostors = refused = genuine = 0
    for i in range(len(labels)):
        for j in range(i):
            if groups[i] != group or groups[j] != group:
                continue
            a, b = embeddings[i], embeddings[j]
            yes = a @ b / np.linalg.norm(a) / np.linalg.norm(b) >= threshold
            if labels[i] == labels[j]:
                genuine += 1
                refused += not yes
            else:
                impostors += 1
                accepted += yes
    return accepted, impostors, refused, genuine


@pytest.mark.parametrize("threshold", [0.2, 0.3, 0.5])
def test_rates_agree_with_a_loop_over_pairs(threshold):
    embeddings, labels, groups = some_faces()
    audit = errors_by_group(embeddings, labels, groups, threshold, replicates=50)
    assert [g.group for g in audit.groups] == ["left", "right"]
    for g in audit.groups:
        accepted, impostors, refused, genuine = loop(embeddings, labels, groups, g.group, threshold)
        assert (g.far.n, g.frr.n) == (impostors, genuine)
        assert g.far.value == pytest.approx(accepted / impostors)
        assert g.frr.value == pytest.approx(refused / genuine)
        assert g.far.low <= g.far.value <= g.far.high
        assert g.images == (groups == g.group).sum()
    left, right = audit.groups
    assert audit.frr_ratio.worst == "right"
    assert audit.frr_ratio.ratio.value == pytest.approx(right.frr.value / left.frr.value)
    assert audit.frr_ratio.ratio.low <= audit.frr_ratio.ratio.value <= audit.frr_ratio.ratio.high
    table = audit.table()
    assert table.loc["right", "frr"] == right.frr.value
    assert table.loc["left", "far_n"] == left.far.n


def test_draws_equal_explicit_copies_of_identities():
    embeddings, labels, _ = some_faces()
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    identities, count = _count(unit, labels, 0.3, block=200)
    np.testing.assert_array_equal(identities, np.arange(12))
    drawn = next(draw_identities(12, 6, np.random.default_rng(0)))
    frr = count.frr_draws(drawn)
    for r, times in enumerate(drawn.astype(int)):
        images = [(i, copy) for i in range(72) for copy in range(times[labels[i]])]
        refused = [
            unit[i] @ unit[j] < 0.3
            for a, (i, copy_i) in enumerate(images)
            for j, copy_j in images[:a]
            if labels[i] == labels[j] and copy_i == copy_j
        ]
        assert frr[r] == pytest.approx(np.mean(refused))


def test_counts_of_embeddings_are_those_of_scores():
    embeddings, labels, _ = some_faces()
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    (_, dense), sparse = _count(unit, labels, 0.3, block=200), count_errors(pair_scores(embeddings, labels), 0.3)
    assert dense.far() == sparse.far()
    assert dense.frr_rate == sparse.frr_rate
    np.testing.assert_array_equal(dense.accepted, sparse.accepted.toarray())


@pytest.mark.parametrize("rate", ["far", "frr"])
def test_a_ratio_knows_whether_the_groups_are_the_same_people(rate):
    """The same errors in two groups: of the same people the ratio is 1 for sure, of others it is not."""
    embeddings, labels, _ = some_faces()
    twice, groups = np.concatenate([embeddings, embeddings]), np.repeat(["a", "b"], 72)
    same = errors_by_group(twice, np.concatenate([labels, labels]), groups, 0.3, replicates=200)
    other = errors_by_group(twice, np.concatenate([labels, labels + 12]), groups, 0.3, replicates=200)
    for audit, sure in ((same, True), (other, False)):
        ratio = getattr(audit, f"{rate}_ratio").ratio
        assert ratio.value == 1
        assert (ratio.high - ratio.low < 1e-9) == sure


def test_rotation_and_order_change_no_rate():
    embeddings, labels, groups = some_faces()
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    order = np.random.default_rng(2).permutation(72)
    before = errors_by_group(embeddings, labels, groups, 0.3, replicates=20)
    after = errors_by_group((embeddings @ rotation)[order], labels[order], groups[order], 0.3, replicates=20)
    for x, y in zip(before.groups, after.groups, strict=True):
        assert (x.far.value, x.frr.value) == pytest.approx((y.far.value, y.frr.value))
        assert (x.far.low, x.frr.high) == pytest.approx((y.far.low, y.frr.high))


def test_no_error_is_not_proof_of_none():
    """Nobody is accepted: every draw says FAR 0 to 0; the interval goes by the number of identities instead."""
    embeddings, labels, groups = some_faces()
    with pytest.warns(UserWarning, match="no error among"):
        audit = errors_by_group(embeddings, labels, groups, 1.01, replicates=20)
    for g in audit.groups:
        assert (g.far.value, g.far.low, g.far.high) == (0, 0, wilson(0, 12).high)
        assert g.frr.value == 1
    assert np.isnan(audit.far_ratio.ratio.value)
    assert audit.frr_ratio.ratio.value == 1


def test_groups_that_cannot_be_measured_are_nan_with_a_reason():
    embeddings, labels, groups = some_faces()
    groups = groups.astype(object)
    groups[0] = "above"  # one image: no pair at all
    with pytest.warns(UserWarning, match="group 'above' has no (genuine|impostor) pairs"):
        audit = errors_by_group(embeddings, labels, groups.astype(str), 0.3, replicates=20)
    assert audit.groups[0].far.n == audit.groups[0].frr.n == 0
    assert np.isnan(audit.groups[0].far.value)
    assert audit.far_ratio.ratio.n == 2
    with pytest.warns(UserWarning, match="no impostor pairs"):
        one = errors_by_group(embeddings[:6], labels[:6], groups[:6].astype(str) == "x", 0.3, replicates=20)
    assert np.isnan(one.far_ratio.ratio.value)
    assert np.isfinite(one.groups[0].frr.value)


def test_faults_are_named():
    embeddings, labels, groups = some_faces()
    with pytest.raises(FacelabError, match="embedding 3 is zero"):
        errors_by_group(np.where(np.arange(72)[:, None] == 3, 0, embeddings), labels, groups, 0.3)
    with pytest.raises(FacelabError, match="groups"):
        errors_by_group(embeddings, labels, groups[:5], 0.3)
    with pytest.raises(FacelabError, match="threshold NaN"):
        errors_by_group(embeddings, labels, groups, float("nan"))


def test_the_ratio_says_itself_in_words():
    def said(*numbers):
        return WorstToBest("far turned", "frontal", Estimate(*numbers, 3)).sentence("FRR")

    assert said(1.62, 0.9, 2.84) == (
        "FRR is 1.6 times as high for 'far turned' as for 'frontal', 95 % interval 0.9 to 2.8 (3 groups)"
    )
    assert "0.9 to without limit" in said(1.62, 0.9, np.inf)
    assert said(np.nan, np.nan, np.nan) == "FRR has no worst-to-best ratio here (3 groups measured)"
