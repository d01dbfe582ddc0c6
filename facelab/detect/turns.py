"""Pictures that lie on their side or stand on their head."""

from collections.abc import Sequence

import numpy as np

from facelab.detect.detection import Detection, rgb_images
from facelab.detect.registry import Detector

SURE = 0.999  # a picture with such a score is not turned


class QuarterTurns:
    """A detector that also looks at a picture turned by quarters, where it finds no sure face in the picture as it is.

    Detectors know upright faces. MTCNN finds few faces that are turned by a quarter, and on a head that stands upside
    down it may find a face whose landmarks are wrong. These landmarks look like any others (the eyes above the mouth,
    as near to the template as those of upright faces), so no test of their geometry can tell; its score is lower than
    that of the same face upright. So the picture is looked at in all four positions, and those faces are taken whose
    best score is the highest; of equal ones, those of the fewest turns.

    Seen on every second photograph of ORL (200), in each of the four positions: with MTCNN the choice is always right;
    one of five upright photographs is looked at again. Of a detector that is never so sure (one with other weights from
    the table was tried), each photograph is looked at four times, and four of the 200 are turned wrongly.

    Boxes and landmarks are pixels of the picture as it was given. The landmarks keep their order on the upright face:
    the first one is the eye that is on the left when the face is upright. ``turn`` of a detection tells how many
    quarter turns anticlockwise make it upright.

    Args:
        detector: the detector.
    """

    def __init__(self, detector: Detector):
        self.detector = detector

    @property
    def title(self) -> str:
        """How it is called in reports."""
        return f"{type(self.detector).__name__} (and quarter turns)"

    def detect(self, images: Sequence[np.ndarray]) -> list[list[Detection]]:
        """Return the faces of each image, best score first; see :meth:`facelab.detect.MTCNN.detect`."""
        arrays = list(rgb_images(images))
        found = self.detector.detect(arrays)
        unsure = [i for i, faces in enumerate(found) if not faces or faces[0].score < SURE]
        for turns in (1, 2, 3):
            looked = self.detector.detect([np.ascontiguousarray(np.rot90(arrays[i], turns)) for i in unsure])
            for i, faces in zip(unsure, looked, strict=True):
                if faces and (not found[i] or faces[0].score > found[i][0].score):
                    found[i] = [_turned_back(face, turns, *arrays[i].shape[:2]) for face in faces]
        return found


def _turned_back(face: Detection, turns: int, height: int, width: int) -> Detection:
    """Return a face of a picture that was turned anticlockwise in the coordinates of the picture as it was."""
    x0, y0, x1, y1 = face.box
    corners = _points(np.array([[x0, y0], [x1, y1]]), turns, height, width)
    box = np.concatenate([corners.min(axis=0), corners.max(axis=0)]).astype(np.float32)
    points = None if face.landmarks is None else _points(face.landmarks, turns, height, width).astype(np.float32)
    return Detection(box, face.score, points, turns)


def _points(points: np.ndarray, turns: int, height: int, width: int) -> np.ndarray:
    """Return where points (n, 2) of ``np.rot90(image, turns)`` lie in the image of this height and width."""
    x, y = points.T
    return np.stack(((x, y), (width - 1 - y, x), (width - 1 - x, height - 1 - y), (y, height - 1 - x))[turns], axis=1)
