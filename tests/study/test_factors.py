"""One factor at a time, on four people; pairs and differences against loops."""

import itertools
import tomllib

import numpy as np
import pytest
from plans import FACTORS

from facelab.errors import FacelabError
from facelab.evaluate import Scores
from facelab.evaluate.counts import count_errors
from facelab.study.factors import COMPARE, level_scores
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan

RNG = np.random.default_rng


@pytest.mark.slow
def test_a_factor_of_four_people_from_rendering_to_the_report(tmp_path):
    done = run_plan(Plan.parse(tomllib.loads(FACTORS)), tmp_path, device="cpu")
    values, arrays = make_report(done).values, done.plan.settings.arrays(done.outcome)
    found = values["networks"]["synthfaces-arcface"]
    embeddings = arrays["yaw.synthfaces-arcface"].astype(float)
    assert embeddings.shape == (4, 2, 2, 128)
    for k, row in enumerate(found["factors"]["yaw"]["both"]):  # recomputed from what is published
        cosines = [embeddings[p, 0, k] @ embeddings[p, 1, k] for p in range(4)]
        assert row["frr"]["value"] == pytest.approx(np.mean(np.array(cosines) < found["threshold"]))
        assert (row["frr"]["n"], row["far"]["n"]) == (4, 4 * 6)
    turned, frontal = (embeddings[:, :, k] for k in (1, 0))
    same = np.einsum("psd,psd->ps", frontal, turned)
    assert (same < 0.999).all()  # the head did turn
    assert values["pictures"] == 16
    assert (tmp_path / "figures" / "synthfaces-arcface.png").is_file()


@pytest.mark.parametrize("mode", ["one", "both"])
def test_pairs_of_a_value_against_a_loop(mode):
    x = RNG(0).normal(size=(3, 2, 4, 5))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    pictures = list(itertools.product(range(3), range(2)))
    if mode == "both":
        pairs = [(a, b, x[a][3] @ x[b][3]) for a, b in itertools.combinations(pictures, 2)]
    else:
        pairs = [(a, b, x[a][0] @ x[b][3]) for a, b in itertools.product(pictures, pictures) if a != b]
    scores = level_scores(x, 3, mode)
    assert sorted(zip(scores.first, scores.second, scores.values.round(9), strict=True)) == sorted(
        (a[0], b[0], round(float(s), 9)) for a, b, s in pairs
    )
    assert scores.genuine.sum() == {"one": 3 * 2, "both": 3}[mode]


def test_a_difference_is_paired():
    """People who are hard at both values cancel: the paired interval is narrower than that of either rate."""
    generator, people = RNG(0), 60
    looks = np.repeat(generator.normal(size=(people, 1, 1, 8)), 3, axis=1)
    calm = looks + 0.5 * generator.normal(size=(people, 3, 1, 8))
    x = np.concatenate([calm, calm + 0.1 * generator.normal(size=calm.shape)], axis=2)
    scores: list[Scores] = [level_scores(x, k, "both") for k in (0, 1)]
    at_rest, moved = (count_errors(one, 0.7) for one in scores)
    for error, compare in COMPARE.items():
        row = compare(moved, at_rest)
        rate = at_rest.far() if error == "far" else at_rest.frr(at_rest.draw_frr(500, 0))
        assert row["low"] < row["value"] < row["high"]
        assert row["high"] - row["low"] < 0.8 * (rate.high - rate.low)
        nothing = compare(at_rest, at_rest)
        assert (nothing["value"], nothing["p"]) == (0, 1)


def test_the_difference_of_far_holds_its_promise():
    """Of experiments in which nothing differs in truth, about 95 in 100 intervals hold zero."""
    generator, held, times = RNG(1), 0, 150
    for _ in range(times):
        looks = generator.normal(size=(25, 1, 1, 6))
        x = np.repeat(looks, 2, axis=1) + 0.6 * generator.normal(size=(25, 2, 2, 6))
        at_rest, moved = (count_errors(level_scores(x, k, "both"), 0.6) for k in (0, 1))
        row = COMPARE["far"](moved, at_rest)
        held += row["low"] <= 0 <= row["high"]
    assert 0.9 <= held / times <= 1.0


def test_the_people_of_the_calibration_are_not_moved():
    with pytest.raises(FacelabError, match="seed = 3 gives the people of the calibration again"):
        Plan.parse(tomllib.loads(FACTORS.replace("seed = 5", "seed = 3")))
