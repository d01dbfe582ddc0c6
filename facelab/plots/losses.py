"""Losses drawn: target logits, decision boundaries, pulls, and embeddings in the plane."""

from collections.abc import Callable, Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from facelab.analyze.geometry import CentreAngles, centre_angles
from facelab.plots.style import (
    BLACK,
    BLUE,
    CYCLE,
    GREY,
    MARKERS,
    ORANGE,
    YELLOW,
    display_name,
    looks,
    new_figure,
    overlaid_histograms,
    styled,
)


@styled
def over_angle(
    theta: np.ndarray, curves: Mapping[str, np.ndarray], *, ylabel: str, marks: Mapping[str, float] | None = None
) -> Figure:
    """Draw functions of the angle θ_y, such as target logits or gradients.

    Args:
        theta: radians, shape (n,).
        curves: for each loss its values, shape (n,).
        ylabel: what the values are.
        marks: vertical lines: their label and angle in radians.
    """
    figure, ((panel,),) = new_figure(width=6.0, height=3.4)
    for (name, values), look in zip(curves.items(), looks(curves), strict=True):
        panel.plot(np.degrees(theta), values, **look.of_line, label=display_name(name))
    for label, angle in (marks or {}).items():
        panel.axvline(np.degrees(angle), color=GREY, linewidth=0.8)
        panel.annotate(label, (np.degrees(angle), 1), (3, -3), xycoords=("data", "axes fraction"), va="top",
                       textcoords="offset points", fontsize=8, color=BLACK)  # fmt: skip
    panel.set(xlabel="angle to the own class centre θ (degrees)", ylabel=ylabel, xlim=np.degrees(theta[[0, -1]]))
    panel.legend(fontsize=8)
    return figure


@styled
def decision_boundaries(targets: Mapping[str, Callable[[np.ndarray], np.ndarray]]) -> Figure:
    r"""Draw, for two identities, which pairs of angles (θ_1, θ_2) satisfy the loss, one panel per loss.

    An image of identity 1 satisfies it where :math:`ψ(θ_1) > \cos θ_2`, one of identity 2 where :math:`ψ(θ_2) > \cos
    θ_1`; what is left between the two is the margin.

    Args:
        targets: for each loss its target logit ψ, a function of the angle in radians on arrays.
    """
    theta = np.linspace(0, np.pi / 2, 73)  # the edge is found between the points
    first, second = np.meshgrid(theta, theta)
    figure, axes = new_figure(1, len(targets), width=2.1 * len(targets) + 0.4, height=2.9, sharey=True)
    for panel, (name, target) in zip(axes[0], targets.items(), strict=True):
        one, two = target(first) - np.cos(second), target(second) - np.cos(first)
        degrees = np.degrees(theta)
        for satisfied, colour in ((one, BLUE), (two, ORANGE)):
            panel.contourf(degrees, degrees, satisfied, levels=[0, np.inf], colors=[colour], alpha=0.75)
        panel.plot([0, 90], [0, 90], color=BLACK, linewidth=0.8, linestyle="--")
        panel.text(3, 80, "identity 1", fontsize=8)
        panel.text(87, 5, "identity 2", ha="right", fontsize=8)
        panel.set(
            title=display_name(name), xlabel="θ₁ (degrees)", aspect="equal", xticks=(0, 45, 90), yticks=(0, 45, 90)
        )
        panel.grid(False)
    axes[0, 0].set_ylabel("θ₂ (degrees)")
    return figure


@styled
def plane_and_circle(
    embeddings: Mapping[str, np.ndarray], labels: np.ndarray, centres: Mapping[str, np.ndarray]
) -> Figure:
    """Draw two-dimensional embeddings as they are (above) and as directions on the circle (below), a column per loss.

    Below, each identity's directions stand on the circle, and a histogram of them points outwards. Rays are the
    directions of the class centres.

    Args:
        embeddings: for each loss, shape (n, 2), before normalisation.
        labels: shape (n,).
        centres: for each loss, shape (C, 2).
    """
    figure, axes = new_figure(2, len(embeddings), width=2.1 * len(embeddings), height=4.4)
    for column, (name, points) in enumerate(embeddings.items()):
        above, below = axes[:, column]
        reach = np.abs(points).max() * 1.05
        for panel, radius in ((above, reach * 1.5), (below, 1.0)):
            for label, centre in enumerate(centres[name] / np.linalg.norm(centres[name], axis=1, keepdims=True)):
                panel.plot(*np.stack([0 * centre, radius * centre]).T, color=_colour(label), linewidth=0.8, alpha=0.6)
            panel.set(xticks=[], yticks=[], aspect="equal")
            panel.grid(False)
            panel.spines[:].set_visible(False)
        above.set(title=display_name(name), xlim=(-reach, reach), ylim=(-reach, reach))
        circle = np.linspace(0, 2 * np.pi, 181)
        below.plot(np.cos(circle), np.sin(circle), color=GREY, linewidth=0.8)
        for label in range(len(centres[name])):
            own = points[labels == label]
            style = {"color": _colour(label), "marker": MARKERS[label % len(MARKERS)], "linewidths": 0}
            above.scatter(*own.T, s=12, **style)
            angle = np.arctan2(own[:, 1], own[:, 0])
            below.scatter(np.cos(angle), np.sin(angle), s=12, **style)
            _petal(below, angle, _colour(label))
        own = np.degrees(centre_angles(points, labels, centres[name]).own.mean())
        mean = f"mean angle to own\ncentre: {own:.1f}°"
        below.set(xlim=(-1.75, 1.75), ylim=(-1.6, 1.6), xlabel=mean)
    axes[0, 0].set_ylabel("embeddings as they are")
    axes[1, 0].set_ylabel("their directions")
    return figure


def _petal(axes: Axes, angles: np.ndarray, colour: str, *, bins: int = 72, height: float = 0.7) -> None:
    """Draw a histogram of angles outwards from the unit circle; a bin that holds all of them is ``height`` high."""
    counts, edges = np.histogram(angles, bins=bins, range=(-np.pi, np.pi))
    for share, low, high in zip(counts / len(angles), edges[:-1], edges[1:], strict=True):
        if share:
            arc = np.linspace(low, high, 5)
            radius = np.r_[np.full(5, 1.04), np.full(5, 1.04 + height * share)]
            arc = np.r_[arc, arc[::-1]]
            axes.fill(radius * np.cos(arc), radius * np.sin(arc), color=colour, alpha=0.7, linewidth=0)


def _colour(label: int) -> str:
    return CYCLE[label % len(CYCLE)]


@styled
def centre_angle_histograms(angles: Mapping[str, CentreAngles]) -> Figure:
    """Draw how the angles to the own class centre and to the nearest other one are spread, one panel per set.

    Args:
        angles: for each set (its title) the outcome of :func:`facelab.analyze.centre_angles`.
    """
    figure, axes = new_figure(1, len(angles), width=3.4 * len(angles) + 0.2, height=2.8, sharex=True, sharey=True)
    bins = np.arange(0, 181, 5)
    for panel, (title, a) in zip(axes[0], angles.items(), strict=True):
        own, other = np.degrees(a.own), np.degrees(a.other)
        overlaid_histograms(panel, {"nearest other centre": other, "own centre": own}, bins, shares=True)
        for values, colour in ((own, BLUE), (other, ORANGE)):
            panel.axvline(values.mean(), color=colour, linestyle="--", linewidth=1)
        panel.set(title=title, xlabel="angle (degrees)", xlim=(0, 120))
    axes[0, 0].set_ylabel("share of images")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8)
    return figure


@styled
def triplet_zones(positives: np.ndarray, negatives: np.ndarray, margin: float) -> Figure:
    """Draw one anchor's squared distances to its positives and negatives, with the zones of one triplet.

    The zones are those of the farthest positive: nearer negatives are hard, those at most ``margin`` farther are
    semi-hard, the rest is easy and has no loss.

    Args:
        positives: squared distances to other images of the anchor's identity, shape (p,).
        negatives: squared distances to images of other identities, shape (n,).
        margin: of the loss.
    """
    figure, ((panel,),) = new_figure(width=6.5, height=2.4)
    farthest = positives.max()
    end = max(negatives.max(), farthest + margin) * 1.05
    zones = ("hard", 0, farthest), ("semi-hard", farthest, farthest + margin), ("easy", farthest + margin, end)
    for (name, low, high), colour in zip(zones, (ORANGE, YELLOW, "white"), strict=True):
        panel.axvspan(low, high, color=colour, alpha=0.25, linewidth=0)
        panel.text((low + high) / 2, 1.85, name, ha="center", fontsize=9)  # above: a zone may be narrower than its name
    for height, values, colour, marker in ((1, positives, BLUE, "o"), (0, negatives, ORANGE, "s")):
        panel.scatter(values, np.full(len(values), height), color=colour, marker=marker, s=28, linewidths=0, alpha=0.8)
    panel.axvline(farthest, color=BLUE, linestyle="--", linewidth=1)
    panel.set(xlabel="squared distance to the anchor", xlim=(0, end), ylim=(-0.5, 1.8), yticks=(0, 1))
    panel.set_yticklabels(["negatives", "positives"])
    panel.grid(False)
    return figure
