"""The book's cover picture (the chain detect, align, embed, match), its logo and its favicon.

No real face: heads are ovals with five landmarks. ``python -m facelab.course.cover book/images`` writes the SVG files:
for light and dark pages, in each language of the start page (:data:`WORDS`).
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyArrowPatch, FancyBboxPatch, Rectangle, Wedge

from facelab.align import template
from facelab.plots.drawing import Drawing

LANDMARKS = template(1)  # in chip units 0 .. 1, y down
# What the pictures of the start page say, by language; the end of a file's name says which.
WORDS: dict[str, dict[str, Any]] = {
    "": {
        "steps": [
            ("1  detect", "where is a face?"),
            ("2  align", "bring it upright"),
            ("3  embed", "a point on a sphere"),
            ("4  match", "close means same"),
        ],
        "size": 19,
        "same": "same",
        "different": "different",
        "decision": ("the same", "different"),
        "point": ".",
    },
    "-ru": {
        "steps": [
            ("1  обнаружение", "где лицо?"),
            ("2  выравнивание", "поставить прямо"),
            ("3  эмбеддинг", "точка на сфере"),
            ("4  сравнение", "близко — один человек"),
        ],
        "size": 17,  # longer words
        "same": "один",
        "different": "разные",
        "decision": ("один человек", "разные люди"),
        "point": ",",
    },
}


@dataclass(frozen=True)
class Ink:
    """Colours that read on one background; the hues are those of Okabe and Ito, safe for colour-blind readers."""

    line: str
    soft: str
    skin: str
    blue: str
    orange: str
    green: str


LIGHT = Ink(line="#24292f", soft="#d6dce3", skin="#eef1f5", blue="#0072b2", orange="#b85000", green="#007a5a")
DARK = Ink(line="#e6e9ee", soft="#48525e", skin="#2b333d", blue="#6bbdf2", orange="#f0a24a", green="#3fc79c")


def chain_figure(*, dark: bool = False, columns: int = 4, language: str = "") -> Figure:
    """The chain of the course as four drawings. ``columns=2`` gives the version for a phone."""
    ink = DARK if dark else LIGHT
    rows = 4 // columns
    figure = Drawing(figsize=(3.0 * columns, 3.55 * rows), facecolor="none")
    figure.dark = figure if dark else chain_figure(dark=True, columns=columns, language=language)
    if columns > 2:
        figure.phone = chain_figure(dark=dark, columns=2, language=language)
    words = WORDS[language]
    draws: list[Callable[[Axes, Ink], None]] = [_detect, _align, _embed, partial(_match, words=words)]
    stages = zip(figure.subplots(rows, columns).flat, words["steps"], draws, strict=True)
    for axes, (title, question), draw in stages:
        axes.set(xlim=(0, 1), ylim=(1.32, -0.04), aspect="equal")
        axes.axis("off")
        draw(axes, ink)
        axes.text(0.5, 1.13, title, ha="center", va="center", fontsize=words["size"], color=ink.line, weight="bold")
        axes.text(0.5, 1.265, question, ha="center", va="center", fontsize=14.5, color=ink.line)
    figure.subplots_adjust(0.005, 0.0, 0.995, 1.0, wspace=0.06, hspace=0.04)
    for left, right in zip(figure.axes, figure.axes[1:], strict=False):
        if left.get_position().y0 == right.get_position().y0:
            _arrow_between(figure, left, right, ink)
    return figure


def logo_figure() -> Figure:
    """The mark of the course: five landmarks in an oval head. Drawn for either background."""
    figure = Drawing(figsize=(1, 1), facecolor="none")
    figure.dark = figure
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 1), ylim=(1, 0), aspect="equal")
    axes.axis("off")
    tile = "round,pad=0,rounding_size=0.2"
    axes.add_patch(FancyBboxPatch((0.08, 0.08), 0.84, 0.84, boxstyle=tile, fc="#0072b2", ec="none"))
    axes.add_patch(Ellipse((0.5, 0.51), 0.54, 0.7, fc="#ffffff", ec="none"))
    points = 0.5 + (LANDMARKS - LANDMARKS.mean(0)) * 0.98
    axes.scatter(points[:, 0], points[:, 1], s=34, color=["#0072b2", "#0072b2", "#b85000", "#007a5a", "#007a5a"])
    return figure


def write_images(folder: Path) -> list[Path]:
    """Write the SVG files that the book shows. Text becomes paths, so that no font is needed."""
    figures = {
        f"chain-{'dark' if dark else 'light'}-{columns}{language}": chain_figure(
            dark=dark, columns=columns, language=language
        )
        for language in WORDS
        for dark in (False, True)
        for columns in (4, 2)
    } | {"logo": logo_figure(), "favicon": logo_figure()}
    return write_svg(folder, figures)


def write_svg(folder: Path, figures: Mapping[str, Figure]) -> list[Path]:
    """Write figures by their names, without a background; return the paths."""
    # a fixed salt and no date: the same drawing gives the same bytes
    with mpl.rc_context({"svg.hashsalt": "facelab", "svg.fonttype": "path", "font.family": "DejaVu Sans"}):
        paths = [folder / f"{name}.svg" for name in figures]
        for path, figure in zip(paths, figures.values(), strict=True):
            figure.savefig(path, transparent=True, metadata={"Date": None})
    return paths


def _head(axes: Axes, centre: tuple[float, float], size: float, tilt: float, ink: Ink, *, marks: bool) -> None:
    """An oval head of the given height, tilted by ``tilt`` radians (clockwise on the page)."""
    axes.add_patch(Ellipse(centre, 0.74 * size, size, angle=np.degrees(tilt), fc=ink.skin, ec=ink.line, lw=1.8))
    if marks:
        rotation = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
        points = (LANDMARKS - LANDMARKS.mean(0)) * size * 0.98 @ rotation.T + centre
        axes.scatter(
            points[:, 0],
            points[:, 1],
            s=520 * size**2,
            color=[ink.blue, ink.blue, ink.orange, ink.green, ink.green],
            zorder=3,
        )


def _detect(axes: Axes, ink: Ink) -> None:
    frame = "round,pad=0,rounding_size=0.04"
    axes.add_patch(FancyBboxPatch((0.05, 0.1), 0.9, 0.82, boxstyle=frame, fc="none", ec=ink.soft, lw=2.5))
    for centre, size, tilt in [((0.63, 0.46), 0.46, 0.42), ((0.25, 0.6), 0.27, -0.18)]:
        _shoulders(axes, centre, size, ink)
        _head(axes, centre, size, tilt, ink, marks=True)
        width, height = 0.98 * size, 1.12 * size
        corner = centre[0] - width / 2, centre[1] - height / 2
        axes.add_patch(Rectangle(corner, width, height, fc="none", ec=ink.orange, lw=2.6))


def _shoulders(axes: Axes, centre: tuple[float, float], size: float, ink: Ink) -> None:
    top, base = centre[1] + 0.42 * size, 0.905
    x = np.linspace(-1, 1, 80)
    y = base - (base - top - 0.16 * size) * np.sqrt(1 - x**2)
    x = np.clip(centre[0] + 0.62 * size * x, 0.07, 0.93)  # inside the frame
    axes.fill_between(x, y, base, color=ink.soft, lw=0)


def _align(axes: Axes, ink: Ink) -> None:
    axes.add_patch(Rectangle((0.1, 0.1), 0.8, 0.82, fc="none", ec=ink.orange, lw=2.6))
    for step in (1, 2, 3):
        axes.plot([0.1 + 0.2 * step] * 2, [0.1, 0.92], color=ink.soft, lw=1, zorder=0)
        axes.plot([0.1, 0.9], [0.1 + 0.205 * step] * 2, color=ink.soft, lw=1, zorder=0)
    _head(axes, (0.5, 0.52), 0.74, 0.0, ink, marks=True)


CLUSTERS = {"blue": 0.55, "orange": 2.35, "green": 4.45}  # angle of each identity's centre, radians


def _embed(axes: Axes, ink: Ink) -> None:
    axes.add_patch(Circle((0.5, 0.51), 0.39, fc="none", ec=ink.soft, lw=2.5))
    spread = np.array([-0.25, -0.1, 0.03, 0.14, 0.27])  # radians; fixed, so that the picture is always the same
    for name, angle in CLUSTERS.items():
        colour, (x, y) = getattr(ink, name), _on_circle(angle)
        axes.plot([0.5, x], [0.51, y], color=colour, lw=1.6, ls=(0, (3, 2)))
        x, y = _on_circle(angle + spread)
        axes.scatter(x, y, s=62, color=colour, zorder=3)


def _match(axes: Axes, ink: Ink, words: Mapping[str, Any]) -> None:
    axes.add_patch(Circle((0.5, 0.51), 0.39, fc="none", ec=ink.soft, lw=2.5))
    probe, genuine, impostor = 1.05, 0.38, 2.5
    middle = -np.degrees(probe)
    axes.add_patch(Wedge((0.5, 0.51), 0.39, middle - 45, middle + 45, fc=ink.blue, alpha=0.16, ec="none"))
    arrow: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 17, "shrinkA": 0, "shrinkB": 0, "lw": 2.2}
    for angle, colour in [(probe, ink.line), (genuine, ink.blue), (impostor, ink.orange)]:
        axes.add_patch(FancyArrowPatch((0.5, 0.51), tuple(_on_circle(angle)), color=colour, **arrow))
    axes.text(0.685, 0.355, r"$\theta$", color=ink.blue, fontsize=18, ha="center", va="center")
    axes.text(0.57, 0.6, words["same"], color=ink.blue, fontsize=14.5, ha="left", va="center")
    axes.text(0.49, 0.6, words["different"], color=ink.orange, fontsize=14.5, ha="right", va="center")


def _on_circle(angle: float | np.ndarray) -> np.ndarray:
    """Point(s) on the drawn circle; y grows downwards on the page."""
    return np.array([0.5 + 0.39 * np.cos(angle), 0.51 - 0.39 * np.sin(angle)])


def _arrow_between(figure: Figure, left: Axes, right: Axes, ink: Ink) -> None:
    a, b = left.get_position(), right.get_position()
    y = a.y0 + 0.61 * a.height
    middle, half = (a.x1 + b.x0) / 2, 0.009 * 12 / figure.get_figwidth()
    style: dict[str, Any] = {"arrowstyle": "-|>", "mutation_scale": 22, "lw": 2.2, "color": ink.line}
    figure.patches.append(
        FancyArrowPatch((middle - half, y), (middle + half, y), transform=figure.transFigure, **style)
    )


if __name__ == "__main__":
    for written in write_images(Path(sys.argv[1])):
        print(written)
