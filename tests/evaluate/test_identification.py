import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from facelab.errors import FacelabError
from facelab.evaluate import (
    OpenSet,
    bootstrap_interval,
    closed_set_accuracy,
    cmc,
    identification_rate,
    identification_scores,
    identity_scores,
    leave_one_out_rank1,
    mean_by_identity,
    nearest_centroid,
    open_set,
    ranks,
    verification_of_pairs,
    wilson,
)


def random_sets(seed: int = 0):
    generator = np.random.default_rng(seed)
    centres = generator.normal(0, 1, (6, 10))
    labels = np.repeat(np.arange(6), 7)
    return [(centres[labels] + generator.normal(0, 1.3, (42, 10)), labels) for _ in range(2)]


def unit(x: np.ndarray) -> np.ndarray:
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_nearest_centroid_agrees_with_scikit_learn(seed):
    (gallery, labels), (probes, probe_labels) = random_sets(seed)
    peer = NearestCentroid().fit(unit(gallery), labels)
    peer.centroids_ = unit(peer.centroids_)  # on the sphere, nearest by distance is nearest by cosine
    expected = peer.predict(unit(probes))
    np.testing.assert_array_equal(nearest_centroid(gallery, labels, probes), expected)
    accuracy = closed_set_accuracy(gallery, labels, probes, probe_labels)
    assert accuracy.value == pytest.approx((expected == probe_labels).mean())
    assert accuracy.n == 42


def test_rank1_agrees_with_scikit_learn():
    (x, labels), _ = random_sets()
    neighbours = KNeighborsClassifier(2, metric="cosine").fit(x, labels).kneighbors(x, return_distance=False)[:, 1]
    assert leave_one_out_rank1(x, labels).value == pytest.approx((labels[neighbours] == labels).mean())


def test_an_image_without_a_second_one_of_its_identity_is_no_failure():
    labels = np.r_[np.repeat(np.arange(5), 4), 100 + np.arange(5)]
    perfect = np.eye(10)[np.r_[np.repeat(np.arange(5), 4), np.arange(5, 10)]]
    with pytest.warns(UserWarning, match="5 of 25 images are the only one of their identity: left out"):
        found = leave_one_out_rank1(perfect, labels)
    assert (found.value, found.n, found.identities) == (1, 20, 5)
    mixed = perfect.copy()
    mixed[0] = perfect[20]  # taken for a person of a single image: a failure all the same
    with pytest.warns(UserWarning, match="left out"):
        assert leave_one_out_rank1(mixed, labels).value == 19 / 20
    with pytest.raises(FacelabError, match="none of 5 images has a second one"):
        leave_one_out_rank1(np.eye(5), np.arange(5))


def test_intervals_over_images_and_over_identities_are_named_apart():
    """Two people whom nothing confuses, two who are taken for each other: other images are alike, other people not."""
    labels = np.repeat(np.arange(4), 10)
    gallery, taken = np.eye(4), np.eye(4)[np.array([0, 1, 3, 2])[labels]]
    images, people = (
        closed_set_accuracy(gallery, np.arange(4), taken, labels, over=over) for over in ("images", "identities")
    )
    assert images == wilson(20, 40)
    assert images.identities is None
    assert (people.value, people.n, people.identities) == (0.5, 40, 4)
    assert people.high - people.low > 2 * (images.high - images.low)
    (x, y), _ = random_sets()
    assert leave_one_out_rank1(x, y, over="images") == wilson(round(42 * leave_one_out_rank1(x, y).value), 42)
    with pytest.raises(FacelabError, match="over = 'pairs': give 'identities' or 'images'"):
        leave_one_out_rank1(x, y, over="pairs")


def test_a_probe_of_a_stranger_is_an_error():
    (gallery, labels), (probes, probe_labels) = random_sets()
    with pytest.raises(FacelabError, match="identity 9"):
        closed_set_accuracy(gallery, labels, probes, np.where(probe_labels == 5, 9, probe_labels))


@pytest.mark.parametrize(("k", "n"), [(0, 10), (58, 75), (57, 75), (90, 90), (1, 1)])
def test_wilson_agrees_with_scipy(k, n):
    expected = binomtest(k, n).proportion_ci(method="wilson")
    estimate = wilson(k, n)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert estimate.low <= estimate.value <= estimate.high


def test_wilson_of_the_project_this_course_grew_from():
    estimate = wilson(58, 75)
    assert [round(100 * x, 1) for x in (estimate.low, estimate.high)] == [66.7, 85.3]


@pytest.mark.parametrize(("k", "n"), [(1, 0), (3, 2), (-1, 2)])
def test_impossible_counts_are_errors(k, n):
    with pytest.raises(FacelabError):
        wilson(k, n)


def with_cosines(*rows: tuple[float, float, float]) -> np.ndarray:
    """Return unit vectors that have the given cosines with the first three axes."""
    rows = np.array(rows)
    return np.column_stack([rows, np.sqrt(1 - (rows**2).sum(axis=1))])


# A worked example. The gallery holds identities 1, 2, 3; each row gives a probe's cosine with each of them.
GALLERY, GALLERY_LABELS = np.eye(3, 4), np.array([1, 2, 3])
MATED = with_cosines(
    (0.9, 0.1, 0.0),  # shows 1: rank 1, score 0.9
    (0.3, 0.6, 0.2),  # shows 2: rank 1, score 0.6
    (0.7, 0.0, 0.5),  # shows 3: rank 2 (1 scores more), own score 0.5
    (0.4, 0.2, 0.1),  # shows 1: rank 1, score 0.4
)
MATED_LABELS = np.array([1, 2, 3, 1])
# Nobody in the gallery: best scores 0.8, 0.5, 0.3, 0.2, 0.1
STRANGERS = with_cosines((0.8, 0.1, 0), (0.1, 0.5, 0), (0.3, 0, 0), (0, 0, 0.2), (0.1, 0.1, 0.1))
PROBES, PROBE_LABELS = np.vstack([MATED, STRANGERS]), np.r_[MATED_LABELS, 7, 8, 9, 7, 8]


def test_cmc_worked_by_hand():
    """3 of 4 are right at rank 1, all at rank 2."""
    np.testing.assert_allclose(cmc(GALLERY, GALLERY_LABELS, MATED, MATED_LABELS), [0.75, 1, 1])


@pytest.mark.parametrize("templates", [True, False])
@pytest.mark.parametrize(
    ("rank", "far", "rate"),
    [
        (1, 0.2, 2 / 4),  # one stranger may pass: those above 0.5 do. Mated above 0.5 at rank 1: 0.9, 0.6
        (1, 0.4, 3 / 4),  # two may pass: above 0.3. Mated: 0.9, 0.6, 0.4; the third probe is named wrongly
        (1, 1.0, 3 / 4),  # everybody passes, one is still named wrongly
        (2, 0.2, 2 / 4),  # the third probe's own score 0.5 is not above 0.5
        (2, 0.4, 4 / 4),
    ],
)
def test_dir_at_far_worked_by_hand(rank, far, rate, templates):
    search = open_set(GALLERY, GALLERY_LABELS, PROBES, PROBE_LABELS, rank=rank, templates=templates)
    estimate = search.dir_at_far(far)
    assert (estimate.value, estimate.n) == (rate, 4)
    assert estimate.low <= rate <= estimate.high


def test_fpir_and_fnir_worked_by_hand():
    search = open_set(GALLERY, GALLERY_LABELS, PROBES, PROBE_LABELS)
    assert search.fpir(0.45) == 2 / 5
    assert search.fnir(0.45) == 2 / 4  # 0.4 is too low, and one probe is named wrongly
    assert search.fpir(-1) == 1
    assert search.fnir(-1) == 1 / 4


def test_an_fpir_that_the_searches_cannot_show_is_nan_with_a_reason():
    search = open_set(GALLERY, GALLERY_LABELS, PROBES, PROBE_LABELS)
    with pytest.warns(UserWarning, match="DIR at FAR 0.1 needs at least 10 non-mated searches, there are 5"):
        assert np.isnan(search.dir_at_far(0.1).value)
    with pytest.raises(FacelabError, match="far=0"):
        search.dir_at_far(0)


def brute_force_open_set(gallery, gallery_labels, probes, probe_labels, far, rank, templates):
    """Every threshold, every probe, every identity, one by one."""
    people = sorted(set(gallery_labels))
    rows = []
    for probe, label in zip(unit(probes), probe_labels, strict=True):
        scores = {}
        for person in people:
            images = unit(gallery)[gallery_labels == person]
            if templates:
                images = [images.sum(axis=0) / np.linalg.norm(images.sum(axis=0))]
            scores[person] = max(float(probe @ image) for image in images)
        rows.append((label, scores))
    best = 0.0
    for threshold in [np.inf, *[score for _, scores in rows for score in scores.values()]]:
        alarms = [max(scores.values()) >= threshold for label, scores in rows if label not in people]
        found = []
        for label, scores in rows:
            if label in people:
                place = sum(score >= scores[label] for score in scores.values())
                found.append(scores[label] >= threshold and place <= rank)
        if np.mean(alarms) <= far:
            best = max(best, np.mean(found))
    return best


@pytest.mark.parametrize("templates", [True, False])
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize("far", [0.1, 0.3, 1.0])
def test_open_set_agrees_with_a_brute_force_loop(far, rank, templates):
    (gallery, labels), (probes, probe_labels) = random_sets(3)
    known = labels < 4
    arguments = (gallery[known], labels[known], probes, probe_labels)
    expected = brute_force_open_set(*arguments, far, rank, templates)
    assert open_set(*arguments, rank=rank, templates=templates).dir_at_far(far).value == pytest.approx(expected)


def test_a_set_that_is_not_open_is_an_error():
    with pytest.raises(FacelabError, match="no non-mated probes"):
        open_set(GALLERY, GALLERY_LABELS, MATED, MATED_LABELS)
    with pytest.raises(FacelabError, match="no mated probes"):
        open_set(GALLERY, GALLERY_LABELS, STRANGERS, np.full(5, 9))
    with pytest.raises(FacelabError, match="no mated probes"):
        open_set(GALLERY, GALLERY_LABELS, STRANGERS[:0], np.zeros(0))
    with pytest.raises(FacelabError, match="rank=0"):
        open_set(GALLERY, GALLERY_LABELS, PROBES, PROBE_LABELS, rank=0)


@pytest.mark.parametrize("templates", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_cmc_agrees_with_a_brute_force_loop(seed, templates):
    (gallery, labels), (probes, probe_labels) = random_sets(seed)
    people, scores = identity_scores(gallery, labels, probes, templates=templates)
    expected = np.zeros(6)
    for row, label in zip(scores, probe_labels, strict=True):
        falling = [people[i] for i in np.argsort(-row)]
        expected[falling.index(label) :] += 1 / len(probes)
    curve = cmc(gallery, labels, probes, probe_labels, templates=templates)
    np.testing.assert_allclose(curve, expected)
    assert curve[-1] == pytest.approx(1)
    if templates:
        assert curve[0] == pytest.approx(closed_set_accuracy(gallery, labels, probes, probe_labels).value)


def test_single_images_in_blocks_equal_a_loop(monkeypatch):
    (gallery, labels), (probes, _) = random_sets()
    monkeypatch.setattr("facelab.evaluate.identification._BLOCK_SCORES", 100)
    _, scores = identity_scores(gallery, labels, probes, templates=False)
    cosines = unit(probes) @ unit(gallery).T
    for k in range(6):
        np.testing.assert_allclose(scores[:, k], cosines[:, labels == k].max(axis=1))
    assert leave_one_out_rank1(gallery, labels).n == 42


def test_rotation_order_and_length_change_nothing():
    (gallery, labels), (probes, probe_labels) = random_sets()
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(10, 10)))
    order = np.random.default_rng(2).permutation(42)
    known = labels < 4
    before = open_set(gallery[known], labels[known], probes, probe_labels).dir_at_far(0.2)
    for g, p in ((gallery @ rotation, probes @ rotation), (gallery * 7, probes * 0.1)):
        after = open_set(g[known], labels[known], p[order], probe_labels[order]).dir_at_far(0.2)
        assert after.value == before.value


def test_where_all_scores_are_equal_nobody_is_recognised():
    same = np.ones((6, 4))
    labels = np.arange(6)
    np.testing.assert_allclose(cmc(same, labels, same, labels), [0, 0, 0, 0, 0, 1])
    assert ranks(np.array([0, 1]), np.array([[0.5, 0.5], [0.9, 0.1]]), np.array([0, 8])).tolist() == [2, 0]


def test_dir_interval_draws_people_and_finds_the_threshold_again():
    """Against copies of the drawn people's searches, given to a new OpenSet."""
    generator = np.random.default_rng(0)
    search = OpenSet(
        generator.normal(1.5, 1, 30), generator.normal(0, 1, 40), 1, np.repeat(range(6), 5), np.repeat(range(10), 4)
    )
    estimate = search.dir_at_far(0.1, replicates=400, seed=3)
    values = []
    for unknown, known in zip(
        np.random.default_rng([3, 0]).multinomial(10, [0.1] * 10, size=400),
        np.random.default_rng([3, 1]).multinomial(6, [1 / 6] * 6, size=400),
        strict=True,
    ):
        mated, strangers = np.repeat(search.mated, known[search.mated_labels]), search.strangers
        strangers = np.sort(np.repeat(strangers, unknown[search.stranger_labels]))[::-1]
        values.append((mated > strangers[int(0.1 * len(strangers) + 1e-9)]).mean())
    expected = bootstrap_interval(estimate.value, np.array(values), 30, 6, share=True)
    assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
    assert estimate.low < estimate.value < estimate.high
    assert search.dir_at_far(0.1, replicates=400, seed=3) == estimate


def test_mean_by_identity_is_the_mean_and_draws_people():
    labels = np.repeat(np.arange(20), 10)
    all_or_nothing, mixed = labels < 10, np.tile([True, False], 100)
    level, wide = (mean_by_identity(values, labels, share=True) for values in (mixed, all_or_nothing))
    assert level.value == wide.value == 0.5
    # Everybody is right half of the time, so people hardly matter; or all or nothing, so images do not.
    assert 0.05 < level.high - level.low < 0.5 * (wide.high - wide.low)
    assert wide.high - wide.low == pytest.approx(4 * 0.5 / np.sqrt(20), rel=0.2)  # 20 people, not 200 images
    with pytest.raises(FacelabError, match="value of image 3 is not finite"):
        mean_by_identity(np.where(np.arange(200) == 3, np.nan, 0), labels, share=True)
    with pytest.raises(FacelabError, match=r"value \(200,\): expected one for each of 5"):
        mean_by_identity(mixed, labels[:5], share=True)


def angles(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.column_stack([np.cos(radians), np.sin(radians)])


def test_identification_rate_worked_by_hand():
    """Queries at 0 and 20 degrees show one identity, at 90 and 100 another; the distractor is at 15.

    Positives: cos 20 = 0.940, cos 10 = 0.985. Negatives, falling: with the distractor cos 5 = 0.996, cos 15 = 0.966;
    then cos 70 = 0.342, with the distractor cos 75 = 0.259; cos 80 = 0.174, cos 85 = 0.087, cos 90 = 0, cos 100 < 0.
    N = 8.
    """
    queries, labels, distractors = angles(0, 20, 90, 100), np.array([0, 0, 1, 1]), angles(15)
    rates = identification_rate(queries, labels, distractors, fprs=(0.125, 0.2, 0.25, 0.9))
    # 0.125 * 8 = 1: the threshold is negatives[1] = 0.966, one of two positives is above; int(0.2 * 8) = 1 too
    # 0.25 * 8 = 2: the threshold is negatives[2] = 0.342, both are above
    assert rates == {0.125: 0.5, 0.2: 0.5, 0.25: 1.0, 0.9: 1.0}
    with pytest.warns(UserWarning, match="needs at least 10 negative pairs, there are 8"):
        assert np.isnan(identification_rate(queries, labels, distractors, fprs=(0.1,))[0.1])
    # without the distractor N = 4, negatives 0.342, 0.174, 0, -0.174
    assert identification_rate(queries, labels, distractors[:0], fprs=(0.25,)) == {0.25: 1.0}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fpr", [0.05, 0.1, 0.2, 0.29, 0.99])
def test_identification_rate_agrees_with_its_definition(seed, fpr):
    (queries, labels), (distractors, _) = random_sets(seed)
    q, d = unit(queries), unit(distractors)
    positives, negatives = [], []
    for i in range(42):
        for j in range(i + 1, 42):
            (positives if labels[i] == labels[j] else negatives).append((q @ q.T)[i, j])
        negatives.extend((q @ d.T)[i])
    threshold = sorted(negatives, reverse=True)[int(fpr * len(negatives))]
    expected = np.mean(np.array(positives) > threshold)
    assert identification_rate(queries, labels, distractors, fprs=(fpr,))[fpr] == pytest.approx(expected)


def test_a_rate_that_the_negatives_cannot_show_is_no_number():
    """The coursework formula would give TPR at FPR 0, whatever was asked for. One negative more, and both agree."""
    (queries, labels), (distractors, _) = random_sets()
    n = int((labels[:, None] != labels).sum()) // 2 + 42 * len(distractors)
    assert np.isfinite(identification_rate(queries, labels, distractors, fprs=(1 / n,))[1 / n])
    with pytest.warns(UserWarning, match=f"needs at least {n + 1} negative pairs, there are {n}"):
        assert np.isnan(identification_rate(queries, labels, distractors, fprs=(1 / (n + 1),))[1 / (n + 1)])


def test_identification_rate_has_an_interval_over_identities():
    (queries, labels), (distractors, distractor_labels) = random_sets()
    pairs = identification_scores(queries, labels, distractors, distractor_labels + 100)
    estimate = verification_of_pairs(pairs, fars=(0.05,), replicates=200)["tar_at_far_0.05"]
    assert estimate.value == identification_rate(queries, labels, distractors, fprs=(0.05,))[0.05]
    assert estimate.low < estimate.value < estimate.high
    with pytest.raises(FacelabError, match=r"identity \d is on a query and on a distractor"):
        identification_scores(queries, labels, distractors, distractor_labels)


def test_identification_rate_names_what_is_missing():
    (queries, labels), (distractors, _) = random_sets()
    with pytest.raises(FacelabError, match="no positive pairs"):
        identification_rate(queries[::7], labels[::7], distractors)
    with pytest.raises(FacelabError, match="no negative pairs"):
        identification_rate(queries[:3], labels[:3], distractors[:0])
    with pytest.raises(FacelabError, match="embedding 4 is zero"):
        identification_rate(queries, labels, np.where(np.arange(42)[:, None] == 4, 0, distractors))
    for fpr in (0, 1):
        with pytest.raises(FacelabError, match="fpr="):
            identification_rate(queries, labels, distractors, fprs=(fpr,))
