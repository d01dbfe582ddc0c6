"""Scores of genuine and impostor pairs."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator, NullLocator, PercentFormatter

from facelab.evaluate import (
    ErrorReject,
    Estimate,
    FoldAccuracy,
    GroupAudit,
    Roc,
    Scores,
    Simulated,
    auc,
    bootstrap_interval,
    det,
    roc,
)
from facelab.plots.drawing import Drawing
from facelab.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ORANGE,
    PINK,
    band,
    display_name,
    looks,
    new_figure,
    overlaid_histograms,
    show_image,
    styled,
    whiskers,
)


@styled
def score_histograms(scores: Mapping[str, Scores], *, far: float = 0.01) -> Figure:
    """Draw the scores of genuine and impostor pairs, one panel per model, with the threshold at which FAR <= ``far``.

    Each histogram has area 1, so that the few genuine pairs are seen beside the many impostor pairs.
    """
    figure, axes = new_figure(1, len(scores), width=3.4 * len(scores) + 0.6, height=3.0)
    for panel, (name, pairs) in zip(axes[0], scores.items(), strict=True):
        bins = np.linspace(min(0.0, pairs.values.min()), 1, 50)
        overlaid_histograms(panel, _by_kind(pairs), bins)
        curve = roc(pairs)
        accepted = np.flatnonzero(curve.far <= far)[-1]
        threshold = curve.threshold[accepted]
        if np.isfinite(threshold):
            label = f"threshold for FAR ≤ {far:.0%}"
            panel.axvline(threshold, color=BLACK, linestyle="--", linewidth=1, label=label)
        title = f"{display_name(name)}: TAR {curve.tar[accepted]:.2f} at FAR ≤ {far:.0%}"
        panel.set(title=title, xlabel="cosine similarity", yticks=[])
    axes[0, 0].set_ylabel("density")
    _legend_below(figure, axes[0, 0], 3 if len(scores) > 1 else 2)
    return figure


def _legend_below(figure: Figure, panel: Axes, columns: int) -> None:
    """The legend of a panel below all, where no histogram lies."""
    figure.legend(*panel.get_legend_handles_labels(), loc="outside lower center", ncols=columns, fontsize=8)


def _by_kind(pairs: Scores) -> dict[str, np.ndarray]:
    return {"impostor pairs": pairs.values[~pairs.genuine], "genuine pairs": pairs.values[pairs.genuine]}


def _rocs(scores: Mapping[str, Scores | Roc]) -> dict[str, Roc]:
    return {name: pairs if isinstance(pairs, Roc) else roc(pairs) for name, pairs in scores.items()}


@styled
def compared_pair(
    chips: Sequence[np.ndarray],
    names: Sequence[str],
    score: float,
    threshold: float,
    pairs: Scores | None = None,
    title: str = "",
) -> Figure:
    """Draw two chips, and below them their cosine beside the threshold and, if given, the scores of known pairs.

    Args:
        chips: two, RGB uint8.
        names: written above them.
        score: the cosine of the two.
        threshold: from which cosine on a pair counts as genuine.
        pairs: on which the threshold was chosen; each histogram has area 1.
        title: of the figure.
    """
    figure = Drawing(figsize=(4.8, 4.4), dpi=110, layout="constrained", facecolor="white")
    grid = figure.add_gridspec(2, 2, height_ratios=[2, 1.1])
    for column, (chip, name) in enumerate(zip(chips, names, strict=True)):
        show_image(figure.add_subplot(grid[0, column]), chip, name)
    panel = figure.add_subplot(grid[1, :])
    low = min(-0.2, score - 0.05, *([] if pairs is None else [pairs.values.min()]))
    if pairs is not None:
        bins = np.linspace(low, 1, 60)
        overlaid_histograms(panel, _by_kind(pairs), bins)
    panel.axvline(threshold, color=BLACK, linestyle="--", linewidth=1, label=f"threshold {threshold:.3f}")
    panel.axvline(score, color=PINK, linewidth=2.5, label=f"these two {score:.3f}")
    panel.set(xlabel="cosine similarity", yticks=[], xlim=(low, 1.02))
    panel.grid(axis="y", visible=False)
    panel.legend(fontsize=8, loc="upper left")
    figure.suptitle(title, fontsize=11)
    return figure


@styled
def roc_curves(
    scores: Mapping[str, Scores | Roc], *, bands: Mapping[str, Mapping[float, Estimate]] | None = None
) -> Figure:
    """Draw TAR over FAR (logarithmic) for each model. Higher is better; the useful end is on the left.

    Args:
        scores: the pairs of each model, or its curve.
        bands: of each model its TAR at some FARs, with the intervals that are filled.
    """
    figure, ((panel,),) = new_figure(width=5.0, height=3.6)
    curves = _rocs(scores)
    for (name, curve), look in zip(curves.items(), looks(curves), strict=True):
        label = f"{display_name(name)} (AUC {auc(curve):.3f})"
        panel.step(curve.far, curve.tar, where="post", **look.of_line, label=label)
        band(panel, (bands or {}).get(name, {}), look.colour)
    lowest = min(1 / (curve.impostor_pairs or 1) for curve in curves.values())
    panel.set(xscale="log", xlim=(lowest, 1), ylim=(0, 1.02), xlabel="false accept rate (FAR)")
    panel.set_ylabel("true accept rate (TAR)")
    panel.legend(loc="best")
    return figure


@styled
def det_curves(scores: Mapping[str, Scores | Roc]) -> Figure:
    """Draw FRR over FAR on normal-deviate axes for each model: two normal distributions give a straight line. Lower is
    better."""
    from scipy.special import ndtri

    figure, ((panel,),) = new_figure(width=4.6, height=4.2)
    curves = _rocs(scores)
    for (name, curve), look in zip(curves.items(), looks(curves), strict=True):
        panel.plot(*det(curve), **look.of_line, label=display_name(name))
    rates = np.array([0.0001, 0.001, 0.01, 0.05, 0.2, 0.5, 0.8])
    lowest = min(1 / (curve.impostor_pairs or 1) for curve in curves.values())
    panel.set_xlim(ndtri(max(lowest, 1e-4)), ndtri(0.85))
    panel.set_ylim(ndtri(0.002), ndtri(0.95))
    for axis in (panel.xaxis, panel.yaxis):
        axis.set_major_locator(FixedLocator(ndtri(rates)))
        axis.set_major_formatter(FixedFormatter([f"{rate:.2%}".rstrip("0%").rstrip(".") + " %" for rate in rates]))
        axis.set_minor_locator(NullLocator())
    panel.axline((0, 0), slope=1, color=GREY, linewidth=0.8, linestyle=":", label="FAR = FRR")
    panel.set(xlabel="false accept rate (FAR)", ylabel="false reject rate (FRR)")
    panel.legend(loc="upper right", fontsize=8)
    return figure


@styled
def error_reject_curves(curves: Mapping[str, ErrorReject]) -> Figure:
    """Draw FRR over the share of pairs refused for low quality, with its interval, one panel for each measure.

    Dashed: an oracle that refuses the pairs that fail. Dotted: refusing at random.
    """
    figure, axes = new_figure(1, len(curves), width=2.5 * len(curves) + 0.8, height=2.9, sharey=True)
    for panel, (name, curve) in zip(axes[0], curves.items(), strict=True):
        panel.fill_between(curve.rejected, curve.low, curve.high, color=BLUE, alpha=0.2, linewidth=0)
        panel.plot(curve.rejected, curve.frr, color=BLUE, label="this measure")
        panel.plot(curve.rejected, curve.oracle, color=ORANGE, linestyle="--", label="oracle")
        panel.axhline(curve.frr[0], color=GREY, linestyle=":", label="at random")
        panel.set(title=name, xlabel="pairs refused")
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes[0, 0].set_ylabel("FRR of the rest")
    axes[0, 0].set_ylim(max(0.0, axes[0, 0].get_ylim()[0]), None)
    axes[0, 0].legend(fontsize=8)
    return figure


@styled
def fold_accuracies(result: FoldAccuracy) -> Figure:
    """Draw the accuracy of each fold, and their mean with its interval."""
    figure, ((panel,),) = new_figure(width=5.6, height=2.8)
    fold = np.arange(1, len(result.accuracies) + 1)
    panel.axhspan(result.estimate.low, result.estimate.high, color=BLUE, alpha=0.15, linewidth=0)
    panel.axhline(result.mean, color=BLUE, linewidth=1.2, label=f"mean {result.mean:.1%} and its 95 % interval")
    panel.plot(fold, result.accuracies, linestyle="none", marker="o", color=BLACK, label="one fold")
    panel.set(xlabel="fold", ylabel="accuracy", xticks=fold)
    panel.yaxis.set_major_formatter(PercentFormatter(1))
    panel.legend(fontsize=8)
    return figure


@styled
def group_errors(audit: GroupAudit, *, title: str = "") -> Figure:
    """Draw FAR and FRR of each group with its interval, at the one threshold that holds for all."""
    figure, axes = new_figure(1, 2, width=7.0, height=1.1 + 0.4 * len(audit.groups), sharey=True)
    names = [str(group.group) for group in audit.groups]
    for panel, rate, label in zip(axes[0], ("far", "frr"), ("false accept rate", "false reject rate"), strict=True):
        whiskers(panel, range(len(names)), [getattr(group, rate) for group in audit.groups], across=True)
        panel.set(xlabel=label, yticks=range(len(names)), yticklabels=names, xlim=(0, None))
        panel.set_ylim(len(names) - 0.5, -0.5)
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    axes[0, 0].set_title(title)
    return figure


@styled
def threshold_transfer(chosen_on: Scores, applied_to: Scores, threshold: float, names: Sequence[str]) -> Figure:
    """Draw the scores of two sets one above the other with the one threshold that is used on both.

    Args:
        chosen_on, applied_to: the sets.
        threshold: accepted are scores as high or higher.
        names: of the two sets, for the titles.
    """
    figure, axes = new_figure(2, 1, width=6.4, height=4.0, sharex=True)
    lowest = min(chosen_on.values.min(), applied_to.values.min())
    bins = np.linspace(min(0.0, lowest), 1, 60)
    for panel, pairs, name in zip(axes[:, 0], (chosen_on, applied_to), names, strict=True):
        overlaid_histograms(panel, _by_kind(pairs), bins)
        far = (pairs.values[~pairs.genuine] >= threshold).mean()
        frr = (pairs.values[pairs.genuine] < threshold).mean()
        panel.axvline(threshold, color=BLACK, linestyle="--", linewidth=1, label="threshold")
        panel.set(title=f"{name}: FAR {far:.1%}, FRR {frr:.1%}", yticks=[], ylabel="density")
    axes[1, 0].set_xlabel("cosine similarity")
    _legend_below(figure, axes[0, 0], 3)
    return figure


@styled
def interval_widths(draws: Mapping[str, np.ndarray], *, xlabel: str) -> Figure:
    """Draw the values that a measure takes over the draws of each kind of bootstrap, with the middle 95 %."""
    figure, ((panel,),) = new_figure(width=6.0, height=2.8)
    every = np.concatenate([values[np.isfinite(values)] for values in draws.values()])
    bins = np.linspace(every.min(), every.max(), 61)
    groups = {}
    for (name, values), colour in zip(draws.items(), (ORANGE, BLUE), strict=False):
        middle = bootstrap_interval(float(np.nanmedian(values)), values, len(values), len(values), share=False)
        groups[f"{name}: {middle.low:.3f} to {middle.high:.3f}"] = values[np.isfinite(values)]
        for end in (middle.low, middle.high):
            panel.axvline(end, ymax=0.74, color=colour, linestyle="--", linewidth=1)
    overlaid_histograms(panel, groups, bins)
    panel.set(xlabel=xlabel, ylabel="density of draws", yticks=[], ylim=(0, 1.35 * panel.get_ylim()[1]))
    panel.legend(fontsize=8)
    return figure


@styled
def coverage_intervals(simulated: Mapping[str, Simulated], *, xlabel: str) -> Figure:
    """Draw the intervals of many data sets, one panel for each way to make them; those that miss the truth stand out.

    Args:
        simulated: of :func:`facelab.evaluate.simulate_intervals`, by the name of the way.
        xlabel: what was measured.
    """
    figure, axes = new_figure(1, len(simulated), width=7.2, height=3.6, sharex=True, sharey=True)
    for panel, (name, found) in zip(axes[0], simulated.items(), strict=True):
        known = sorted((e for e in found.estimates if not np.isnan(e.low)), key=lambda e: e.value)
        low, value, high = (np.array([getattr(e, end) for e in known]) for end in ("low", "value", "high"))
        held, row = (low <= found.truth) & (found.truth <= high), np.arange(len(known))
        for rows, colour, label in ((held, BLUE, "holds the truth"), (~held, ORANGE, "misses it")):
            panel.hlines(row[rows], low[rows], high[rows], color=colour, linewidth=0.8, label=label)
        panel.plot(value, row, color=BLACK, linewidth=0.8, label="value")
        panel.axvline(found.truth, color=BLACK, linestyle="--", linewidth=1, label="truth")
        panel.set(title=f"{name}:\n{held.sum()} of {len(held)} hold the truth", xlabel=xlabel, yticks=[])
    axes[0, 0].set_ylabel("data sets, by value")
    axes[0, -1].legend(fontsize=8, loc="lower right")
    return figure
