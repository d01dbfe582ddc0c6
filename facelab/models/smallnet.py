"""A network of seconds, to see a training from its beginning to its end."""

from torch import nn

from facelab.models.backbones import embedding_head

CHANNELS = (32, 64, 128)


def smallnet(embedding_dim: int = 128, *, size: int = 112, dropout: float = 0.0) -> nn.Sequential:
    """Return three convolutions of stride 2, each with batch normalisation and ReLU, and an embedding head.

    Nobody has published it and nobody should use it to recognise faces. At 32 pixels it has 0.36 million parameters and
    takes 3 million multiply-adds, a fortieth of a ResNet34's at that size: experiments that need many trainings can be
    made on a laptop.

    Input (n, 3, size, size) with values in [-1, 1]. Output (n, embedding_dim), not normalised.

    Args:
        embedding_dim: the number of dimensions of the embedding.
        size: width and height of the input, in pixels, at least 32.
        dropout: the probability that a feature is dropped in training.
    """
    layers: list[nn.Module] = []
    for before, after in zip((3, *CHANNELS), CHANNELS, strict=False):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    cells = -(-size // 8)  # three strides of 2, each rounds up
    head = embedding_head(CHANNELS[-1] * cells**2, embedding_dim, dropout=dropout)
    return nn.Sequential(*layers, nn.Flatten(), *head)
