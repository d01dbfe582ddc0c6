"""Everything that decides the result of a training, in one place that can be saved and compared."""

import math
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import torch
from pydantic import Field, create_model, model_validator
from torch import nn

from facelab.align.similarity import MAX_SIZE
from facelab.errors import FacelabError
from facelab.losses import LOSSES, Loss, MarginLoss, PartialFC
from facelab.losses.base import LARGEST, check_positive, check_range
from facelab.models.registry import BACKBONES, check_backbone, make_backbone
from facelab.strict import Strict, read_toml

PRESETS = Path(__file__).parent / "presets"


class _Named(Strict):
    name: Literal[*LOSSES] = "cross_entropy"  # type: ignore[valid-type]
    margin: float | None = Field(None, ge=0)
    scale: float | None = Field(None, gt=0)


def _arguments() -> dict[str, Any]:
    """Return a field, with None as its default, for every argument of a loss that is not written out in a class."""
    types: dict[str, Any] = {}
    for row in LOSSES.values():
        for name, parameter in row.arguments.items():
            types[name] = types.get(name) | parameter.annotation
    return {name: (of_any, None) for name, of_any in types.items() if name not in ("margin", "scale", "detach_margin")}


class LossRecipe(create_model("_Arguments", __base__=_Named, __module__=__name__, **_arguments())):  # type: ignore[misc]
    """Which loss, and its arguments: those of its class in :mod:`facelab.losses`, with the same defaults.

    An argument that the loss does not take is an error when given, and None otherwise.

    Example:
        >>> LossRecipe(name="cosface", margin=0.2).build(num_identities=10, embedding_dim=128).scale
        64.0
    """

    detach_margin: bool | None = None
    margin_warmup: float | None = Field(
        None, ge=0, le=1, description="share of the training over which the margin rises from 0"
    )
    scale_warmup: tuple[float, float] | None = Field(
        None, description="(first, share): the scale goes from first to its value over this share of the training"
    )
    centre_sampling: float | None = Field(
        None, gt=0, le=1, description="share the centres out over the processes, and draw this share of them each step"
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
        row = LOSSES[name]
        takes = {argument: parameter.default for argument, parameter in row.arguments.items()}
        if issubclass(row.loss_class, MarginLoss):
            takes |= {"margin_warmup": 0.0, "centre_sampling": None}
        if "scale" in takes:
            takes["scale_warmup"] = None
        given = {argument: value for argument, value in values.items() if value is not None and argument != "name"}
        for argument in given:
            if argument in cls.model_fields and argument not in takes:
                raise FacelabError(f"{name} takes no {argument}; it takes {', '.join(takes) or 'no arguments'}")
        return {"name": name, **takes, **given}

    @model_validator(mode="after")
    def _check_with_the_loss(self) -> Self:
        """Let the loss check its arguments now, not when training starts."""
        with torch.random.fork_rng(devices=[]):  # on the device "meta", torch would import its compiler: 4 seconds
            self._build(2, 1)
        if self.scale_warmup:
            check_positive(scale_warmup=self.scale_warmup[0])
            check_range(0, 1 + 1e-9, scale_warmup=self.scale_warmup[1])
        return self

    def build(self, num_identities: int, embedding_dim: int) -> Loss:
        """Return the loss; its initial centres follow the global random state."""
        loss = self._build(num_identities, embedding_dim)
        return PartialFC(loss, rate=self.centre_sampling) if self.centre_sampling else loss

    def _build(self, *sizes: int) -> Any:
        row = LOSSES[self.name]
        return row.build(*sizes, **{argument: getattr(self, argument) for argument in row.arguments})


class Augmentation(Strict):
    """How far each training image is changed at random; see :func:`facelab.train.augment`.

    The defaults cover what an aligner leaves: small turns, shifts and sizes, other light.
    """

    flip: float = Field(0.5, ge=0, le=1, description="probability")
    rotation: float = Field(math.radians(8), ge=0, le=math.pi, description="radians")
    scale: float = Field(0.10, ge=0, lt=1)
    shift: float = Field(0.06, ge=0, lt=1, description="of the chip's width")
    contrast: float = Field(0.25, ge=0, lt=1)
    brightness: float = Field(0.20, ge=0, lt=LARGEST, description="of half the value range")
    saturation: float = Field(0.0, ge=0, le=1)


class Recipe(Strict):
    """One training: network, loss, optimiser with its schedule (cosine with linear warm-up), augmentation, seed.

    A wrong field or value raises one clear error; see :meth:`facelab.strict.Strict.parse`.

    Example:
        >>> recipe = Recipe.from_toml("quick", ["loss.name=arcface", "loss.margin=0.3", "seed=1"])
        >>> recipe.loss.margin, recipe.loss.scale, recipe.epochs
        (0.3, 64.0, 16)
    """

    loss: LossRecipe = LossRecipe()
    backbone: Literal[*BACKBONES] = "resnet34"  # type: ignore[valid-type]
    embedding_dim: int = Field(512, ge=2, le=16_384)
    dropout: float = Field(0.0, ge=0, lt=1)
    pretrained: bool | Literal["if-available"] = Field(False, description="start from ImageNet weights (one download)")
    size: int = Field(112, ge=32, le=MAX_SIZE, description="width and height that the network sees, pixels")
    epochs: int = Field(20, ge=1, le=100_000)
    batch_size: int = Field(64, ge=2, le=65_536, description="of all processes together")
    images_per_identity: int | None = Field(
        None, ge=2, description="K: a batch is P identities x K images, for triplets; none: images in random order"
    )
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.1, gt=0, lt=LARGEST, description="peak of the schedule")
    centre_learning_rate: float | None = Field(
        None, gt=0, lt=LARGEST, description="of the class centres; none: the same"
    )
    warmup: float = Field(
        0.1, ge=0, lt=1, description="share of the training over which the learning rate rises from 0"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="of SGD; the first beta of AdamW")
    weight_decay: float = Field(5e-4, ge=0, lt=LARGEST)
    clip_norm: float = Field(5.0, gt=0, lt=LARGEST, description="gradients longer than this are shortened to it")
    weight_average: float = Field(
        0.0, ge=0, lt=1, description="decay of the moving average of the weights, which is then used; 0: none"
    )
    frozen: tuple[str, ...] = Field(
        (), description="layers that keep the weights they start with, by name; an empty name: the whole network"
    )
    augment: bool = True
    augmentation: Augmentation = Augmentation()
    seed: int = Field(0, ge=0, lt=2**63)

    @model_validator(mode="after")
    def _check_backbone(self) -> Self:
        check_backbone(self.backbone, pretrained=self.pretrained is True)
        return self

    @model_validator(mode="after")
    def _check_batch(self) -> Self:
        if self.images_per_identity and (self.batch_size % self.images_per_identity or self.identities_per_batch < 2):
            raise FacelabError(
                f"batch_size = {self.batch_size} is not P >= 2 identities x images_per_identity = "
                f"{self.images_per_identity} images"
            )
        return self

    @property
    def identities_per_batch(self) -> int:
        """P, if ``images_per_identity`` is given."""
        return self.batch_size // (self.images_per_identity or 1)

    @classmethod
    def from_toml(cls, path: Path | str, settings: Sequence[str] = ()) -> "Recipe":
        """Read a recipe from a TOML file.

        Args:
            path: of the file, or the name of a recipe that comes with facelab; see :func:`presets`.
            settings: changes, each as on the command line: ``loss.margin=0.3``. The value is TOML; a bare word is text.
        """
        if (PRESETS / f"{path}.toml").is_file():
            path = PRESETS / f"{path}.toml"
        values = read_toml(path, f"Give a TOML file, or one of: {', '.join(presets())}.")
        if not values and not settings:
            raise FacelabError(f"{path} holds no field of a recipe; quick, the recipe to begin with, is a preset.")
        source = Path(path).name
        if settings:
            cls.parse(values, source=source)  # what is wrong in the file is said of the file
            source += "".join(f" --set {setting[:60]}" for setting in settings)
        for setting in settings:
            _change(values, setting)
        return cls.parse(values, source=source)

    def changes(self) -> dict[str, Any]:
        """Return the fields that differ from their defaults; of a loss, its name and what differs from its class.

        A field that facelab gets later is not among them until somebody uses it.
        """
        changes = self.model_dump(exclude_defaults=True)
        if "loss" in changes:
            usual = LossRecipe(name=self.loss.name).model_dump(exclude={"name"})
            changes["loss"] = {k: v for k, v in self.loss.model_dump().items() if k == "name" or v != usual[k]}
        return changes

    def build_network(self) -> nn.Module:
        """Return the untrained network; its initial weights follow the global random state."""
        if self.pretrained == "if-available":
            raise FacelabError("pretrained = 'if-available': fit decides it; give true or false to build a network.")
        options: dict[str, Any] = {"size": self.size, "dropout": self.dropout, "pretrained": self.pretrained}
        return make_backbone(self.backbone, self.embedding_dim, **options)

    def freeze(self, network: nn.Module) -> list[nn.Parameter]:
        """Keep the frozen layers as they are, batch statistics too; return the parameters that are trained.

        Raises:
            FacelabError: there is no such layer; the message lists the upper ones.
        """
        for name in self.frozen:
            try:
                network.get_submodule(name).eval().requires_grad_(False)
            except AttributeError as error:
                layers = (layer for layer, _ in network.named_modules() if layer and layer.count(".") < 2)
                raise FacelabError(f"frozen = {name!r}: there is no such layer, only {', '.join(layers)}.") from error
        return [p for p in network.parameters() if p.requires_grad or not self.frozen]

    def build_loss(self, num_identities: int) -> Loss:
        """Return the loss for this many identities; its initial centres follow the global random state."""
        return self.loss.build(num_identities, self.embedding_dim)


def presets() -> list[str]:
    """Return the names of the recipes that come with facelab."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def _change(values: dict[str, Any], setting: str) -> None:
    """Put one ``field=value`` into nested dictionaries."""
    field, equals, text = setting.partition("=")
    if not equals or not field.strip():
        raise FacelabError(f"--set {setting}: write it as FIELD=VALUE, for example loss.margin=0.3.")
    try:
        read = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        read = {"value": text.strip()}  # a bare word: loss.name=arcface
    value = read.pop("value")
    if read or "\n" in text.strip():
        raise FacelabError(f"--set {setting!r}: one FIELD=VALUE each; repeat --set for another one.")
    *tables, name = field.strip().split(".")
    for table in tables:
        values = values.setdefault(table, {})
        if not isinstance(values, dict):
            raise FacelabError(f"--set {setting}: {table} is a value, not a table of fields.")
    values[name] = value
