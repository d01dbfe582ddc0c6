"""Random changes to chips that leave the identity as it is."""

import math

import torch
from torch import Tensor
from torch.nn import functional

ROTATION = math.radians(8)  # these ranges cover what an aligner leaves: small turns, shifts and sizes, other light
SCALE = 0.10
SHIFT = 0.06  # of the chip's width
CONTRAST = 0.25
BRIGHTNESS = 0.20  # of half the value range


def augment(images: Tensor, generator: torch.Generator) -> Tensor:
    """Flip, turn, scale, shift, and change brightness and contrast, each image by its own random amounts.

    Args:
        images: network input, shape (n, 3, h, w), values in [-1, 1].
        generator: a CPU generator; the same state gives the same change on every device.

    Returns:
        The changed images, same shape and device.
    """
    n = len(images)

    def uniform(limit: float) -> Tensor:
        return (torch.rand(n, generator=generator) * 2 - 1) * limit

    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0)
    angle, scale = uniform(ROTATION), 1 + uniform(SCALE)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [
        torch.stack([flip * cos, -sin, uniform(2 * SHIFT)], dim=1),
        torch.stack([flip * sin, cos, uniform(2 * SHIFT)], dim=1),
    ]
    grid = functional.affine_grid(torch.stack(rows, dim=1).to(images.device), list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    contrast, brightness = 1 + uniform(CONTRAST), uniform(BRIGHTNESS)
    return images * contrast.to(images.device)[:, None, None, None] + brightness.to(images.device)[:, None, None, None]
