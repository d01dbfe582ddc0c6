import numpy as np
import pytest

from facelab.evaluate import Scores, auc, bootstrap_curves, eer, identity_bootstrap, roc, tar_at_far
from facelab.evaluate.bootstrap import draw_identities


def some_scores(ties: bool, seed: int = 0, n: int = 300) -> Scores:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 7, (2, n))
    values = generator.normal(first == second, 1)
    return Scores(values.round(1) if ties else values, first, second)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_curves_equal_those_of_explicit_weights(ties, seed):
    scores = some_scores(ties, seed)
    weights = np.concatenate(list(identity_bootstrap(scores, 40, np.random.default_rng(seed))))
    plain = roc(scores, weights)
    for measure in (auc, eer, lambda curve: tar_at_far(curve, 0.02), lambda curve: tar_at_far(curve, 1.0)):
        fast = np.concatenate([measure(c) for c in bootstrap_curves(scores, 40, np.random.default_rng(seed))])
        np.testing.assert_allclose(fast, measure(plain), atol=1e-12)


def test_blocks_change_nothing(monkeypatch):
    scores = some_scores(True)

    def areas():
        return np.concatenate([auc(c) for c in bootstrap_curves(scores, 30, np.random.default_rng(0))])

    before = areas()
    monkeypatch.setattr("facelab.evaluate.bootstrap._BLOCK_VALUES", 1)
    np.testing.assert_allclose(areas(), before, atol=1e-14)


def test_draws_do_not_depend_on_the_block():
    draws = [np.concatenate(list(draw_identities(9, 50, np.random.default_rng(0), block))) for block in (1, 7, 100)]
    np.testing.assert_array_equal(draws[0], draws[1])
    np.testing.assert_array_equal(draws[0], draws[2])
    assert (draws[0].sum(axis=1) == 9).all()


def test_replicates_without_genuine_pairs_are_nan_not_a_number():
    """Two identities, one of them with a single image: a draw of only that one has no pair at all."""
    scores = Scores(np.array([0.9, 0.2, 0.1]), np.array([0, 0, 0]), np.array([0, 1, 1]))
    areas = np.concatenate([auc(c) for c in bootstrap_curves(scores, 200, np.random.default_rng(0))])
    assert np.isnan(areas).any()
    assert set(areas[np.isfinite(areas)]) == {1.0}
