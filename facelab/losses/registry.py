"""All losses by name, in one table. A new loss is its file, its row here, and its test."""

import inspect
from dataclasses import dataclass
from typing import Any

from facelab.losses.adaface import AdaFace
from facelab.losses.arcface import ArcFace
from facelab.losses.base import ClassifierLoss, Loss
from facelab.losses.combined import CombinedMargin
from facelab.losses.cosface import CosFace
from facelab.losses.curricularface import CurricularFace
from facelab.losses.elasticface import ElasticArcFace, ElasticCosFace
from facelab.losses.magface import MagFace
from facelab.losses.normface import NormFace
from facelab.losses.softmax import Softmax
from facelab.losses.sphereface import SphereFace
from facelab.losses.spherefacer import SphereFaceR
from facelab.losses.subcenter import SubCenterArcFace
from facelab.losses.triplet import Triplet

__all__ = [
    "LOSSES",
    "AdaFace",
    "ArcFace",
    "CombinedMargin",
    "CosFace",
    "CurricularFace",
    "ElasticArcFace",
    "ElasticCosFace",
    "MagFace",
    "NormFace",
    "Softmax",
    "SphereFace",
    "SphereFaceR",
    "SubCenterArcFace",
    "Triplet",
]


@dataclass(frozen=True)
class NamedLoss:
    """A row of the table.

    Attributes:
        title: how figures and tables call the loss.
        loss_class: its keyword arguments are those of a recipe.
    """

    title: str
    loss_class: type[Loss]

    @property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """The keyword arguments of the class, by their names."""
        parameters = inspect.signature(self.loss_class, eval_str=True).parameters
        return {name: parameter for name, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}

    def build(self, num_identities: int, embedding_dim: int, **arguments: Any) -> Loss:
        """Return the loss; its initial centres follow the global random state. One without centres has no sizes."""
        sizes = (num_identities, embedding_dim) if issubclass(self.loss_class, ClassifierLoss) else ()
        return self.loss_class(*sizes, **arguments)


# By the name in a recipe. A new one goes to the end: the fields of a saved recipe stand in the order of this table.
LOSSES = {
    "cross_entropy": NamedLoss("cross entropy", Softmax),
    "normface": NamedLoss("NormFace", NormFace),
    "cosface": NamedLoss("CosFace", CosFace),
    "arcface": NamedLoss("ArcFace", ArcFace),
    "combined": NamedLoss("combined margin", CombinedMargin),
    "sphereface": NamedLoss("SphereFace", SphereFace),
    "sphereface_r": NamedLoss("SphereFace-R", SphereFaceR),
    "adaface": NamedLoss("AdaFace", AdaFace),
    "curricularface": NamedLoss("CurricularFace", CurricularFace),
    "magface": NamedLoss("MagFace", MagFace),
    "triplet": NamedLoss("triplet", Triplet),
    "subcenter_arcface": NamedLoss("Sub-center ArcFace", SubCenterArcFace),
    "elastic_arcface": NamedLoss("ElasticFace-Arc", ElasticArcFace),
    "elastic_cosface": NamedLoss("ElasticFace-Cos", ElasticCosFace),
}
