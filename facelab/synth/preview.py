"""Contact sheets: look at what was made."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facelab.data.faceset import FaceSet
from facelab.data.images import SUFFIXES, write_image
from facelab.errors import FacelabError
from facelab.files import claim


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


def preview(faces: FaceSet, *, identities: int = 8, pictures: int = 8) -> np.ndarray:
    """Return a contact sheet of a set of chips: one row per identity, spread evenly over the set.

    Raises:
        FacelabError: the set is empty.
    """
    if not len(faces):
        raise FacelabError(f"FaceSet {faces.name!r} is empty; there is nothing to preview.")
    chosen = np.unique(np.linspace(0, len(faces.identities) - 1, identities).round().astype(int))
    return contact_sheet([[faces[int(i)][0] for i in np.flatnonzero(faces.labels == k)[:pictures]] for k in chosen])


def write_preview(where: Path | str, path: Path | str) -> Path:
    """Write a contact sheet of a set of chips or photographs that was made at ``where``.

    Raises:
        FacelabError: there is no set, or the file cannot be written.
    """
    from facelab.synth.dataset import load_synthfaces
    from facelab.synth.photographs import load_photographs
    from facelab.synth.shards import kind_of

    if kind_of(where) == "photographs":
        photographs = load_photographs(where)
        pictures = [photographs[i].image for i in range(min(len(photographs), 9))]
        sheet = contact_sheet([pictures[i : i + 3] for i in range(0, len(pictures), 3)])
    else:
        sheet = preview(load_synthfaces(where, make_missing=False))
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise FacelabError(f"cannot write {path}: choose a name that ends in .png or .jpg.")
    claim(path.parent, [path.name])
    write_image(path, sheet)
    return path
