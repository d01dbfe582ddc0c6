"""Batches, methods and the differentiable path; insightface and scikit-image as peers."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from skimage.transform import SimilarityTransform, warp

from facelab.align import (
    TEMPLATE,
    align,
    align_batch,
    align_tensor,
    chip_matrices,
    default_landmarks,
    similarity,
    template,
)
from facelab.errors import FacelabError

IMAGE = data.astronaut()


def faces(n: int, seed: int = 0) -> np.ndarray:
    """Landmarks of n faces at random places, sizes and tilts, well inside the astronaut's picture; (n, 5, 2)."""
    rng = np.random.default_rng(seed)
    angle, scale = rng.uniform(-0.6, 0.6, n), rng.uniform(0.6, 1.6, n)
    turn = np.stack([np.cos(angle), -np.sin(angle), np.sin(angle), np.cos(angle)], axis=1).reshape(n, 2, 2)
    points = (TEMPLATE - 56) @ (scale[:, None, None] * turn).transpose(0, 2, 1)
    return points + rng.uniform(200, 310, (n, 1, 2)) + rng.normal(0, 1.5, (n, 5, 2))


@pytest.fixture(scope="module")
def norm_crop():
    spec = importlib.util.find_spec("insightface")
    if spec is None:
        pytest.skip("insightface is not installed")
    path = Path(spec.submodule_search_locations[0]) / "utils" / "face_align.py"  # the package itself needs onnxruntime
    spec = importlib.util.spec_from_file_location("insightface_face_align", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.norm_crop


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of scikit-image, about insightface's way to call it
@pytest.mark.parametrize("size", [112, 224])
def test_same_pixels_as_insightface(norm_crop, size):
    landmarks = faces(20)
    chips = align_batch([IMAGE] * 20, landmarks, size)
    for chip, points in zip(chips, landmarks, strict=True):
        expected = norm_crop(IMAGE, points, size)
        assert np.abs(chip[1:-1, 1:-1].astype(float) - expected[1:-1, 1:-1]).mean() < 1


def test_same_pixels_as_scikit_image():
    landmarks = faces(5, seed=1)
    for chip, points in zip(align_batch([IMAGE] * 5, landmarks), landmarks, strict=True):
        transform = SimilarityTransform.from_estimate(points, TEMPLATE)
        expected = 255 * warp(IMAGE, transform.inverse, output_shape=(112, 112), order=1)
        assert np.abs(chip[1:-1, 1:-1] - expected[1:-1, 1:-1]).mean() < 1


def test_a_batch_is_its_members():
    landmarks = faces(6)
    for method in ("five-point", "eyes"):
        chips = align_batch([IMAGE] * 6, landmarks, 96, method=method)
        for chip, points in zip(chips, landmarks, strict=True):
            np.testing.assert_array_equal(chip, align_batch([IMAGE], points[None], 96, method=method)[0])
    np.testing.assert_array_equal(align_batch([IMAGE] * 6, landmarks)[3], align(IMAGE, landmarks[3]))
    np.testing.assert_allclose(similarity(landmarks, TEMPLATE)[2], similarity(landmarks[2], TEMPLATE))


def test_eyes_come_exactly_to_their_places():
    landmarks = faces(10)
    matrices = chip_matrices(landmarks=landmarks, size=160, method="eyes")
    moved = np.einsum("nij,nkj->nki", matrices[:, :, :2], landmarks[:, :2]) + matrices[:, None, :, 2]
    np.testing.assert_allclose(moved, np.broadcast_to(template(160)[:2], moved.shape), atol=1e-9)


def test_plain_crop_keeps_the_tilt_and_centres_the_box():
    box = np.array([100.0, 50.0, 180.0, 150.0])
    (matrix,) = chip_matrices(boxes=box[None], size=112, method="crop")
    np.testing.assert_allclose(matrix[:, :2] / matrix[0, 0], np.eye(2))
    np.testing.assert_allclose(matrix @ [140, 100, 1], [55.5, 55.5])
    assert 112 / matrix[0, 0] == pytest.approx(111)  # the longer side, grown by 11 %


@pytest.mark.parametrize("size", [64, 112])
def test_tensor_path_agrees_with_opencv(size):
    landmarks = faces(8)
    landmarks[7] -= 190  # reaches beyond the picture
    images = torch.from_numpy(IMAGE).permute(2, 0, 1)[None].float().expand(8, -1, -1, -1)
    chips = align_tensor(images, torch.from_numpy(landmarks), size).permute(0, 2, 3, 1).numpy()
    difference = np.abs(chips - align_batch([IMAGE] * 8, landmarks, size))
    assert difference.mean(axis=(1, 2, 3)).max() < 1
    assert (chips[7] == 0).any()


def test_tensor_path_is_differentiable():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.random((1, 1, 24, 24)))
    landmarks = torch.from_numpy((TEMPLATE / 112 * 18 + 3 + rng.normal(0, 0.3, (5, 2)))[None])
    # Far from the float32 steps of the sampling grid, a difference quotient over 0.01 pixels is smooth enough.
    images.requires_grad_()
    align_tensor(images, landmarks, 8).sum().backward()
    assert (images.grad != 0).any()
    x = torch.linspace(0, 1, 24, dtype=torch.float64)
    ramp = (x[None, :] + 2 * x[:, None])[None, None]
    landmarks.requires_grad_()
    value = align_tensor(ramp, landmarks, 8).mean()
    value.backward()
    step = torch.zeros_like(landmarks)
    step[0, 2, 0] = 0.05
    with torch.no_grad():
        quotient = (
            align_tensor(ramp, landmarks + step, 8).mean() - align_tensor(ramp, landmarks - step, 8).mean()
        ) / 0.1
    assert landmarks.grad[0, 2, 0] == pytest.approx(float(quotient), rel=0.02)


COLLINEAR = np.array([[10.0, 10], [20, 20], [30, 30], [40, 40], [50, 50]])


@pytest.mark.parametrize("points", [COLLINEAR, np.full((5, 2), 7.0), COLLINEAR * [1, 0]])
def test_degenerate_landmarks_raise_and_name_the_face(points):
    landmarks = np.stack([faces(1)[0], points])
    with pytest.raises(FacelabError, match="face 1"):
        align_batch([IMAGE] * 2, landmarks)
    with pytest.raises(FacelabError, match="face 1"):
        align_tensor(torch.zeros(2, 3, 50, 50), torch.from_numpy(landmarks))
    with pytest.raises(FacelabError, match=r"line|coincide"):
        align(IMAGE, points)


def test_profiles_are_not_taken_for_lines():
    """The landmarks of a head turned by 80 degrees: the eyes are near each other, the nose sticks out."""
    profile = np.array([[50.0, 50], [54, 50], [66, 70], [52, 90], [55, 90]])
    assert np.isfinite(similarity(profile, TEMPLATE)).all()


def test_bad_arguments_are_named():
    landmarks = faces(2)
    with pytest.raises(FacelabError, match="method='umeyama'"):
        align_batch([IMAGE] * 2, landmarks, method="umeyama")
    with pytest.raises(FacelabError, match="boxes"):
        align_batch([IMAGE] * 2, landmarks, method="crop")
    with pytest.raises(FacelabError, match="empty"):
        chip_matrices(boxes=np.array([[5, 5, 5, 5]]), method="crop")
    with pytest.raises(FacelabError, match="1 images"):
        align_batch([IMAGE], landmarks)
    with pytest.raises(FacelabError, match="float64"):
        align_batch([IMAGE / 255.0] * 2, landmarks)
    with pytest.raises(FacelabError, match="NaN"):
        align(IMAGE, default_landmarks(100, 100) * np.nan)
