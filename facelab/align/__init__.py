"""Landmarks -> chip: a similarity transform to the five-point template."""

from facelab.align.chips import ChipReport, make_chips
from facelab.align.similarity import TEMPLATE, similarity, template
from facelab.align.warp import align, default_landmarks

__all__ = ["TEMPLATE", "ChipReport", "align", "default_landmarks", "make_chips", "similarity", "template"]
