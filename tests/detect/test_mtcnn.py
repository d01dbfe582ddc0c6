"""MTCNN against the reference implementation; ``make_reference.py`` says how ``reference.npz`` was made."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from facelab.detect import MTCNN, largest
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, load_pretrained
from facelab.errors import FacelabError


@pytest.fixture(scope="module")
def reference():
    return np.load(Path(__file__).with_name("reference.npz"))


def iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes, shape (..., 4)."""
    corner0, corner1 = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., 2:], b[..., 2:])
    overlap = np.maximum(corner1 - corner0, 0).prod(axis=-1)
    return overlap / ((a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - overlap)


@pytest.mark.parametrize(("network", "name"), [(PNet, "net12"), (RNet, "net24"), (ONet, "net48")])
def test_networks_agree_with_tensorflow(reference, network, name):
    pixels = torch.from_numpy(reference[f"{name}_input"]).permute(0, 3, 1, 2)
    outputs = load_pretrained(network())((pixels.float() - 127.5) / 128)
    face, box = outputs[:2]
    expected_face, expected_box = reference[f"{name}_face"][..., 1], reference[f"{name}_box"]
    if network is PNet:
        box = box.permute(0, 2, 3, 1)  # channels last, as in TensorFlow
    np.testing.assert_allclose(face, expected_face, atol=1e-5)
    np.testing.assert_allclose(box, expected_box, atol=1e-5)
    assert expected_face.max() > 0.99  # the crops hold a face
    assert expected_face.min() < 0.01  # and something else
    if network is ONet:
        x, y = reference["net48_landmarks"][:, :5], reference["net48_landmarks"][:, 5:]
        np.testing.assert_allclose(outputs[2], np.stack([x, y], axis=2), atol=1e-5)


def test_astronaut_has_one_face_where_the_reference_sees_it(mtcnn, reference):
    (face,) = mtcnn.detect([data.astronaut()])[0]
    expected = reference["astronaut"]
    # The reference cuts windows between pixels and never rounds them, so boxes and points differ by a few pixels of the
    # 110 that this face is high (IoU 0.899). test_peer.py compares exactly, with one that cuts at whole pixels.
    assert iou(face.box, expected[:4]) > 0.85
    assert face.score > 0.99
    assert np.linalg.norm(face.landmarks - expected[5:].reshape(5, 2), axis=1).max() < 3


def test_every_orl_photograph_has_its_face_where_the_reference_sees_it(orl_chips, reference):
    boxes, landmarks = np.stack(orl_chips.table["box"]), np.stack(orl_chips.table["landmarks"])
    expected_boxes, expected = reference["orl"][:, :4], reference["orl"][:, 5:].reshape(400, 5, 2)
    assert orl_chips.table["found"].all()
    assert iou(boxes, expected_boxes).min() > 0.75
    assert np.median(iou(boxes, expected_boxes)) > 0.92
    between_eyes = np.linalg.norm(expected[:, 0] - expected[:, 1], axis=1)
    nme = np.linalg.norm(landmarks - expected, axis=2).mean(axis=1) / between_eyes
    assert np.median(nme) < 0.035
    assert np.quantile(nme, 0.99) < 0.08


@pytest.mark.parametrize("picture", [data.coffee, data.chelsea, data.coins, data.moon, data.page])
def test_no_face_where_there_is_none(mtcnn, picture):
    assert mtcnn.detect([picture()]) == [[]]


def test_a_batch_of_mixed_sizes_gives_what_single_images_give(mtcnn, orl):
    images = [orl[0][0], data.astronaut(), orl[10][0], np.zeros((5, 7, 3), np.uint8), orl[20][0][:100]]
    together = mtcnn.detect(images)
    for image, faces in zip(images, together, strict=True):
        alone = mtcnn.detect([image])[0]
        assert len(alone) == len(faces)
        for a, b in zip(alone, faces, strict=True):
            np.testing.assert_allclose(a.landmarks, b.landmarks, atol=1e-2)
            np.testing.assert_allclose(a.box, b.box, atol=1e-2)


def test_landmarks_move_with_the_image(mtcnn):
    image = data.astronaut()[:250, 100:350]
    moved = np.zeros((300, 310, 3), np.uint8)
    moved[30:280, 40:290] = image
    before, after = largest(mtcnn.detect([image])[0]), largest(mtcnn.detect([moved])[0])
    np.testing.assert_allclose(after.landmarks - before.landmarks, [[40, 30]] * 5, atol=2)


def test_landmark_order_is_image_left_first(mtcnn):
    left_eye, right_eye, nose, left_mouth, right_mouth = largest(mtcnn.detect([data.astronaut()])[0]).landmarks
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert left_eye[1] < nose[1] < left_mouth[1]


def test_greyscale_rgba_and_16_bit_images_are_taken(mtcnn):
    face = data.astronaut()[20:220, 130:330]
    expected = largest(mtcnn.detect([face])[0]).landmarks
    rgba = np.dstack([face, np.full(face.shape[:2], 255, np.uint8)])
    for other in (rgba, face.astype(np.uint16) * 257):
        np.testing.assert_allclose(largest(mtcnn.detect([other])[0]).landmarks, expected, atol=1e-3)
    grey = largest(mtcnn.detect([face.mean(axis=2).astype(np.uint8)])[0])
    np.testing.assert_allclose(grey.landmarks, expected, atol=3)


def test_image_below_the_smallest_face_has_none(mtcnn):
    assert mtcnn.detect([np.full((19, 100, 3), 128, np.uint8), np.zeros((1, 1), np.uint8)]) == [[], []]
    assert mtcnn.detect([]) == []


def test_min_face_leaves_small_faces_out():
    image = data.astronaut()  # a face of about 85 x 110 pixels
    assert len(MTCNN(min_face=60).detect([image])[0]) == 1
    assert MTCNN(min_face=320).detect([image])[0] == []


@pytest.mark.parametrize("arguments", [{"min_face": 11}, {"thresholds": (0.6, 0.7, 1.0)}, {"factor": 0.0}])
def test_bad_arguments_are_named(arguments):
    with pytest.raises(FacelabError, match=next(iter(arguments))):
        MTCNN(**arguments)


def test_unknown_weights_are_not_unpickled(tmp_path):
    (tmp_path / "pnet.lz4").write_bytes(b"not the weights")
    with pytest.raises(FacelabError, match="SHA-256"):
        load_pretrained(PNet(), tmp_path)
    with pytest.raises(FacelabError, match=r"rnet\.lz4"):
        load_pretrained(RNet(), tmp_path)
