"""Chip -> embedding: backbones by name (``BACKBONES``, :func:`make_backbone`), the :class:`Embedder`, and two networks
that come with the package (:func:`pretrained`)."""

from facelab.models.backbones import resnet34
from facelab.models.embedder import Embedder
from facelab.models.preprocess import to_input
from facelab.models.registry import BACKBONES, make_backbone
from facelab.models.shipped import pretrained, shipped_networks

__all__ = ["BACKBONES", "Embedder", "make_backbone", "pretrained", "resnet34", "shipped_networks", "to_input"]
