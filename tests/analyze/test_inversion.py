"""Template inversion against scikit-learn, and where the answer is known."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from facelab.analyze import learn_inverter
from facelab.errors import FacelabError


@pytest.fixture
def pairs():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 6))
    return x, rng.integers(0, 256, (40, 4, 5, 3), dtype=np.uint8)


def test_it_is_the_ridge_regression_of_scikit_learn(pairs):
    x, chips = pairs
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    peer = Ridge(alpha=0.7).fit(unit, chips.reshape(40, -1)).predict(unit)
    made = learn_inverter(x, chips, ridge=0.7)(3 * x)
    assert made.shape == (40, 4, 5, 3)
    np.testing.assert_array_equal(made, peer.clip(0, 255).round().reshape(made.shape))


def test_pixels_that_are_linear_in_the_embedding_come_back_also_of_strangers():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    chips = (128 + unit @ rng.uniform(-60, 60, (3, 48))).round().astype(np.uint8).reshape(60, 4, 4, 3)
    made = learn_inverter(x[:40], chips[:40], ridge=1e-6)(x[40:])
    assert np.abs(made.astype(int) - chips[40:]).max() <= 1


def test_a_large_ridge_leaves_the_mean_picture(pairs):
    made = learn_inverter(*pairs, ridge=1e9)(pairs[0][:3])
    np.testing.assert_allclose(made, np.broadcast_to(pairs[1].mean(axis=0), made.shape), atol=0.51)


def test_what_does_not_fit_is_named(pairs):
    x, chips = pairs
    with pytest.raises(FacelabError, match=r"chips \(39, 4, 5, 3\)"):
        learn_inverter(x, chips[:39])
    with pytest.raises(FacelabError, match="ridge=0"):
        learn_inverter(x, chips, ridge=0)
