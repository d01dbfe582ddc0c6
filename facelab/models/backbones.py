"""Torchvision's residual networks, and the head that turns pooled features into an embedding."""

from typing import Literal

from torch import nn

from facelab.errors import FacelabError


def embedding_head(
    features: int, embedding_dim: int, *, dropout: float = 0.0, batch_norm: bool = True
) -> list[nn.Module]:
    """Return the layers from (n, features) to (n, embedding_dim): dropout, linear, batch normalisation.

    The last one has no learned scale or shift. It centres the embeddings and gives every dimension the same spread, so
    that their directions can use the whole sphere; ArcFace (Deng et al., 2019, section 3.1) ends in BN-Dropout-FC-BN
    for the same reason. The linear layer has no bias before it; without it (``batch_norm=False``) it has one.
    """
    layers = [nn.Dropout(dropout), nn.Linear(features, embedding_dim, bias=not batch_norm)]
    return [*layers, nn.BatchNorm1d(embedding_dim, affine=False)] if batch_norm else layers


def resnet18(
    embedding_dim: int = 512, *, dropout: float = 0.0, batch_norm: bool = True, pretrained: bool = False
) -> nn.Sequential:
    """Return torchvision's ResNet18 with an embedding head: see :func:`resnet34` (ImageNet weights: about 45 MB)."""
    return _resnet("resnet18", embedding_dim, dropout, batch_norm, pretrained)


def resnet34(
    embedding_dim: int = 512, *, dropout: float = 0.0, batch_norm: bool = True, pretrained: bool = False
) -> nn.Sequential:
    """Return torchvision's ResNet34 (He et al., 2016, table 1) with an embedding head in the place of its classifier.

    Input (n, 3, h, w) with h, w >= 32, values in [-1, 1]. Output (n, embedding_dim), not normalised.

    Args:
        embedding_dim: the number of dimensions of the embedding.
        dropout: the probability that a pooled feature is dropped in training.
        batch_norm: end with batch normalisation, see :func:`embedding_head`.
        pretrained: start from ImageNet weights, which torchvision downloads once (about 83 MB; needs a network
            connection).

    Raises:
        FacelabError: the weights could not be downloaded.

    Example:
        >>> import torch
        >>> network = resnet34(embedding_dim=128)
        >>> network(torch.zeros(2, 3, 64, 64)).shape
        torch.Size([2, 128])
    """
    return _resnet("resnet34", embedding_dim, dropout, batch_norm, pretrained)


def resnet50(
    embedding_dim: int = 512, *, dropout: float = 0.0, batch_norm: bool = True, pretrained: bool = False
) -> nn.Sequential:
    """Return torchvision's ResNet50 with an embedding head: see :func:`resnet34` (ImageNet weights: about 98 MB)."""
    return _resnet("resnet50", embedding_dim, dropout, batch_norm, pretrained)


def _resnet(
    name: Literal["resnet18", "resnet34", "resnet50"],
    embedding_dim: int,
    dropout: float,
    batch_norm: bool,
    pretrained: bool,
) -> nn.Sequential:
    from torchvision.models import get_model

    try:
        network = get_model(name, weights="IMAGENET1K_V1" if pretrained else None)
    except OSError as error:
        raise FacelabError(
            f"the ImageNet weights could not be downloaded ({error}); use pretrained=False, or go online once."
        ) from error
    features = network.fc.in_features
    network.fc = nn.Identity()
    return nn.Sequential(network, *embedding_head(features, embedding_dim, dropout=dropout, batch_norm=batch_norm))
