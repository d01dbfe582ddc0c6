"""Photograph -> boxes and five landmarks."""

from typing import TYPE_CHECKING, Any

from facelab.detect.detection import Detection, largest

if TYPE_CHECKING:
    from facelab.detect.mtcnn import MTCNN

__all__ = ["MTCNN", "Detection", "largest"]


def __getattr__(name: str) -> Any:
    """Load PyTorch only for those who detect: alignment, and the workers that render faces, need the types alone."""
    if name == "MTCNN":
        from facelab.detect.mtcnn import MTCNN

        return MTCNN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
