"""The figures of the review and the pictures of the book."""

import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from facelab.course import review as figures
from facelab.course.cover import LIGHT, chain_figure, write_images
from facelab.course.literature import literature, published
from facelab.course.strip import decision_figure

IMAGES = Path(__file__).parents[2] / "book" / "images"


def test_the_timeline_holds_every_method_once_and_loads_nothing() -> None:
    html, papers = figures.timeline(literature()), literature()
    assert html.count("<details") == html.count("</details>") == len(papers)
    assert html.count('<li class="year">') == papers["year"].nunique()
    assert not any(word in html for word in ("http", "<script", "src=", "url("))
    HTMLParser().feed(html)


def test_the_timeline_has_a_key_of_its_colours_and_links_to_the_cards() -> None:
    html, papers = figures.timeline(literature()), literature()
    for number, family in enumerate(figures.FAMILIES):
        assert f'<span class="key family-{number}"></span> {family}<' in html
    linked = re.findall(r'href="\.\./book/literature/([^"]+)"', html)
    assert sorted(linked) == sorted(papers["card"])


def test_the_timeline_escapes_what_it_is_given() -> None:
    papers = literature().assign(idea="a < b & <b>c</b>")
    assert "a &lt; b &amp; &lt;b&gt;" in figures.timeline(papers)


def test_the_tree_names_every_loss() -> None:
    papers = literature()
    drawn = " ".join(text.get_text() for text in figures.loss_families(papers).axes[0].texts)
    losses = papers[papers["family"].isin(figures.FAMILIES[1:7])]
    assert not [method for method in losses["method"] if method not in drawn]


def test_on_a_phone_the_families_have_boxes_as_wide_as_their_words() -> None:
    papers = literature()
    phone = figures.loss_families(papers).phone
    phone.draw_without_rendering()
    axes = phone.axes[0]
    boxes = [patch.get_window_extent() for patch in axes.patches]
    words = [text.get_window_extent() for text in axes.texts]
    for box in boxes:
        inside = [word for word in words if box.x0 <= word.x0 and word.x1 <= box.x1 and box.y0 <= word.y0 <= box.y1]
        assert len(inside) == 1
    assert not [word for word in words if word.x1 > phone.bbox.x1 or word.y0 < 0]
    assert not [(a, b) for n, a in enumerate(words) for b in words[:n] if a.overlaps(b)]
    drawn = " ".join(text.get_text() for text in axes.texts)
    losses = papers[papers["family"].isin(figures.FAMILIES[1:7])]
    assert not [method for method in losses["method"] if method not in drawn]


def test_a_row_and_a_marker_for_each_published_number() -> None:
    table = published("arcface-table-2")
    axes = figures.published_dots(table, xlabel="accuracy (%)").axes[0]
    points = np.concatenate([dots.get_offsets()[:, 0] for dots in axes.collections])
    np.testing.assert_allclose(np.sort(points), np.sort(table.to_numpy().ravel()))


@pytest.mark.parametrize("columns", [2, 4])
@pytest.mark.parametrize("dark", [False, True])
def test_the_chain_has_four_links(dark: bool, columns: int) -> None:
    figure = chain_figure(dark=dark, columns=columns)
    assert isinstance(figure, Figure)
    said = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert [said_ for said_ in said if said_[:1].isdigit()] == ["1  detect", "2  align", "3  embed", "4  match"]


def test_the_pictures_of_the_russian_start_page_speak_russian() -> None:
    chips = np.zeros((2, 2, 112, 112, 3), np.uint8)
    decision = decision_figure(chips, (0.89, 0.01), 0.67, LIGHT, "-ru")
    said = [text.get_text() for figure in (chain_figure(language="-ru"), decision) for text in figure.findobj(Text)]
    assert not [text for text in said if re.search("[A-Za-z]|[0-9][.]", text.replace(r"$\theta$", ""))]
    assert {"1  обнаружение", "разные", "0,89 ≥ 0,67", "один человек", "0,01 < 0,67", "разные люди"} <= set(said)
    shown = re.findall(r"images/((?:chain|strip-decision)-\S+)", (IMAGES.parent / "ru" / "index.md").read_text("utf8"))
    assert len(shown) == 6
    assert all(name.endswith("-ru.svg") and (IMAGES / name).exists() for name in shown)


def test_the_images_of_the_book_are_those_that_the_function_writes(tmp_path: Path) -> None:
    written = {path.name for path in write_images(tmp_path)}
    assert written == {path.name for path in IMAGES.glob("*.svg") if not path.name.startswith("strip-")}
    for path in tmp_path.glob("*.svg"):
        ElementTree.parse(path)
        assert abs(path.stat().st_size - (IMAGES / path.name).stat().st_size) < 2000, "run facelab.course.cover again"
