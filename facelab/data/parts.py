"""A set handed out in parts: what a worker needs of it, and no more."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from facelab.data.archives import StoredImages
from facelab.data.faceset import EncodedImages, FaceSet, ImageFiles, Images
from facelab.files import read_bytes


class _Picked(Sequence[np.ndarray]):
    """Some images of a sequence that tells nothing of how it is made; a worker gets all of it."""

    def __init__(self, images: Images, rows: Sequence[int]):
        self.images, self.rows = images, list(rows)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return self.images[self.rows[index]]

    def encoded(self, index: int) -> bytes:
        return encoded(self.images, self.rows[index])


def part(faces: FaceSet, rows: Sequence[int]) -> FaceSet:
    """Return some images of a set, by their positions, as a set that holds no other and is small to send."""
    table = faces.table.iloc[list(rows)]
    some = take(faces.images, [int(row) for row in table.index])
    return FaceSet(faces.name, some, table.reset_index(drop=True))


def take(images: Images, at: list[int]) -> Images:
    """Return some images of a sequence as one that holds no other, where its kind allows that."""
    if isinstance(images, StoredImages):
        return StoredImages(images.place, [images.names[row] for row in at])
    if isinstance(images, ImageFiles):
        return ImageFiles([images.paths[row] for row in at], images.folder)
    if isinstance(images, EncodedImages):
        return EncodedImages([images.data[row] for row in at], images.name)
    if isinstance(images, np.ndarray) and images.dtype != object:
        return images[at]
    return images.take(at) if hasattr(images, "take") else _Picked(images, at)


def encoded(images: Images, index: int) -> bytes:
    """Return a picture as the bytes of a file: as it is kept, or as PNG where it is kept as numbers.

    Raises:
        ImageError: it cannot be read.
    """
    if isinstance(images, ImageFiles):
        return read_bytes(Path(images.folder, images.paths[index]))
    if isinstance(images, EncodedImages):
        return images.data[index]
    if hasattr(images, "encoded"):
        return images.encoded(index)
    return cv2.imencode(".png", np.ascontiguousarray(images[index][:, :, ::-1]))[1].tobytes()
