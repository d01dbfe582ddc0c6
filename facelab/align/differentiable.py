"""The same alignment as :func:`facelab.align.align`, in PyTorch: on any device, and gradients pass through it."""

import torch
from torch import Tensor
from torch.nn import functional

from facelab.align.similarity import TEMPLATE_SIZE, template
from facelab.errors import FacelabError


def align_tensor(images: Tensor, landmarks: Tensor, size: int = TEMPLATE_SIZE) -> Tensor:
    """Return the chip of each image; differentiable in the pixels and in the landmarks.

    The similarity of :func:`facelab.align.similarity`, then bilinear sampling; zero outside the image. It agrees with
    the OpenCV path up to the rounding of its uint8 chips (under 1/255 on average). Use it where chips must be made on
    a GPU, or where a landmark network learns through them (M. Jaderberg et al., "Spatial Transformer Networks", 2015).

    Args:
        images: floating point, shape (n, channels, height, width), any value range.
        landmarks: five points of one face on each image, pixels, shape (n, 5, 2), on the same device.
        size: width and height of the chips in pixels.

    Returns:
        The chips, shape (n, channels, size, size), the dtype of ``images``.

    Raises:
        FacelabError: other shapes, or landmarks that are not finite or lie on a line or in one point.
    """
    if images.ndim != 4 or not images.is_floating_point() or landmarks.shape != (len(images), 5, 2):
        raise FacelabError(
            f"images {tuple(images.shape)} of {images.dtype}, landmarks {tuple(landmarks.shape)}: expected floating "
            "point (n, channels, height, width) and (n, 5, 2)."
        )
    _check(landmarks.float())
    points = sampling_points(landmarks.float(), torch.from_numpy(template(size)).to(landmarks.device).float(), size)
    height, width = images.shape[-2:]
    # grid_sample with aligned corners puts the centre of the first pixel at -1 and that of the last at 1.
    half = torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=images.device) / 2
    grid = (points / half - 1).to(images.dtype)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode="zeros", align_corners=True)


def _check(landmarks: Tensor) -> None:
    if not torch.isfinite(landmarks).all():
        raise FacelabError("align_tensor: a landmark is NaN or infinite; drop the face.")
    x = (landmarks - landmarks.mean(dim=1, keepdim=True)).detach().cpu()  # no gradient: only a check
    if bad := torch.nonzero(torch.linalg.svdvals(x)[:, 1] <= 0.01 * (x**2).sum(dim=(1, 2)).sqrt()).flatten().tolist():
        raise FacelabError(f"align_tensor: the landmarks of face {bad[0]} coincide or lie on a line; drop the face.")


def sampling_points(landmarks: Tensor, target: Tensor, size: int) -> Tensor:
    """Return where on its photograph each pixel of a chip lies: x and y in pixels, shape (n, size, size, 2).

    Nothing here depends on a value, so it can be exported as a graph; :func:`align_tensor` checks the landmarks.

    Args:
        landmarks: five points of each face, shape (n, 5, 2), float32.
        target: where they should lie on the chip, shape (5, 2), float32.
        size: width and height of the chips in pixels.
    """
    matrix = _inverse_similarity(landmarks, target)
    rows, columns = torch.meshgrid(*(torch.arange(size, device=landmarks.device).float(),) * 2, indexing="ij")
    targets = torch.stack([columns, rows, torch.ones_like(rows)], dim=-1)  # (size, size, 3): x, y, 1 of each pixel
    return torch.einsum("nij,hwj->nhwi", matrix, targets)


def _inverse_similarity(landmarks: Tensor, target: Tensor) -> Tensor:
    """Return the maps from chip to photograph, (n, 2, 3): the inverse of :func:`facelab.align.similarity`."""
    x, y = landmarks - landmarks.mean(dim=1, keepdim=True), target - target.mean(dim=0)
    spread = (x**2).sum(dim=(1, 2))
    # The factor a = sum(conj(x) y) / sum |x|^2 in two real parts, and 1 / a = conj(a) / |a|^2.
    real = (x * y).sum(dim=(1, 2)) / spread
    imaginary = (x[..., 0] * y[:, 1] - x[..., 1] * y[:, 0]).sum(dim=1) / spread
    real, imaginary = (part / (real**2 + imaginary**2) for part in (real, -imaginary))
    turn = torch.stack([torch.stack([real, -imaginary], dim=1), torch.stack([imaginary, real], dim=1)], dim=1)
    move = landmarks.mean(dim=1) - torch.einsum("nij,j->ni", turn, target.mean(dim=0))
    return torch.cat([turn, move[:, :, None]], dim=2)
