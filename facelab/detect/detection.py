"""What every detector returns."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Detection:
    """One face found in an image. Coordinates are pixels, x to the right, y down; a pixel's centre has whole
    coordinates.

    Attributes:
        box: x0, y0, x1, y1; shape (4,), float32. It may reach beyond the image, as a face may.
        score: the detector's confidence, 0 to 1.
        landmarks: left eye, right eye, nose, left mouth corner, right mouth corner, left meaning image left; (5, 2),
            float32. None from a detector that finds boxes only.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None

    @property
    def area(self) -> float:
        """The area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))


def largest(detections: Sequence[Detection]) -> Detection | None:
    """Return the face with the largest box, the one a portrait is of; None if there is none."""
    return max(detections, key=lambda detection: detection.area, default=None)
