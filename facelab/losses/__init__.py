"""Embeddings and labels -> loss: one file per loss, one interface.

``loss = ArcFace(num_identities, embedding_dim)``; ``loss(embeddings, labels)`` is the scalar to minimise, with the
margin; ``loss.logits(embeddings)`` are the logits without it, for evaluation.
"""

from facelab.losses.arcface import ArcFace
from facelab.losses.base import CentreLoss
from facelab.losses.softmax import Softmax

__all__ = ["ArcFace", "CentreLoss", "Softmax"]
