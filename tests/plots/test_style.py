"""One look a loss: told apart by everybody, seen on a light and on a dark page."""

import itertools

import numpy as np
import pytest

from facelab.losses import LOSSES
from facelab.plots.style import CYCLE, LOSS_STYLES, Look, looks

PAGES = ("#ffffff", "#121212")  # of the book, light and dark
LEAST_CONTRAST = 3.0  # WCAG 2.2, success criterion 1.4.11, for graphics
LEAST_DISTANCE = 14.0  # in CIELAB; about 2 can just be seen where two areas touch

# Machado, Oliveira, Fernandes: Physiologically-based simulation of color vision deficiency (2009), severity 1.
SIGHT = {
    "usual": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def linear(colour: str) -> np.ndarray:
    """Linear sRGB (IEC 61966-2-1) of a colour."""
    c = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    """CIELAB, white D65, of linear sRGB."""
    to_xyz = np.array([[0.4125, 0.3576, 0.1804], [0.2127, 0.7152, 0.0722], [0.0193, 0.1192, 0.9503]])
    x = to_xyz @ rgb.clip(0, 1) / (to_xyz @ np.ones(3))
    f = np.where(x > (6 / 29) ** 3, np.cbrt(x), x / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distance(one: str, other: str) -> float:
    """The least distance of two colours over the ways to see."""
    return min(
        np.linalg.norm(lab(sight @ linear(one)) - lab(sight @ linear(other))) for sight in map(np.array, SIGHT.values())
    )


def contrast(one: str, other: str) -> float:
    light, dark = sorted((linear(c) @ [0.2126, 0.7152, 0.0722] for c in (one, other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_every_loss_has_a_look() -> None:
    assert set(LOSSES) <= set(LOSS_STYLES)


def test_two_losses_are_told_apart() -> None:
    for (one, a), (other, b) in itertools.combinations(LOSS_STYLES.items(), 2):
        assert a.line != b.line or distance(a.colour, b.colour) > LEAST_DISTANCE, (one, other)
        assert a.marker != b.marker, (one, other)


def test_arcface_is_the_boldest() -> None:
    widths = {loss: look.width for loss, look in LOSS_STYLES.items()}
    assert widths.pop("arcface") > max(widths.values())


@pytest.mark.parametrize("colour", sorted({*CYCLE, *(look.colour for look in LOSS_STYLES.values())}))
def test_colours_are_seen_on_both_pages(colour: str) -> None:
    assert min(contrast(colour, page) for page in PAGES) >= LEAST_CONTRAST


def test_contrast_and_distance_know_what_is_known() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert distance("#000000", "#ffffff") == pytest.approx(100, abs=0.1)
    assert (
        distance("#c00000", "#4f4f00")
        < LEAST_DISTANCE * 2
        < np.linalg.norm(lab(linear("#c00000")) - lab(linear("#4f4f00")))
    )


def test_a_loss_looks_the_same_whoever_is_beside_it_and_whatever_it_is_called() -> None:
    for names in (["arcface"], ["pixels", "my network", "arcface"], ["ArcFace, s = 64, m = 0.5"], ["x", "ArcFace"]):
        assert looks(names)[-1] == LOSS_STYLES["arcface"]


def test_models_are_told_apart_also_where_they_share_a_loss_or_have_none() -> None:
    names = [
        "NormFace, s = 48",
        "NormFace, s = 12",
        "NormFace, s = 4",
        "ArcFace, s = 12",
        "one",
        "another",
        "elastic_arcface",
    ]
    found = looks(names)
    assert len({(look.colour, look.line) for look in found}) == len(names)
    assert len({look.colour for look in found[:3]}) == 1
    assert not {look.colour for look in found[4:6]} & {look.colour for look in (*found[:4], found[6])}
    assert all(isinstance(look, Look) for look in looks(map(str, range(30))))
