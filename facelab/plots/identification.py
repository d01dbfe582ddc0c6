"""One to many: ranks and alarms."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from facelab.evaluate import Estimate, OpenSet
from facelab.plots.style import band, display_name, looks, new_figure, styled


@styled
def cmc_curves(
    curves: Mapping[str, np.ndarray],
    *,
    ranks: int = 20,
    bands: Mapping[str, Mapping[float, Estimate]] | None = None,
) -> Figure:
    """Draw the share of probes whose own identity is among the k best, over k, for each model.

    Args:
        curves: cumulative match characteristics, as :func:`facelab.evaluate.cmc` returns them.
        ranks: how many ranks to show.
        bands: of each model the share at some k, with the intervals that are filled.
    """
    figure, ((panel,),) = new_figure(width=5.2, height=3.4)
    for (name, curve), look in zip(curves.items(), looks(curves), strict=True):
        k = np.arange(1, min(ranks, len(curve)) + 1)
        label = f"{display_name(name)} (rank 1: {curve[0]:.1%})"
        panel.plot(k, curve[: len(k)], **look.of_line, marker=look.marker, markersize=4, label=label)
        band(panel, (bands or {}).get(name, {}), look.colour)
    lowest = min(curve[0] for curve in curves.values())
    panel.set(xlabel="rank k", ylabel="share of probes found", ylim=(None, 1 + 0.05 * (1 - lowest)))
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    panel.legend(loc="lower right")
    return figure


@styled
def open_set_curves(
    searches: Mapping[str, OpenSet], *, bands: Mapping[str, Mapping[float, Estimate]] | None = None
) -> Figure:
    """Draw the share of known probes found (DIR) over the share of strangers who raise an alarm (FPIR, log axis).

    Args:
        searches: of each gallery.
        bands: of each gallery its DIR at some FPIRs, with the intervals that are filled.
    """
    figure, ((panel,),) = new_figure(width=5.2, height=3.4)
    for (name, search), look in zip(searches.items(), looks(searches), strict=True):
        thresholds = np.append(np.unique(search.strangers)[::-1], -np.inf)
        fpir = [0.0, *(search.fpir(t) for t in thresholds)]
        # At each threshold just above a stranger's score: the best DIR at the FPIR before that stranger is let in.
        found = [1 - search.fnir(np.nextafter(t, np.inf)) for t in thresholds]
        panel.step(fpir[:-1], found, where="post", **look.of_line, label=display_name(name))
        band(panel, (bands or {}).get(name, {}), look.colour)
    lowest = min(1 / len(search.strangers) for search in searches.values())
    panel.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.02))
    panel.set(xlabel="strangers who raise an alarm (FPIR)", ylabel="known probes found (DIR)")
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    if len(searches) > 1:
        panel.legend(loc="lower right")
    return figure
