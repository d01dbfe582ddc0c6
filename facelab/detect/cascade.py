"""A boosted cascade of local binary patterns: how faces were found before deep networks."""

from collections.abc import Sequence

import numpy as np

from facelab.detect.detection import Detection, check_limits, rgb_images
from facelab.errors import FacelabError

MAX_SIDE = 1920  # larger photographs are shrunk, which bounds memory and time


class Cascade:
    """Find frontal faces with the cascade that ships with scikit-image: boxes only, no landmarks.

    A window of 24 x 24 pixels slides over the image in many sizes. It passes some twenty stages, each a few comparisons
    of mean brightness (multi-block local binary patterns, after Viola and Jones, 2001); nearly every window falls at an
    early one. Overlapping windows that pass are joined. There is no probability: the score is 1 for every face, so a
    precision-recall curve of a cascade is one point.

    Args:
        min_face: the smallest face to look for, in pixels.
        max_faces: return at most so many faces of an image, the largest; None for all.
        scale_factor: the ratio of two window sizes.
        min_neighbours: how many overlapping windows must pass for one face.
        max_side: images with a longer side are shrunk to it.

    Raises:
        FacelabError: scikit-image is not installed, or an argument is out of its range.
    """

    def __init__(
        self,
        *,
        min_face: int = 24,
        max_faces: int | None = None,
        scale_factor: float = 1.2,
        min_neighbours: int = 4,
        max_side: int = MAX_SIDE,
    ):
        check_limits(min_face, max_faces, 0.5)
        if scale_factor <= 1 or min_neighbours < 1:
            raise FacelabError(f"scale_factor={scale_factor}, min_neighbours={min_neighbours}: give > 1, and >= 1.")
        try:
            from skimage import data
            from skimage.feature import Cascade as SkimageCascade
        except ImportError as error:
            raise FacelabError("the cascade comes with scikit-image: pip install scikit-image") from error
        self.min_face, self.max_faces = max(min_face, 24), max_faces
        self.scale_factor, self.min_neighbours, self.max_side = scale_factor, min_neighbours, max_side
        self._cascade = SkimageCascade(data.lbp_frontal_face_cascade_filename())

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, the largest first; see :class:`facelab.detect.MTCNN`."""
        return [self._detect(image) for image in rgb_images(images)]

    def _detect(self, image: np.ndarray) -> list[Detection]:
        import cv2

        shrink = min(1.0, self.max_side / max(image.shape[:2]))
        if shrink < 1:
            image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        smallest, largest = max(24, round(self.min_face * shrink)), min(image.shape[:2])
        if largest < smallest:
            return []
        rows = self._cascade.detect_multi_scale(
            img=image,
            scale_factor=self.scale_factor,
            step_ratio=1,
            min_size=(smallest, smallest),
            max_size=(largest, largest),
            min_neighbor_number=self.min_neighbours,
        )
        boxes = [
            np.array([r["c"], r["r"], r["c"] + r["width"], r["r"] + r["height"]], np.float32) / shrink - 0.5
            for r in rows
        ]
        boxes.sort(key=lambda box: box[0] - box[2])
        return [Detection(box.astype(np.float32), 1.0, None) for box in boxes[: self.max_faces]]
