"""One look for all figures: readable on a light and a dark page, and to colour-blind readers."""

import functools
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, ParamSpec

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import LogFormatter
from numpy.typing import ArrayLike

from facelab.errors import FacelabError
from facelab.evaluate import Estimate
from facelab.plots.drawing import Drawing, grid_of

# Okabe and Ito, "Color Universal Design", 2008: colours that colour-blind readers can tell apart. Sky blue and yellow
# are for marks on photographs: on white their contrast is below 3. Ochre and violet are what they become on a page.
BLUE, ORANGE, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
SKY, YELLOW, BLACK, GREY = "#56B4E9", "#E69F00", "#1a1a1a", "#767676"
OCHRE, VIOLET = "#B07D00", "#7A5FC0"
SOFT = "#555555"  # letters of less weight
ON_COLOUR = "#fdfdfd"  # letters on a coloured ground: white, but the same in dark mode
CYCLE = (BLUE, ORANGE, GREEN, PINK, VIOLET, OCHRE, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">")
DASH_DOT_DOT = (0, (6, 1.5, 1.5, 1.5, 1.5, 1.5))
LINES: tuple[Any, ...] = ("-", "--", "-.", ":", DASH_DOT_DOT)
FORMULA = "formula"
# Inches. A page of the book shows 7.0 at their size; letters of 8 points on 8.0 are still 9 pixels high.
WIDEST = 8.0


class Look(NamedTuple):
    """How one model is drawn: colour, line style, marker, and width of the line in points."""

    colour: str
    line: Any
    marker: str
    width: float = 1.8

    @property
    def of_line(self) -> dict[str, Any]:
        """Arguments of ``Axes.plot``."""
        return {"color": self.colour, "linestyle": self.line, "linewidth": self.width}


# The one look of each loss, in every figure, report and interactive figure. Two losses differ in colour, also for
# colour-blind readers, or in their line; ArcFace is the boldest. A test holds both.
LOSS_STYLES = {
    "cross_entropy": Look(BLUE, "--", "s"),
    "arcface": Look(ORANGE, "-", "o", 2.6),
    "cosface": Look(GREEN, "-.", "^"),
    "normface": Look(GREY, "--", "D"),
    "sphereface": Look(VIOLET, "-", "v"),
    "sphereface_r": Look(VIOLET, ":", "<"),
    "combined": Look(OCHRE, ":", "P"),
    "adaface": Look(PINK, "--", "X"),
    "curricularface": Look(GREEN, ":", ">"),
    "magface": Look(PINK, "-.", "*"),
    "triplet": Look(GREEN, "-", "d"),
    "subcenter_arcface": Look(OCHRE, DASH_DOT_DOT, "h"),
    "elastic_arcface": Look(BLUE, DASH_DOT_DOT, "p"),
    "elastic_cosface": Look(GREEN, DASH_DOT_DOT, "H"),
    "pixels": Look(GREY, (0, (1, 4)), "."),  # no loss, but the yardstick beside them
}


def loss_of(name: str) -> str | None:
    """Return which loss of :data:`LOSS_STYLES` a model is called by, as in ``"ArcFace, s = 64"``; None if by none."""
    from facelab.losses import LOSSES  # here, as it loads PyTorch, and many figures name no model

    called = re.split(r"[,:(]", name)[0].strip()
    titles = {row.title: loss for loss, row in LOSSES.items()}
    loss = titles.get(called, called)
    return loss if loss in LOSS_STYLES else None


def looks(names: Iterable[str]) -> list[Look]:
    """Return how each of some models is drawn: a loss as :data:`LOSS_STYLES` says, anything else in a colour that no
    loss among them has. The second model with the same loss has its colour, and another line and marker."""
    names = list(names)
    losses = [loss_of(name) for name in names]
    taken = {LOSS_STYLES[loss].colour for loss in losses if loss}
    free = [colour for colour in CYCLE if colour not in taken] or list(CYCLE)
    found: list[Look] = []
    others = 0
    for loss in losses:
        if loss is None:
            look = Look(free[others % len(free)], LINES[others % len(LINES)], MARKERS[others % len(MARKERS)])
            others += 1
        else:
            look = LOSS_STYLES[loss]
        found.append(_another(look, found))
    return found


def _another(look: Look, taken: Sequence[Look]) -> Look:
    """Return ``look``, with the first line and marker that no other of this colour has, if its own are taken."""
    same = [other for other in taken if other.colour == look.colour]
    lines, markers = [other.line for other in same], [other.marker for other in same]
    if look.line in lines:
        look = look._replace(line=next((line for line in LINES if line not in lines), look.line))
    if look.marker in markers:
        look = look._replace(marker=next((marker for marker in MARKERS if marker not in markers), look.marker))
    return look


_RC = {
    "font.size": 10,
    "text.color": BLACK,
    "axes.labelcolor": BLACK,
    "xtick.color": BLACK,
    "ytick.color": BLACK,
    "legend.edgecolor": "#cccccc",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}


P = ParamSpec("P")


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Give a function that draws a figure the common look; the user's own matplotlib settings stay as they are.

    A text is drawn as it is: names of people and files may hold a ``$``, which matplotlib reads as mathematics. A text
    that is mathematics has the gid :data:`FORMULA`.
    """

    @functools.wraps(draw)
    def with_style(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with rc_context(_RC):  # type: ignore[arg-type]
            figure = draw(*args, **kwargs)
            _take_texts_as_they_are(figure)
            _wrap_titles(figure)
            return figure

    return with_style


def _take_texts_as_they_are(figure: Figure) -> None:
    powers: set[Artist] = set()  # labels of logarithmic axes, which matplotlib writes as mathematics
    for panel in figure.axes:
        for axis in (panel.xaxis, panel.yaxis):
            if isinstance(axis.get_major_formatter(), LogFormatter):
                powers.update(tick for tick in axis.findobj(Text) if tick is not axis.label)
    for text in figure.findobj(Text):
        if isinstance(text, Text) and text not in powers and text.get_gid() != FORMULA:
            text.set_parse_math(False)


def _wrap_titles(figure: Figure) -> None:
    """Break titles that would reach beyond the figure, or into the next panel, into lines."""
    whole = figure.bbox.width
    titles = {panel: panel.get_title(loc="left") for panel in figure.axes}
    wide = {panel: panel._left_title.get_window_extent().width for panel, title in titles.items() if title}  # type: ignore[attr-defined]
    if max(wide.values(), default=0) < 0.8 * whole / grid_of(figure)[1]:
        return  # they fit; the layout, which would tell exactly, takes time
    for panel in wide:
        panel._left_title.set_text("")  # type: ignore[attr-defined]  # else the layout makes room for its width
    figure.draw_without_rendering()
    for panel, width in wide.items():
        row = [other.bbox for other in figure.axes if abs(other.bbox.y1 - panel.bbox.y1) < 0.5 * panel.bbox.height]
        room = min([whole, *(box.x0 for box in row if box.x0 > panel.bbox.x0)]) - panel.bbox.x0
        title = titles[panel]
        if width > room:
            title = "\n".join(textwrap.wrap(title, int(0.9 * len(title) * room / width)))
        panel._left_title.set_text(title)  # type: ignore[attr-defined]


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 7.0, height: float = 3.2, dpi: int = 120, **subplots
) -> tuple[Drawing, np.ndarray]:
    """Return a figure on an opaque white page and its axes, always as an array of shape (rows, columns).

    Args:
        width, height: in inches; a wider figure than :data:`WIDEST` is made as wide as that.
        subplots: passed on to ``Figure.subplots``, for example ``sharey=True``.
    """
    size = (min(width, WIDEST), height)
    figure = Drawing(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
    return figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def show_image(axes: Axes, image: np.ndarray, title: str = "") -> None:
    """Show an RGB image without ticks or frame."""
    axes.imshow(image)
    axes.set(xticks=[], yticks=[], frame_on=False)
    axes.grid(False)
    if title:
        axes.set_title(title, fontsize=9, loc="center")


def image_grid(
    cells: Sequence[Sequence[np.ndarray]],
    *,
    names: Sequence[str] | None = None,
    labels: Sequence[Sequence[str]] | None = None,
    by_row: bool = True,
) -> Figure:
    """Images in rows; ``names`` at the left of the rows, ``labels`` below the images.

    Args:
        by_row: on a phone each row breaks into lines; else columns stay together.
    """
    rows, columns = len(cells), max(len(row) for row in cells)
    size = (5.9 if names else 7.0) / max(columns, 6)  # inches of an image
    width, height = columns * size + (1.1 if names else 0.05), rows * size * (1.18 if labels else 1.03)
    figure = Drawing(figsize=(width, height), dpi=76, facecolor="white")
    figure.by_row = by_row
    axes = figure.subplots(rows, columns, squeeze=False)
    figure.subplots_adjust(
        left=1.05 / width if names else 0.005,
        right=0.995,
        top=0.997,
        bottom=0.2 / height if labels else 0.003,
        wspace=0.03,
        hspace=0.18 if labels else 0.03,
    )
    for r, row in enumerate(cells):
        for ax in axes[r, len(row) :]:
            ax.set_axis_off()
        for c, ax in enumerate(axes[r, : len(row)]):
            show_image(ax, row[c])
            if labels and c < len(labels[r]):
                ax.text(
                    0.5, -0.03, labels[r][c], transform=ax.transAxes, ha="center", va="top", fontsize=8.5, color=SOFT
                )
        if names:
            axes[r, 0].set_ylabel(names[r], rotation=0, ha="right", va="center", fontsize=8.5, color=SOFT)
    return figure


def band(panel: Axes, estimates: Mapping[float, Estimate], colour: str) -> None:
    """Fill the 95 % intervals of a curve that never falls between the places at which they are known, if any.

    What is passed at one FAR or found at one rank is so at every higher one. So the lower end of an interval holds for
    all places to its right, the upper end for all to its left, and the band never falls either. It matters where a
    share is 1: its own interval then counts people only (:func:`facelab.evaluate.bootstrap.share_interval`), and is
    wider than that of a share of 99.8 % beside it.
    """
    places = sorted(estimates)
    if places:
        low = np.fmax.accumulate([estimates[place].low for place in places])
        high = np.fmin.accumulate([estimates[place].high for place in places[::-1]])[::-1]
        panel.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)


def whiskers(
    panel: Axes,
    at: ArrayLike,
    estimates: Sequence[Estimate | Mapping[str, float]],
    *,
    across: bool = False,
    **style: Any,
) -> None:
    """Draw values with their intervals.

    Args:
        at: place of each along the other axis.
        estimates: or rows of a results file with ``value``, ``low`` and ``high``.
        across: draw them along x.
        style: passed on to ``Axes.errorbar``.
    """
    rows = [e if isinstance(e, Mapping) else e.as_dict() for e in estimates]
    value, low, high = (np.array([row[end] for row in rows], float) for end in ("value", "low", "high"))
    reach = np.maximum([value - low, high - value], 0)
    usual: dict[str, Any] = {"fmt": "o", "color": BLUE, "markersize": 5, "capsize": 3, "linewidth": 1.4}
    style = usual | style
    if across:
        panel.errorbar(value, at, xerr=reach, **style)
    else:
        panel.errorbar(at, value, yerr=reach, **style)


def overlaid_histograms(panel: Axes, groups: Mapping[str, np.ndarray], bins: Any, *, shares: bool = False) -> None:
    """Draw two or more histograms over one another, the first behind: filled, with an outline.

    Args:
        groups: the values by their label; impostors first.
        bins: edges.
        shares: heights are shares of a group's values; else each histogram has area 1.
    """
    for (label, values), colour in zip(groups.items(), (ORANGE, BLUE, GREEN), strict=False):
        how: dict[str, Any] = {"weights": np.full(len(values), 1 / len(values))} if shares else {"density": True}
        panel.hist(values, bins=bins, color=colour, alpha=0.5, label=label, **how)
        panel.hist(values, bins=bins, color=colour, histtype="step", linewidth=1.2, **how)


def display_name(model: str) -> str:
    """Return how a model is called in figures and tables: by the title of its loss, if it has the name of one."""
    from facelab.losses import LOSSES  # here, as it loads PyTorch, and many figures name no model

    if model in LOSSES:
        return LOSSES[model].title
    return "raw pixels" if model == "pixels" else model


def with_caption(figure: Figure, caption: str) -> Figure:
    """Give a figure the sentence that says what was measured; :func:`caption` returns it."""
    figure.facelab_caption = caption  # type: ignore[attr-defined]
    return figure


def caption(figure: Figure) -> str:
    """Return the caption of a figure of facelab: a sentence with the numbers that it shows.

    Raises:
        FacelabError: the figure was drawn without one.
    """
    text = getattr(figure, "facelab_caption", None)
    if text is None:
        raise FacelabError("this figure carries no caption; figures of the embedding analysis do.")
    return text
