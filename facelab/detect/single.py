"""What the detectors share that look at one photograph at a time."""

from collections.abc import Sequence

import numpy as np

from facelab.detect.detection import Detection, rgb_images
from facelab.errors import FacelabError

MAX_SIDE = 1920  # larger photographs are shrunk, which bounds memory and time
OVERLAP = 0.3  # two boxes that overlap more are one face


class SingleImageDetector:
    """Look for faces in one image after the other; a subclass says in ``_detect`` what a face is.

    Args:
        min_face: leave out faces whose box has a shorter side than this, see :func:`large_enough`.
        max_faces: return at most so many faces of an image; None for all.
        threshold: the score that a face must reach; None from a detector that gives no score.
        max_side: images with a longer side are shrunk to it.

    Raises:
        FacelabError: an argument is out of its range.
    """

    def __init__(self, *, min_face: int, max_faces: int | None, threshold: float | None, max_side: int):
        if min_face < 1:
            raise FacelabError(f"min_face={min_face}: give 1 pixel or more.")
        if max_faces is not None and max_faces < 1:
            raise FacelabError(f"max_faces={max_faces}: give 1 or more, or leave it out for all.")
        if threshold is not None and not 0 < threshold < 1:
            raise FacelabError(f"threshold={threshold}: it must lie between 0 and 1.")
        self.min_face, self.max_faces, self.threshold, self.max_side = min_face, max_faces, threshold, max_side

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first (the largest first where there is no score); see
        :class:`facelab.detect.MTCNN`."""
        return [large_enough(self._detect(image), self.min_face)[: self.max_faces] for image in rgb_images(images)]

    def _detect(self, image: np.ndarray) -> list[Detection]:
        """Return the faces of one image, RGB uint8 of shape (height, width, 3), of any size, in their order."""
        raise NotImplementedError


def large_enough(faces: Sequence[Detection], min_face: int) -> list[Detection]:
    """Return the faces whose box has no side shorter than ``min_face`` pixels of the image: what it means for all
    detectors."""
    return [face for face in faces if (face.box[2:] - face.box[:2]).min() >= min_face]


def shrink(image: np.ndarray, max_side: int, *, multiple: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Shrink an image whose longer side is above ``max_side``, then round both sides up to a ``multiple``.

    Args:
        image: shape (height, width, 3).
        max_side: pixels, before rounding up.
        multiple: what both sides must be a multiple of.

    Returns:
        The image, and how many pixels of the given image one of its pixels spans: x, y; shape (2,), float64.
    """
    import cv2

    height, width = image.shape[:2]
    ratio = min(1.0, max_side / max(height, width))
    rows, columns = (max(1, -(-round(side * ratio) // multiple)) * multiple for side in (height, width))
    small = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR)
    return small, np.array([width / columns, height / rows])
