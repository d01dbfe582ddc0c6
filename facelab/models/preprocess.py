"""The one way from chips to network input, shared by training and evaluation."""

import torch
from torch import Tensor
from torch.nn import functional

from facelab.data.images import square_margins
from facelab.errors import FacelabError


def check_chips(chips: Tensor) -> None:
    """Raise a :class:`FacelabError` if these are not chips: uint8, shape (n, height, width, 3)."""
    if chips.ndim != 4 or chips.shape[-1] != 3 or chips.dtype != torch.uint8:
        raise FacelabError(
            f"chips of shape {tuple(chips.shape)} and {chips.dtype}: expected uint8, (n, height, width, 3); "
            "facelab.data.images.to_rgb8 turns floating point in [0, 1] and 16 bits into it."
        )


def to_input(chips: Tensor, size: int) -> Tensor:
    """Turn chips into network input: values in [-1, 1], resized (anti-aliased) where the size differs.

    Args:
        chips: uint8, shape (n, height, width, 3), on any device. Chips that are not square get black margins, see
            :func:`facelab.data.images.square_margins`: a face keeps its proportions.
        size: width and height that the network sees, in pixels.

    Returns:
        float32, shape (n, 3, size, size), channels last in memory, on the same device.

    Raises:
        FacelabError: another shape or dtype.
    """
    check_chips(chips)
    x = chips.permute(0, 3, 1, 2).float() / 127.5 - 1
    height, width = x.shape[-2:]
    if height != width:
        top, bottom, left, right = square_margins(height, width)
        x = functional.pad(x, (left, right, top, bottom), value=-1.0)
    if x.shape[-1] != size:
        x = functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True, align_corners=False)
    return x
