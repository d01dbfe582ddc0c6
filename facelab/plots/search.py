"""What a threshold means for a gallery, and what an approximate search finds."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, PercentFormatter, ScalarFormatter

from facelab.evaluate import Estimate, chance_of_a_false_match, false_matches_per_day
from facelab.plots.style import CYCLE, GREY, LINES, MARKERS, new_figure, styled, whiskers


@styled
def false_match_curves(rates: Mapping[str, Estimate], *, searches: float, largest: int = 1_000_000) -> Figure:
    """Draw how many of a day's searches by strangers bring a false match, over the size of the gallery.

    Solid, with the band of FAR's interval: searches that show at least one (:func:`chance_of_a_false_match
    <facelab.evaluate.chance_of_a_false_match>`). Dotted: false matches in all, which grow with the gallery for ever.

    Args:
        rates: FAR of one comparison at each threshold, with its interval, by the name of the threshold.
        searches: a day, each by somebody who is not in the gallery.
        largest: gallery that is drawn.
    """
    figure, ((panel,),) = new_figure(width=6.0, height=3.6)
    gallery = np.unique(np.geomspace(1, largest, 61).astype(int))
    for (name, far), colour, line in zip(rates.items(), CYCLE, LINES, strict=False):
        low, value, high = (
            searches * np.array([chance_of_a_false_match(rate, int(n)) for n in gallery])
            for rate in (far.low, far.value, far.high)
        )
        panel.fill_between(gallery, low, high, color=colour, alpha=0.15, linewidth=0)
        panel.plot(gallery, value, color=colour, linestyle=line, label=name)
        in_all = [false_matches_per_day(far.value, searches, int(n)) for n in gallery]
        panel.plot(gallery, in_all, color=colour, linestyle=":", linewidth=0.9)
    panel.axhline(searches, color=GREY, linewidth=0.8)
    panel.annotate("every search", (1, searches), (3, 2), textcoords="offset points", fontsize=8, va="bottom")
    panel.set(xscale="log", yscale="log", xlim=(1, largest), ylim=(0.5, 8 * searches))
    panel.set(xlabel="identities in the gallery", ylabel=f"of {searches:,g} searches a day,\nthose with a false match")
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}" if value < 1e6 else "1 million"))
    panel.legend(fontsize=8, loc="lower right", title="threshold", title_fontsize=8)
    return figure


@styled
def recall_curves(
    breadth: Sequence[int],
    recall: Mapping[str, Sequence[Estimate]],
    milliseconds: Mapping[str, Sequence[float]] | None = None,
    exact: Mapping[str, float] | None = None,
) -> Figure:
    """Draw how often an approximate search finds the nearest neighbour, and what it costs, over its breadth.

    Args:
        breadth: candidates that the search keeps (HNSW's ef).
        recall: share of probes whose nearest neighbour was found, with its interval, by the name of the vectors.
        milliseconds: of one search at each breadth; a second panel.
        exact: milliseconds of one exact search, dashed in the second panel.
    """
    panels = 1 if milliseconds is None else 2
    figure, axes = new_figure(1, panels, width=3.7 * panels + 0.4, height=3.2)
    for (name, found), colour, marker in zip(recall.items(), CYCLE, MARKERS, strict=False):
        axes[0, 0].plot(breadth, [e.value for e in found], color=colour, linewidth=1.2)
        whiskers(axes[0, 0], breadth, found, color=colour, fmt=marker, label=name)
        if milliseconds is not None:
            axes[0, 1].plot(breadth, milliseconds[name], color=colour, marker=marker, markersize=5, linewidth=1.2)
            if exact is not None:
                axes[0, 1].axhline(exact[name], color=colour, linestyle="--", linewidth=1)
    for panel in axes[0]:
        panel.set(xscale="log", xlabel="breadth of the search")
        panel.set_xticks(breadth)
        panel.xaxis.set_major_formatter(ScalarFormatter())
        panel.xaxis.set_minor_formatter(NullFormatter())
        panel.minorticks_off()
    axes[0, 0].set(ylabel="nearest neighbour found", ylim=(0, 1.04))
    axes[0, 0].yaxis.set_major_formatter(PercentFormatter(1))
    axes[0, 0].legend(fontsize=8, loc="lower right")
    if milliseconds is not None:
        axes[0, 1].set(yscale="log", ylabel="ms a search (dashed: exact)")
        axes[0, 1].yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes[0, 1].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes[0, 1].yaxis.set_minor_formatter(NullFormatter())
    return figure
