"""The study of ablations: numbers from the arrays, pairs of equal seeds, and the power law."""

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import compare_by_identity
from facelab.plots import ablations
from facelab.study.ablations import Ablations, fit_power_law
from facelab.study.experiment import Outcome
from facelab.study.plan import Plan

TAR = "tar_at_far_0.01"


def made(seed: int, loss: str, identities: int, share: float) -> Outcome:
    """A run with 4 test images of each identity, of which about ``share`` are right; FRR is 20 / identities."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(identities), 4)
    named = np.where(rng.random(len(labels)) < share, labels, (labels + 1) % identities)
    values = {"recipe": {"loss": {"name": loss}}, TAR: 1 - 20 / identities, "eer": 2 / identities**0.5}
    return Outcome(values, {"labels": labels, "centroid": named})


@pytest.fixture(scope="module")
def settings() -> Ablations:
    found = Plan.load("gpu-ablations").settings
    assert isinstance(found, Ablations)
    return found


@pytest.fixture(scope="module")
def outcomes(settings):
    found = {}
    for name, run in settings.runs().items():
        if name != "faces":
            recipe = run.training.recipe
            share = 0.6 if recipe.loss.name == "cross_entropy" else 0.9 if recipe.augment else 0.5
            found[name] = made(recipe.seed, recipe.loss.name, run.identities or 500, share)
    return found


@pytest.fixture(scope="module")
def values(settings, outcomes):
    return settings.values(outcomes)


def test_numbers_follow_from_the_arrays(values, outcomes):
    for name in ("base-arcface", "images-cross-entropy-3", "identities-arcface-125"):
        group, _, change = name.partition("-")
        runs = [outcomes[f"{name}-{seed}"] for seed in (0, 1, 2)]
        row = values["changes"][group][change]
        seeds = [(run.arrays["centroid"] == run.arrays["labels"]).mean() for run in runs]
        assert row["accuracy"]["seeds"] == pytest.approx(seeds)
        assert row["accuracy"]["value"] == pytest.approx(np.mean(seeds))
        assert row["accuracy"]["low"] < np.mean(seeds) < row["accuracy"]["high"]
        assert row[TAR]["value"] == pytest.approx(1 - 20 / row["identities"])


def test_a_change_is_compared_with_the_base_of_its_loss_on_the_same_images(values, outcomes):
    """By hand: the same seeds, the same identities."""

    def right(name):
        runs = [outcomes[f"{name}-{seed}"].arrays for seed in (0, 1, 2)]
        return np.array([(run["centroid"] == run["labels"]).reshape(500, 4).mean(axis=1) for run in runs])

    for group, change, base in (
        ("augmentation", "none", "base-arcface"),
        ("images", "cross-entropy-3", "base-cross-entropy"),
    ):
        expected = compare_by_identity(right(f"{group}-{change}"), right(base), share=True).difference
        found = values["changes"][group][change]["minus_first"]
        assert [found[end] for end in ("value", "low", "high")] == pytest.approx(
            [expected.value, expected.low, expected.high]
        )
    assert values["changes"]["augmentation"]["none"]["minus_first"]["value"] < -0.35
    assert values["changes"]["augmentation"]["none"]["minus_first"]["p_holm"] < 0.05
    for group, change in (("base", "arcface"), ("base", "cross-entropy"), ("identities", "arcface-125")):
        assert "minus_first" not in values["changes"][group][change]  # the base, or other test images


def test_the_laws_are_those_that_were_put_in(values):
    assert set(values["power_laws"]) == {"arcface", "cross_entropy"}
    for law in values["power_laws"].values():
        assert (law["frr_at_far_0.01"]["exponent"], law["frr_at_far_0.01"]["factor"]) == pytest.approx((1, 20))
        assert (law["eer"]["exponent"], law["eer"]["factor"], law["eer"]["points"]) == pytest.approx((0.5, 2, 9))


def test_a_power_law_is_numpys_line_in_logarithms():
    rng = np.random.default_rng(0)
    n = np.repeat([125, 250, 500], 3)
    e = 30 * n**-0.8 * np.exp(0.05 * rng.normal(size=9))
    found = fit_power_law(n, e)
    (slope, at_one), covariance = np.polyfit(np.log(n), np.log(e), 1, cov=True)
    assert (found["exponent"], found["factor"]) == pytest.approx((-slope, np.exp(at_one)))
    assert found["high"] - found["low"] == pytest.approx(2 * 2.364624 * covariance[0, 0] ** 0.5)  # t, 7 degrees


def test_the_interval_holds_the_exponent_in_95_of_100_cases():
    rng = np.random.default_rng(1)
    n, held = np.repeat([125, 250, 500], 3), 0
    for _ in range(400):
        law = fit_power_law(n, 2 * n**-0.5 * np.exp(0.1 * rng.normal(size=9)))
        held += law["low"] < 0.5 < law["high"]
    assert 0.92 < held / 400 < 0.98


@pytest.mark.parametrize(("n", "e"), [([1, 2], [0.1, 0.2]), ([5, 5, 5], [0.1, 0.2, 0.3]), ([1, 2, 3], [0.1, 0, 0.1])])
def test_what_has_no_law_is_one_clear_error(n, e):
    with pytest.raises(FacelabError, match="no power law through"):
        fit_power_law(n, e)


def test_the_figure_has_a_mark_for_each_seed(values, settings):
    figure = ablations({"base": values["changes"]["base"], "scale": values["changes"]["scale"]})
    for panel, key in zip(figure.axes, ("accuracy", TAR), strict=True):
        seeds = [line.get_xdata() for line in panel.lines if line.get_marker() == "|"]
        rows = [row for group in ("base", "scale") for row in values["changes"][group].values()]
        np.testing.assert_allclose(seeds, [row[key]["seeds"] for row in rows])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        *("base", "arcface", "cross-entropy"),
        *("scale", "8", "16", "64"),
    ]
    assert list(settings.figures(values)) == ["ablations"]
