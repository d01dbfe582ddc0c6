import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, RidgeCV

from facelab.analyze import linear_probe, variance_partition
from facelab.analyze.factors import _PENALTIES
from facelab.errors import FacelabError

LABELS = np.repeat(np.arange(40), 8)


def planted(identity: float, pose: float, noise: float, seed: int = 0):
    """Embeddings near one direction (so that normalising hardly bends them) with known variances of each source."""
    generator = np.random.default_rng(seed)
    who, yaw = generator.normal(size=(40, 30)), generator.normal(size=(320, 1))
    way = generator.normal(size=(1, 30))
    way /= np.linalg.norm(way)
    x = identity * who[LABELS] / 30**0.5 + pose * yaw * way + noise * generator.normal(size=(320, 30)) / 30**0.5
    return np.concatenate([np.full((320, 1), 100.0), x], axis=1), yaw, who


@pytest.mark.parametrize("identity", [0.0, 0.5, 2.0])
def test_share_of_identity_is_recovered(identity):
    x, yaw, _ = planted(identity, 0.0, 1.0)
    found = variance_partition(x, LABELS, {"pose": yaw}).identity
    truth = identity**2 / (identity**2 + 1)
    assert found.value == pytest.approx(truth, abs=0.03)
    assert found.low - 0.02 < truth < found.high + 0.02


def test_share_of_a_factor_within_identities_is_recovered():
    x, yaw, _ = planted(2.0, 1.0, 0.5)
    nothing = np.random.default_rng(9).normal(size=(320, 2))
    found = variance_partition(x, LABELS, {"pose": yaw, "nothing": nothing})
    assert found.parts["pose"].level == "within"
    assert found.parts["pose"].alone.value == pytest.approx(1 / 1.25, abs=0.03)
    assert found.parts["pose"].unique.value == pytest.approx(1 / 1.25, abs=0.03)
    assert abs(found.parts["nothing"].alone.value) < 0.02
    assert found.together["within"].value == pytest.approx(1 / 1.25, abs=0.03)


def test_what_two_blocks_share_is_unique_to_none():
    x, yaw, _ = planted(2.0, 1.0, 0.5)
    parts = variance_partition(x, LABELS, {"pose": yaw, "copy": 3 * yaw}).parts
    assert parts["copy"].alone.value > 0.7
    assert abs(parts["copy"].unique.value) < 0.02
    assert abs(parts["pose"].unique.value) < 0.02


def test_block_that_is_constant_within_identities_is_a_part_of_identity():
    x, yaw, who = planted(2.0, 0.5, 0.5)
    x[:, 1] += 2 * who[LABELS, 0]  # give this one trait more weight
    found = variance_partition(x, LABELS, {"trait": who[LABELS][:, :1], "pose": yaw})
    assert found.parts["trait"].level == "between"
    truth = np.var(x[:, 1]) / x[:, 1:].var(axis=0).sum()
    assert found.parts["trait"].alone.value == pytest.approx(truth, abs=0.1)


def test_regression_against_scikit_learn():
    """The same leave-identities-out R², written with pandas and scikit-learn."""
    x, yaw, _ = planted(1.0, 0.7, 0.5)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    fold = (np.random.default_rng(0).permutation(40) % 8)[LABELS]
    inner = pd.DataFrame(x).sub(pd.DataFrame(x).groupby(LABELS).transform("mean")).to_numpy()
    turned = yaw[:, 0] - pd.Series(yaw[:, 0]).groupby(LABELS).transform("mean").to_numpy()
    errors = 0.0
    for f in range(8):
        model = RidgeCV(_PENALTIES, fit_intercept=False).fit(turned[fold != f, None], inner[fold != f])
        errors += ((inner[fold == f] - model.predict(turned[fold == f, None])) ** 2).sum()
    found = variance_partition(x, LABELS, {"pose": yaw}, seed=0).parts["pose"].alone
    assert found.value == pytest.approx(1 - errors / (inner**2).sum())


def test_turning_the_space_changes_nothing():
    x, yaw, _ = planted(1.0, 0.7, 0.5)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(31, 31)))[0]
    before, after = (variance_partition(v, LABELS, {"pose": yaw}, replicates=50) for v in (x, x @ turn))
    assert before.identity.value == pytest.approx(after.identity.value)
    assert before.parts["pose"].alone.value == pytest.approx(after.parts["pose"].alone.value)


def test_probe_reads_what_is_there_and_nothing_else():
    x, yaw, _ = planted(1.0, 0.7, 0.3)
    number = linear_probe(x, yaw[:, 0], LABELS)
    assert number.score.value > 0.8
    assert number.score.low < number.score.value < number.score.high
    noise = linear_probe(x, np.random.default_rng(5).normal(size=320), LABELS)
    assert noise.score.value < 0.05
    side = linear_probe(x, np.where(yaw[:, 0] > 0, "right", "left"), LABELS)
    assert side.score.value > 0.85
    assert 0.5 <= side.chance < 0.6


def test_probe_cannot_read_a_number_by_knowing_the_person():
    """A random number for each identity: within one set of people it fits perfectly, on new people not at all."""
    x, _, _ = planted(2.0, 0.1, 0.1)
    own = np.random.default_rng(3).normal(size=40)[LABELS]
    assert LinearRegression().fit(x, own).score(x, own) > 0.5
    assert linear_probe(x, own, LABELS).score.value < 0.1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: variance_partition(np.eye(6), np.arange(6), {}), "one image"),
        (lambda: variance_partition(np.eye(6), np.repeat(range(3), 2), {}, folds=4), "folds=4"),
        (lambda: variance_partition(np.eye(6), np.repeat(range(3), 2), {"a": np.ones(6)}, folds=2), "block 'a'"),
        (lambda: linear_probe(np.eye(6), np.ones(6), np.repeat(range(3), 2)), "not all equal"),
        (lambda: linear_probe(np.eye(6), np.arange(6), np.repeat(range(3), 2), folds=3), "folds=3"),
        (lambda: linear_probe(np.eye(6), np.array([1, np.nan] * 3), np.repeat(range(3), 2), folds=2), "target 1"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
