import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score, roc_curve

from facelab.errors import FacelabError
from facelab.evaluate import (
    Scores,
    auc,
    bootstrap_curves,
    closed_set_accuracy,
    eer,
    error_versus_reject,
    errors_at,
    errors_by_group,
    fold_accuracy,
    identity_bootstrap,
    leave_one_out_rank1,
    mean_by_identity,
    open_set,
    pair_blocks,
    pair_scores,
    roc,
    streamed_roc,
    tar_at_far,
    threshold_at_far,
    transfer_threshold,
    verification,
    verification_of_pairs,
)


def random_scores(n: int = 400, ties: bool = False, seed: int = 0) -> Scores:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 6, (2, n))
    values = generator.normal(first == second, 1)
    return Scores(values.round(1) if ties else values, first, second)


def random_embeddings(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(8), 5)
    return generator.normal(0, 1, (8, 16))[labels] + generator.normal(0, 1.2, (40, 16)), labels


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_roc_and_auc_agree_with_scikit_learn(ties, seed):
    scores = random_scores(ties=ties, seed=seed)
    curve = roc(scores)
    far, tar, threshold = roc_curve(scores.genuine, scores.values, drop_intermediate=False)
    np.testing.assert_allclose(curve.far, far, atol=1e-12)
    np.testing.assert_allclose(curve.tar, tar, atol=1e-12)
    np.testing.assert_allclose(curve.threshold, threshold)
    assert auc(curve) == pytest.approx(roc_auc_score(scores.genuine, scores.values), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_eer_is_where_far_and_frr_cross(seed):
    """Against scikit-learn's curve, solved by bisection on the interpolated polyline."""
    scores = random_scores(seed=seed)
    far, tar, _ = roc_curve(scores.genuine, scores.values, drop_intermediate=False)
    position = np.linspace(0, len(far) - 1, 2_000_001)
    index = np.arange(len(far))
    gap = np.interp(position, index, far) + np.interp(position, index, tar) - 1
    expected = np.interp(position, index, far)[np.abs(gap).argmin()]
    assert eer(roc(scores)) == pytest.approx(expected, abs=1e-4)


def brute_force_tar(scores: Scores, far: float) -> float:
    best = 0.0
    for threshold in scores.values:
        accepted = scores.values >= threshold
        if accepted[~scores.genuine].mean() <= far:
            best = max(best, accepted[scores.genuine].mean())
    return best


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("far", [0.01, 0.05, 0.1, 0.5, 1.0])
def test_tar_at_far_agrees_with_a_brute_force_loop(far, ties):
    scores = random_scores(ties=ties)
    assert tar_at_far(roc(scores), far, int((~scores.genuine).sum())) == pytest.approx(brute_force_tar(scores, far))


def test_tar_at_a_far_of_exactly_one_pair():
    """100 impostor pairs: FAR 0.01 lets exactly one through."""
    scores = Scores(np.r_[np.arange(100.0), 98.5, 97.5], np.r_[np.zeros(100), 1, 1], np.r_[np.ones(100), 1, 1])
    assert tar_at_far(roc(scores), 0.01, 100) == 0.5


def test_far_that_the_pairs_cannot_show_is_nan_with_a_reason():
    scores = random_scores()
    with pytest.warns(UserWarning, match="needs at least 100000 impostor pairs"):
        assert np.isnan(tar_at_far(roc(scores), 1e-5, int((~scores.genuine).sum())))
    with pytest.raises(FacelabError, match="far=0"):
        tar_at_far(roc(scores), 0.0, 10)


@pytest.mark.filterwarnings("ignore:genuine pairs score lower")
def test_perfect_random_and_inverted_scores():
    first, second = np.array([0, 0, 1, 1, 0, 0]), np.array([0, 0, 1, 1, 1, 1])
    genuine = first == second
    for values, area, rate in ((genuine, 1, 0), (np.zeros(6), 0.5, 0.5), (~genuine, 0, 1)):
        curve = roc(Scores(values.astype(float), first, second))
        assert auc(curve) == pytest.approx(area)
        assert eer(curve) == pytest.approx(rate)


def test_scores_that_are_distances_get_a_hint_and_others_do_not():
    embeddings = np.random.default_rng(0).normal(size=(6, 8))[np.arange(24) // 4]
    embeddings = embeddings + 0.5 * np.random.default_rng(1).normal(size=(24, 8))
    scores = pair_scores(embeddings, np.arange(24) // 4)
    distances = Scores(np.sqrt(2 - 2 * scores.values), scores.first, scores.second)
    for measure in (
        roc,
        lambda pairs: verification_of_pairs(pairs, replicates=5),
        lambda pairs: threshold_at_far(pairs, 0.1),
        lambda pairs: errors_at(pairs, 0.5, replicates=5),
        lambda pairs: fold_accuracy(pairs, np.arange(len(pairs)) % 5),
    ):
        with pytest.warns(UserWarning, match="genuine pairs score lower .* If these are distances"):
            measure(distances)
        measure(scores)  # a warning would be an error here
    roc(Scores(np.random.default_rng(0).normal(size=len(scores)), scores.first, scores.second))


def test_infinite_scores_tie():
    """The usual mark of a failure to acquire is -inf; ties between them are ties, in every order of the rows."""
    values = np.array([-np.inf, -np.inf, -np.inf, -np.inf, 1.0])
    first, second = np.array([0, 1, 2, 3, 4]), np.array([9, 1, 9, 3, 4])  # rows 1, 3, 4 are genuine
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(5)
        scores = Scores(values[order], first[order], second[order])
        assert auc(roc(scores)) == pytest.approx(2 / 3)
        draws = np.concatenate([auc(c) for c in bootstrap_curves(scores, 20, np.random.default_rng(0))])
        plain = auc(roc(scores, np.concatenate(list(identity_bootstrap(scores, 20, np.random.default_rng(0))))))
        np.testing.assert_allclose(draws, plain)
    tied = Scores(np.array([np.inf, np.inf, np.inf, 0.0]), np.array([0, 1, 2, 3]), np.array([0, 9, 9, 9]))
    assert tar_at_far(roc(tied), 0.4) == 0  # no threshold accepts the genuine pair alone
    assert threshold_at_far(tied, 0.4) == np.inf
    moved = transfer_threshold(tied, tied, 0.4, replicates=5)
    assert (moved.far.value, moved.frr.value) == (0, 1)


@pytest.mark.parametrize("missing", [np.nan, None])
def test_labels_with_gaps_are_named_and_not_taken_for_people(missing):
    """Of a table that was merged: an image without a label would be an impostor of everybody, also of itself."""
    embeddings = np.random.default_rng(0).normal(size=(12, 8))
    labels = np.repeat(np.array([0.0, 1, 2], dtype=object if missing is None else float), 4)
    labels[5] = missing
    known = np.repeat(np.arange(3), 4)
    for measure in (
        lambda: verification(embeddings, labels),
        lambda: streamed_roc(embeddings, labels),
        lambda: leave_one_out_rank1(embeddings, labels),
        lambda: closed_set_accuracy(embeddings, known, embeddings, labels),
        lambda: closed_set_accuracy(embeddings, labels, embeddings, known),
        lambda: open_set(embeddings, known, embeddings, labels),
        lambda: mean_by_identity(np.ones(12), labels, share=True),
        lambda: errors_by_group(embeddings, known, labels, 0.5),
        lambda: error_versus_reject(embeddings, labels, np.arange(12), 0.5),
        lambda: Scores(np.ones(12), known, labels),
    ):
        with pytest.raises(FacelabError, match=r"(image|probe|pair) 5 is missing \((nan|None)\)"):
            measure()


def test_labels_of_several_kinds_are_named():
    with pytest.raises(FacelabError, match=r"labels are of several kinds \(int, str\); make them all text"):
        verification(np.eye(4), np.array([1, 1, "a", "a"], dtype=object))


def test_tensors_are_taken_as_arrays():
    x, y = np.random.default_rng(0).normal(size=(12, 8)), np.repeat(np.arange(3), 4)
    embeddings, labels = torch.tensor(x, requires_grad=True), torch.tensor(y)
    few = {"fars": (0.1,), "replicates": 5}
    assert verification(embeddings, labels, **few) == verification(x, y, **few)
    assert np.isfinite(leave_one_out_rank1(embeddings.bfloat16(), labels).value)
    scores = pair_scores(embeddings, labels)
    again = Scores(torch.tensor(scores.values), torch.tensor(scores.first), list(scores.second))
    assert auc(roc(again)) == auc(roc(scores))
    assert mean_by_identity(torch.ones(12, dtype=torch.bool), labels, share=True).value == 1


def test_monotone_transform_of_scores_and_order_of_pairs_change_nothing():
    scores = random_scores()
    order = np.random.default_rng(1).permutation(len(scores))
    for other in (
        Scores(np.exp(3 * scores.values), scores.first, scores.second),
        Scores(scores.values[order], scores.first[order], scores.second[order]),
    ):
        for measure in (auc, eer):
            assert measure(roc(other)) == pytest.approx(measure(roc(scores)), abs=1e-12)


def test_pair_scores_are_cosines_of_each_pair_once():
    embeddings, labels = random_embeddings()
    scores = pair_scores(embeddings, labels)
    assert len(scores) == 40 * 39 // 2
    assert scores.genuine.sum() == 8 * 10
    k = 7
    i, j = [(i, j) for i in range(40) for j in range(i + 1, 40)][k]
    cosine = embeddings[i] @ embeddings[j] / np.linalg.norm(embeddings[i]) / np.linalg.norm(embeddings[j])
    assert scores.values[k] == pytest.approx(cosine)
    assert (scores.first[k], scores.second[k]) == (labels[i], labels[j])


def test_rotation_of_all_embeddings_changes_nothing():
    embeddings, labels = random_embeddings()
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))
    before, after = (verification(x, labels, replicates=50) for x in (embeddings, embeddings @ rotation))
    for name in before:
        assert after[name].value == pytest.approx(before[name].value, abs=1e-9)


def test_bootstrap_weights_equal_explicit_resampling_of_identities():
    """Copy the drawn identities' images, compare all pairs within a copy and across identities: the same AUC."""
    embeddings, labels = random_embeddings()
    scores = pair_scores(embeddings, labels)
    weights = next(identity_bootstrap(scores, 5, np.random.default_rng(3)))
    counts = np.random.default_rng(3).multinomial(8, [1 / 8] * 8, size=5)
    for row, count in zip(weights, counts, strict=True):
        images = [
            (image, copy)
            for label in range(8)
            for copy in range(count[label])
            for image in range(label * 5, label * 5 + 5)
        ]
        unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
        genuine, values = [], []
        for a, (i, copy_i) in enumerate(images):
            for j, copy_j in images[a + 1 :]:
                if labels[i] == labels[j] and copy_i != copy_j:
                    continue  # two copies of one identity are neither a genuine pair nor impostors
                genuine.append(labels[i] == labels[j])
                values.append(unit[i] @ unit[j])
        assert auc(roc(scores, row)) == pytest.approx(roc_auc_score(genuine, values), abs=1e-9)


def test_interval_holds_the_value_and_shrinks_with_more_identities():
    widths = []
    for identities in (10, 80):
        generator = np.random.default_rng(0)
        labels = np.repeat(np.arange(identities), 4)
        embeddings = generator.normal(0, 1, (identities, 8))[labels] + generator.normal(0, 1, (len(labels), 8))
        estimate = verification(embeddings, labels, replicates=300)["auc"]
        assert estimate.low < estimate.value < estimate.high
        widths.append(estimate.high - estimate.low)
    assert widths[1] < 0.6 * widths[0]


def test_counts():
    embeddings, labels = random_embeddings()
    estimates = verification(embeddings, labels, fars=(0.01, 0.1), replicates=20)
    assert {name: estimate.n for name, estimate in estimates.items()} == {
        "auc": 780,
        "eer": 780,
        "tar_at_far_0.01": 80,
        "tar_at_far_0.1": 80,
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (np.where(np.arange(40)[:, None] == 7, np.nan, x), y), "embedding 7 is not finite"),
        (lambda x, y: (np.where(np.arange(40)[:, None] == 9, 0, x), y), "embedding 9 is zero"),
        (lambda x, y: (x, y * 0), "no impostor pairs"),
        (lambda x, y: (x, np.arange(40)), "no genuine pairs"),
        (lambda x, y: (x, y[:5]), r"\(5,\)"),
    ],
)
def test_bad_embeddings_are_named(change, message):
    with pytest.raises(FacelabError, match=message):
        verification(*change(*random_embeddings()), replicates=2)


@pytest.mark.parametrize("block_pairs", [1, 57, 10_000])
def test_blocks_hold_all_pairs_in_order(block_pairs):
    embeddings, labels = random_embeddings()
    plain, blocks = pair_scores(embeddings, labels), list(pair_blocks(embeddings, block_pairs=block_pairs))
    first, second, values = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    np.testing.assert_array_equal(np.stack([first, second]), np.triu_indices(40, k=1))
    np.testing.assert_allclose(values, plain.values, rtol=0, atol=1e-14)
    assert all(len(part[0]) <= max(block_pairs, 40) for part in blocks)
