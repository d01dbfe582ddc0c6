"""One to many: ranks, alarms, and probes that were named wrongly."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facelab.evaluate import OpenSet
from facelab.plots.style import CYCLE, MARKERS, display_name, new_figure, show_image, styled

_LINES = ("-", "--", "-.", ":")


@styled
def cmc_curves(curves: Mapping[str, np.ndarray], *, ranks: int = 20) -> Figure:
    """Draw the share of probes whose own identity is among the k best, over k, for each model.

    Args:
        curves: cumulative match characteristics, as :func:`facelab.evaluate.cmc` returns them.
        ranks: how many ranks to show.
    """
    figure, ((panel,),) = new_figure(width=5.2, height=3.4)
    for (name, curve), colour, marker in zip(curves.items(), CYCLE, MARKERS, strict=False):
        k = np.arange(1, min(ranks, len(curve)) + 1)
        label = f"{display_name(name)} (rank 1: {curve[0]:.1%})"
        panel.plot(k, curve[: len(k)], color=colour, marker=marker, markersize=4, label=label)
    panel.set(xlabel="rank k", ylabel="share of probes found", ylim=(None, 1.02))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    panel.legend(loc="lower right")
    return figure


@styled
def open_set_curves(searches: Mapping[str, OpenSet]) -> Figure:
    """Draw the share of known probes found (DIR) over the share of strangers who raise an alarm (FPIR, log axis)."""
    figure, ((panel,),) = new_figure(width=5.2, height=3.4)
    for (name, search), colour, line in zip(searches.items(), CYCLE, _LINES * 2, strict=False):
        thresholds = np.append(np.unique(search.strangers)[::-1], -np.inf)
        fpir = [0.0, *(search.fpir(t) for t in thresholds)]
        # At each threshold just above a stranger's score: the best DIR at the FPIR before that stranger is let in.
        found = [1 - search.fnir(np.nextafter(t, np.inf)) for t in thresholds]
        panel.step(fpir[:-1], found, where="post", color=colour, linestyle=line, label=display_name(name))
    lowest = min(1 / len(search.strangers) for search in searches.values())
    panel.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.02))
    panel.set(xlabel="strangers who raise an alarm (FPIR)", ylabel="known probes found (DIR)")
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    if len(searches) > 1:
        panel.legend(loc="lower right")
    return figure


@styled
def misidentified(
    rows: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray, float | None, float | None]],
    names: tuple[str, str, str] = ("probe", "taken for", "is"),
) -> Figure:
    """Show probes that were named wrongly, one in each column: the probe, whom it was taken for, and who it is.

    Args:
        rows: for each probe: its chip, a chip of the identity it was named after, a chip of its own identity, and the
            scores of the two, or None.
        names: of the three chips, written at the left.
    """
    figure, axes = new_figure(3, len(rows), width=max(2.6, 1.15 * len(rows) + 0.6), height=4.0, dpi=72)
    for column, (*chips, wrong, right) in enumerate(rows):
        for panel, chip, score in zip(axes[:, column], chips, (None, wrong, right), strict=True):
            show_image(panel, chip, "" if score is None else f"{score:.2f}")
    for panel, name in zip(axes[:, 0], names, strict=True):
        panel.text(-0.1, 0.5, name, ha="right", va="center", fontsize=8, transform=panel.transAxes)
    return figure
