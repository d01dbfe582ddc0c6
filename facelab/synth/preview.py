"""Contact sheets: look at what was made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.files import atomic_write


def contact_sheet(images: Sequence[Sequence[np.ndarray]], *, gap: int = 2) -> np.ndarray:
    """Lay rows of equally large pictures out on a light grey sheet, (H, W, 3) uint8."""
    height, width = images[0][0].shape[:2]
    columns = max(len(row) for row in images)
    sheet = np.full((len(images) * (height + gap) + gap, columns * (width + gap) + gap, 3), 235, np.uint8)
    for r, row in enumerate(images):
        for c, image in enumerate(row):
            top, left = gap + r * (height + gap), gap + c * (width + gap)
            sheet[top : top + height, left : left + width] = image
    return sheet


def preview(faces: FaceSet, path: Path | str, *, identities: int = 8, pictures: int = 8) -> Path:
    """Write a contact sheet of a set: one row per identity, spread evenly over the set.

    Raises:
        FacelabError: the set is empty, or the file cannot be written.
    """
    import cv2

    if not len(faces):
        raise FacelabError(f"FaceSet {faces.name!r} is empty; there is nothing to preview.")
    chosen = np.unique(np.linspace(0, len(faces.identities) - 1, identities).round().astype(int))
    rows = [[faces[int(i)][0] for i in np.flatnonzero(faces.labels == label)[:pictures]] for label in chosen]
    path = Path(path)
    with atomic_write(path) as temporary:
        if not cv2.imwrite(str(temporary), contact_sheet(rows)[:, :, ::-1]):
            raise FacelabError(f"cannot write {path}: choose a name that ends in .png or .jpg.")
    return path
