"""What every detector returns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from facelab.data.images import to_rgb8
from facelab.errors import FacelabError, ImageError, shown

Which = Literal["largest", "middle", "all"]  # of the faces of a photograph
_LARGEST = np.finfo(np.float32).max


@dataclass(frozen=True, eq=False)
class Detection:
    """One face found in an image. Coordinates are pixels, x to the right, y down; a pixel's centre has whole
    coordinates.

    Attributes:
        box: x0, y0, x1, y1; shape (4,), float32. It may reach beyond the image, as a face may.
        score: the detector's confidence, 0 to 1.
        landmarks: left eye, right eye, nose, left mouth corner, right mouth corner, left meaning image left; (5, 2),
            float32. None from a detector that finds boxes only. Of a turned face, in their order on the upright one.
        turn: how many quarter turns anticlockwise of the image make the face upright, 0 to 3; see
            :class:`facelab.detect.QuarterTurns`.
    """

    box: np.ndarray
    score: float
    landmarks: np.ndarray | None
    turn: int = 0

    @property
    def area(self) -> float:
        """The area of the box in square pixels."""
        return float((self.box[2] - self.box[0]) * (self.box[3] - self.box[1]))

    def to_dict(self) -> dict[str, Any]:
        """Return ``{"box": [x0, y0, x1, y1], "score", "landmarks": [[x, y] x 5]}`` in plain numbers, as JSON holds it;
        landmarks are None from a detector that finds boxes only; a turned face has ``"turn"`` too. :meth:`from_dict`
        gives back the same bits."""
        landmarks = None if self.landmarks is None else self.landmarks.tolist()
        turn = {"turn": self.turn} if self.turn else {}
        return {"box": self.box.tolist(), "score": float(self.score), "landmarks": landmarks, **turn}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Detection":
        """Return the face that :meth:`to_dict` wrote.

        Raises:
            FacelabError: other keys, another number of coordinates, a value that is not a finite number, or landmarks
                that are one point.
        """
        if not isinstance(values, Mapping) or set(values) - {"turn"} != {"box", "score", "landmarks"}:
            keys = f"the keys {shown(sorted(map(str, values)))}" if isinstance(values, Mapping) else shown(values)
            raise FacelabError(f"a detection has the keys box, score and landmarks; this one is {keys}.")
        landmarks = None if values["landmarks"] is None else _numbers(values, "landmarks", (5, 2)).astype(np.float32)
        if landmarks is not None and not np.ptp(landmarks, axis=0).any():
            raise FacelabError(f"the landmarks of a detection are one point: {landmarks[0].tolist()}.")
        box, score = _numbers(values, "box", (4,)).astype(np.float32), float(_numbers(values, "score", ()))
        if not (box[:2] < box[2:]).all():
            raise FacelabError(f"the box of a detection is {shown(values['box'])}; expected x0 < x1 and y0 < y1.")
        if not 0 <= score <= 1:
            raise FacelabError(f"the score of a detection is {score:g}; expected a number from 0 to 1.")
        turn = values.get("turn", 0)
        if turn not in (0, 1, 2, 3) or isinstance(turn, bool | float):
            raise FacelabError(f"the turn of a detection is {turn!r}; expected 0, 1, 2 or 3 quarters.")
        return cls(box, score, landmarks, turn)


def _numbers(values: Mapping[str, Any], key: str, shape: tuple[int, ...]) -> np.ndarray:
    try:
        array = np.array(values[key])
    except ValueError:  # lists of different lengths
        array = np.array(None)
    if array.shape != shape or array.dtype.kind not in "iuf" or not (np.abs(array) < _LARGEST).all():  # nor is NaN
        what = f"finite numbers of shape {shape}" if shape else "one finite number"
        raise FacelabError(f"the {key} of a detection is {shown(values[key])}; expected {what}.")
    return array.astype(np.float64)


def largest(detections: Sequence[Detection]) -> Detection | None:
    """Return the face with the largest box, the one a portrait is of; None if there is none.

    Example:
        >>> from facelab.data import load_orl
        >>> from facelab.detect import MTCNN
        >>> photograph, _ = load_orl()[0]
        >>> face = largest(MTCNN().detect([photograph])[0])
        >>> face.landmarks.shape
        (5, 2)
    """
    return max(detections, key=lambda detection: detection.area, default=None)


def choose(detections: Sequence[Detection], which: Which, height: int, width: int) -> list[Detection]:
    """Return the faces of a photograph that are wanted; none if there is none.

    Args:
        detections: all faces that were found.
        which: ``"largest"``: the one with the largest box. ``"middle"``: the one whose box's centre is nearest to the
            middle of the photograph, as where the subject stands in the middle and a stranger is nearer to the camera
            (LFW). ``"all"``: each of them, from left to right.
        height, width: of the photograph, pixels.

    Raises:
        FacelabError: another word.
    """
    if which not in get_args(Which):
        raise FacelabError(f"which={which!r}: choose 'largest', 'middle' or 'all'.")
    if which == "all":
        return sorted(detections, key=lambda face: face.box[0] + face.box[2])
    if which == "largest" or not detections:
        return [face for face in [largest(detections)] if face]
    middle = (np.array([width, height]) - 1) / 2
    return [min(detections, key=lambda face: np.linalg.norm((face.box[:2] + face.box[2:]) / 2 - middle))]


def rgb_images(images: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield each image that a detector was given in the form of :func:`facelab.data.images.to_rgb8`.

    Raises:
        ImageError: something that is not an image, with its position; or one image instead of a list of images.
    """
    if isinstance(images, (str, bytes)) or (isinstance(images, np.ndarray) and _is_one_image(images)):
        shape = f"an array of shape {images.shape}" if isinstance(images, np.ndarray) else repr(images)
        raise ImageError(f"detect takes a list of images, this is {shape}: give detect([image]).")
    for position, image in enumerate(images):
        try:
            yield to_rgb8(image)
        except ImageError as error:
            raise ImageError(f"image {position} of {len(images)}: {error}") from error


def _is_one_image(array: np.ndarray) -> bool:
    """Whether an array that stands for a list of images is surely one image: its rows would be images of no colour."""
    return array.dtype != object and (array.ndim < 3 or (array.ndim == 3 and array.shape[2] in (1, 3, 4)))
