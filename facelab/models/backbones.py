"""Networks that turn chips into embeddings."""

from torch import nn

from facelab.errors import FacelabError


def resnet34(
    embedding_dim: int = 512, *, dropout: float = 0.0, batch_norm: bool = True, pretrained: bool = False
) -> nn.Sequential:
    """Return torchvision's ResNet34 with an embedding head in the place of its classifier.

    Head: 512 pooled features -> dropout -> linear to ``embedding_dim`` (no bias) -> batch normalisation without a
    learned scale or shift. The last step centres the embeddings and gives every dimension the same spread, so that
    their directions can use the whole sphere; ArcFace (Deng et al., 2019, section 3.1) ends in BN-Dropout-FC-BN for the
    same reason. Without it (``batch_norm=False``) the linear layer has a bias.

    Input (n, 3, h, w) with h, w >= 32, values in [-1, 1]. Output (n, embedding_dim), not normalised.

    Args:
        embedding_dim: the number of dimensions of the embedding.
        dropout: the probability that a pooled feature is dropped in training.
        batch_norm: end with batch normalisation.
        pretrained: start from ImageNet weights, which torchvision downloads once (about 83 MB; needs a network
            connection).
    """
    from torchvision.models import ResNet34_Weights
    from torchvision.models import resnet34 as backbone

    try:
        network = backbone(weights=ResNet34_Weights.IMAGENET1K_V1 if pretrained else None)
    except OSError as error:
        raise FacelabError(
            f"the ImageNet weights could not be downloaded ({error}); use pretrained=False, or go online once."
        ) from error
    features = network.fc.in_features
    network.fc = nn.Identity()
    head = [nn.Dropout(dropout), nn.Linear(features, embedding_dim, bias=not batch_norm)]
    if batch_norm:
        head.append(nn.BatchNorm1d(embedding_dim, affine=False))
    return nn.Sequential(network, *head)
