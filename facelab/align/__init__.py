"""Landmarks -> chip: a similarity transform to the five-point template, and the simpler alternatives."""

from typing import TYPE_CHECKING, Any

from facelab.align.chips import ChipReport, make_chips
from facelab.align.similarity import TEMPLATE, similarity, template
from facelab.align.warp import METHODS, align, align_batch, chip_matrices, default_landmarks

if TYPE_CHECKING:
    from facelab.align.differentiable import align_tensor

__all__ = [
    "METHODS",
    "TEMPLATE",
    "ChipReport",
    "align",
    "align_batch",
    "align_tensor",
    "chip_matrices",
    "default_landmarks",
    "make_chips",
    "similarity",
    "template",
]


def __getattr__(name: str) -> Any:
    """Load PyTorch only for those who align tensors."""
    if name == "align_tensor":
        from facelab.align.differentiable import align_tensor

        return align_tensor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
