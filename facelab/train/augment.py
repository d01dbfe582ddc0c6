"""Random changes to chips that leave the identity as it is."""

import torch
from torch import Tensor
from torch.nn import functional

from facelab import processes
from facelab.device import send
from facelab.train.recipe import Augmentation


def augment(images: Tensor, generator: torch.Generator, ranges: Augmentation | None = None) -> Tensor:
    """Flip, turn, scale, shift, and change brightness, contrast and saturation, each image by its own random amounts.

    Where several processes share a batch, each draws the amounts of the whole batch and takes its own: an image is
    changed as it would be with one process.

    Args:
        images: network input, shape (n, 3, h, w), values in [-1, 1].
        generator: a CPU generator; the same state gives the same change on every device.
        ranges: how far; the defaults of :class:`~facelab.train.recipe.Augmentation` if not given.

    Returns:
        The changed images, same shape and device.
    """
    ranges, n = ranges or Augmentation(), len(images) * processes.count()
    own = slice(len(images) * processes.rank(), len(images) * (processes.rank() + 1))

    def uniform(limit: float) -> Tensor:
        return ((torch.rand(n, generator=generator) * 2 - 1) * limit)[own]

    flip = torch.where(torch.rand(n, generator=generator) < ranges.flip, -1.0, 1.0)[own]
    angle, scale = uniform(ranges.rotation), 1 + uniform(ranges.scale)
    cos, sin = scale * angle.cos(), scale * angle.sin()
    rows = [
        torch.stack([flip * cos, -sin, uniform(2 * ranges.shift)], dim=1),
        torch.stack([flip * sin, cos, uniform(2 * ranges.shift)], dim=1),
    ]
    amounts = [torch.stack(rows, dim=1).flatten(), 1 + uniform(ranges.contrast), uniform(ranges.brightness)]
    if ranges.saturation:
        amounts.append(1 + uniform(ranges.saturation))
    moves, *light = send(torch.cat(amounts), images.device).split([len(x) for x in amounts])
    contrast, brightness, *colour = (x[:, None, None, None] for x in light)

    grid = functional.affine_grid(moves.view(-1, 2, 3), list(images.shape), align_corners=False)
    images = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    images = images * contrast + brightness
    for amount in colour:
        images = torch.lerp(images.mean(dim=1, keepdim=True), images, amount)
    return images
