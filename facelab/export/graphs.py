"""From PyTorch to ONNX: the network, the alignment, the detector's three nets. Each is one closed graph."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from facelab import __version__
from facelab.align.differentiable import sampling_points
from facelab.align.similarity import TEMPLATE_SIZE, check_size, template
from facelab.detect.mtcnn_nets import ONet, PNet, RNet, load_pretrained
from facelab.errors import FacelabError
from facelab.models import Embedder, shipped_networks
from facelab.models.onnx import INPUT, OUTPUTS, write_onnx
from facelab.train import open_network

if TYPE_CHECKING:
    from onnx import ModelProto

_SHIPPED_DATA = "synthfaces-500: rendered people who do not exist"
_SHIPPED_LICENCE = "MIT, as facelab; the head model that the faces were rendered from is CC0"


def export_network(
    network: Path | str,
    path: Path | str,
    *,
    data: str = "",
    licence: str = "",
    threshold: Mapping[str, Any] | None = None,
) -> None:
    """Write a network as an ONNX file: chips of any size in, embeddings of length 1 out.

    Input ``chips``: uint8, (batch, height, width, 3), RGB. Outputs ``embedding``: float32, (batch, D), of length 1;
    ``norm``: float32, (batch,), the length that it had. What :func:`facelab.models.to_input` does is in the graph.

    Args:
        network: a checkpoint, or the name of a network in the package.
        path: of the file.
        data: what it was trained on, for the metadata; of a network in the package, it is known.
        licence: under which it may be used, likewise.
        threshold: as a ``results.json`` of ``facelab evaluate`` holds it, see
            :func:`facelab.reports.threshold.read_threshold`; of a network in the package, it is known.

    Raises:
        FacelabError: the network cannot be opened, the extra ``[onnx]`` is not installed, or the file not written.
    """
    write_onnx(path, network_graph(network), describe(network, data=data, licence=licence, threshold=threshold))


def network_graph(network: Path | str) -> "ModelProto":
    """Return the graph that :func:`export_network` writes."""
    if Path(network).suffix.lower() == ".onnx":
        raise FacelabError(f"{network} is an ONNX file already; give the checkpoint that it was made of.")
    return graph_of(open_network(network).embedder("cpu"))


def graph_of(embedder: Embedder) -> "ModelProto":
    """Return the graph of an embedder on the CPU, without the mirrored chips."""
    return _exported(
        _PixelsToEmbedding(embedder.network, embedder.size),
        (torch.zeros(2, 112, 96, 3, dtype=torch.uint8),),
        {INPUT: {0: "batch", 1: "height", 2: "width"}},
        OUTPUTS,
    )


def describe(
    network: Path | str, *, data: str = "", licence: str = "", threshold: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what a file says of its network, see :class:`facelab.models.onnx.OnnxFile`."""
    opened = open_network(network)
    if about := shipped_networks().get(str(network)):
        data, licence = data or _SHIPPED_DATA, licence or _SHIPPED_LICENCE
        threshold = threshold or {
            "operating_point": about["operating_point"],
            "recipe": opened.recipe.model_dump(),
            "fingerprint": opened.fingerprint,
            "flip": False,
            "data": {"name": "rendered strangers of synthfaces-500"},
        }
    return {
        "network": Path(network).name,
        "recipe": opened.recipe.model_dump(),
        "data": data or "not said",
        "licence": licence or "not said",
        "threshold": threshold,
        "fingerprint": opened.fingerprint,
        "precision": "fp32",
        "trained_on": sorted(opened.trained_on),
        "step": opened.step,
        "total_steps": opened.total_steps,
        "facelab": __version__,
    }


def export_alignment(path: Path | str, size: int = TEMPLATE_SIZE) -> None:
    """Write the alignment as an ONNX file: a photograph and the landmarks on it in, chips out.

    Inputs ``image``: uint8, (height, width, 3), RGB; ``landmarks``: float32, (batch, 5, 2), x and y in pixels. Output
    ``chips``: uint8, (batch, size, size, 3), within a grey level of :func:`facelab.align.align`. Landmarks that
    coincide or are not finite are the caller's to drop: a graph raises no errors.

    Args:
        path: of the file.
        size: width and height of the chips, pixels.
    """
    check_size(size)
    example = torch.zeros(240, 320, 3, dtype=torch.uint8), torch.from_numpy(template(size)).float().repeat(2, 1, 1)
    named = {"image": {0: "height", 1: "width"}, "landmarks": {0: "batch"}}
    graph = _exported(_Alignment(size), example, named, [INPUT])
    write_onnx(path, graph, {"what": "five-point alignment", "size": size, "licence": "MIT", "facelab": __version__})


def export_mtcnn(folder: Path | str) -> None:
    """Write MTCNN's three nets as ONNX files: ``pnet.onnx``, ``rnet.onnx``, ``onet.onnx``.

    Input ``pixels``: float32, (batch, height, width, 3), RGB, 0 to 255; R-Net takes 24 x 24, O-Net 48 x 48, P-Net any
    size. Outputs as of :class:`facelab.detect.mtcnn_nets.PNet` and its sisters: ``face``, ``box``, ``landmarks``. What
    lies between them (pyramid, windows, suppression) is the caller's, see :class:`facelab.detect.MTCNN`.
    """
    about = {"licence": "MIT, as the package mtcnn that carries the weights", "facelab": __version__}
    for net in (PNet(), RNet(), ONet()):
        name, size = type(net).__name__, getattr(net, "size", 40)
        dynamic = {0: "batch"} if hasattr(net, "size") else {0: "batch", 1: "height", 2: "width"}
        outputs = ["face", "box", "landmarks"][: 3 if isinstance(net, ONet) else 2]
        example = torch.zeros(2, size, size if hasattr(net, "size") else 50, 3)
        graph = _exported(_FromPixels(load_pretrained(net)), (example,), {"pixels": dynamic}, outputs)
        write_onnx(Path(folder) / f"{name.lower()}.onnx", graph, {"what": f"{name} of MTCNN", **about})


class _PixelsToEmbedding(nn.Module):
    """What :func:`facelab.models.to_input`, a network and normalisation do, without a decision about sizes."""

    def __init__(self, network: nn.Module, size: int):
        super().__init__()
        self.network, self.size = network, size

    def forward(self, chips: Tensor) -> tuple[Tensor, Tensor]:
        x = chips.permute(0, 3, 1, 2).float() / 127.5 - 1
        height, width = chips.shape[1], chips.shape[2]
        side = torch.sym_max(height, width)
        top, left = (side - height) // 2, (side - width) // 2
        margins: list[int] = [left, side - width - left, top, side - height - top]  # type: ignore[list-item]
        x = functional.pad(x, margins, value=-1.0)
        size = (self.size, self.size)
        x = functional.interpolate(x, size=size, mode="bilinear", antialias=True, align_corners=False)
        embedding = self.network(x)
        norm = embedding.norm(dim=1, keepdim=True)
        return embedding / norm.clamp_min(1e-12), norm[:, 0]


class _Alignment(nn.Module):
    """What :func:`facelab.align.align_tensor` does, for many faces on one photograph, in grey levels."""

    target: Tensor

    def __init__(self, size: int):
        super().__init__()
        self.size = size
        self.register_buffer("target", torch.from_numpy(template(size)).float())

    def forward(self, image: Tensor, landmarks: Tensor) -> Tensor:
        height, width, _ = image.shape
        points = sampling_points(landmarks, self.target, self.size)
        half = torch.stack([torch.scalar_tensor(side - 1).clamp_min(1) for side in (width, height)]) / 2
        # All chips in one column: the photograph is sampled once, and not copied for every face.
        grid = (points / half - 1).flatten(0, 1)[None]
        pixels = image.permute(2, 0, 1)[None].float()
        chips = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
        chips = chips[0].unflatten(1, (-1, self.size)).permute(1, 2, 3, 0)
        return chips.round().clamp(0, 255).to(torch.uint8)


class _FromPixels(nn.Module):
    """The input of MTCNN's nets, as :class:`facelab.detect.MTCNN` makes it, and one of them."""

    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        return self.net((pixels.permute(0, 3, 1, 2) - 127.5) / 128)


def _exported(
    module: nn.Module, example: tuple[Tensor, ...], dynamic: Mapping[str, dict[int, str]], outputs: Sequence[str]
) -> "ModelProto":
    """Return the graph of a module; ``dynamic`` gives its inputs by name, with names for the axes of any length."""
    try:
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise FacelabError("export needs the packages onnx and onnxscript: pip install 'facelab[onnx]'") from error
    axes = tuple({axis: torch.export.Dim(name) for axis, name in of_one.items()} for of_one in dynamic.values())
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # what it says of its own parts
            program = torch.onnx.export(
                module.eval(),
                example,
                dynamo=True,
                input_names=list(dynamic),
                output_names=list(outputs),
                dynamic_shapes=axes,
                verbose=False,
            )
    finally:
        logger.setLevel(level)
    assert program is not None
    return program.model_proto
