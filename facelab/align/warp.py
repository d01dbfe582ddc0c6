"""Cutting an aligned chip out of a photograph."""

import numpy as np

from facelab.align.similarity import TEMPLATE_SIZE, similarity, template


def align(image: np.ndarray, landmarks: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Return the chip: the face turned, scaled and moved so that its landmarks lie on the template.

    Args:
        image: RGB uint8, (height, width, 3).
        landmarks: the five landmarks in pixels, (5, 2), in the order of :class:`facelab.detect.Detection`.
        size: width and height of the chip in pixels.

    Returns:
        RGB uint8, (size, size, 3); bilinear, black where the chip reaches beyond the photograph.

    Raises:
        FacelabError: landmarks that coincide or are not finite.
    """
    import cv2

    return cv2.warpAffine(image, similarity(landmarks, template(size)), (size, size), flags=cv2.INTER_LINEAR)


def default_landmarks(height: int, width: int) -> np.ndarray:
    """Return the landmarks of a face assumed to fill the largest square in the middle of the image; shape (5, 2).

    The fall-back for portraits in which the detector finds no face: the chip is then the central square. Use it only
    where a wrong crop is better than none, and count how often.
    """
    side = min(height, width)
    corner = np.array([(width - side) / 2, (height - side) / 2])
    return template(side) + corner
