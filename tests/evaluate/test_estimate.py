"""An estimate in plain words."""

import numpy as np
import pytest

from facelab.evaluate import Estimate


@pytest.mark.parametrize(
    ("estimate", "options", "sentence"),
    [
        (
            Estimate(0.812, 0.74, 0.8712, 1920),
            {"of": "genuine pairs"},
            "TAR is 81.2 %, 95 % interval 74.0 % to 87.1 % (1,920 genuine pairs)",
        ),
        (Estimate(2.5, 1.25, 10, 7), {"points": False}, "TAR is 2.5, 95 % interval 1.25 to 10"),
        (Estimate(np.nan, np.nan, np.nan, 3), {"of": "pairs"}, "TAR cannot be measured here (3 pairs)"),
        (Estimate(0.5, np.nan, np.nan, 3), {}, "TAR is 50.0 %, no interval"),
    ],
)
def test_sentence(estimate, options, sentence):
    assert estimate.sentence("TAR", **options) == sentence


def test_few_identities_are_said_beside_the_number():
    few, many = (Estimate(0.812, 0.74, 0.871, 1920, identities) for identities in (16, 30))
    assert few.few
    assert not many.few
    start = "TAR is 81.2 %, 95 % interval 74.0 % to 87.1 %"
    rough = "only 16 identities, so the interval is rough"
    assert few.sentence("TAR", of="genuine pairs") == f"{start} (1,920 genuine pairs; {rough})"
    assert few.sentence("TAR") == f"{start} ({rough})"
    assert many.sentence("TAR", of="genuine pairs") == f"{start} (1,920 genuine pairs)"
    assert few.as_dict()["identities"] == 16
    assert "identities" not in Estimate(0.8, 0.7, 0.9, 10).as_dict()
    assert few == Estimate(0.812, 0.74, 0.871, 1920)


def test_no_number_is_minus_zero():
    estimate = Estimate(-0.001, -0.01, 0.001, 5)
    assert f"{estimate:.2f}" == "0.00 [-0.01, 0.00]"
    assert f"{estimate:+.1f}" == "+0.0 [+0.0, +0.0]"
    assert f"{estimate:.0%}" == "0% [-1%, 0%]"
    assert f"{estimate}" == "-0.001 [-0.010, 0.001]"
