"""Networks in ONNX files: how ``facelab export`` keeps them, and how they run without PyTorch's modules.

A file of ours is plain ONNX: any runtime takes it. Pixels go in, and unit embeddings come out with the lengths that
they had; resizing and normalisation are in the graph. What it is stands in its metadata, as text.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from facelab.data.images import square_margins
from facelab.errors import FacelabError
from facelab.files import atomic_write, read_bytes
from facelab.models.embedder import Embedder
from facelab.models.preprocess import check_chips

if TYPE_CHECKING:
    from onnx import AttributeProto, GraphProto, ModelProto, TensorProto
    from onnxruntime import InferenceSession

INPUT, OUTPUTS = "chips", ("embedding", "norm")
CHECKSUM = "sha256"  # of the file without this line of its metadata
_EXTRA = "ONNX files need the packages onnx and onnxruntime: pip install 'facelab[onnx]'"
_PLAIN = ("", "ai.onnx")  # domains of the standard's own operators


@dataclass(frozen=True, eq=False)
class OnnxFile:
    """A file that ``facelab export`` wrote, read and checked.

    Attributes:
        path: of the file.
        content: its bytes.
        metadata: what is known of the network: ``network`` (its name or file), ``recipe``, ``data`` (that it was
            trained on), ``licence``, ``threshold`` (see :func:`facelab.reports.threshold.read_threshold`; or None),
            ``fingerprint`` (see :class:`facelab.train.Network`), ``precision`` (``fp32`` or ``int8``), ``trained_on``
            (digests of names), ``step`` and ``total_steps`` of the training, ``facelab`` (the version that wrote it).
    """

    path: Path
    content: bytes
    metadata: dict[str, Any]


def write_onnx(path: Path | str, model: "ModelProto", metadata: Mapping[str, Any]) -> None:
    """Write a graph with its metadata, each value as JSON, and a checksum over all of it.

    Where on this machine the graph was made, which PyTorch notes at each node, is left out.
    """
    content = with_metadata(model, metadata)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def with_metadata(model: "ModelProto", metadata: Mapping[str, Any]) -> bytes:
    """Return the bytes that :func:`write_onnx` writes."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.initializer, *graph.input, *graph.output):
        part.ClearField("metadata_props")
        part.ClearField("doc_string")
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=json.dumps(value))
    model.metadata_props.add(key=CHECKSUM, value=sha256(model))
    return model.SerializeToString(deterministic=True)


def sha256(model: "ModelProto") -> str:
    """Return the SHA-256 of a graph, in hexadecimal digits."""
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()


def read_onnx(path: Path | str) -> OnnxFile:
    """Read a file that ``facelab export`` wrote. Whoever wrote it: nothing in it runs code or reads other files.

    Raises:
        FacelabError: it is missing or damaged, was changed, refers to other files, or is not ours.
    """
    try:
        from google.protobuf.message import DecodeError
        from onnx import ModelProto
    except ImportError as error:
        raise FacelabError(_EXTRA) from error
    content = read_bytes(path, "Check the path; facelab export writes such a file.")
    if not content:
        raise FacelabError(f"{path} is empty. Export the network again.")
    model = ModelProto()
    try:
        model.ParseFromString(content)
    except DecodeError as error:
        raise FacelabError(f"{path} is damaged, or no ONNX file. Export the network again.") from error
    _check_closed(model, path)
    texts = {line.key: line.value for line in model.metadata_props}
    if not {CHECKSUM, "recipe", "fingerprint"} <= set(texts):
        raise FacelabError(
            f"{path} is no network of facelab export: its metadata holds no recipe and fingerprint. Export a "
            "checkpoint: facelab export CHECKPOINT --out net.onnx"
        )
    checksum = model.metadata_props.pop()
    if checksum.key != CHECKSUM or checksum.value != sha256(model):
        raise FacelabError(f"{path} is damaged, or was changed after it was written. Export the network again.")
    try:
        metadata = {key: json.loads(value) for key, value in texts.items() if key != CHECKSUM}
    except (ValueError, RecursionError) as error:
        raise FacelabError(f"{path}: its metadata is not JSON. Export the network again.") from error
    return OnnxFile(Path(path), content, metadata)


def _check_closed(model: "ModelProto", path: Path | str) -> None:
    """Raise a :class:`FacelabError` if a graph asks for what is not in the file, or for more than ONNX's operators."""
    from onnx import TensorProto

    for node in model.graph.node:
        if node.domain not in _PLAIN:
            raise FacelabError(f"{path} asks for {node.domain}.{node.op_type}, no operator of ONNX; it is not opened.")
    if model.functions or any(_graphs(attribute) for node in model.graph.node for attribute in node.attribute):
        raise FacelabError(f"{path} holds graphs in its graph, as facelab export writes none; it is not opened.")
    for tensor in _tensors(model.graph):
        if tensor.data_location != TensorProto.DEFAULT or tensor.external_data:
            raise FacelabError(f"{path} refers to data in another file, which is not read. Keep it in one file.")


def _graphs(attribute: "AttributeProto") -> bool:
    return attribute.HasField("g") or bool(attribute.graphs)


def _tensors(graph: "GraphProto") -> Iterator["TensorProto"]:
    """Yield every tensor that a graph without inner graphs holds."""
    yield from graph.initializer
    sparse = list(graph.sparse_initializer)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            sparse += [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
            sparse += attribute.sparse_tensors
    for one in sparse:
        yield from (one.values, one.indices)


def open_session(content: bytes, name: object) -> "InferenceSession":
    """Return a session of onnxruntime on the CPU, with as many threads as PyTorch has, see ``torch.set_num_threads``.

    Args:
        content: of an ONNX file that :func:`read_onnx` has checked, or one made here.
        name: of the file, for messages.

    Raises:
        FacelabError: onnxruntime is not installed, or cannot run the graph.
    """
    try:
        import onnxruntime
    except ImportError as error:
        raise FacelabError(_EXTRA) from error
    onnxruntime.disable_telemetry_events()  # on Windows it would tell Microsoft
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads would hold up PyTorch's
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its errors have no common class
        raise FacelabError(f"{name} cannot be run by onnxruntime {onnxruntime.__version__}: {_line(error)}") from error


class OnnxEmbedder(Embedder):
    """Turns chips into embeddings with a network in an ONNX file; called as :class:`facelab.models.Embedder` is.

    It computes on the CPU, by onnxruntime.

    Args:
        file: that ``facelab export`` wrote.
        device: ``"auto"`` or ``"cpu"``.
        batch_size, flip: see :class:`facelab.models.Embedder`.

    Raises:
        FacelabError: see :func:`read_onnx`; a graph of other inputs or outputs; or another device.
    """

    def __init__(
        self,
        file: OnnxFile | Path | str,
        *,
        device: str | torch.device = "auto",
        batch_size: int = 128,
        flip: bool = False,
    ):
        file = file if isinstance(file, OnnxFile) else read_onnx(file)
        if str(device) not in ("auto", "cpu"):
            raise FacelabError(f"device {str(device)!r}: an ONNX file is computed on the CPU; use 'cpu' or 'auto'.")
        self.device, self.batch_size, self.flip = torch.device("cpu"), batch_size, flip
        self.path, self.session = file.path, open_session(file.content, file.path)
        recipe = file.metadata["recipe"] if isinstance(file.metadata["recipe"], dict) else {}
        self.size, dimensions = recipe.get("size", 0), recipe.get("embedding_dim")
        inputs, outputs = self.session.get_inputs(), self.session.get_outputs()
        found = [(one.name, one.type, one.shape) for one in (*inputs, *outputs)]
        expected = [
            (INPUT, "tensor(uint8)", ["batch", "height", "width", 3]),
            (OUTPUTS[0], "tensor(float)", ["batch", dimensions]),
            (OUTPUTS[1], "tensor(float)", ["batch"]),
        ]
        if found != expected:
            raise FacelabError(f"{self.path} has another graph than facelab export writes. Export the network again.")

    def _raw(self, batch: np.ndarray) -> torch.Tensor:
        check_chips(torch.from_numpy(batch))
        if batch.shape[1] != batch.shape[2]:  # the graph does it too, but what is mirrored is the square
            top, bottom, left, right = square_margins(*batch.shape[1:3])
            batch = np.pad(batch, ((0, 0), (top, bottom), (left, right), (0, 0)))
        raw = self._run(batch)
        return torch.from_numpy(raw + self._run(batch[:, :, ::-1]) if self.flip else raw)

    def _run(self, batch: np.ndarray) -> np.ndarray:
        try:
            unit, norm = self.session.run(None, {INPUT: np.ascontiguousarray(batch)})
        except Exception as error:  # its errors have no common class
            raise FacelabError(f"{self.path} cannot be run: {_line(error)}") from error
        return unit * norm[:, None]


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
