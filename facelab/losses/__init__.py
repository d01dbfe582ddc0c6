"""Embeddings and labels -> loss: one file per loss, one interface.

``loss = ArcFace(num_identities, embedding_dim)``; ``loss(embeddings, labels)`` is the scalar to minimise, with the
margin; ``loss.logits(embeddings)`` are the logits without it, for evaluation. :class:`Triplet` alone has no class
centres: ``loss = Triplet()``. ``LOSSES`` is the table of all, by the name in a recipe.
"""

from facelab.losses import registry
from facelab.losses.base import ClassifierLoss, Loss, MarginLoss
from facelab.losses.partial_fc import PartialFC
from facelab.losses.registry import *  # noqa: F403 (the table and its losses, so that a new one is listed there alone)
from facelab.losses.triplet import Mining

__all__ = ["ClassifierLoss", "Loss", "MarginLoss", "Mining", "PartialFC"]
__all__ += registry.__all__
