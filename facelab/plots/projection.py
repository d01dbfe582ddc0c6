"""Embeddings drawn in the plane."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from facelab.analyze.projection import Trust
from facelab.plots.style import CYCLE, GREY, MARKERS, display_name, new_figure, styled, with_caption


@styled
def projection_map(points: Mapping[str, np.ndarray], labels: np.ndarray, identities: Sequence[str]) -> Figure:
    """Draw projected embeddings, one panel per model; colour and marker together say the identity.

    Distances between far groups and the axes themselves have no meaning in a t-SNE map, so the axes carry no numbers.

    Args:
        points: for each model the projected embeddings, shape (n, 2).
        labels: shape (n,), positions in ``identities``.
        identities: at most 70 can be told apart by colour and marker.
    """
    figure, axes = new_figure(1, len(points), width=3.4 * len(points) + 1, height=3.5)
    for panel, (name, xy) in zip(axes[0], points.items(), strict=True):
        for label, identity in enumerate(identities):
            colour, marker = CYCLE[label % len(CYCLE)], MARKERS[label % len(MARKERS)]
            panel.scatter(*xy[labels == label].T, color=colour, marker=marker, s=22, label=identity, linewidths=0)
        panel.set(title=display_name(name), xticks=[], yticks=[])
        panel.grid(False)
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right center", fontsize=8)
    return figure


@styled
def projection_grid(
    maps: Mapping[str, np.ndarray], labels: np.ndarray, trusts: Mapping[str, Trust] | None = None
) -> Figure:
    """Draw several maps of the same embeddings side by side: other methods, other settings, other seeds.

    Colour and marker follow the label, and repeat beyond 70 labels. What differs between them is not in the data.

    Args:
        maps: by title, each shape (n, 2).
        labels: shape (n,), the same for all maps; all equal draws one colour.
        trusts: the outcome of :func:`facelab.analyze.trust` for each map, written below it.
    """
    figure, axes = new_figure(1, len(maps), width=2.5 * len(maps), height=2.9)
    said = []
    for panel, (title, xy) in zip(axes[0], maps.items(), strict=True):
        for k, label in enumerate(np.unique(labels)):
            colour, marker = CYCLE[k % len(CYCLE)], MARKERS[k % len(MARKERS)]
            panel.scatter(*xy[labels == label].T, color=colour, marker=marker, s=13, linewidths=0)
        panel.set(title=title, xticks=[], yticks=[])
        panel.grid(False)
        if trusts:
            t = trusts[title]
            panel.set_xlabel(f"trustworthiness {t.trustworthiness:.2f}\ncontinuity {t.continuity:.2f}", fontsize=8)
            said.append(f"{title}: trustworthiness {t.trustworthiness:.2f}, continuity {t.continuity:.2f}")
    return with_caption(
        figure, "; ".join(said) + "." if said else f"{len(maps)} maps of the same {len(labels)} points."
    )


@styled
def sphere_map(points: np.ndarray, labels: np.ndarray) -> Figure:
    """Draw points on the unit sphere, seen from the front and from the back.

    Args:
        points: shape (n, 3), each of length 1, from ``project(..., method="sphere")``.
        labels: shape (n,); colour and marker.
    """
    figure, axes = new_figure(1, 2, width=6.4, height=3.3, subplot_kw={"aspect": 1})
    front = points[:, 0] >= 0  # look along the axis with the largest share
    for panel, side, title, mirror in ((axes[0, 0], front, "front", 1), (axes[0, 1], ~front, "back", -1)):
        turn = np.linspace(0, 2 * np.pi, 200)
        for r in (1.0, np.sin(np.pi / 3), np.sin(np.pi / 6)):  # circles of 90, 60 and 30 degrees around the axis
            panel.plot(r * np.cos(turn), r * np.sin(turn), color=GREY, linewidth=0.6, zorder=0)
        for k, label in enumerate(np.unique(labels)):
            chosen = side & (labels == label)
            colour, marker = CYCLE[k % len(CYCLE)], MARKERS[k % len(MARKERS)]
            panel.scatter(
                mirror * points[chosen, 1], points[chosen, 2], color=colour, marker=marker, s=15, linewidths=0
            )
        panel.set(title=f"{title}: {side.sum()} points")
        panel.set_axis_off()
    return with_caption(
        figure,
        f"{len(points)} points on the sphere, {front.mean():.0%} in the front half; circles at 30, 60 and 90 degrees.",
    )
