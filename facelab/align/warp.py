"""Cutting chips out of photographs: five points, or the alternatives that the literature uses."""

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np

from facelab.align.similarity import TEMPLATE_SIZE, check_size, similarity, template
from facelab.errors import FacelabError

Method = Literal["five-point", "eyes", "crop"]
METHODS: tuple[Method, ...] = get_args(Method)
# Of the box's longer side, so that a face has on average the same size on a plain crop of an MTCNN box as on an
# aligned chip: measured on ORL, by facelab study run alignment.
CROP_MARGIN = 0.11
QUARTERS = np.array(
    [[[1, 0], [0, 1]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]], [[0, -1], [1, 0]]]
)  # anticlockwise, y down


def align(image: np.ndarray, landmarks: np.ndarray, size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Return the chip: the face turned, scaled and moved so that its landmarks lie on the template.

    Args:
        image: RGB uint8, (height, width, 3).
        landmarks: the five landmarks in pixels, (5, 2), in the order of :class:`facelab.detect.Detection`.
        size: width and height of the chip in pixels.

    Returns:
        RGB uint8, (size, size, 3); bilinear, black where the chip reaches beyond the photograph.

    Raises:
        FacelabError: landmarks that coincide, lie on a line or are not finite.

    Example:
        >>> from facelab.data import load_orl
        >>> from facelab.detect import MTCNN, largest
        >>> photograph, _ = load_orl()[0]
        >>> face = largest(MTCNN().detect([photograph])[0])
        >>> photograph.shape, align(photograph, face.landmarks).shape
        ((112, 92, 3), (112, 112, 3))
    """
    return _warp(image, chip_matrices(landmarks=landmarks, size=size), size)


def align_batch(
    images: Sequence[np.ndarray] | np.ndarray,
    landmarks: np.ndarray | None = None,
    size: int = TEMPLATE_SIZE,
    *,
    method: Method = "five-point",
    boxes: np.ndarray | None = None,
    turns: np.ndarray | None = None,
) -> np.ndarray:
    """Return one chip of each image; all transforms are computed at once.

    Args:
        images: n RGB uint8 images, of any sizes. One image may stand several times, for several faces.
        landmarks, method, boxes, turns: see :func:`chip_matrices`.
        size: width and height of the chips in pixels.

    Returns:
        RGB uint8, (n, size, size, 3).

    Raises:
        FacelabError: see :func:`chip_matrices`; or as many images as faces are not given.
    """
    matrices = chip_matrices(landmarks=landmarks, boxes=boxes, size=size, method=method, turns=turns)
    if matrices.ndim != 3 or len(matrices) != len(images):
        raise FacelabError(f"{len(images)} images, but transforms of shape {matrices.shape}: give one face per image.")
    chips = np.empty((len(images), size, size, 3), np.uint8)
    for chip, image, matrix in zip(chips, images, matrices, strict=True):
        _warp(image, matrix, size, chip)
    return chips


def chip_matrices(
    *,
    landmarks: np.ndarray | None = None,
    boxes: np.ndarray | None = None,
    size: int = TEMPLATE_SIZE,
    method: Method = "five-point",
    turns: np.ndarray | None = None,
) -> np.ndarray:
    """Return the transforms from photographs to chips, shape (..., 2, 3).

    Args:
        landmarks: five points of each face, shape (..., 5, 2).
        boxes: x0, y0, x1, y1 of each face, shape (..., 4); for ``"crop"`` only.
        size: width and height of the chip in pixels.
        method: how much of the pose the chip undoes:

            - ``"five-point"``: the similarity that brings all five landmarks closest to the template. Removes position,
              size and rotation in the plane.
            - ``"eyes"``: the similarity that brings the two eyes exactly to their places. Also removes the rotation,
              but the size follows the distance between the eyes, which shrinks when the head turns.
            - ``"crop"``: the square around the box, grown by 11 %. Removes position and size; the face stays tilted.
        turns: for ``"crop"``: quarter turns anticlockwise that make each face upright, shape (...), see
            :class:`facelab.detect.Detection`; none if not given. The other methods see them in the landmarks.

    Raises:
        FacelabError: an unknown method, a size out of its range, the landmarks or boxes that it needs are missing or of
            another shape, or they are degenerate (see :func:`facelab.align.similarity`; an empty box).

    Example:
        >>> chip_matrices(landmarks=template(), method="eyes").round(2) + 0.0  # already there: nothing moves
        array([[1., 0., 0.],
               [0., 1., 0.]])
    """
    if method not in METHODS:
        raise FacelabError(f"method={method!r}: choose one of {', '.join(METHODS)}.")
    check_size(size)
    if method == "crop":
        return _crop_matrices(boxes, size, 0 if turns is None else turns)
    landmarks = np.asarray(landmarks if landmarks is not None else 0, np.float64)
    if landmarks.ndim < 2 or landmarks.shape[-2:] != (5, 2):
        raise FacelabError(f"landmarks of shape {landmarks.shape}: method {method!r} needs (..., 5, 2), in pixels.")
    points = slice(2) if method == "eyes" else slice(5)
    return similarity(landmarks[..., points, :], template(size)[points])


def _crop_matrices(boxes: np.ndarray | None, size: int, turns: np.ndarray | int) -> np.ndarray:
    boxes = np.asarray(boxes if boxes is not None else 0, np.float64)
    if boxes.ndim < 1 or boxes.shape[-1] != 4:
        raise FacelabError(f"boxes of shape {boxes.shape}: method 'crop' needs (..., 4): x0, y0, x1, y1 in pixels.")
    side = (boxes[..., 2:] - boxes[..., :2]).max(axis=-1) * (1 + CROP_MARGIN)
    if not (np.isfinite(boxes).all() and (side > 0).all()):
        raise FacelabError(f"a box that is empty or not finite: {boxes[~(side > 0)].tolist() or 'NaN'}; drop the face.")
    matrices = np.zeros((*side.shape, 2, 3))
    # Pixel centres have whole coordinates: the middle of the chip is (size - 1) / 2.
    matrices[..., :2] = (size / side)[..., None, None] * QUARTERS[turns]
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    matrices[..., 2] = (size - 1) / 2 - (matrices[..., :2] @ middle[..., None])[..., 0]
    return matrices


def _warp(image: np.ndarray, matrix: np.ndarray, size: int, out: np.ndarray | None = None) -> np.ndarray:
    import cv2

    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise FacelabError(
            f"an image of shape {image.shape} and dtype {image.dtype}: expected RGB uint8 (height, width, 3); "
            "facelab.data.images.to_rgb8 makes one."
        )
    return cv2.warpAffine(image, matrix, (size, size), dst=out, flags=cv2.INTER_LINEAR)


def default_landmarks(height: int, width: int) -> np.ndarray:
    """Return the landmarks of a face assumed to fill the largest square in the middle of the image; shape (5, 2).

    The fall-back for portraits in which the detector finds no face: the chip is then the central square. Use it only
    where a wrong crop is better than none, and count how often.
    """
    side = min(height, width)
    corner = np.array([(width - side) / 2, (height - side) / 2])
    return template(side) + corner


def default_box(height: int, width: int) -> np.ndarray:
    """Return the box whose plain crop is the largest square in the middle of the image; shape (4,)."""
    middle, half = (np.array([width, height]) - 1) / 2, min(height, width) / (1 + CROP_MARGIN) / 2
    return np.concatenate([middle - half, middle + half])
