"""The factors behind an embedding: identity, pose, light, expression, skin, image quality."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from facelab.analyze.factors import VariancePartition
from facelab.analyze.probes import Probe
from facelab.analyze.response import Response
from facelab.evaluate import Estimate
from facelab.plots.style import (
    BLACK,
    BLUE,
    GREY,
    ON_COLOUR,
    ORANGE,
    Look,
    display_name,
    looks,
    new_figure,
    show_image,
    styled,
    whiskers,
    with_caption,
)

if TYPE_CHECKING:
    from facelab.synth.vary import Sweep


@styled
def variance_bars(partitions: Mapping[str, VariancePartition]) -> Figure:
    """Draw how much of the spread of embeddings is identity (left), and what each factor alone explains (right).

    Whiskers are 95 % intervals from an identity bootstrap. The unit on the right is the variance of the factor's level:
    within identities, or between them (marked).

    Args:
        partitions: for each model the outcome of :func:`facelab.analyze.variance_partition`.
    """
    figure, ((left, right),) = new_figure(1, 2, width=8.0, height=3.4, gridspec_kw={"width_ratios": [1, 1.6]})
    names = list(next(iter(partitions.values())).parts)
    said = []
    for k, ((model, result), look) in enumerate(zip(partitions.items(), looks(partitions), strict=True)):
        e = result.identity
        left.bar(k, e.value, color=look.colour, width=0.55)
        left.bar(k, 1 - e.value, bottom=e.value, color="#d9d9d9", width=0.55)
        whiskers(left, [k], [e], fmt="none", color=BLACK)
        left.text(k, 0.03, f"{e.value:.0%}", ha="center", color=ON_COLOUR, fontweight="bold")
        said.append(f"{display_name(model)}: identity {e.value:.0%} [{e.low:.0%}, {e.high:.0%}]")
        _rows(right, [result.parts[n].alone for n in names], k, len(partitions), display_name(model), look)
    left.set(title="between identities", ylim=(0, 1), xticks=range(len(partitions)), ylabel="share of the variance")
    left.set_xticklabels([display_name(model) for model in partitions])
    left.grid(axis="x", visible=False)
    levels = next(iter(partitions.values())).parts
    ticks = [f"{n} (between)" if levels[n].level == "between" else n for n in names]
    right.set(title="R² of one factor alone", xlabel="share of the variance of its level", yticks=range(len(names)))
    right.set_yticklabels(ticks)
    right.legend(fontsize=8)
    return with_caption(figure, "Share of the variance of embeddings. " + "; ".join(said) + ".")


@styled
def probe_scores(probes: Mapping[str, Mapping[str, Probe]]) -> Figure:
    """Draw how well factors can be read from embeddings, with 95 % intervals; 0 is what knows nothing.

    Args:
        probes: for each model and factor the outcome of :func:`facelab.analyze.linear_probe` for a number.
    """
    names = list(next(iter(probes.values())))
    figure, ((panel,),) = new_figure(width=5.8, height=0.42 * len(names) + 1.2)
    said = []
    for k, ((model, rows), look) in enumerate(zip(probes.items(), looks(probes), strict=True)):
        _rows(panel, [rows[n].score for n in names], k, len(probes), display_name(model), look)
        best = max(names, key=lambda n, rows=rows: rows[n].score.value)  # type: ignore[misc]
        e = rows[best].score
        said.append(f"{display_name(model)}: {best} best, R² {e.value:.2f} [{e.low:.2f}, {e.high:.2f}]")
    panel.set(xlabel="R² on identities not seen by the probe", yticks=range(len(names)), xlim=(None, 1))
    panel.set_yticklabels(names)
    panel.legend(fontsize=8)
    return with_caption(figure, "; ".join(said) + ".")


def _rows(panel: Axes, estimates: Sequence[Estimate], k: int, models: int, label: str, look: Look) -> None:
    """The estimates of model ``k``, one below the other."""
    y = np.arange(len(estimates)) + (k - (models - 1) / 2) * 0.25
    whiskers(panel, y, estimates, across=True, fmt=look.marker, color=look.colour, label=label)
    if k == 0:
        panel.axvline(0, color=GREY, linewidth=1)
        panel.invert_yaxis()


@styled
def response_curves(models: Mapping[str, Mapping[str, Response]]) -> Figure:
    """Draw how far embeddings move when one factor does, in degrees, with 95 % bands over people.

    The dashed line of each model is the mean angle between different people at the reference: a curve that reaches it
    has moved a face as far as another person is away.

    Args:
        models: for each model and factor the outcome of :func:`facelab.analyze.response`.
    """
    factors = list(next(iter(models.values())))
    figure, axes = new_figure(1, len(factors), width=2.3 * len(factors) + 0.8, height=3.0, sharey=True)
    said = []
    for (model, rows), look in zip(models.items(), looks(models), strict=True):
        for panel, name in zip(axes[0], factors, strict=True):
            r = rows[name]
            value, low, high = (np.degrees([getattr(e, f) for e in r.moved]) for f in ("value", "low", "high"))
            panel.fill_between(r.values, low, high, color=look.colour, alpha=0.2, linewidth=0)
            panel.plot(r.values, value, **look.of_line, marker=look.marker, markersize=4, label=display_name(model))
            panel.axhline(np.degrees(r.between), color=look.colour, linestyle="--", linewidth=1)
            panel.set_xlabel(r.unit, fontsize=8)
            panel.set_title(name)
        reach = {n: max(e.value for e in rows[n].moved) / rows[n].between for n in factors}
        most = max(reach, key=lambda n, reach=reach: reach[n])  # type: ignore[misc]
        largest = max(e.value for e in rows[most].moved)
        said.append(
            f"{display_name(model)}: {most} moves most, by {np.degrees(largest):.0f}° of the "
            f"{np.degrees(rows[most].between):.0f}° between people"
        )
    axes[0, 0].set(ylabel="moved by (degrees)", ylim=(0, None))
    axes[0, 0].legend(fontsize=8)
    return with_caption(figure, "; ".join(said) + ".")


@styled
def factor_errors(
    levels: Mapping[str, Mapping[str, Sequence[Mapping[str, Any]]]],
    steps: Mapping[str, Mapping[str, Any]],
    *,
    far: float | None = None,
) -> Figure:
    """Draw FRR (one picture of a pair moved) above FAR (both moved) over the values of each factor, with intervals.

    Args:
        levels: for each factor and ``"one"``, ``"both"`` the rows of a results file with ``at``, ``frr`` and ``far``.
        steps: for each factor its ``unit``, its ``values``, of which the first is the reference (dashed), and whether
            they are radians to be shown in ``degrees``.
        far: that the threshold was chosen for, drawn as a line.
    """
    figure, axes = new_figure(2, len(levels), width=1.6 * len(levels) + 0.9, height=4.2, sharey="row", sharex="col")
    rates = (("frr", "one", "FRR, one moved", BLUE), ("far", "both", "FAR, both moved", ORANGE))
    for (name, modes), column in zip(levels.items(), axes.T, strict=True):
        scale = 180 / np.pi if steps[name]["degrees"] else 1.0
        for panel, (rate, mode, _, colour) in zip(column, rates, strict=True):
            rows = sorted(modes[mode], key=lambda row: row["at"])
            at = [scale * row["at"] for row in rows]
            panel.plot(at, [row[rate]["value"] for row in rows], color=colour, linewidth=1.2)
            whiskers(panel, at, [row[rate] for row in rows], color=colour)
            panel.axvline(scale * steps[name]["values"][0], color=GREY, linestyle="--", linewidth=0.8)
            panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        if far is not None:
            column[1].axhline(far, color=BLACK, linestyle=":", linewidth=1)
        column[0].set_title(name)
        unit = steps[name]["unit"] + (", degrees" if steps[name]["degrees"] else "")
        column[1].set_xlabel(unit.replace(", ", ",\n", 1), fontsize=8)
        column[1].xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    for panel, (_, _, label, _) in zip(axes[:, 0], rates, strict=True):
        panel.set(ylabel=label, ylim=(0, None))
    return figure


@styled
def sweep_sheet(sweeps: Sequence["Sweep"], *, person: int = 0) -> Figure:
    """Show the images of one person with one factor moving, one factor per row.

    Args:
        sweeps: from :func:`facelab.synth.vary.sweep`.
        person: which of the people.
    """
    columns = max(len(s.values) for s in sweeps)
    figure, axes = new_figure(len(sweeps), columns, width=1.15 * columns + 0.8, height=1.3 * len(sweeps), dpi=72)
    figure.by_row = True
    for row, s in enumerate(sweeps):
        for column in range(columns):
            if column < len(s.values):
                mark = " (start)" if column == s.reference else ""
                show_image(axes[row, column], s.images[person, column], f"{s.values[column]:g}{mark}")
            else:
                axes[row, column].set_axis_off()
        axes[row, 0].text(-0.1, 0.5, s.factor, ha="right", va="center", transform=axes[row, 0].transAxes)
    names = ", ".join(f"{s.factor} ({s.unit})" for s in sweeps)
    return with_caption(figure, f"One person, one factor moving in each row: {names}.")
