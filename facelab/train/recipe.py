"""Everything that decides the result of a training, in one place that can be saved and compared."""

import tomllib
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import nn

from facelab.errors import FacelabError
from facelab.losses import ArcFace, CentreLoss, Softmax


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LossRecipe(_Strict):
    """Which loss, and its arguments; margin, scale and margin_warmup concern losses that have a margin."""

    name: Literal["cross_entropy", "arcface"] = "cross_entropy"
    margin: float = Field(0.5, ge=0)
    scale: float = Field(64.0, gt=0)
    margin_warmup: float = Field(
        0.0, ge=0, le=1, description="share of the training over which the margin rises from 0"
    )


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

    def build_loss(self, num_identities: int) -> CentreLoss:
        """Return the loss for this many identities; its initial centres follow the global random state."""
        if self.loss.name == "arcface":
            return ArcFace(num_identities, self.embedding_dim, margin=self.loss.margin, scale=self.loss.scale)
        return Softmax(num_identities, self.embedding_dim)
