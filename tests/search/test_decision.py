"""What is said of a threshold: the numbers of the measure, in words."""

import pytest

from facelab.evaluate import Estimate
from facelab.search import false_matches


@pytest.mark.parametrize(
    ("far", "templates", "searches", "said"),
    [
        (
            Estimate(1e-3, 4e-4, 3e-3, 10_000),
            250,
            2000,
            "2,000 searches a day by strangers, each of 250 templates: about 500 false matches a day (95 % interval "
            "200 to 1,500); about 22 % of them name somebody.",
        ),
        (
            Estimate(0.0, 0.0, 2e-5, 10_000),
            1,
            10,
            "10 searches a day by strangers, each of 1 template: about 0 false matches a day (95 % interval 0 to "
            "0.0002); about 0 % of them name somebody.",
        ),
        (
            0.01,
            3,
            100,
            "each of 3 templates: about 3 false matches a day; about 3 % of them",
        ),
        (None, 10, 100, "cannot be said: its file holds no false accept rate (FAR)"),
        (0.01, 0, 100, "The gallery is empty"),
    ],
)
def test_a_days_false_matches_are_said(far, templates, searches, said):
    assert said in false_matches(far, templates, searches)
