"""Whether pictures are aligned chips already: what their own landmarks say."""

from collections.abc import Sequence

import numpy as np

from facelab.align.similarity import similarity, template
from facelab.detect.detection import largest
from facelab.errors import FacelabError

# Of the side of a picture. Seen on ORL and SynthFaces, of which MTCNN finds 93 % to all: alignment moves three in four
# chips or more by less than ALIGNED (small, grey, dark or noisy ones too), and none by more than FAR. Of ORL's
# photographs, which show little but the face, it moves one in six by less than ALIGNED, and none by less than half of
# it; of LFW's none.
ALIGNED, FAR = 0.07, 0.25
_LOOK = 224  # pixels: the side of what is looked at; the template's eyes are 70 pixels apart on it
_MARGIN = _LOOK // 4  # a detector wants to see something around a face


def shift(landmarks: np.ndarray, size: int) -> float:
    """Return how far alignment would move a square picture: its corners on average, as a share of its side.

    It is about 0 for a chip, also of a head that is turned: what counts is the similarity that brings the landmarks
    closest to the template, not how close they come.

    Args:
        landmarks: of its face, pixels, shape (5, 2).
        size: width and height of the picture in pixels.

    Example:
        >>> shift(template(112), 112) < 1e-9, round(shift(template(56) + 28, 112), 2)  # half as large, in the middle
        (True, 0.7)
    """
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * (size - 1.0)
    matrix = similarity(landmarks, template(size))
    return float(np.linalg.norm(corners @ matrix[:, :2].T + matrix[:, 2] - corners, axis=1).mean() / size)


def shifts(images: Sequence[np.ndarray], device: str = "cpu") -> np.ndarray:
    """Return the :func:`shift` of each picture, shape (n,); NaN where no face fills a large part of it.

    The pictures are brought to one size, with black margins that make them square and wider; MTCNN looks at them.

    Args:
        images: RGB uint8, (height, width, 3) each.
        device: see :func:`facelab.device.resolve_device`.
    """
    import cv2

    from facelab.detect.mtcnn import MTCNN

    seen = []
    for image in images:
        ratio = _LOOK / max(image.shape[:2])
        height, width = (max(1, round(side * ratio)) for side in image.shape[:2])
        way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_LINEAR
        small = cv2.resize(image, (width, height), interpolation=way)
        canvas = np.zeros((_LOOK + 2 * _MARGIN,) * 2 + (3,), np.uint8)
        top, left = _MARGIN + (_LOOK - height) // 2, _MARGIN + (_LOOK - width) // 2
        canvas[top : top + height, left : left + width] = small
        seen.append(canvas)
    found = MTCNN(min_face=_LOOK // 8, device=device).detect(seen)
    result = np.full(len(images), np.nan)
    for row, face in enumerate(map(largest, found)):
        if face is not None and face.landmarks is not None:
            try:
                result[row] = shift(face.landmarks - _MARGIN, _LOOK)
            except FacelabError:  # landmarks on a line
                continue
    return result
