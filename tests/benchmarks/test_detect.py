"""MTCNN beside facenet-pytorch's, on two cores: that they find the same faces is tested in tests/detect/test_peer.py.

``pytest tests/benchmarks/test_detect.py --benchmark-only --benchmark-columns=min,median,rounds``; the goal is 1.5 times
the peer's speed.
"""

import cv2
import numpy as np
import pytest
from skimage import data

from facelab.detect import MTCNN

facenet_pytorch = pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed")
THRESHOLDS = (0.6, 0.7, 0.7)


@pytest.mark.parametrize("library", ["facelab", "facenet-pytorch"])
@pytest.mark.parametrize("pictures", ["one of 512 x 512", "one of 1280 x 720", "100 of ORL"])
def test_mtcnn(benchmark, library, pictures, orl, group_photo):
    benchmark.group = pictures
    images = {
        "one of 512 x 512": lambda: [data.astronaut()],
        "one of 1280 x 720": lambda: [cv2.resize(group_photo, (1280, 720))],
        "100 of ORL": lambda: [orl[4 * i][0] for i in range(100)],
    }[pictures]()
    if library == "facelab":
        detector = MTCNN(min_face=20, thresholds=THRESHOLDS)
        benchmark.pedantic(detector.detect, (images,), rounds=5, warmup_rounds=1)
    else:
        peer = facenet_pytorch.MTCNN(keep_all=True, min_face_size=20, thresholds=list(THRESHOLDS), device="cpu")
        batch = np.stack(images)  # its own way to detect in many pictures at once
        benchmark.pedantic(peer.detect, (batch,), {"landmarks": True}, rounds=5, warmup_rounds=1)
