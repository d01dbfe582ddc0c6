"""Non-maximum suppression: what P-Net proposes on the photograph of chapter 04, before anything is taken away."""

import base64
from typing import Any

import numpy as np

from facelab.data.images import decode_named
from facelab.detect import MTCNN
from facelab.detect.mtcnn import STRIDE, WINDOW
from facelab.synth.photographs import load_photographs

NUMBER = 6  # of the 24 photographs of seed 4, as in chapter 04


def data() -> dict[str, Any]:
    """Return ``picture`` (a JPEG file in base64) with its ``width`` and ``height``; the true boxes of its ``faces``;
    and P-Net's ``boxes`` and ``scores``.

    Boxes are x0, y0, x1, y1. Those of one pyramid level overlap by the same few shares, such as just 0.5, and scores
    near 1 differ by little; so both are given to the last digit of float32.
    """
    photographs = load_photographs(24, seed=4, show_progress=False)
    picture = photographs.table["image"][NUMBER]["bytes"]
    boxes, scores = proposals(picture)
    height, width = photographs[NUMBER].image.shape[:2]
    return {
        "picture": base64.b64encode(picture).decode(),
        "width": width,
        "height": height,
        "faces": photographs[NUMBER].boxes.astype(float).round(1).tolist(),
        "boxes": [_digits(box) for box in boxes],
        "scores": _digits(scores),
    }


def proposals(picture: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return the boxes (n, 4) and scores (n,) of all windows of all levels that pass P-Net, as in chapter 04."""
    image, detector = decode_named(picture, "the photograph"), MTCNN(min_face=24, device="cpu")
    boxes, scores = [], []
    for scale in detector.pyramid(*image.shape[:2]):
        score = detector.score_map(image, scale)
        row, column = np.nonzero(score > detector.thresholds[0])
        corner = np.stack([column, row], axis=1) * STRIDE / scale
        boxes.append(np.hstack([corner, corner + WINDOW / scale]))
        scores.append(score[row, column])
    return np.concatenate(boxes), np.concatenate(scores)


def _digits(numbers: np.ndarray) -> list[float]:
    return [float(str(number)) for number in numbers.astype(np.float32)]
