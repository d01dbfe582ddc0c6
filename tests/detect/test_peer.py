"""MTCNN gives what facenet-pytorch's MTCNN gives: the same weights through other code."""

import cv2
import numpy as np
import pytest
from skimage import data

from facelab.detect import MTCNN, iou

pytestmark = pytest.mark.slow

facenet_pytorch = pytest.importorskip("facenet_pytorch", reason="facenet-pytorch is not installed")
THRESHOLDS = (0.6, 0.7, 0.7)


@pytest.fixture(scope="module")
def peer():
    return facenet_pytorch.MTCNN(keep_all=True, min_face_size=20, thresholds=list(THRESHOLDS), device="cpu")


@pytest.fixture(scope="module")
def ours():
    return MTCNN(min_face=20, thresholds=THRESHOLDS)


@pytest.fixture(scope="module")
def portraits(orl):
    """With a border: at the edge of a photograph facenet-pytorch cuts windows off, which stretches the face."""
    return [cv2.copyMakeBorder(orl[4 * i][0], *[60] * 4, cv2.BORDER_REPLICATE) for i in range(100)]


@pytest.fixture
def rounded(monkeypatch):
    """Round the windows in facenet-pytorch as the authors' own code does: before a network sees them, and for good.

    facenet-pytorch cuts windows out at whole pixels, but places boxes and landmarks relative to the window before it
    was rounded: half a pixel too far right and down, on average.
    """
    from facenet_pytorch.models.utils import detect_face

    pad = detect_face.pad

    def round_and_pad(boxes, width, height):
        boxes[:, :4].trunc_()
        return pad(boxes, width, height)

    monkeypatch.setattr(detect_face, "pad", round_and_pad)


def distances(faces, boxes, landmarks) -> np.ndarray:
    """Return theirs minus ours of each face, (faces, 7, 2): both corners of the box, five landmarks."""
    assert len(faces) == (0 if boxes is None else len(boxes))
    rows = []
    for face in faces:
        overlap = iou(face.box[None], np.asarray(boxes, float))[0]
        nearest = overlap.argmax()
        assert overlap[nearest] > 0.9
        theirs = np.concatenate([np.reshape(boxes[nearest], (2, 2)), landmarks[nearest]]).astype(float)
        rows.append(theirs - np.concatenate([face.box.reshape(2, 2), face.landmarks]))
    return np.reshape(rows, (-1, 7, 2))


# What facelab calls 0 is the centre of the first pixel. facenet-pytorch's landmarks count from that pixel's corner; its
# boxes are the first and the last pixel, counted from 1.
ORIGINS = np.array([1.5, 0.5, *[0.5] * 5])[:, None]


def test_portrait_and_group(ours, peer, rounded, group_photo):
    for image, count in ((data.astronaut(), 1), (cv2.resize(group_photo, (1280, 720)), 6)):
        boxes, _, landmarks = peer.detect(image, landmarks=True)
        assert len(boxes) == count
        np.testing.assert_allclose(distances(ours.detect([image])[0], boxes, landmarks) - ORIGINS, 0, atol=0.01)


def test_a_hundred_orl_photographs(ours, peer, rounded, portraits):
    theirs = zip(*peer.detect(np.stack(portraits), landmarks=True)[::2], strict=True)
    rows = [distances(faces, *of) for faces, of in zip(ours.detect(portraits), theirs, strict=True)]
    assert sum(map(len, rows)) >= 95
    np.testing.assert_allclose(np.concatenate(rows) - ORIGINS, 0, atol=0.01)


def test_facenet_pytorch_as_it_is_lies_right_and_below(ours, peer, portraits):
    faces = [found[0].landmarks for found in ours.detect(portraits)]
    theirs = [found[0] for found in peer.detect(np.stack(portraits), landmarks=True)[2]]
    shift = (np.array(theirs, float) - faces).mean(axis=1) - 0.5
    np.testing.assert_allclose(shift.mean(axis=0), 0.5, atol=0.2)
