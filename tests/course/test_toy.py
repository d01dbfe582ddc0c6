"""The toy: what it finds, on small faces that need no rendering."""

import numpy as np
import pytest
import torch

from facelab.analyze import centre_angles
from facelab.course.toy import TOY_LOSSES, train_toy
from facelab.train import LossRecipe

pytestmark = pytest.mark.slow


def test_a_margin_draws_training_images_together(toy_chips):
    spread = {}
    for name in ("normface", "arcface"):
        toy = train_toy(TOY_LOSSES[name], toy_chips, toy_chips, steps=80)
        angles = centre_angles(toy.train, toy.train_labels, toy.centres)
        assert angles.right.all()
        spread[name] = angles.own.mean()
    assert spread["arcface"] < 0.9 * spread["normface"]


def test_the_same_seed_gives_the_same_toy_and_leaves_the_global_state(toy_chips):
    before = torch.get_rng_state()
    first, second, other = (
        train_toy(TOY_LOSSES["cosface"], toy_chips, toy_chips, seed=seed, steps=3) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.train, second.train)
    assert not np.allclose(first.train, other.train)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_loss_of_the_toy_trains(toy_chips):
    for recipe in TOY_LOSSES.values():
        toy = train_toy(recipe, toy_chips, toy_chips, steps=2)
        assert toy.train.shape == (12, 2)
        assert toy.centres.shape == (3, 2)
        assert np.isfinite(toy.train).all()


def test_without_class_centres_the_means_stand_for_the_identities(toy_chips):
    toy = train_toy(LossRecipe(name="triplet", mining="batch-all"), toy_chips, toy_chips, steps=30)
    assert centre_angles(toy.train, toy.train_labels, toy.centres).right.mean() > 0.9
    assert toy.losses.shape == (30,)
    assert toy.losses[-1] < 0.5 * toy.losses[0]
    for k in range(3):
        np.testing.assert_allclose(toy.centres[k], toy.train[toy.train_labels == k].mean(axis=0))
