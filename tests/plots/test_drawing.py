"""A figure becomes an SVG that is the same each time, reads on both pages, and has a twin for a phone."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from letters import cut, extent, sizes
from matplotlib.figure import Figure
from PIL import Image

from facelab import plots
from facelab.plots.drawing import INKS, PHONE, dark, narrow, svg, unpacked
from facelab.plots.style import LOSS_STYLES, WIDEST, new_figure, show_image, styled

PIXELS = 96 / 72  # of a page, for each point


def curves() -> Figure:
    theta = np.linspace(0, 2.5, 50)
    return plots.over_angle(theta, {"normface": np.cos(theta), "arcface": np.cos(theta + 0.5)}, ylabel="target logit")


def panels() -> Figure:
    history = [{"epoch": e, "loss": 8 / e, "accuracy": 1 - 1 / e} for e in (1, 2, 4)]
    return plots.training_curves({"cross_entropy": history})


def test_drawn_twice_it_is_the_same() -> None:
    assert svg(curves()) == svg(curves())
    assert narrow(panels()) == narrow(panels())


def test_it_is_an_image_that_names_nothing_outside() -> None:
    picture = svg(curves())
    assert ET.fromstring(picture).tag == "{http://www.w3.org/2000/svg}svg"
    assert not re.search(r"<!DOCTYPE|<metadata|font-family|href=\"(?!#|data:)", picture)


def test_on_a_dark_page_ink_and_paper_change_and_data_stay() -> None:
    picture = svg(curves())
    twin = dark(picture)
    for ink, on_dark in INKS.items():
        assert ink not in twin
        assert (on_dark in twin) == (ink in picture)
    for loss in ("normface", "arcface"):
        colour = LOSS_STYLES[loss].colour.lower()
        assert twin.count(colour) == picture.count(colour) > 0
    assert not set(re.findall(r"(?:fill|stroke): (#\w+)", picture)) & {"#000000"}  # black would stay black
    assert len(twin) == len(picture)


def test_a_colour_inside_of_a_name_or_a_picture_is_not_exchanged() -> None:
    text = '<use href="#ffffff-1"/><a id="ffffff"/><image href="data:image/png;base64,ffffff"/>'
    assert dark(text) == text


def test_on_a_phone_panels_stand_one_below_the_other_and_the_figure_is_as_it_was() -> None:
    figure = panels()
    before = svg(figure)
    width, height = extent(before)
    on_phone = narrow(figure)
    assert extent(on_phone)[0] == pytest.approx(72 * PHONE, abs=0.1)
    assert extent(on_phone)[1] > 1.5 * height
    assert min(sizes(on_phone)) * PIXELS * min(1, 358 / (PIXELS * extent(on_phone)[0])) >= 9
    assert extent(svg(figure)) == (width, height)
    assert figure.axes[0].get_subplotspec().get_gridspec().ncols == 2


def test_panels_that_share_an_axis_have_its_labels_on_a_phone() -> None:
    figure, axes = new_figure(1, 3, width=7, height=2.5, sharey=True)
    axes[0, 0].set_ylabel("shared")
    assert narrow(figure).count("<!-- shared -->") == 3
    assert svg(figure).count("<!-- shared -->") == 1


@styled
def entitled(title: str, columns: int) -> Figure:
    figure, axes = new_figure(1, columns, width=6, height=2.5)
    for panel in axes[0]:
        panel.set_title(title)
    return figure


@pytest.mark.parametrize("columns", [1, 3])
def test_a_long_title_ends_before_the_next_panel_and_within_the_figure(columns: int) -> None:
    title = "The squared distance of the nearest negative, " * 2
    figure = entitled(title, columns)
    figure.draw_without_rendering()
    boxes = [panel._left_title.get_window_extent() for panel in figure.axes]
    ends = [panel.bbox.x0 for panel in figure.axes[1:]] + [figure.bbox.width]
    assert all(box.x1 <= end for box, end in zip(boxes, ends, strict=True))
    assert figure.axes[0].get_title(loc="left").replace("\n", " ") == title.strip()
    assert entitled("Short", columns).axes[0].get_title(loc="left") == "Short"


def test_on_a_phone_many_rows_keep_room_for_their_names() -> None:
    row = {"value": 0.0, "low": -0.1, "high": 0.1, "p_holm": 1.0}
    few, many = (plots.paired_differences({p: {f"way {k}": row for k in range(n)} for p in "ab"}) for n in (7, 23))
    assert extent(narrow(few))[1] <= 72 * 2 * 2.95
    assert extent(narrow(many))[1] >= 72 * 2 * 23 * 0.19


def test_on_a_phone_a_legend_of_the_figure_is_as_narrow_as_its_entries_allow() -> None:
    figure = panels()
    names = ["no margin: cos θ", "SphereFace, $m$ = 4", "CosFace", "combined (1, 0.3, 0.2)"]
    for name in names:
        figure.axes[0].plot([0, 1], [0, 1], label=name)
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    wide, on_phone = svg(figure), narrow(figure)
    assert all(f"<!-- {name} -->" in on_phone for name in names[2:])
    assert cut(on_phone) == []
    assert svg(figure) == wide


def test_one_panel_is_as_wide_as_a_phone_too() -> None:
    figure, axes = new_figure(width=6)
    axes[0, 0].set(title="a title", xlabel="a label that is longer than the others")
    on_phone = narrow(figure)
    assert extent(on_phone)[0] == pytest.approx(72 * PHONE, abs=0.1)
    assert cut(on_phone) == []
    assert extent(svg(figure))[0] == pytest.approx(72 * 6)


def test_what_is_narrow_and_photographs_have_no_twin_for_a_phone() -> None:
    figure, _ = new_figure(width=PHONE)
    assert narrow(figure) is None
    figure, axes = new_figure(1, 2)
    show_image(axes[0, 0], np.zeros((8, 8, 3), np.uint8))
    assert narrow(figure) is None


def test_no_figure_is_wider_than_its_letters_can_be_read() -> None:
    figure, _ = new_figure(1, 5, width=12)
    assert figure.get_size_inches()[0] == WIDEST
    assert 8 * PIXELS * 7.0 / WIDEST >= 9  # pixels of 8 points in a page that shows 7 inches at their size


@styled
def photograph(image: np.ndarray) -> Figure:
    figure, axes = new_figure(width=2, height=2)
    show_image(axes[0, 0], image)
    return figure


@pytest.mark.parametrize(("pixels", "stored"), [(64, 64), (1000, 400)])
def test_a_photograph_has_its_pixels_and_at_most_two_for_each_of_the_page(pixels: int, stored: int) -> None:
    smooth = np.linspace(0, 255, pixels)[:, None, None] * np.ones((1, pixels, 3))
    (inside,) = re.findall(r"base64,([^\"]+)", svg(photograph(smooth.astype(np.uint8))))
    width = Image.open(io.BytesIO(base64.b64decode(inside))).width
    assert 0.8 * stored <= width <= stored


def test_photographs_lose_quality_before_a_figure_is_too_large() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3), dtype=np.uint8)
    fine, coarse = svg(photograph(noise)), svg(photograph(noise), most=12_000)
    assert len(coarse) <= 12_000 < len(fine)


def test_a_notebook_shows_the_svg_and_carries_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **how: shown.append((data, how)))
    panels()._ipython_display_()
    ((data, how),) = shown
    assert data["image/svg+xml"].startswith("<svg")
    assert how["raw"]
    assert unpacked(how["metadata"]["image/svg+xml"]["narrow"]) == narrow(panels())
    (plain,) = (
        Image.open(io.BytesIO(base64.b64decode(data[kind]))) for kind in ("image/png", "image/jpeg") if kind in data
    )
    width, height = extent(data["image/svg+xml"])
    assert plain.width / plain.height == pytest.approx(width / height, rel=0.02)


def test_black_letters_are_light_on_a_dark_page() -> None:
    """Black is what an SVG draws with where it names no colour."""
    figure = Figure(figsize=(2, 2))
    figure.text(0.5, 0.5, "ink", color="black")
    assert re.search(r'<!-- ink --><g style="fill: #e2e6ea" transform=', dark(svg(figure)))
