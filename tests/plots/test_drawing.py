"""A figure becomes an SVG that is the same each time, reads on both pages, and has a twin for a phone."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from letters import TEXT, cut, extent, sizes
from matplotlib.figure import Figure
from PIL import Image

from facelab import plots
from facelab.plots.drawing import INKS, PHONE, dark, narrow, packed, svg, unpacked
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


def test_a_figure_can_bring_its_own_for_a_phone() -> None:
    figure, _ = new_figure(width=7)
    figure.phone, axes = new_figure(width=PHONE)
    axes[0, 0].set_title("its own")
    assert narrow(figure) == svg(figure.phone)


def test_labels_that_are_shown_again_are_as_bold_as_before() -> None:
    figure, axes = new_figure(1, 2, width=7, sharey=True)
    axes[0, 0].set_yticks([0, 1], ["a heading", "a row"])
    axes[0, 0].get_yticklabels()[0].set_fontweight("bold")
    assert narrow(figure).count("<!-- a heading -->") == 2
    heading = re.findall(r"<!-- a heading -->(.*?)</g></g>", narrow(figure))
    assert all("Bold" in letters for letters in heading)


def test_what_is_narrow_has_no_twin_for_a_phone() -> None:
    figure, _ = new_figure(width=PHONE)
    assert narrow(figure) is None


def sheet(rows: int, columns: int, *, by_row: bool = False, title: str = "") -> Figure:
    """Pictures that are named by row and column."""
    figure, axes = new_figure(rows, columns, width=7.5, height=1.2 * rows)
    figure.by_row = by_row
    for (row, column), panel in np.ndenumerate(axes):
        show_image(panel, np.zeros((8, 6, 3), np.uint8), title or f"{row}{column}")
        if column == 0:
            panel.set_ylabel("abc"[row])
    return figure


def seen(picture: str) -> list[str]:
    """The texts of an SVG as they are read: by line, from left to right."""
    found = {match["text"]: (float(match["y"]), float(match["x"])) for match in TEXT.finditer(picture)}
    return sorted((text for text in found if text[0].isdigit()), key=found.__getitem__)


def test_on_a_phone_columns_of_pictures_that_find_no_room_follow_below_in_all_rows() -> None:
    figure = sheet(2, 6)
    before = svg(figure)
    on_phone = narrow(figure)
    assert extent(on_phone)[0] == pytest.approx(72 * PHONE, abs=0.1)
    assert seen(on_phone) == ["00", "01", "02", "10", "11", "12", "03", "04", "05", "13", "14", "15"]
    assert [on_phone.count(f"<!-- {name} -->") for name in "ab"] == [2, 2]
    assert cut(on_phone) == []
    assert svg(figure) == before


def test_on_a_phone_it_does_not_matter_whether_the_figure_was_drawn_before() -> None:
    tall = [np.zeros((9, 6, 3), np.uint8)] * 4
    drawn = plots.rows_of_faces({"one": tall})
    svg(drawn)
    assert narrow(drawn) == narrow(plots.rows_of_faces({"one": tall}))


def test_on_a_phone_rows_of_pictures_that_belong_together_break_into_lines() -> None:
    figure = sheet(2, 6, by_row=True)
    before = svg(figure)
    on_phone = narrow(figure)
    assert seen(on_phone) == ["00", "01", "02", "03", "04", "05", "10", "11", "12", "13", "14", "15"]
    assert [on_phone.count(f"<!-- {name} -->") for name in "ab"] == [1, 1]
    assert svg(figure) == before


def test_on_a_phone_pictures_keep_their_shape_and_room_for_their_titles() -> None:
    few, many = narrow(sheet(1, 3, title="a title of this picture")), narrow(sheet(1, 3))
    shapes = [re.findall(r'<rect [^>]*width="([\d.]+)" height="([\d.]+)"', twin)[0] for twin in (few, many)]
    assert all(float(height) / float(width) == pytest.approx(8 / 6, rel=0.02) for width, height in shapes)
    assert float(shapes[0][0]) > 1.4 * float(shapes[1][0])  # two side by side, not three
    assert cut(few) == []


def test_on_a_phone_square_panels_leave_no_empty_bands() -> None:
    """A line is as high as a panel and its letters."""

    @styled
    def drawn(aspect: str) -> Figure:
        figure, axes = new_figure(1, 4, width=8.0, height=2.9, sharey=True)
        for panel in axes.flat:
            panel.set(title="square", xlabel="x", aspect=aspect)
        return figure

    square, free = extent(narrow(drawn("equal")))[1], extent(narrow(drawn("auto")))[1]
    assert 2 * 72 * PHONE / 2 * 0.8 < square <= 2 * 72 * (PHONE / 2 + 0.5) < free


def test_on_a_phone_two_columns_of_panels_stay_side_by_side() -> None:
    figure, axes = new_figure(2, 3, width=7, height=4, sharey="row", sharex="col")
    for row, name in enumerate(("above", "below")):
        axes[row, 0].set_ylabel(name)
        for column in range(3):
            axes[row, column].set_title(f"{row}{column}")
    before = svg(figure)
    on_phone = narrow(figure)
    titles = [text for text in seen(on_phone) if text in {f"{r}{c}" for r in range(2) for c in range(3)}]
    assert titles == ["00", "01", "10", "11", "02", "12"]
    assert [on_phone.count(f"<!-- {name} -->") for name in ("above", "below")] == [2, 2]
    assert svg(figure) == before


def test_a_figure_of_pictures_and_curves_is_as_wide_as_a_phone() -> None:
    figure = plots.compared_pair([np.zeros((8, 8, 3), np.uint8)] * 2, ("one", "another"), 0.5, 0.4)
    on_phone = narrow(figure)
    assert extent(on_phone)[0] == pytest.approx(72 * PHONE, abs=0.1)
    assert cut(on_phone) == []


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


def test_a_photograph_is_kept_once_for_both_twins() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 60, 60, 3), dtype=np.uint8)
    figure = plots.rows_of_faces({"one": [*noise, *noise], "another": list(noise)})
    wide, on_phone = svg(figure), narrow(figure)
    kept = packed(on_phone, wide)
    assert unpacked(kept, wide) == on_phone
    assert len(kept) < 0.2 * len(on_phone)
    assert unpacked(packed(on_phone, ""), "") == on_phone


def test_a_notebook_shows_the_svg_and_carries_the_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **how: shown.append((data, how)))
    panels()._ipython_display_()
    ((data, how),) = shown
    assert data["image/svg+xml"].startswith("<svg")
    assert how["raw"]
    assert unpacked(how["metadata"]["image/svg+xml"]["narrow"], data["image/svg+xml"]) == narrow(panels())
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
