"""Figures of the literature review: timeline, families of losses, target logits, published comparisons, eigenfaces."""

from collections.abc import Mapping
from html import escape

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from facelab.plots.drawing import PHONE
from facelab.plots.style import (
    BLUE,
    FORMULA,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PINK,
    looks,
    new_figure,
    show_image,
    styled,
    whiskers,
)

FAMILIES = (
    "subspace and texture",
    "classification",
    "pairs and triplets",
    "centre and norm",
    "fixed margin",
    "adaptive margin",
    "scale and noise",
    "backbone",
    "detector",
    "synthetic faces",
)

_STYLE = """<style>
.timeline { --gap: 0.35rem; font-size: 0.92rem; }
.timeline fieldset { border: 0; padding: 0; margin: 0 0 0.8rem; display: flex; flex-wrap: wrap; gap: 0.2rem 0.9rem; }
.timeline legend { font-weight: 600; font-size: inherit; padding: 0; margin: 0; }
.timeline label { display: inline-flex; gap: 0.3rem; align-items: center; cursor: pointer; min-height: 1.6rem; }
.timeline .key { width: 0.9rem; height: 0.9rem; border-radius: 3px; background: var(--family); }
.timeline ol { list-style: none; margin: 0; padding: 0; border-left: 2px solid #808894; }
.timeline li.year { display: flex; flex-wrap: wrap; gap: var(--gap); }
.timeline li.year { padding: 0.2rem 0 0.2rem 4rem; margin: 0; position: relative; }
.timeline .when { font-weight: 700; padding-top: 0.25rem; position: absolute; left: 0.8rem; }
.timeline details { border: 1px solid #808894; border-left: 6px solid var(--family); border-radius: 4px; }
.timeline summary { padding: 0.15rem 0.5rem; cursor: pointer; list-style-position: inside; }
.timeline details[open] { flex-basis: 100%; order: 1; }
.timeline details p { margin: 0; padding: 0.2rem 0.6rem 0.4rem; }
FILTERS
</style>"""
_COLOURS = [
    "#767676",
    "#1f77b4",
    "#56B4E9",
    "#009E73",
    "#D55E00",
    "#E69F00",
    "#CC79A7",
    "#8c564b",
    "#7f7fd5",
    "#b2b200",
]


def timeline(literature: pd.DataFrame) -> str:
    """Return the literature as an HTML timeline that a reader can filter by family; each method opens to its idea.

    The filter is the key of the colours. Plain HTML and CSS without a script or a picture, so it works from disk, in a
    notebook, by keyboard, on a phone and in dark mode. The links to cards lead to the sources of the book's pages, as
    JupyterLab opens them from ``notebooks/``; the book's own extension turns them to the pages that it builds.

    Args:
        literature: as returned by :func:`facelab.course.literature.literature`.
    """
    filters = "\n".join(
        f".timeline:has(#family-{i}:checked) details:not(.family-{i}) {{ display: none; }}\n"
        f".timeline:has(#family-{i}:checked) li.year:not(:has(.family-{i})) {{ display: none; }}\n"
        f".timeline .family-{i} {{ --family: {colour}; }}"
        for i, colour in enumerate(_COLOURS)
    )
    choices = '<label><input type="radio" name="family" id="family-all" checked> all</label>' + "".join(
        f'<label><input type="radio" name="family" id="family-{i}"><span class="key family-{i}"></span> {name}</label>'
        for i, name in enumerate(FAMILIES)
    )
    years = "".join(
        f'<li class="year"><span class="when">{year}</span>{"".join(map(_method, rows.to_dict("records")))}</li>'
        for year, rows in literature.groupby("year")
    )
    form = f"<fieldset><legend>Show</legend>{choices}</fieldset>"
    return f'{_STYLE.replace("FILTERS", filters)}<div class="timeline">{form}<ol>{years}</ol></div>'


def _method(row: dict) -> str:
    result = ""
    if not pd.isna(row["value"]):
        result = f" <em>{escape(row['benchmark'])}: {row['value']:.2f}</em> ({escape(row['source'])})."
    link = f'<a class="to-card" href="../book/literature/{escape(row["card"])}">Card of {escape(row["method"])}</a>'
    text = f"{row['family'].capitalize()}. {escape(row['idea'])}{result} {link}"
    family = FAMILIES.index(row["family"])
    return f'<details class="family-{family}"><summary>{escape(row["method"])}</summary><p>{text}</p></details>'


_TREE = {
    "compare pairs": (BLUE, {"pairs and triplets": "distances between images"}),
    "compare with\nclass centres": (
        ORANGE,
        {
            "classification": r"$\mathbf{W}_j \cdot \mathbf{x} + b_j$",
            "centre and norm": r"$s\,\cos\theta_j$",
            "fixed margin": r"$s\,\psi(\theta_y)$",
            "adaptive margin": r"$s\,\psi(\theta_y;\ \mathrm{image})$",
            "scale and noise": "many or noisy identities",
        },
    ),
}


@styled
def loss_families(literature: pd.DataFrame) -> Figure:
    """Draw the families of losses as a tree, with the methods of each family in the order of their years."""
    figure, axes = new_figure(width=7.4, height=4.3)
    ax = axes[0, 0]
    ax.set(xlim=(0, 10), ylim=(5.5, -0.5))
    ax.set_axis_off()
    row = 0
    for name, (colour, families) in _TREE.items():
        middle = row + (len(families) - 1) / 2
        _box(ax, (0.02, middle), 1.7, name, colour)
        for family, formula in families.items():
            methods = literature.loc[literature["family"] == family, "method"].tolist()
            ax.plot([1.72, 2.1], [middle, row], color=GREY, lw=1, zorder=0)
            _box(ax, (2.1, row), 2.75, f"{family}\n{formula}", colour)
            ax.text(5.0, row, _wrap(methods, 42), va="center", fontsize=9.5)
            row += 1
    figure.phone = _loss_families_on_a_phone(literature)
    return figure


def _loss_families_on_a_phone(literature: pd.DataFrame) -> Figure:
    """The same tree with the methods of a family below its box."""
    figure, axes = new_figure(width=PHONE, height=6.2)
    ax = axes[0, 0]
    ax.set(xlim=(0, 5), ylim=(8.4, -0.4))
    ax.set_axis_off()
    row = 0.0
    for name, (colour, families) in _TREE.items():
        _box(ax, (0.02, row), 4.96, name.replace("\n", " "), colour, height=0.5)
        top = row + 0.25
        row += 0.75
        for family, formula in families.items():
            text = _wrap(literature.loc[literature["family"] == family, "method"].tolist(), 38)
            ax.plot([0.25, 0.25, 0.5], [top, row, row], color=GREY, lw=1, zorder=0)
            _box(ax, (0.5, row), 4.48, f"{family}: {formula}", colour, height=0.46)
            ax.text(0.6, row + 0.3, text, va="top", fontsize=9)
            row += 0.82 + 0.19 * text.count("\n")
        row += 0.1
    ax.set_ylim(row - 0.3, -0.3)
    return figure


def _box(
    ax: Axes, left_middle: tuple[float, float], width: float, text: str, colour: str, *, height: float = 0.72
) -> None:
    left, middle = left_middle
    shape = FancyBboxPatch((left, middle - height / 2), width, height, boxstyle="round,pad=0,rounding_size=0.08")
    shape.set(facecolor="white", edgecolor=colour, linewidth=1.6)
    ax.add_patch(shape)
    ax.text(left + width / 2, middle, text, ha="center", va="center", fontsize=9, gid=FORMULA)


def _wrap(words: list[str], width: int) -> str:
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] += ("" if not lines[-1] else "  ·  ") + word
    return "\n".join(lines)


@styled
def target_logits(theta: np.ndarray, curves: Mapping[str, np.ndarray]) -> Figure:
    """Draw target logits over the angle to the own class centre.

    Args:
        theta: angles in radians, shape (n,).
        curves: name of the loss -> target logit before the scale, shape (n,).
    """
    figure, axes = new_figure(1, 2, width=7.4, height=3.9)
    degrees = np.degrees(theta)
    for ax in axes[0]:
        for (name, values), look in zip(curves.items(), looks(curves), strict=True):
            ax.plot(degrees, values, **look.of_line, label=name)
        ax.axvspan(20, 60, color=GREY, alpha=0.12, lw=0)
        ax.set_xlabel("angle θ to the own centre (degrees)")
    axes[0, 0].set(ylabel="target logit ψ(θ)", xticks=range(0, 181, 30), title="all angles")
    axes[0, 1].set(xlim=(0, 90), ylim=(-0.6, 1.05), xticks=range(0, 91, 15), title="close-up")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=9)
    return figure


@styled
def published_dots(table: pd.DataFrame, *, xlabel: str) -> Figure:
    """Draw a published comparison: a row per method, a marker per benchmark."""
    figure, axes = new_figure(width=7.0, height=0.36 * len(table) + 1.2)
    ax = axes[0, 0]
    rows = np.arange(len(table))
    for benchmark, colour, marker in zip(table.columns, (BLUE, ORANGE, GREEN, PINK), MARKERS, strict=False):
        ax.scatter(table[benchmark], rows, color=colour, marker=marker, s=42, label=benchmark, zorder=3)
    ax.set(yticks=rows, yticklabels=table.index, xlabel=xlabel)
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=len(table.columns), fontsize=9)
    return figure


@styled
def eigenface_sheet(mean: np.ndarray, components: np.ndarray, *, titles: list[str]) -> Figure:
    """Show the mean face and components, each stretched over the grey scale.

    Args:
        mean: shape (height, width).
        components: shape (k, height, width).
        titles: k + 1 titles, the mean first.
    """
    pictures = [mean, *components]
    figure, axes = new_figure(1, len(pictures), width=1.15 * len(pictures), height=1.75)
    for ax, picture, title in zip(axes[0], pictures, titles, strict=True):
        grey = (picture - picture.min()) / np.ptp(picture)
        show_image(ax, np.repeat(grey[..., None], 3, axis=-1), title)
    return figure


@styled
def interval_rows(results: pd.DataFrame, *, xlabel: str) -> Figure:
    """Draw measured values with their intervals, a row per method; columns ``value``, ``low``, ``high``."""
    figure, axes = new_figure(width=7.0, height=0.42 * len(results) + 0.9)
    ax = axes[0, 0]
    rows = np.arange(len(results))
    whiskers(ax, rows, results.to_dict("records"), across=True)
    ax.set(yticks=rows, yticklabels=results.index, xlabel=xlabel, ylim=(len(rows) - 0.5, -0.5))
    return figure
