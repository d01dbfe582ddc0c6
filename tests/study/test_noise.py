"""The study of wrong labels: which labels are wrong, and what its numbers say."""

import numpy as np
import pandas as pd
import pytest

from facelab.data import FaceSet
from facelab.plots import wrong_labels
from facelab.study.experiment import Outcome
from facelab.study.noise import _found, with_wrong_labels
from facelab.study.plan import Plan


def test_the_asked_share_of_labels_is_wrong_and_the_pictures_stay():
    people = np.repeat([f"p{k:02d}" for k in range(20)], 10)
    faces = FaceSet("toy", np.zeros((200, 4, 4, 3), np.uint8), pd.DataFrame({"identity": people}))
    given, wrong = with_wrong_labels(faces, 0.4, seed=3)
    assert wrong.sum() == 80
    np.testing.assert_array_equal(given.table["identity"].to_numpy() != people, wrong)
    assert given.images is faces.images
    again, other = (with_wrong_labels(faces, 0.4, seed)[0].labels for seed in (3, 4))
    assert (again == given.labels).all()
    assert (other != given.labels).any()
    assert (with_wrong_labels(faces, 0.0, seed=3)[0].labels == faces.labels).all()


def test_found_is_the_share_of_pairs_in_which_the_wrong_label_is_the_more_suspicious_one():
    rng = np.random.default_rng(0)
    wrong, suspicion, labels = rng.random(60) < 0.4, rng.normal(size=60), np.arange(60) % 6
    value, draws = _found(suspicion, wrong, labels, 100)
    assert value == pytest.approx((suspicion[wrong][:, None] > suspicion[~wrong]).mean())
    assert draws.shape == (100,)


def outcome(share: float, tar: float, rng: np.random.Generator) -> Outcome:
    keys = ["tar_at_far_0.01", "eer", "auc"] + (["found"] if share else [])
    values = dict.fromkeys(keys, tar) | {"pictures": 60, "training_accuracy": 0.5}
    values |= {"learned": 0.25, "seen_through": 0.5} if share else {}
    arrays = {key: tar + 0.01 * rng.normal(size=100) for key in keys}
    return Outcome(values, arrays | {"stranger_labels": np.repeat(np.arange(50), 4)})


def test_the_last_loss_is_compared_with_each_other_at_each_share():
    plan, rng = Plan.load("noise").settings, np.random.default_rng(0)
    names, runs = [loss.name for loss in plan.losses], plan.runs()
    outcomes = {
        plan.run(name, share, seed): outcome(share, 0.6 - 0.5 * share + 0.1 * share * (name == names[-1]), rng)
        for name in names
        for share in plan.shares
        for seed in plan.seeds
    }
    assert set(runs) == {"faces", *outcomes}
    values = plan.values(outcomes)
    worst = str(plan.shares[-1])
    for other in names[:-1]:
        assert values["comparisons"][f"{worst}: {names[-1]} - {other}"]["value"] == pytest.approx(0.04)
        assert values["comparisons"][f"0.0: {names[-1]} - {other}"]["value"] == 0
    assert values["shares"][worst]["arcface"]["learned"] == 0.25
    assert "found" not in values["shares"]["0.0"]["arcface"]
    assert len(plan.tables(values)["noise"]) == len(names) * len(plan.shares)
    assert len(wrong_labels(values["shares"]).axes) == 2


def test_losses_of_a_seed_start_alike():
    """The same wrong labels, the same network: the recipes differ in nothing but the loss."""
    plan = Plan.load("noise").settings
    runs = plan.runs()
    for share in plan.shares:
        recipes = [runs[plan.run(loss.name, share, 1)].training.recipe.model_dump() for loss in plan.losses]
        assert all(recipe | {"loss": None} == recipes[0] | {"loss": None} for recipe in recipes)
        assert len({recipe["loss"]["name"] for recipe in recipes}) == len(plan.losses)
