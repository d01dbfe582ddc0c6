"""Alignment: what each way leaves, and whether it matters."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facelab.align import METHODS, align_batch, template
from facelab.plots.style import CYCLE, MARKERS, ORANGE, SKY, YELLOW, new_figure, show_image, styled, whiskers

NAMES = {"five-point": "five points", "eyes": "eyes only", "crop": "plain crop"}
SETS = {"orl": "ORL", "mini": "SynthFaces mini"}


@styled
def chips_by_method(images: Sequence[np.ndarray], landmarks: np.ndarray, boxes: np.ndarray) -> Figure:
    """Show the chips of each photograph, one row for each way to align; the template's points are marked.

    Args:
        images: n photographs, RGB uint8.
        landmarks: (n, 5, 2); boxes: (n, 4); pixels of the photographs.
    """
    figure, axes = new_figure(len(METHODS), len(images), width=1.25 * len(images) + 0.5, height=4.0, dpi=85)
    for row, method in zip(axes, METHODS, strict=True):
        for panel, chip in zip(row, align_batch(images, landmarks, method=method, boxes=boxes), strict=True):
            show_image(panel, chip)
            panel.scatter(*template().T, s=12, c=YELLOW, edgecolors="black", linewidths=0.5)
        row[0].set_ylabel(NAMES[method], fontsize=9)
    return figure


@styled
def landmark_fit(moved: np.ndarray) -> Figure:
    """Draw where the landmarks of many faces come to lie on the chip, (n, 5, 2), and the template among them."""
    figure, ((panel,),) = new_figure(width=3.2, height=3.2)
    panel.scatter(*moved.reshape(-1, 2).T, s=5, c=SKY, alpha=0.6, linewidths=0, label="landmarks after alignment")
    panel.scatter(*template().T, s=70, c=ORANGE, marker="+", linewidths=1.4, label="template")
    panel.set(xlim=(0, 112), ylim=(112, 0), aspect="equal", xlabel="pixels")
    panel.legend(fontsize=7, loc="upper left")
    return figure


@styled
def method_comparison(results: Mapping[str, Any]) -> Figure:
    """Draw TAR at FAR 1 % of each way to align with its interval, and each seed, one panel for each set of faces."""
    sets = [name for name in SETS if name in results]
    figure, axes = new_figure(1, len(sets), width=3.3 * len(sets), height=2.9)
    for panel, name in zip(axes[0], sets, strict=True):
        for place, method in enumerate(METHODS):
            row = results[name]["methods"][method]["tar_at_far_0.01"]
            whiskers(panel, [place], [row], fmt=MARKERS[place], color=CYCLE[place])
            seeds = row["seeds"]
            panel.scatter(np.full(len(seeds), place + 0.18), seeds, s=12, facecolors="none", edgecolors=CYCLE[place])
        strangers = results[name]["strangers"]
        panel.set_xticks(range(len(METHODS)), [NAMES[method] for method in METHODS])
        panel.set(title=f"{SETS[name]}, {strangers} strangers", xlim=(-0.5, len(METHODS) - 0.5))
        panel.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("TAR at FAR 1 %")
    return figure
