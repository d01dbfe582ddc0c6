"""Embeddings drawn in the plane."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from facelab.plots.style import CYCLE, MARKERS, display_name, new_figure, styled


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
