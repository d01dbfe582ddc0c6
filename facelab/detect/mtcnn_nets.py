"""The three networks of MTCNN and their pretrained weights.

K. Zhang, Z. Zhang, Z. Li, Y. Qiao, "Joint Face Detection and Alignment Using Multitask Cascaded Convolutional
Networks", IEEE Signal Processing Letters, 2016. Input of each network: (n, 3, h, w), values (x - 127.5) / 128. The
weights come with the ``mtcnn`` package as lists of Keras arrays; they are read without TensorFlow.
"""

import io
from pathlib import Path

import torch
from torch import Tensor, nn

from facelab.files import check_sha256, package_folder

# Of the files in the wheel mtcnn 1.0.0. joblib files are pickles: unpickling an unknown one could run any code.
SHA256 = {
    "pnet.lz4": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet.lz4": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet.lz4": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


def _convolution(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel), nn.PReLU(outputs)]


def _pool(kernel: int) -> nn.Module:
    return nn.MaxPool2d(kernel, stride=2, ceil_mode=True)


class _Flatten(nn.Module):
    """(n, c, h, w) -> (n, w*h*c): the order of the original weights, which were trained on transposed images."""

    def forward(self, x: Tensor) -> Tensor:
        return x.permute(0, 3, 2, 1).flatten(1)


class PNet(nn.Module):
    """Proposal network, fully convolutional: a 12 x 12 window slides over the image with stride 2.

    Output: face probability (n, h', w') and box offsets (n, 4, h', w').
    """

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 10, 3), _pool(2), *_convolution(10, 16, 3), *_convolution(16, 32, 3)
        )
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.face(x).softmax(dim=1)[:, 1], self.box(x)


class RNet(nn.Module):
    """Refinement network on 24 x 24 crops. Output: face probability (n,), box offsets (n, 4)."""

    size = 24

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 28, 3), _pool(3), *_convolution(28, 48, 3), _pool(3), *_convolution(48, 64, 2),
            _Flatten(), nn.Linear(576, 128), nn.PReLU(128),
        )  # fmt: skip
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = self.trunk(x)
        return self.face(x).softmax(dim=1)[:, 1], self.box(x)


class ONet(nn.Module):
    """Output network on 48 x 48 crops. Output: face probability (n,), box offsets (n, 4), landmarks (n, 5, 2).

    Landmarks are in units of the crop's width and height, from its upper left corner.
    """

    size = 48

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(
            *_convolution(3, 32, 3), _pool(3), *_convolution(32, 64, 3), _pool(3),
            *_convolution(64, 64, 3), _pool(2), *_convolution(64, 128, 2),
            _Flatten(), nn.Linear(1152, 256), nn.PReLU(256),
        )  # fmt: skip
        self.box = nn.Linear(256, 4)
        self.landmarks = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        x = self.trunk(x)
        landmarks = self.landmarks(x).unflatten(1, (2, 5)).transpose(1, 2)  # stored as five x, then five y
        return self.face(x).softmax(dim=1)[:, 1], self.box(x), landmarks


def load_pretrained(network: nn.Module, folder: Path | None = None) -> nn.Module:
    """Fill a PNet, RNet or ONet with the weights of the ``mtcnn`` package; return it in evaluation mode.

    Args:
        folder: where the files ``pnet.lz4``, ``rnet.lz4``, ``onet.lz4`` are; if not given, in the installed package.

    Raises:
        FacelabError: the package is not installed, a file is missing, or it is not the known file (SHA-256).
    """
    import joblib

    folder = folder or package_folder("mtcnn", "MTCNN's weights come") / "assets" / "weights"
    path = folder / f"{type(network).__name__.lower()}.lz4"
    data = check_sha256(path, SHA256[path.name], "Reinstall: pip install --force-reinstall 'mtcnn==1.0.0'")
    arrays = joblib.load(io.BytesIO(data))
    with torch.no_grad():
        # Keras lists its arrays layer by layer in the order of definition, as PyTorch does; only the layouts differ.
        for parameter, array in zip(network.parameters(), arrays, strict=True):
            tensor = torch.from_numpy(array)
            if parameter.ndim == 4:
                tensor = tensor.permute(3, 2, 0, 1)  # (h, w, in, out) -> (out, in, h, w)
            elif parameter.ndim == 2:
                tensor = tensor.T  # (in, out) -> (out, in)
            parameter.copy_(tensor.reshape(parameter.shape))
    return network.eval().requires_grad_(False)
