"""Detectors: what P-Net sees, and how good they are."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facelab.detect.registry import detector_title
from facelab.plots.style import BLUE, CYCLE, GREY, MARKERS, ORANGE, new_figure, show_image, styled, whiskers


@styled
def score_maps(image: np.ndarray, maps: Mapping[float, np.ndarray], *, window: int = 12, stride: int = 2) -> Figure:
    """Draw a detector's face probability over the photograph, one panel for each size of window.

    Args:
        image: RGB uint8, (height, width, 3).
        maps: scale -> probability of each window, shape (rows, columns), as from
            :meth:`facelab.detect.mtcnn.MTCNN.score_map`. The window of the best score is drawn as a square.
        window, stride: of the network, in pixels of the scaled image.
    """
    height, width = image.shape[:2]
    figure, axes = new_figure(1, len(maps), width=2.3 * len(maps), height=2.3 * height / width + 0.4, dpi=90)
    for panel, (scale, scores) in zip(axes[0], maps.items(), strict=True):
        grey = np.repeat(image.mean(axis=2, dtype=np.float32)[:, :, None] / 255, 3, axis=2)
        show_image(panel, grey * 0.7 + 0.3, f"window of {window / scale:.0f} pixels")
        rows, columns = scores.shape
        # A score belongs to the centre of its window.
        left, top = (window / 2 - stride / 2) / scale, (window / 2 - stride / 2) / scale
        extent = (left, left + stride * columns / scale, top + stride * rows / scale, top)
        panel.imshow(scores, cmap="magma", vmin=0, vmax=1, alpha=scores.clip(0, 1) ** 0.5, extent=extent)
        row, column = np.unravel_index(scores.argmax(), scores.shape)
        corner, side = (stride * column / scale, stride * row / scale), window / scale
        panel.add_patch(Rectangle(corner, side, side, fill=False, edgecolor=BLUE, linewidth=1.5))
        panel.set(xlim=(0, width), ylim=(height, 0))
    return figure


@styled
def precision_recall_curves(results: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw precision over recall for each detector of the results; a detector without scores is one point."""
    figure, ((panel,),) = new_figure(width=5.0, height=3.4)
    for (name, result), colour, marker in zip(results.items(), CYCLE, MARKERS, strict=False):
        label = f"{detector_title(name)} (AP {result['ap']['value']:.2f})"
        curve = result["curve"]
        style = {"linestyle": "none", "marker": marker} if len(curve["recall"]) == 1 else {"linewidth": 1.8}
        panel.plot(curve["recall"], curve["precision"], color=colour, label=label, **style)
    panel.set(xlim=(0, 1), ylim=(0, 1.03), xlabel="recall: share of the faces that are found")
    panel.set_ylabel("precision: share of\nthe boxes that are faces")
    panel.legend(loc="lower left")
    return figure


@styled
def recall_by_group(results: Mapping[str, Mapping[str, Any]], kinds: Sequence[str]) -> Figure:
    """Draw each detector's recall in the groups of each kind (``"yaw"``, ``"height"``, ``"occluder"``, ``"skin"``)."""
    titles = {"yaw": "turned away by", "height": "height of the face", "occluder": "covered by", "skin": "skin"}
    groups = {kind: list(next(iter(results.values()))["recall_by"][kind]) for kind in kinds}
    figure, axes = new_figure(
        1,
        len(kinds),
        width=3.3 * len(kinds),
        height=3.2,
        sharey=True,
        width_ratios=[max(3, len(labels)) for labels in groups.values()],  # so that no label meets the next one
    )
    for panel, (kind, labels) in zip(axes[0], groups.items(), strict=True):
        for k, (name, result) in enumerate(results.items()):
            shares = [result["recall_by"][kind][label] for label in labels]
            place = np.arange(len(labels)) + 0.16 * (k - (len(results) - 1) / 2)
            whiskers(panel, place, shares, fmt=MARKERS[k], color=CYCLE[k], label=detector_title(name))
        counts = [next(iter(results.values()))["recall_by"][kind][label]["n"] for label in labels]
        names = [f"{textwrap.fill(label, 11)}\nn={n}" for label, n in zip(labels, counts, strict=True)]
        panel.set_xticks(range(len(labels)), names, fontsize=8)
        panel.set(title=titles.get(kind, kind), ylim=(0, 1.02))
        panel.grid(axis="x", visible=False)
    axes[0, 0].set_ylabel("recall")
    axes[0, -1].legend(fontsize=8, loc="lower left")
    return figure


@styled
def suppression(image: np.ndarray, before: np.ndarray, after: np.ndarray) -> Figure:
    """Draw boxes before and after non-maximum suppression; boxes are x0, y0, x1, y1, shapes (n, 4), (m, 4)."""
    height, width = image.shape[:2]
    figure, axes = new_figure(1, 2, width=6.0, height=3.0 * height / width + 0.4, dpi=90)
    for panel, boxes, colour, title in (
        (axes[0, 0], before, ORANGE, f"before: {len(before)} boxes"),
        (axes[0, 1], after, BLUE, f"after: {len(after)}"),
    ):
        show_image(panel, image, title)
        for x0, y0, x1, y1 in boxes:
            panel.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=colour, linewidth=1))
        panel.set(xlim=(0, width), ylim=(height, 0))
    if not len(before):
        axes[0, 0].text(2, 2, "none", color=GREY, va="top")
    return figure
