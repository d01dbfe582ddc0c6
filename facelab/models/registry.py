"""All backbones by name. A new one is its function and its row here."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn

from facelab.errors import FacelabError
from facelab.models.backbones import resnet18, resnet34, resnet50
from facelab.models.iresnet import iresnet50
from facelab.models.mobilefacenet import mobilefacenet
from facelab.models.smallnet import smallnet

# By the name in a recipe. Each takes embedding_dim, and what it needs of size, dropout and pretrained.
BACKBONES: dict[str, Callable[..., nn.Module]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "iresnet50": iresnet50,
    "mobilefacenet": mobilefacenet,
    "smallnet": smallnet,
}


def check_backbone(name: str, *, pretrained: bool = False) -> None:
    """Raise a :class:`FacelabError` if there is no backbone of this name, or no pretrained one."""
    if name not in BACKBONES:
        raise FacelabError(f"backbone {name!r}: choose one of {', '.join(BACKBONES)}.")
    if pretrained and "pretrained" not in inspect.signature(BACKBONES[name]).parameters:
        raise FacelabError(f"backbone {name!r} has no ImageNet weights: pretrained = false, or take a resnet.")


def make_backbone(
    name: str, embedding_dim: int, *, size: int = 112, dropout: float = 0.0, pretrained: bool = False
) -> nn.Module:
    """Return the untrained network of this name; its initial weights follow the global random state.

    Args:
        name: a key of ``BACKBONES``, for example ``"resnet34"``.
        embedding_dim: the number of dimensions of the embedding.
        size: width and height of the input, in pixels, at least 32; a few networks are made for one size.
        dropout: the probability that a feature is dropped in training.
        pretrained: start from ImageNet weights.

    Raises:
        FacelabError: no such backbone, or none with ImageNet weights; or these could not be downloaded.
    """
    check_backbone(name, pretrained=pretrained)
    options: dict[str, Any] = {"size": size, "dropout": dropout, "pretrained": pretrained}
    takes = inspect.signature(BACKBONES[name]).parameters
    return BACKBONES[name](embedding_dim, **{option: x for option, x in options.items() if option in takes})
