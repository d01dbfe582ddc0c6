"""Chip -> embedding: backbones by name (``BACKBONES``, :func:`make_backbone`) and the :class:`Embedder`."""

from facelab.models.backbones import resnet34
from facelab.models.embedder import Embedder
from facelab.models.preprocess import to_input
from facelab.models.registry import BACKBONES, make_backbone

__all__ = ["BACKBONES", "Embedder", "make_backbone", "resnet34", "to_input"]
