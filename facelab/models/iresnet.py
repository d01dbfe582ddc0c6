"""IResNet-50, the network that most published face recognition models of today are."""

from torch import Tensor, nn


class _Block(nn.Module):
    """BN-Conv-BN-PReLU-Conv-BN beside a shortcut, and nothing after their sum (Deng et al., 2019, section 3.1).

    Args:
        before, after: channels.
        stride: of the second convolution; the shortcut is a strided 1x1 convolution with BN if it is not 1.
    """

    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        self.prelu = nn.PReLU(after)
        self.conv2 = nn.Conv2d(after, after, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1:
            shortcut = nn.Conv2d(before, after, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(after))

    def forward(self, x: Tensor) -> Tensor:
        residual = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        return self.bn3(self.conv2(residual)) + self.downsample(x)


class IResNet(nn.Module):
    """A residual network for aligned chips: see :func:`iresnet50`.

    Args:
        blocks: how many in each of the four stages.
        embedding_dim: the number of dimensions of the embedding.
        size: width and height of the input, in pixels.
        dropout: the probability that a feature is dropped in training.
    """

    layer1: nn.Sequential
    layer2: nn.Sequential
    layer3: nn.Sequential
    layer4: nn.Sequential

    def __init__(self, blocks: tuple[int, int, int, int], embedding_dim: int, *, size: int, dropout: float):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)  # stride 1: a chip is small, and loses no detail here
        self.bn1 = nn.BatchNorm2d(64)
        self.prelu = nn.PReLU(64)
        before = 64
        for stage, (number, after) in enumerate(zip(blocks, (64, 128, 256, 512), strict=True), start=1):
            stack = [_Block(after if i else before, after, stride=1 if i else 2) for i in range(number)]
            self.add_module(f"layer{stage}", nn.Sequential(*stack))
            before = after
        self.bn2 = nn.BatchNorm2d(512)
        self.dropout = nn.Dropout(dropout)
        cells = -(-size // 16)  # four strides of 2, each rounds up
        self.fc = nn.Linear(512 * cells**2, embedding_dim)
        self.features = nn.BatchNorm1d(embedding_dim)
        self.features.weight.requires_grad = False  # it stays 1; the shift is learned
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")  # as torchvision's ResNet

    def forward(self, x: Tensor) -> Tensor:
        x = self.prelu(self.bn1(self.conv1(x)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.dropout(self.bn2(x).flatten(1))))


def iresnet50(embedding_dim: int = 512, *, size: int = 112, dropout: float = 0.0) -> IResNet:
    """Return IResNet-50, the ResNet50 of ArcFace (Deng et al., 2019, section 3.1) and of InsightFace's ``iresnet50``.

    What makes it one for faces: the first convolution keeps the resolution (3x3, stride 1, no pooling); a block is
    BN-Conv-BN-PReLU-Conv-BN; and the map at the end, 7x7 for a chip of 112 pixels, is not pooled but read by a linear
    layer that knows where each feature lies (BN-Dropout-FC-BN). 3 + 4 + 14 + 3 blocks, 43.59 million parameters with
    512 dimensions at 112 pixels; the linear layer's share, 12.8 million, follows the size. Modules have the names of
    InsightFace's, so that a ``state_dict`` of theirs can be loaded; of the published weights heed the licence.

    Input (n, 3, size, size) with values in [-1, 1]. Output (n, embedding_dim), not normalised.

    Args:
        embedding_dim: the number of dimensions of the embedding.
        size: width and height of the input, in pixels, at least 32.
        dropout: the probability that a feature is dropped in training.
    """
    return IResNet((3, 4, 14, 3), embedding_dim, size=size, dropout=dropout)
