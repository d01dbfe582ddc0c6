"""Everything that decides the result of a training, in one place that can be saved and compared."""

import inspect
import tomllib
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from torch import nn

from facelab import losses
from facelab.errors import FacelabError
from facelab.losses import CentreLoss, Loss, MarginLoss

LOSSES: dict[str, type[Loss]] = {
    "cross_entropy": losses.Softmax,
    "normface": losses.NormFace,
    "sphereface": losses.SphereFace,
    "sphereface_r": losses.SphereFaceR,
    "cosface": losses.CosFace,
    "arcface": losses.ArcFace,
    "combined": losses.CombinedMargin,
    "adaface": losses.AdaFace,
    "curricularface": losses.CurricularFace,
    "magface": losses.MagFace,
    "triplet": losses.Triplet,
}


def _arguments(name: str) -> dict[str, Any]:
    """Return the keyword arguments of the loss of this name, with their defaults."""
    parameters = inspect.signature(LOSSES[name]).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LossRecipe(_Strict):
    """Which loss, and its arguments: those of its class in :mod:`facelab.losses`, with the same defaults.

    An argument that the loss does not take is an error when given, and None otherwise.
    """

    name: Literal[*LOSSES] = "cross_entropy"
    margin: float | None = Field(None, ge=0)
    scale: float | None = Field(None, gt=0)
    m1: float | None = None
    m2: float | None = None
    m3: float | None = None
    annealing: tuple[float, float, float] | None = None
    concentration: float | None = None
    momentum: float | None = None
    margins: tuple[float, float] | None = None
    lengths: tuple[float, float] | None = None
    length_weight: float | None = None
    mining: losses.Mining | None = None
    detach_margin: bool | None = None
    margin_warmup: float | None = Field(
        None, ge=0, le=1, description="share of the training over which the margin rises from 0"
    )

    @model_validator(mode="before")
    @classmethod
    def _write_out_defaults(cls, values: Any) -> Any:
        """Write the loss's defaults into the recipe: a saved one says all that decides the result."""
        if not isinstance(values, dict):
            return values
        name = values.get("name", cls.model_fields["name"].default)
        if name not in list(LOSSES):
            return values
        takes = _arguments(name)
        if issubclass(LOSSES[name], MarginLoss):
            takes["margin_warmup"] = 0.0
        given = {argument: value for argument, value in values.items() if value is not None and argument != "name"}
        for argument in given:
            if argument in cls.model_fields and argument not in takes:
                raise FacelabError(f"{name} takes no {argument}; it takes {', '.join(takes) or 'no arguments'}")
        return {"name": name, **takes, **given}

    @model_validator(mode="after")
    def _check_with_the_loss(self) -> Self:
        """Let the loss check its arguments now, not when training starts."""
        with torch.device("meta"):
            self.build(num_identities=2, embedding_dim=1)
        return self

    def build(self, num_identities: int, embedding_dim: int) -> Loss:
        """Return the loss; its initial centres follow the global random state."""
        loss = LOSSES[self.name]
        arguments = {argument: getattr(self, argument) for argument in _arguments(self.name)}
        if issubclass(loss, CentreLoss):
            return loss(num_identities, embedding_dim, **arguments)
        return loss(**arguments)


class Recipe(_Strict):
    """One training: network, loss, optimiser (SGD with momentum, cosine schedule with linear warm-up), augmentation,
    seed.

    A wrong field or value raises one clear error; see :meth:`parse`.
    """

    loss: LossRecipe = LossRecipe()
    embedding_dim: int = Field(512, ge=2)
    dropout: float = Field(0.0, ge=0, lt=1)
    pretrained: bool = Field(False, description="start from ImageNet weights (one download)")
    size: int = Field(112, ge=32, description="width and height that the network sees, pixels")
    epochs: int = Field(20, ge=1)
    batch_size: int = Field(64, ge=2)
    learning_rate: float = Field(0.1, gt=0, description="peak of the schedule")
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the training over which the learning rate rises from 0"
    )
    momentum: float = Field(0.9, ge=0, lt=1)
    weight_decay: float = Field(5e-4, ge=0)
    clip_norm: float = Field(5.0, gt=0, description="gradients longer than this are shortened to it")
    augment: bool = True
    seed: int = Field(0, ge=0)

    @classmethod
    def parse(cls, values: dict[str, Any], source: str = "recipe") -> "Recipe":
        """Make a recipe from nested dictionaries.

        Raises:
            FacelabError: an unknown field or a value out of its range; one line that names field and value.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"]))
            if first["type"] == "value_error":  # from a check of several fields; it names them
                raise FacelabError(f"{source}: {field}: {str(first['ctx']['error']).rstrip('.')}.") from error
            raise FacelabError(f"{source}: {field} = {first['input']!r}: {first['msg'].lower()}.") from error

    @classmethod
    def from_toml(cls, path: Path | str) -> "Recipe":
        """Read a recipe from a TOML file."""
        try:
            return cls.parse(tomllib.loads(Path(path).read_text(encoding="utf-8")), source=str(path))
        except OSError as error:
            raise FacelabError(f"cannot read the recipe {path}: {error.strerror}. Check the path.") from error
        except tomllib.TOMLDecodeError as error:
            raise FacelabError(f"{path} is not valid TOML: {error}.") from error

    def build_network(self) -> nn.Module:
        """Return the untrained network; its initial weights follow the global random state."""
        from facelab.models import resnet34

        return resnet34(self.embedding_dim, dropout=self.dropout, pretrained=self.pretrained)

    def build_loss(self, num_identities: int) -> Loss:
        """Return the loss for this many identities; its initial centres follow the global random state."""
        return self.loss.build(num_identities, self.embedding_dim)
