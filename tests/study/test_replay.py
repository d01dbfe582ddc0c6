"""Replayed experiments: against draws made one by one, in limits that can be computed, and bad input."""

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.study.replay import replay, replays


@pytest.fixture
def right():
    rng = np.random.default_rng(1)
    return rng.random((3, 400)) < 0.6, rng.random((3, 400)) < 0.7


def test_as_if_images_were_drawn_one_by_one(right):
    found = replay(*right, images=40, experiments=20_000)
    rng, slow = np.random.default_rng(2), []
    for _ in range(5_000):
        chosen = rng.choice(400, 40, replace=False)
        slow.append((right[0][rng.integers(3)][chosen].sum(), right[1][rng.integers(3)][chosen].sum()))
    first, second = np.array(slow).T
    fast = found.second - found.first
    assert fast.mean() == pytest.approx((second - first).mean(), abs=0.25)
    assert fast.std() == pytest.approx((second - first).std(), rel=0.05)
    assert np.corrcoef(found.first, found.second)[0, 1] == pytest.approx(np.corrcoef(first, second)[0, 1], abs=0.05)
    assert found.expected == pytest.approx(right[1].mean() - right[0].mean())


def test_all_images_leave_only_the_trainings_to_chance(right):
    found = replay(*right, images=400)
    assert set(found.first) <= set(right[0].sum(axis=1))
    told = found.as_dict(gain=0.14)
    assert sum(told["times"]) == told["experiments"] == 10_000
    assert told["second_worse"] == np.mean(found.second < found.first)
    assert told["gain_shown"] == np.mean(found.second >= 1.14 * found.first)


def test_one_loss_is_drawn_with_two_seeds():
    never, always = np.zeros((1, 50), bool), np.ones((1, 50), bool)
    both = np.concatenate([never, always])
    found = replay(both, both, images=10, same=True)
    assert set(found.second - found.first) == {-10, 10}
    assert found.expected == 0
    with pytest.raises(FacelabError, match="two seeds"):
        replay(never, never, images=10, same=True)


@pytest.mark.parametrize(("images", "other"), [(0, 50), (51, 50), (10, 40)])
def test_images_that_are_not_there(images, other):
    with pytest.raises(FacelabError, match=f"cannot draw {images} images"):
        replay(np.ones((2, 50), bool), np.ones((2, other), bool), images=images)


def test_worlds_name_what_they_compare():
    scorers = dict.fromkeys(("centroid", "neighbour", "classifier"), np.eye(2, 90, dtype=bool))
    worlds = replays({"cross_entropy": scorers, "arcface": scorers}, images=75, gain=0.14)
    assert worlds["as it was"]["first"] == "cross_entropy, classifier"
    assert worlds["equal losses"]["second"] == "cross_entropy, neighbour"
    assert all(world["images"] == 75 for world in worlds.values())
