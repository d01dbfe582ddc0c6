"""Chip -> embedding: backbones and the :class:`Embedder`."""

from facelab.models.backbones import resnet34
from facelab.models.embedder import Embedder
from facelab.models.preprocess import to_input

__all__ = ["Embedder", "resnet34", "to_input"]
