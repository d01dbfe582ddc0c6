"""What must hold for every protocol, whatever the data: one table of protocols, one test for each property."""

from collections.abc import Callable

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import (
    auc,
    closed_set_accuracy,
    cmc,
    eer,
    error_versus_reject,
    errors_at,
    errors_by_group,
    fold_accuracy,
    identification_rate,
    leave_one_out_rank1,
    listed_scores,
    make_templates,
    open_set,
    operating_point,
    pair_scores,
    roc,
    streamed_roc,
    transfer_threshold,
    verification,
)

IMAGES, IDENTITIES, EACH = 60, 10, 6


def faces(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(IDENTITIES), EACH)
    centres = generator.normal(0, 1, (IDENTITIES, 16))[labels]
    return centres + generator.normal(0, 1, (IMAGES, 16)), labels


OTHERS = pair_scores(*faces(1))


def folds(x, y):
    """Folds of identities; a pair across folds belongs to none."""
    scores = pair_scores(x, y)
    fold = np.where(scores.first % 5 == scores.second % 5, scores.first % 5, -1)
    inside = fold >= 0
    scores = type(scores)(scores.values[inside], scores.first[inside], scores.second[inside])
    return fold_accuracy(scores, fold[inside]).accuracies


def sides(y):
    """Cut the images of each identity, in the order of the rows given, into gallery and probes."""
    seen: dict = {}
    place = np.array([seen.setdefault(label, []).append(0) or len(seen[label]) for label in y.tolist()])
    return place <= EACH // 2


def closed(x, y):
    gallery = sides(y)
    return cmc(x[gallery], y[gallery], x[~gallery], y[~gallery])


def searches(x, y):
    gallery = sides(y) & (y % 3 > 0)
    return open_set(x[gallery], y[gallery], x[~sides(y)], y[~sides(y)]).dir_at_far(0.2, replicates=20).value


def templates(x, y):
    made = make_templates(x, y, 2 * y + sides(y))
    scores = pair_scores(made.embeddings, made.labels)
    return auc(roc(scores))


def curve_measures(curve):
    return [auc(curve), eer(curve)]


# Each protocol: embeddings (n, d) and labels (n,) to a number or an array of numbers.
PROTOCOLS: dict[str, Callable] = {
    "verification": lambda x, y: [
        e.value for e in verification(x, y, fars=(0.05,), replicates=5).values()
    ],
    "listed pairs": lambda x, y: curve_measures(roc(listed_scores(x, y, *np.triu_indices(len(y), 1)))),
    "streamed": lambda x, y: curve_measures(streamed_roc(x, y, precision=np.float64, block_pairs=100)),
    "10 folds": folds,
    "templates": templates,
    "operating point": lambda x, y: operating_point(pair_scores(x, y), 0.05).tar,
    "errors at a threshold": lambda x, y: [e.value for e in errors_at(pair_scores(x, y), 0.4, replicates=5)],
    "transfer": lambda x, y: transfer_threshold(pair_scores(x, y), OTHERS, 0.05, replicates=5).far.value,
    "closed set": lambda x, y: closed_set_accuracy(x[sides(y)], y[sides(y)], x[~sides(y)], y[~sides(y)]).value,
    "cmc": closed,
    "open set": searches,
    "leave one out": lambda x, y: leave_one_out_rank1(x, y).value,
    "identification rate": lambda x, y: list(identification_rate(x, y, faces(1)[0][:7]).values()),
    "groups": lambda x, y: [
        rate
        for group in errors_by_group(x, y, y % 2, 0.4, replicates=5).groups
        for rate in (group.far.value, group.frr.value)
    ],
    "error versus reject": lambda x, y: error_versus_reject(x, y, y % 4, 0.4, replicates=5).frr,
}  # fmt: skip
every = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))


@every
def test_order_of_identities_changes_nothing(protocol):
    """Whole identities change places, so that splits by row stay the same."""
    x, y = faces()
    order = np.concatenate([np.flatnonzero(y == k) for k in np.random.default_rng(1).permutation(IDENTITIES)])
    np.testing.assert_allclose(protocol(x[order], y[order]), protocol(x, y), atol=1e-12)


@every
def test_rotation_and_length_of_embeddings_change_nothing(protocol):
    x, y = faces()
    if protocol in (PROTOCOLS["transfer"], PROTOCOLS["identification rate"]):
        rotation = np.eye(16)  # the other side of these protocols stays as it is
    else:
        rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))
    lengths = np.random.default_rng(2).uniform(0.1, 9, (IMAGES, 1))
    np.testing.assert_allclose(protocol(x @ rotation * lengths, y), protocol(x, y), atol=1e-9)


@every
@pytest.mark.parametrize(("value", "message"), [(np.nan, "not finite"), (np.inf, "not finite"), (0.0, "zero")])
def test_an_embedding_without_direction_is_named(protocol, value, message):
    x, y = faces()
    with pytest.raises(FacelabError, match=rf"embedding \d+ is {message}"):
        protocol(np.where(np.arange(IMAGES)[:, None] == 13, value, x), y)


@pytest.mark.filterwarnings("ignore:group .* shows no error")
@every
def test_embeddings_all_alike_are_measured(protocol):
    """Constant scores: a number, not an exception."""
    y = faces()[1]
    values = np.atleast_1d(protocol(np.ones((IMAGES, 16)), y))
    assert np.isfinite(values).all()


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("verification", [0.5, 0.5, 0.0]),
        ("streamed", [0.5, 0.5]),
        ("templates", 0.5),
        ("operating point", 0.0),
        ("closed set", 0.1),
        ("cmc", [0] * 9 + [1]),
        ("open set", 0.0),
        ("identification rate", [0, 0, 0]),
    ],
)
def test_constant_scores_recognise_nobody(name, good):
    np.testing.assert_allclose(PROTOCOLS[name](np.ones((IMAGES, 16)), faces()[1]), good, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("verification", "no impostor pairs"),
        ("listed pairs", "no impostor pairs"),
        ("streamed", "no impostor pairs"),
        ("10 folds", r"1 fold|no impostor pairs"),
        ("templates", "no impostor pairs"),
        ("operating point", "no impostor pairs"),
        ("errors at a threshold", "no impostor pairs"),
        ("transfer", "0 impostor pairs"),
        ("open set", "no (non-)?mated probes"),
    ],
)
def test_one_identity_only_is_an_error_that_says_why(name, message):
    x, y = faces()
    with pytest.raises(FacelabError, match=message):
        PROTOCOLS[name](x, y * 0 + 5)


@pytest.mark.parametrize(("name", "expected"), [("closed set", 1.0), ("cmc", [1.0]), ("leave one out", 1.0)])
def test_naming_within_one_identity_is_always_right(name, expected):
    x, y = faces()
    np.testing.assert_allclose(PROTOCOLS[name](x, y * 0), expected)


def test_one_identity_in_a_group_has_no_far_and_one_identity_of_queries_still_meets_distractors():
    x, y = faces()
    with pytest.warns(UserWarning, match="no impostor pairs"):
        (group,) = errors_by_group(x, y * 0, y * 0, 0.4, replicates=5).groups
    assert np.isnan(group.far.value)
    assert 0 < group.frr.value < 1
    rates = identification_rate(x[:6], y[:6], x[6:])
    assert rates[0.2] > 0.5


@pytest.mark.parametrize(
    "name",
    ["verification", "listed pairs", "streamed", "operating point", "errors at a threshold", "error versus reject"],
)
def test_no_two_images_of_anybody_is_an_error_that_says_why(name):
    x, _ = faces()
    with pytest.raises(FacelabError, match="no genuine pairs"):
        PROTOCOLS[name](x, np.arange(IMAGES))


@pytest.mark.parametrize("name", ["verification", "streamed", "operating point", "10 folds", "cmc", "open set"])
def test_ties_are_settled_against_the_system_or_half_way(name):
    """Two coordinates with few values give many equal scores; the order of the rows must not settle them."""
    generator = np.random.default_rng(3)
    y = np.repeat(np.arange(IDENTITIES), EACH)
    x = np.column_stack([np.ones(IMAGES), generator.integers(0, 2, (IMAGES, 2))]).astype(float)
    order = np.concatenate([np.flatnonzero(y == k) for k in generator.permutation(IDENTITIES)])
    np.testing.assert_allclose(PROTOCOLS[name](x[order], y[order]), PROTOCOLS[name](x, y), atol=1e-12)
