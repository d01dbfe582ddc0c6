"""The embedding space measured: angles, dimensions, lengths, collapse."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from facelab.analyze.geometry import CentreAngles
from facelab.evaluate import Estimate
from facelab.plots.style import (
    BLACK,
    BLUE,
    ORANGE,
    display_name,
    looks,
    new_figure,
    overlaid_histograms,
    styled,
    with_caption,
)

if TYPE_CHECKING:
    from facelab.train import EmbeddingWatch


@styled
def pair_angle_histograms(angles: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Figure:
    """Draw the angles of genuine and impostor pairs in degrees, one panel per model, with their means.

    Args:
        angles: for each model the two arrays of :func:`facelab.analyze.pair_angles`, in radians.
    """
    figure, axes = new_figure(1, len(angles), width=3.4 * len(angles) + 0.6, height=2.9, sharex=True)
    said = []
    for panel, (name, (intra, inter)) in zip(axes[0], angles.items(), strict=True):
        impostor, genuine = np.degrees(inter), np.degrees(intra)
        means = impostor.mean(), genuine.mean()
        labels = f"impostor, mean {means[0]:.0f}°", f"genuine, mean {means[1]:.0f}°"
        overlaid_histograms(panel, dict(zip(labels, (impostor, genuine), strict=True)), np.arange(0, 181, 5))
        for mean, colour in zip(means, (ORANGE, BLUE), strict=True):
            panel.axvline(mean, color=colour, linestyle="--", linewidth=1)
        panel.set(title=display_name(name), xlabel="angle of a pair (degrees)", yticks=[], xlim=(0, 180))
        panel.legend(fontsize=8)
        said.append(f"{display_name(name)}: genuine pairs {means[1]:.0f}°, impostor pairs {means[0]:.0f}° apart")
    axes[0, 0].set_ylabel("density")
    return with_caption(figure, "Mean angles. " + "; ".join(said) + ".")


@styled
def centre_map(angles: Mapping[str, CentreAngles]) -> Figure:
    """Draw each image by its angles to its own and to the nearest other class centre, in degrees.

    Above the diagonal the own centre is nearer; an image below it is named wrongly.

    Args:
        angles: for each model the outcome of :func:`facelab.analyze.centre_angles`.
    """
    figure, axes = new_figure(
        1, len(angles), width=3.1 * len(angles) + 0.6, height=3.4, sharex=True, sharey=True, subplot_kw={"aspect": 1}
    )
    top = np.degrees(max(max(a.own.max(), a.other.max()) for a in angles.values())) * 1.03
    said = []
    for panel, (name, a) in zip(axes[0], angles.items(), strict=True):
        own, other = np.degrees(a.own), np.degrees(a.other)
        for mask, colour, marker, what in ((a.right, BLUE, "o", "right"), (~a.right, ORANGE, "^", "wrong")):
            label = f"{what}: {mask.mean():.1%}"
            panel.scatter(
                own[mask], other[mask], s=11, color=colour, marker=marker, linewidths=0, alpha=0.7, label=label
            )
        panel.plot([0, top], [0, top], color=BLACK, linewidth=1, linestyle="--")
        panel.set(title=display_name(name), xlabel="angle to own centre (degrees)", xlim=(0, top), ylim=(0, top))
        panel.legend(fontsize=8, loc="lower right", framealpha=0.9, frameon=True)
        said.append(f"{display_name(name)} {a.right.mean():.0%} of {len(own)}")
    axes[0, 0].set_ylabel("to nearest other (degrees)")
    return with_caption(figure, "Images nearer to their own centre than to any other: " + "; ".join(said) + ".")


@styled
def spectrum_curves(spectra: Mapping[str, np.ndarray]) -> Figure:
    """Draw the share of the variance that the first k principal axes hold; a mark stands at the participation ratio.

    Args:
        spectra: for each model the outcome of :func:`facelab.analyze.spectrum`.
    """
    figure, ((panel,),) = new_figure(width=5.2, height=3.2)
    said = []
    for (name, shares), look in zip(spectra.items(), looks(spectra), strict=True):
        axes, reached = np.arange(1, len(shares) + 1), np.cumsum(shares)
        ratio = 1 / (shares**2).sum()
        label = f"{display_name(name)}: participation ratio {ratio:.1f}"
        panel.plot(axes, reached, **look.of_line, label=label)
        held = np.interp(ratio, axes, reached)
        panel.scatter([ratio], [held], color=look.colour, marker=look.marker, s=40, zorder=3)
        said.append(f"{display_name(name)} {ratio:.1f} of {len(shares)} axes, which hold {held:.0%} of the variance")
    panel.set(xscale="log", xlabel="number of principal axes, k", ylabel="share of the variance", ylim=(0, 1.02))
    panel.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    figure.legend(loc="outside lower center", fontsize=9, frameon=False)  # inside, a phone has no room for it
    return with_caption(figure, "Participation ratio: " + "; ".join(said) + ".")


@styled
def length_against_quality(
    lengths: Mapping[str, np.ndarray], quality: np.ndarray, correlations: Mapping[str, Estimate], *, label: str
) -> Figure:
    """Draw the lengths of embeddings before normalisation against a known quality of the image.

    Args:
        lengths: for each model, shape (n,).
        quality: shape (n,).
        correlations: for each model the outcome of :func:`facelab.analyze.rank_correlation`.
        label: what ``quality`` is, with its unit.
    """
    figure, axes = new_figure(1, len(lengths), width=3.2 * len(lengths) + 0.6, height=2.9)
    said = []
    for panel, (name, values) in zip(axes[0], lengths.items(), strict=True):
        rho = correlations[name]
        panel.scatter(quality, values, s=12, color=BLUE, alpha=0.6, linewidths=0)
        order = np.argsort(quality)
        for part in np.array_split(order, 6):  # medians of six equal groups show the trend without a model
            panel.plot(np.median(quality[part]), np.median(values[part]), "s", color=ORANGE, markersize=6)
        panel.set(title=f"{display_name(name)}: ρ = {rho.value:.2f}", xlabel=label, ylim=(0, None))
        said.append(f"{display_name(name)} {rho.value:.2f} [{rho.low:.2f}, {rho.high:.2f}]")
    axes[0, 0].set_ylabel("length of the embedding")
    return with_caption(figure, f"Spearman's ρ of length and {label}, n = {len(quality)}: " + "; ".join(said) + ".")


@styled
def collapse_curves(watches: Mapping[str, "EmbeddingWatch"]) -> Figure:
    """Draw NC1 over the steps of a training, on a logarithmic axis; 0, which it does not reach, is complete collapse.

    Args:
        watches: for each model the watch of :func:`facelab.analyze.variability_collapse` that
            :func:`facelab.train.fit` filled.
    """
    figure, ((panel,),) = new_figure(width=5.2, height=3.0)
    said = []
    for (name, watch), look in zip(watches.items(), looks(watches), strict=True):
        panel.plot(
            watch.steps, watch.history, **look.of_line, marker=look.marker, markersize=4, label=display_name(name)
        )
        said.append(f"{display_name(name)}: NC1 from {watch.history[0]:.2g} to {watch.history[-1]:.2g}")
    panel.set(xlabel="step", ylabel="NC1 of training pictures", yscale="log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    panel.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    panel.yaxis.set_minor_formatter(NullFormatter())
    panel.legend(fontsize=9)
    return with_caption(figure, "; ".join(said) + ".")
