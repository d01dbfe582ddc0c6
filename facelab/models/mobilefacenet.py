"""MobileFaceNet: a network for phones, with a million parameters."""

from torch import Tensor, nn

from facelab.models.backbones import embedding_head

# Chen et al., 2018, table 1, the rows "bottleneck": expansion t, channels c, repetitions n, stride s of the first.
BOTTLENECKS = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))


def _convolution(
    before: int, after: int, kernel: int, stride: int = 1, padding: int = 0, groups: int = 1, *, linear: bool = False
) -> nn.Sequential:
    """Return convolution, batch normalisation and, if it is not linear, PReLU."""
    convolution = nn.Conv2d(before, after, kernel, stride, padding, groups=groups, bias=False)
    layers = [convolution, nn.BatchNorm2d(after)]
    return nn.Sequential(*layers) if linear else nn.Sequential(*layers, nn.PReLU(after))


class _Bottleneck(nn.Module):
    """The inverted residual of MobileNetV2 (Sandler et al., 2018, table 1): widen, filter each channel, narrow."""

    def __init__(self, before: int, after: int, expansion: int, stride: int):
        super().__init__()
        wide = expansion * before
        self.layers = nn.Sequential(
            _convolution(before, wide, 1),
            _convolution(wide, wide, 3, stride, padding=1, groups=wide),
            _convolution(wide, after, 1, linear=True),
        )
        self.has_shortcut = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.has_shortcut else self.layers(x)


def mobilefacenet(embedding_dim: int = 128, *, size: int = 112, dropout: float = 0.0) -> nn.Sequential:
    """Return MobileFaceNet (Chen et al., 2018, table 1).

    Its point is the end: instead of the mean over the last map, a *global depthwise convolution*, one learned weight
    for every place of every channel, since the middle of a chip tells more than its corners (section 3.1). The last
    layer, in the paper a linear 1x1 convolution on a map of one pixel, is here the embedding head of the other networks
    (:func:`~facelab.models.backbones.embedding_head`). With 128 dimensions at 112 pixels it has 0.99 million parameters
    once batch normalisation is folded into the convolutions (1.00 million before), and 221 million multiply-adds.

    Input (n, 3, size, size) with values in [-1, 1]. Output (n, embedding_dim), not normalised.

    Args:
        embedding_dim: the number of dimensions of the embedding.
        size: width and height of the input, in pixels, at least 32.
        dropout: the probability that a feature is dropped in training.
    """
    layers: list[nn.Module] = [_convolution(3, 64, 3, 2, padding=1), _convolution(64, 64, 3, padding=1, groups=64)]
    before = 64
    for expansion, after, repetitions, stride in BOTTLENECKS:
        for i in range(repetitions):
            layers.append(_Bottleneck(before, after, expansion, stride if i == 0 else 1))
            before = after
    cells = -(-size // 16)  # four strides of 2, each rounds up: 7 of 112
    layers += [_convolution(before, 512, 1), _convolution(512, 512, cells, groups=512, linear=True), nn.Flatten()]
    network = nn.Sequential(*layers, *embedding_head(512, embedding_dim, dropout=dropout))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's ResNet
    return network
