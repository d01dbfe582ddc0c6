"""MTCNN finds the faces that facenet-pytorch's MTCNN finds: the same weights through other code."""

import cv2
import numpy as np
import pytest
from skimage import data

from facelab.detect import MTCNN, iou

facenet_pytorch = pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed")
THRESHOLDS = (0.6, 0.7, 0.7)


@pytest.fixture(scope="module")
def both():
    peer = facenet_pytorch.MTCNN(keep_all=True, min_face_size=20, thresholds=list(THRESHOLDS), device="cpu")
    return MTCNN(min_face=20, thresholds=THRESHOLDS), peer


def assert_same_faces(faces, boxes, landmarks) -> None:
    assert len(faces) == len(boxes)
    for face in faces:
        overlap = iou(face.box[None], np.asarray(boxes, float))[0]
        assert overlap.max() > 0.9
        # 0.71 = half a pixel along x and y: facenet-pytorch counts from a pixel's corner, facelab from its centre.
        distance = np.linalg.norm(np.asarray(landmarks, float)[overlap.argmax()] - face.landmarks, axis=1)
        assert distance.max() < 0.8


def test_portrait_and_group(both, group_photo):
    ours, peer = both
    for image, count in ((data.astronaut(), 1), (cv2.resize(group_photo, (1280, 720)), 6)):
        boxes, _, landmarks = peer.detect(image, landmarks=True)
        assert len(boxes) == count
        assert_same_faces(ours.detect([image])[0], boxes, landmarks)


def test_a_hundred_orl_photographs(both, orl):
    """With a border: at the edge of a photograph facenet-pytorch cuts windows off, which stretches the face."""
    ours, peer = both
    images = [cv2.copyMakeBorder(orl[4 * i][0], *[60] * 4, cv2.BORDER_REPLICATE) for i in range(100)]
    found = 0
    for faces, *theirs in zip(ours.detect(images), *peer.detect(np.stack(images), landmarks=True)[::2], strict=True):
        if theirs[0] is None:
            assert faces == []
        else:
            assert_same_faces(faces, *theirs)
            found += len(faces)
    assert found >= 95
