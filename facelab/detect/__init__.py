"""Photograph -> boxes and five landmarks."""

from facelab.detect.detection import Detection, largest
from facelab.detect.mtcnn import MTCNN

__all__ = ["MTCNN", "Detection", "largest"]
