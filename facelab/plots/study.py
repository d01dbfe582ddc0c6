"""What a study of losses found: each loss with its seeds and interval, differences, trials, replays, ablations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from facelab.plots.style import (
    BLACK,
    BLUE,
    GREY,
    LOSS_STYLES,
    ORANGE,
    display_name,
    looks,
    loss_of,
    new_figure,
    styled,
    whiskers,
)


@styled
def loss_results(panels: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Draw what each loss reached: small marks are the seeds, the dot with whiskers is their mean with its interval.

    Args:
        panels: title of a panel -> loss, or another system -> row of a results file, with ``value`` and, if there are
            such, ``seeds``, ``low`` and ``high``. They stand in the order of the first panel's values.
    """
    order, figure, axes = _panels_of_rows(panels, width=2.6, height=0.9)
    for panel, (title, losses) in zip(axes[0], panels.items(), strict=True):
        for place, loss in enumerate(order):
            value = losses[loss]["value"]
            row: dict[str, Any] = {"low": value, "high": value, **losses[loss]}
            seeds = row.get("seeds", [])
            panel.plot(seeds, [place + 0.22] * len(seeds), "|", color=GREY, markersize=6)
            whiskers(panel, [place], [row], across=True, color=_colour(loss))
        panel.set_title(title)
        panel.grid(axis="y", visible=False)
    axes[0, 0].set_yticks(range(len(order)), [display_name(loss) for loss in order])
    return figure


@styled
def paired_differences(panels: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Draw paired differences between losses with their intervals, in points of per cent; the line is no difference.

    Args:
        panels: title of a panel -> ``"a - b"``, or what else the difference is called -> row with ``value``, ``low``,
            ``high`` and ``p_holm``. A filled mark is a difference with p (Holm) below 0.05.
    """
    order, figure, axes = _panels_of_rows(panels, width=2.9, height=1.1)
    for panel, (title, pairs) in zip(axes[0], panels.items(), strict=True):
        for place, pair in enumerate(order):
            row = {end: 100 * pairs[pair][end] for end in ("value", "low", "high")}
            sure = pairs[pair]["p_holm"] < 0.05
            whiskers(panel, [place], [row], across=True, color=_colour(pair), mfc=None if sure else "white")
        panel.axvline(0, color=GREY, linewidth=1)
        panel.set(title=title, xlabel="points")
        panel.grid(axis="y", visible=False)
    names = [" − ".join(display_name(loss) for loss in pair.split(" - ")) for pair in order]
    axes[0, 0].set_yticks(range(len(order)), names)
    return figure


@styled
def tuning_trials(tuning: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the validation score of every trial of each loss, the chosen one filled; what diverged scores 0."""
    best = {loss: max(trial["score"] for trial in of_loss["trials"]) for loss, of_loss in tuning.items()}
    order = sorted(best, key=best.__getitem__)
    figure, ((panel,),) = new_figure(width=6.4, height=0.34 * len(order) + 0.9)
    for place, loss in enumerate(order):
        scores = [trial["score"] for trial in tuning[loss]["trials"]]
        panel.plot(scores, [place] * len(scores), "o", color=_colour(loss), mfc="white", markersize=6)
        panel.plot(max(scores), place, "o", color=_colour(loss), markersize=7)
    panel.set_yticks(range(len(order)), [display_name(loss) for loss in order])
    panel.set_xlabel("score on the validation parts")
    panel.grid(axis="y", visible=False)
    return figure


@styled
def replayed_experiments(panels: Mapping[str, Mapping[str, Any]], *, marks: Sequence[float] = ()) -> Figure:
    """Draw how often a small experiment gives each difference.

    Args:
        panels: title of a panel -> row of :meth:`facelab.study.replay.Replay.as_dict`. Orange is "the second is worse";
            the dashed line is the difference over all images.
        marks: other differences to mark, in shares.
    """
    figure, axes = new_figure(1, len(panels), width=3.4 * len(panels), height=2.9, sharex=True, sharey=True)
    for panel, (title, row) in zip(axes[0], panels.items(), strict=True):
        points = 100 * np.array(row["difference"]) / row["images"]
        share = np.array(row["times"]) / row["experiments"]
        colours = [ORANGE if point < 0 else BLUE for point in points]
        panel.bar(points, share, width=100 / row["images"] * 0.85, color=colours)
        panel.axvline(100 * row["expected"], color=BLACK, linestyle="--", linewidth=1.2)
        for mark in marks:
            panel.axvline(100 * mark, color=GREY, linestyle=":", linewidth=1.2)
        panel.set(title=title, xlabel="second − first, points")
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel(f"of {row['experiments']:,} experiments")
    return figure


@styled
def ablations(groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Draw what each change gives: small marks are the seeds, the dot is their mean; the line is at the first change.

    Args:
        groups: title of a group -> name of a change -> its row: ``loss``; ``accuracy`` and ``tar_at_far_0.01``, each
            with ``value`` and ``seeds``. They stand in this order, from the top.
    """
    rows: list[tuple[str, Mapping[str, Any] | None]] = []
    for title, changes in groups.items():
        rows += [(title, None), *((name, row) for name, row in changes.items())]
    figure, (panels,) = new_figure(1, 2, width=7.4, height=0.26 * len(rows) + 0.9, sharey=True)
    measures = {"accuracy": "accuracy", "tar_at_far_0.01": "strangers' TAR at FAR 1 %"}
    for panel, (key, title) in zip(panels, measures.items(), strict=True):
        for place, (_, row) in enumerate(rows):
            if row is not None:
                look, seeds = LOSS_STYLES[row["loss"]], row[key]["seeds"]
                panel.plot(seeds, [place - 0.28] * len(seeds), "|", color=GREY, markersize=6)
                panel.plot(row[key]["value"], place, look.marker, color=look.colour, markersize=6)
        panel.axvline(next(row for _, row in rows if row)[key]["value"], color=GREY, linewidth=1)
        panel.set(title=title, xlim=(0, 1), ylim=(len(rows) - 0.5, -0.5))
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="y", visible=False)
    panels[0].set_yticks(range(len(rows)), [name for name, _ in rows])
    for label, (_, row) in zip(panels[0].get_yticklabels(), rows, strict=True):
        label.set_fontweight("normal" if row else "bold")
    return figure


def _panels_of_rows(
    panels: Mapping[str, Mapping[str, Mapping[str, Any]]], *, width: float, height: float
) -> tuple[list[str], Figure, np.ndarray]:
    """Return the rows in the order of the first panel's values, a figure with room for them, and its axes.

    Args:
        width: of a panel, in inches.
        height: beside that of the rows.
    """
    first = next(iter(panels.values()))
    order = sorted(first, key=lambda row: first[row]["value"])
    width, height = width * len(panels) + 1.6, 0.34 * len(order) + height
    figure, axes = new_figure(1, len(panels), width=width, height=height, sharey=True)
    return order, figure, axes


def _colour(loss: str) -> str:
    """That of the loss, or of the one that leads a pair; what is no loss in blue."""
    known = loss_of(loss.split(" - ")[0])
    return LOSS_STYLES[known].colour if known else BLUE


@styled
def wrong_labels(shares: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Figure:
    """Draw what wrong labels in the training cost, and how well the network tells which they are.

    Args:
        shares: share of wrong labels -> loss -> its rows ``tar_at_far_0.01`` and, but for the share 0, ``found``.
    """
    figure, ((left, right),) = new_figure(1, 2, width=7.4, height=3.1)
    names = list(next(iter(shares.values())))
    for place, (name, look) in enumerate(zip(names, looks(names), strict=True)):
        for panel, key in ((left, "tar_at_far_0.01"), (right, "found")):
            at = [float(share) for share, losses in shares.items() if key in losses[name]]
            rows = [losses[name][key] for losses in shares.values() if key in losses[name]]
            beside = np.array(at) + 0.012 * (place - (len(names) - 1) / 2)
            panel.plot(beside, [row["value"] for row in rows], **look.of_line, label=display_name(name))
            whiskers(panel, beside, rows, color=look.colour, fmt=look.marker)
    left.set(ylabel="TAR at FAR 1 %, strangers", ylim=(0, None))
    right.set(ylabel="AUC of finding the wrong labels", ylim=(0.45, 1.0))
    right.axhline(0.5, color=GREY, linewidth=1)
    for panel in (left, right):
        panel.set_xlabel("share of wrong labels in the training")
        panel.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        panel.set_xticks([float(share) for share in shares])
    right.set_xlim(left.get_xlim())
    left.legend()
    return figure
