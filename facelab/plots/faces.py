"""Photographs, detections and chips."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from facelab.data.faceset import FaceSet
from facelab.detect.detection import Detection
from facelab.errors import FacelabError
from facelab.plots.style import BLUE, ON_COLOUR, ORANGE, SKY, YELLOW, image_grid, new_figure, show_image, styled


def _mark(axes: Axes, box: np.ndarray, landmarks: np.ndarray | None, *, dots: float = 14) -> None:
    corner, size = box[:2], box[2:] - box[:2]
    axes.add_patch(Rectangle(tuple(corner), *size, fill=False, edgecolor=SKY, linewidth=1.5))
    if landmarks is not None:
        x, y = np.asarray(landmarks).T
        axes.scatter(x, y, s=dots, c=YELLOW, edgecolors="black", linewidths=0.5, zorder=3)


@styled
def draw_detections(image: np.ndarray, detections: Sequence[Detection], *, title: str = "") -> Figure:
    """Draw the box, the score and the five landmarks of each face over the photograph.

    Args:
        image: RGB uint8, (height, width, 3).
        detections: faces in pixels of the image.
    """
    height, width = image.shape[:2]
    figure, axes = new_figure(width=min(7.0, 5.0 * width / height), height=min(5.0, 7.0 * height / width))
    show_image(axes[0, 0], image, title)
    for face in detections:
        _mark(axes[0, 0], face.box, face.landmarks)
        axes[0, 0].text(
            *face.box[:2], f"{face.score:.2f}", color=ON_COLOUR, fontsize=8, va="bottom", backgroundcolor=BLUE
        )
    return figure


@styled
def detections_sheet(
    images: Sequence[np.ndarray],
    detections: Sequence[Sequence[Detection]],
    titles: Sequence[str] | None = None,
    *,
    columns: int = 6,
) -> Figure:
    """Show many photographs with the box and the landmarks of each face; "none" where no face was found.

    Args:
        images: RGB uint8, each (height, width, 3). For several detectors, repeat the photograph.
        detections: faces of each, in pixels of the image.
        titles: one per photograph.
        columns: at most so many photographs in a row.

    Raises:
        FacelabError: there is no photograph, or not as many lists of detections or titles as photographs.
    """
    titles = [""] * len(images) if titles is None else titles
    if not len(images) or not len(images) == len(detections) == len(titles):
        raise FacelabError(
            f"{len(images)} photographs, {len(detections)} lists of detections, {len(titles)} titles: give as many of "
            "each, and at least one."
        )
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    width = min(2.4, 7.0 / columns)
    height = width * images[0].shape[0] / images[0].shape[1] + (0.25 if any(titles) else 0)
    figure, axes = new_figure(rows, columns, width=width * columns, height=height * rows, dpi=90)
    figure.by_row = True
    for panel in axes.flat[len(images) :]:
        panel.set_axis_off()
    for panel, image, faces, title in zip(axes.flat, images, detections, titles, strict=False):
        show_image(panel, image, title)
        for face in faces:
            _mark(panel, face.box, face.landmarks, dots=6)
        panel.set(xlim=(0, image.shape[1]), ylim=(image.shape[0], 0))  # boxes may reach beyond the photograph
        if not len(faces):
            panel.text(2, 2, "none", color=ORANGE, va="top", fontweight="bold")
    return figure


@styled
def rows_of_faces(rows: Mapping[str, Sequence[np.ndarray]]) -> Figure:
    """Show pictures in rows, each with its title on its left; pictures of a column belong together.

    Args:
        rows: title -> RGB uint8 pictures, as many in each row.
    """
    return image_grid(list(rows.values()), names=list(rows), by_row=False)


@styled
def photographs_and_chips(photographs: FaceSet, chips: FaceSet, rows: Sequence[int]) -> Figure:
    """Show photographs with box and landmarks in the upper row, and the chips made of them below.

    Args:
        photographs: the set that the chips were made of.
        chips: as made by :func:`facelab.align.make_chips` with no photograph skipped: row i shows photograph i.
        rows: which to show.
    """
    figure, axes = new_figure(2, len(rows), width=max(3.0, 1.15 * len(rows)), height=2.9, dpi=85)
    for column, row in enumerate(rows):
        record = chips.table.iloc[row]
        show_image(axes[0, column], photographs[row][0], record["identity"])
        if record["found"]:
            _mark(axes[0, column], np.array(record["box"]), np.array(record["landmarks"]))
        else:
            axes[0, column].text(2, 2, "not found", color=ORANGE, va="top")
        show_image(axes[1, column], chips[row][0])
    return figure
