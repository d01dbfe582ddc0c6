"""A boosted cascade of local binary patterns: how faces were found before deep networks."""

import numpy as np

from facelab.detect.detection import Detection
from facelab.detect.single import MAX_SIDE, SingleImageDetector, shrink
from facelab.errors import FacelabError


class Cascade(SingleImageDetector):
    """Find frontal faces with the cascade that ships with scikit-image: boxes only, no landmarks.

    A window of 24 x 24 pixels slides over the image in many sizes. It passes some twenty stages, each a few comparisons
    of mean brightness (multi-block local binary patterns, after Viola and Jones, 2001); nearly every window falls at an
    early one. Overlapping windows that pass are joined. There is no probability: the score is 1 for every face, so a
    precision-recall curve of a cascade is one point.

    Args:
        min_face: leave out faces whose box has a shorter side than this, pixels of the image; 24 at least.
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
        super().__init__(min_face=min_face, max_faces=max_faces, threshold=None, max_side=max_side)
        if scale_factor <= 1 or min_neighbours < 1:
            raise FacelabError(f"scale_factor={scale_factor}, min_neighbours={min_neighbours}: give > 1, and >= 1.")
        try:
            from skimage import data
            from skimage.feature import Cascade as SkimageCascade
        except ImportError as error:
            raise FacelabError("the cascade comes with scikit-image: pip install scikit-image") from error
        self.min_face = max(min_face, 24)
        self.scale_factor, self.min_neighbours = scale_factor, min_neighbours
        self._cascade = SkimageCascade(data.lbp_frontal_face_cascade_filename())

    def _detect(self, image: np.ndarray) -> list[Detection]:
        image, scale = shrink(image, self.max_side)
        smallest, largest = max(24, round(self.min_face / scale.max())), min(image.shape[:2])
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
            np.array([r["c"], r["r"], r["c"] + r["width"], r["r"] + r["height"]]) * np.tile(scale, 2) - 0.5
            for r in rows
        ]
        boxes.sort(key=lambda box: box[0] - box[2])
        return [Detection(box.astype(np.float32), 1.0, None) for box in boxes]
