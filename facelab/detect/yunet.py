"""YuNet: a very small detector, through OpenCV's own class."""

import hashlib
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from facelab.detect.detection import Detection
from facelab.detect.single import MAX_SIDE, OVERLAP, SingleImageDetector, shrink
from facelab.errors import FacelabError
from facelab.files import atomic_write, check_sha256, facelab_home

FILE = "face_detection_yunet_2023mar.onnx"
SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
URL = (
    "https://github.com/opencv/opencv_zoo/raw/47534e27c9851bb1128ccc0102f1145e27f23f98/models/face_detection_yunet/"
    + FILE
)


class YuNet(SingleImageDetector):
    """Find faces with YuNet (Wu, Peng, Yu, 2023), pretrained, through ``cv2.FaceDetectorYN``.

    Args:
        model: the file ``face_detection_yunet_2023mar.onnx``. If not given, the one that :func:`fetch_model` has put
            into facelab's cache folder.
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
        threshold: float = 0.6,
        max_side: int = MAX_SIDE,
    ):
        import cv2

        super().__init__(min_face=min_face, max_faces=max_faces, threshold=threshold, max_side=max_side)
        path = Path(model) if model is not None else model_path()
        if model is None and not path.is_file():
            raise FacelabError(
                f"YuNet's model is not at {path}. If you are online, fetch it once (230 kB, MIT licence): "
                "python -m facelab.detect.yunet. Or give the file to facelab detect: --model PATH."
            )
        given = "Give --model the file that python -m facelab.detect.yunet fetches."
        remedy = given if model is not None else "Delete it, and fetch it again: python -m facelab.detect.yunet."
        data = np.frombuffer(check_sha256(path, SHA256, remedy), np.uint8)
        self._detector = cv2.FaceDetectorYN.create(
            "onnx", data, np.empty(0, np.uint8), (320, 320), threshold, OVERLAP, 5000
        )

    def _detect(self, image: np.ndarray) -> list[Detection]:
        import cv2

        small, scale = shrink(image, self.max_side)
        scale = scale.astype(np.float32)
        self._detector.setInputSize(small.shape[1::-1])
        _, rows = self._detector.detect(cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        faces = []
        for row in sorted(rows if rows is not None else [], key=lambda row: -row[14]):
            # The file says "right eye" for the person's right, which is left in the image: the same order as ours.
            corner, size, points = row[:2] * scale, row[2:4] * scale, row[4:14].reshape(5, 2) * scale
            faces.append(Detection(np.concatenate([corner, corner + size]), float(min(row[14], 1)), points))
        return faces


def model_path() -> Path:
    """Return where the fetched model lies."""
    return facelab_home() / "models" / FILE


def fetch_model(url: str = URL, *, sha256: str = SHA256, timeout: float = 60) -> Path:
    """Fetch YuNet's model once; a file that is there and right stays.

    Raises:
        FacelabError: the computer is offline, or what came is not the known file; nothing is stored then.
    """
    path = model_path()
    if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
        return path
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            data = response.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise FacelabError(
            f"cannot fetch {url}: {reason}. Go online once, or bring the file and give its path: --model PATH."
        ) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise FacelabError(
            f"{url} gave {len(data)} bytes that are not the known file (SHA-256 {digest[:12]}..., expected "
            f"{sha256[:12]}...); nothing was stored. Try again, or bring the file and give its path: --model PATH."
        )
    with atomic_write(path) as temporary:
        temporary.write_bytes(data)
    return path


if __name__ == "__main__":
    print(fetch_model())
