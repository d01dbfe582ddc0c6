"""The study of alignment, on a few people: the same faces for every way, strangers who are strangers."""

import tomllib

import numpy as np
import pytest
from plans import ALIGNMENT, RENDERED

from facelab.align import METHODS
from facelab.data import load_orl
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    plan = Plan.parse(tomllib.loads(ALIGNMENT + RENDERED))
    return run_plan(plan, tmp_path_factory.mktemp("alignment"), device="cpu")


def tar_at_one_percent(embeddings: np.ndarray, labels: np.ndarray) -> float:
    """The share of genuine pairs above the lowest threshold that accepts at most 1 % of the impostors, by a loop."""
    genuine, impostor = [], []
    for i in range(len(labels)):
        for j in range(i):
            (genuine if labels[i] == labels[j] else impostor).append(float(embeddings[i] @ embeddings[j]))
    best = 0.0
    for threshold in genuine:
        if np.mean(np.array(impostor) >= threshold) <= 0.01:
            best = max(best, float(np.mean(np.array(genuine) >= threshold)))
    return best


def test_values_are_those_of_a_loop_over_the_stored_embeddings(done):
    values = make_report(done).values
    for method in METHODS:
        arrays = [done.outcome(f"orl-{method}-{seed}").arrays for seed in (0, 1)]
        for other in METHODS:
            loop = np.mean([tar_at_one_percent(one[other].astype(np.float64), one["labels"]) for one in arrays])
            assert values["orl"]["trained_tested"][method][other] == pytest.approx(loop)
        assert values["orl"]["methods"][method]["tar_at_far_0.01"]["value"] == pytest.approx(
            values["orl"]["trained_tested"][method][method]
        )
    first, second = (values["orl"]["methods"][method]["auc"]["value"] for method in ("five-point", "crop"))
    compared = values["orl"]["comparisons"]["auc"]["five-point - crop"]
    assert compared["value"] == pytest.approx(first - second)


def test_every_way_sees_the_same_people_and_the_strangers_are_strangers(done):
    values = make_report(done).values
    assert (values["orl"]["photographs"], values["orl"]["identities_trained"], values["orl"]["strangers"]) == (50, 2, 3)
    assert values["orl"]["strangers_chips"] == 30
    assert (values["mini"]["photographs"], values["mini"]["identities_trained"]) == (30, 2)
    for name, images in (("orl", 10), ("mini", 5)):
        labels = [done.outcome(f"{name}-{method}-1").arrays["labels"] for method in METHODS]
        for one in labels:
            np.testing.assert_array_equal(one, labels[0])
        assert (np.bincount(labels[0]) <= images).all()
    found = done.outcome("orl-faces").arrays
    assert load_orl()[0][0].shape[:2] == (112, 92)
    assert ((found["landmarks"] > 0) & (found["landmarks"] < [92, 112])).all()


def test_the_ways_and_the_seeds_differ(done):
    arrays = {name: done.outcome(name).arrays for name in done.runs if not name.endswith("faces")}
    embeddings = [one[other] for one in arrays.values() for other in METHODS]
    assert len({array.tobytes() for array in embeddings}) == len(embeddings) == 2 * 2 * 3 * 3


def test_the_report_has_tables_and_a_figure(done):
    make_report(done)
    assert sorted(path.name for path in (done.path / "tables").iterdir()) == ["comparisons.csv", "methods.csv"]
    assert (done.path / "figures" / "methods.png").stat().st_size > 5000
    assert len((done.path / "tables" / "comparisons.csv").read_text().splitlines()) == 1 + 2 * 2 * 3
