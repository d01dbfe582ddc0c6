"""Embeddings and labels -> loss: one file per loss, one interface.

``loss = ArcFace(num_identities, embedding_dim)``; ``loss(embeddings, labels)`` is the scalar to minimise, with the
margin; ``loss.logits(embeddings)`` are the logits without it, for evaluation. :class:`Triplet` alone has no class
centres: ``loss = Triplet()``.
"""

from facelab.losses.adaface import AdaFace
from facelab.losses.arcface import ArcFace
from facelab.losses.base import ClassifierLoss, Loss, MarginLoss
from facelab.losses.combined import CombinedMargin
from facelab.losses.cosface import CosFace
from facelab.losses.curricularface import CurricularFace
from facelab.losses.magface import MagFace
from facelab.losses.normface import NormFace
from facelab.losses.partial_fc import PartialFC
from facelab.losses.softmax import Softmax
from facelab.losses.sphereface import SphereFace
from facelab.losses.spherefacer import SphereFaceR
from facelab.losses.triplet import Mining, Triplet

__all__ = [
    "AdaFace",
    "ArcFace",
    "ClassifierLoss",
    "CombinedMargin",
    "CosFace",
    "CurricularFace",
    "Loss",
    "MagFace",
    "MarginLoss",
    "Mining",
    "NormFace",
    "PartialFC",
    "Softmax",
    "SphereFace",
    "SphereFaceR",
    "Triplet",
]
