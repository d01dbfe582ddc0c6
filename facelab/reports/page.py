"""One HTML file that can be mailed: figures are inside."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from facelab import __version__
from facelab.evaluate import Estimate
from facelab.files import atomic_write
from facelab.plots.drawing import dark, narrow, svg
from facelab.plots.style import display_name
from facelab.reports.alive import as_script, part

COLUMNS = {
    "closed_set_accuracy": "closed-set accuracy",
    "auc": "AUC",
    "eer": "EER",
    "tar_at_far_0.01": "TAR at FAR = 1 %",
}


@dataclass(frozen=True)
class Section:
    """A heading, a paragraph (HTML), and perhaps a table or a figure with its alternative text.

    Attributes:
        title: plain text.
        text: HTML; whatever comes from outside must be escaped.
        columns: headings of the table.
        rows: its cells, plain text; the first of each row names the row.
        figure: put inside the page as SVG, for a light and a dark screen, and for a phone.
        alt: what a person who cannot see the figure must know.
        threshold: scores that were counted, for a threshold to move below the figure, see
            :func:`facelab.reports.alive.movable`.
    """

    title: str
    text: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figure: Figure | None = None
    alt: str = ""
    threshold: Mapping[str, Any] | None = None


def table_rows(estimates: Mapping[str, Mapping[str, Estimate]]) -> list[list[str]]:
    """Return the table of results as text: a row per model, first its name, then a cell for each of ``COLUMNS``."""
    return [[display_name(name), *(f"{values[key]:.3f}" for key in COLUMNS)] for name, values in estimates.items()]


def _sources(figure: Figure) -> list[tuple[str, str]]:
    """Return the pictures of a figure, each after the screens (a media query) it is for; the last is for the others."""
    wide, phone = svg(figure), narrow(figure)
    found = []
    for on_dark in (True, False):
        dark_screen = ["(prefers-color-scheme: dark)"] * on_dark
        for picture, screens in ((phone, ["(max-width: 600px)"]), (wide, [])):
            if picture is not None:
                text = dark(picture) if on_dark else picture
                data = "data:image/svg+xml;base64," + base64.b64encode(text.encode()).decode()
                found.append((" and ".join([*dark_screen, *screens]), data))
    return found


def write_page(path: Path, title: str, sections: Sequence[Section], *, lead: str, credit: str = "") -> None:
    """Write a page to ``path``; its figures stand inside.

    Args:
        path: of the HTML file.
        title: its heading.
        sections: in order.
        lead: one line below the heading.
        credit: whom the pictures are from.
    """
    from jinja2 import Environment

    template = files("facelab.reports").joinpath("page.html.j2").read_text(encoding="utf-8")
    page = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(template)
    moved = {section.title: section.threshold for section in sections if section.threshold}
    html = page.render(
        title=title,
        sections=sections,
        sources=_sources,
        lead=lead,
        credit=credit,
        style=part("alive.css") if moved else "",
        scripts=[part("alive.js"), as_script("threshold", moved), part("threshold.js")] if moved else [],
        version=__version__,
        date=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M"),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="replace")
