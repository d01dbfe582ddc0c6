"""Photograph -> boxes and five landmarks, and how well."""

from typing import TYPE_CHECKING, Any

from facelab.detect.detection import Detection, choose, largest
from facelab.detect.metrics import (
    Matches,
    average_precision,
    iou,
    match,
    photograph_bootstrap,
    precision_recall,
)
from facelab.detect.registry import Detector, detector_title, detectors, make_detector
from facelab.detect.turns import QuarterTurns

if TYPE_CHECKING:
    from facelab.detect.mtcnn import MTCNN

__all__ = [
    "MTCNN",
    "Detection",
    "Detector",
    "Matches",
    "QuarterTurns",
    "average_precision",
    "choose",
    "detector_title",
    "detectors",
    "iou",
    "largest",
    "make_detector",
    "match",
    "photograph_bootstrap",
    "precision_recall",
]


def __getattr__(name: str) -> Any:
    """Load PyTorch only for those who detect: alignment, and the workers that render faces, need the types alone."""
    if name == "MTCNN":
        from facelab.detect.mtcnn import MTCNN

        return MTCNN
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
