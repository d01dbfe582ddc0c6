"""The one way from chips to network input, shared by training and evaluation."""

from torch import Tensor
from torch.nn import functional

from facelab.errors import FacelabError


def to_input(chips: Tensor, size: int) -> Tensor:
    """Turn chips into network input: values in [-1, 1], resized (anti-aliased) where the size differs.

    Args:
        chips: uint8, shape (n, height, width, 3), on any device.
        size: width and height that the network sees, in pixels.

    Returns:
        float32, shape (n, 3, size, size), channels last in memory, on the same device.
    """
    if chips.ndim != 4 or chips.shape[-1] != 3:
        raise FacelabError(f"chips of shape {tuple(chips.shape)}: expected (n, height, width, 3).")
    x = chips.permute(0, 3, 1, 2).float() / 127.5 - 1
    if x.shape[-2:] != (size, size):
        x = functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return x
