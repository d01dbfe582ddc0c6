"""Figures of SynthFaces: one factor at a time, people by scenes, relatives, and how the attributes are spread."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from facelab.plots.drawing import Drawing
from facelab.plots.style import (
    BLUE,
    GREEN,
    ORANGE,
    PINK,
    SKY,
    SOFT,
    YELLOW,
    image_grid,
    new_figure,
    show_image,
    styled,
)

if TYPE_CHECKING:
    from facelab.data.faceset import FaceSet
    from facelab.synth.render import Picture
    from facelab.synth.vary import Varied


@styled
def one_factor_at_a_time(varied: Mapping[str, "Varied"]) -> Figure:
    """Show one rendering parameter moving in each row, or half row, while all others stay fixed.

    Args:
        varied: from :func:`facelab.synth.vary.vary`. Two neighbours that both fill at most half of the widest row share
            one.
    """
    half = max(3, -(-max(len(shown.images) for shown in varied.values()) // 2))
    row, free = -1, False  # free: the right half of the row
    places = []  # row and column of the first image of each
    for shown in varied.values():
        short = len(shown.images) <= half
        if short and free:
            places.append((row, half))
            free = False
        else:
            row, free = row + 1, short
            places.append((row, 0))
    side = 3.42 / half  # inches: an image, the name above, the label below, between halves
    head, foot, gap = 0.24, 0.22, 0.12
    height = (row + 1) * (head + side + foot)
    figure = Drawing(figsize=(2 * half * side + gap, height), dpi=76, facecolor="white")
    figure.by_row = True
    grid = figure.add_gridspec(
        row + 1,
        2 * half + 1,  # the one between the halves is empty
        width_ratios=[side] * half + [gap] + [side] * half,
        left=0,
        right=1,
        top=1 - head / height,
        bottom=foot / height,
        wspace=0.03,
        hspace=(head + foot) / side,
    )
    for (row, column), (name, shown) in zip(places, varied.items(), strict=True):
        for c, (image, label) in enumerate(zip(shown.images, shown.labels, strict=True), column):
            ax = figure.add_subplot(grid[row, c + (c >= half)])
            show_image(ax, image)
            ax.text(0.5, -0.03, label, transform=ax.transAxes, ha="center", va="top", fontsize=8.5, color=SOFT)
            if c == column:
                ax.text(0, 1.02, name, transform=ax.transAxes, va="bottom", fontsize=9.5)
    return figure


@styled
def rendered_truth(picture: "Picture") -> Figure:
    """Show a rendered picture and what is known about it: box and landmarks (hollow where hidden), the kind of each
    pixel."""
    from facelab.synth.render import KINDS

    figure, axes = new_figure(1, 3, width=7.5, height=2.9)
    show_image(axes[0, 0], picture.image, "picture")
    show_image(axes[0, 1], picture.image, "box and landmarks")
    x0, y0, x1, y1 = picture.box
    axes[0, 1].add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, fill=False, edgecolor=SKY, linewidth=1.5))
    for points, seen, size in ((picture.dense, picture.dense_visible, 7), (picture.landmarks, picture.visible, 26)):
        for rows, colour in ((seen, YELLOW), (~seen, "none")):
            axes[0, 1].scatter(*points[rows].T, s=size, c=colour, edgecolors="black", linewidths=0.5, zorder=3)
    # the background is no ink of drawing.INKS: on a dark page its key has to stay as light as it is in the picture
    colours = np.array([to_rgb(c) for c in ("#dcdcdc", ORANGE, "black", SKY, PINK, BLUE, GREEN)])
    show_image(axes[0, 2], colours[picture.kinds], "what each pixel shows")
    handles = [
        Patch(facecolor=colours[k], edgecolor="grey", label=KINDS[k]) for k in range(len(KINDS)) if k in picture.kinds
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False, fontsize=8)
    return figure


@styled
def people_by_scenes(faces: "FaceSet", *, people: int = 8, scenes: int = 8) -> Figure:
    """Show one identity per row, one scene per column."""
    chosen = np.unique(np.linspace(0, len(faces.identities) - 1, people).round().astype(int))
    cells = [[faces[int(i)][0] for i in np.flatnonzero(faces.labels == label)[:scenes]] for label in chosen]
    return image_grid(cells, names=[faces.identities[label] for label in chosen])


@styled
def relatives(families: Sequence["Varied"]) -> Figure:
    """Show people beside their siblings, look-alikes and strangers: hard and easy impostors.

    Args:
        families: one person each, from :func:`facelab.synth.vary.relatives`.
    """
    heads = [families[0].labels, *([""] * len(family.labels) for family in families[1:])]
    return image_grid([family.images for family in families], labels=heads)


@styled
def attribute_spread(faces: "FaceSet") -> Figure:
    """Draw histograms of what varies between people (top) and between images (bottom)."""
    people = faces.table.drop_duplicates("identity")
    degrees: Callable[[Any], Any] = np.degrees
    panels = [
        (people, "melanin", "melanin (optical depth)", None),
        (people, "age", "age (0 young, 1 old)", None),
        (people, "femaleness", "sex-linked shape\n(0 male, 1 female)", None),
        (faces.table, "yaw", "yaw (°)", degrees),
        (faces.table, "light_azimuth", "light's azimuth (°)", degrees),
        (faces.table, "distance", "camera distance (dm)", None),
    ]
    figure, axes = new_figure(2, 3, width=9, height=4.5)
    for ax, (table, column, label, change) in zip(axes.ravel(), panels, strict=True):
        values = table[column].to_numpy()
        ax.hist(values if change is None else change(values), bins=24, color=BLUE)
        ax.set(xlabel=label)
    for row, what in ((0, "people"), (1, "images")):
        axes[row, 0].set_ylabel(what)
    return figure
