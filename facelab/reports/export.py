"""One network, one ONNX file: written, compared with what it was made of, and its price told."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facelab.errors import FacelabError, count
from facelab.export.graphs import describe, network_graph
from facelab.export.int8 import Price, halves, price, quantize
from facelab.export.latency import Latency, latency
from facelab.files import atomic_write, check_claim, claim, read_json
from facelab.models.onnx import OnnxEmbedder, OnnxFile, sha256, with_metadata
from facelab.reports.outcome import finite
from facelab.reports.threshold import read_threshold
from facelab.sources import open_chips, open_faces
from facelab.train import open_network

PARITY = 1e-5  # fp32 embeddings agree within it


@dataclass(frozen=True)
class Exported:
    """The outcome of :func:`export`.

    Attributes:
        chips: real ones, on which the fp32 graph was compared with PyTorch.
        difference: the largest, of a number of a unit embedding.
        cosine: the lowest, of a chip's two embeddings.
        megabytes: of the file.
        price: of int8, if that was asked for.
        latency: by batch, then by kind, if that was asked for.
    """

    chips: int
    difference: float
    cosine: float
    megabytes: float
    price: Price | None
    latency: dict[int, dict[str, Latency]]

    def sentences(self) -> list[str]:
        """Say what was seen."""
        verdict = "within" if self.difference <= PARITY else "MORE THAN"
        said = [
            f"fp32 beside PyTorch on {count(self.chips, 'real chip')}: largest difference {self.difference:.1e} "
            f"({verdict} {PARITY:g}), lowest cosine {self.cosine:.7f}; the file has {self.megabytes:.1f} MB"
        ]
        return said + (self.price.sentences() if self.price else [])


def export(
    network: Path | str,
    out: Path | str,
    *,
    calibrate: str | None = None,
    far: float = 0.01,
    threshold: Path | None = None,
    data: str = "",
    licence: str = "",
    with_latency: bool = False,
    show_progress: bool = False,
) -> Exported:
    """Write a network as an ONNX file, and compare it with PyTorch on real chips (of ORL, or those to calibrate on).

    Args:
        network: a checkpoint, or the name of a network in the package.
        out: of the file.
        calibrate: faces for 8-bit numbers, see :func:`facelab.sources.open_chips`: half of the people to choose ranges
            on, the others to measure and to choose the threshold on. fp32 if not given.
        far: false accept rate of that threshold.
        threshold: a ``results.json`` of ``facelab evaluate``, for fp32.
        data, licence: see :func:`facelab.export.export_network`.
        with_latency: measure PyTorch and the file at batches of 1 and 32.
        show_progress: show progress bars.

    Raises:
        FacelabError: the network or the faces cannot be opened, the threshold is another network's, or there are too
            few people.
    """
    out = Path(out)
    if not 0 < far <= 1:
        raise FacelabError(f"--far {far:g}: it must lie in (0, 1].")
    if out.suffix.lower() != ".onnx":
        raise FacelabError(f"--out {out}: the name must end in .onnx, by which every verb knows such a file.")
    check_claim(out.parent, [out.name])
    opened, given = open_network(network), None
    if threshold is not None:
        known = read_threshold(threshold)
        given = read_json(threshold)
        if given.get("fingerprint") not in (None, opened.fingerprint_of(flip=bool(known.flip))):
            raise FacelabError(f"{threshold}: its threshold is another network's. Evaluate this one.")
        parts = ("operating_point", "threshold", "fingerprint", "flip", "recipe", "data")
        given = {part: given[part] for part in parts if part in given}
    about, graph = describe(network, data=data, licence=licence, threshold=given), network_graph(network)
    source = open_faces(calibrate or "orl", show_progress=show_progress)
    if calibrate is None:
        source = replace(source, faces=source.faces.select(range(0, len(source.faces), 4)))
    faces = open_chips(source, show_progress=show_progress).faces
    embedder = opened.embedder("cpu")
    fp32 = OnnxEmbedder(OnnxFile(out, content := with_metadata(graph, about), about))
    rows = np.linspace(0, len(faces) - 1, min(len(faces), 100)).astype(int)
    pixels = faces.select(rows).resized(max(112, embedder.size)).array()
    ours, theirs = fp32(pixels), embedder(pixels)
    difference, cosine = float(np.abs(ours - theirs).max()), float((ours * theirs).sum(axis=1).min())
    kinds, cost = {"PyTorch": embedder, "ONNX": fp32}, None
    if calibrate is not None:
        labels = faces.labels - (len(faces.identities) - len(names := [name for name in faces.identities if name]))
        calibration, held_out = halves(labels, opened.knows(names, faces.name))
        few = calibration[np.linspace(0, len(calibration) - 1, min(len(calibration), 200)).astype(int)]
        size = max(112, embedder.size)
        graph.ClearField("metadata_props")
        graph = quantize(graph, faces.select(few).resized(size).array())
        about |= {"precision": "int8", "fingerprint": sha256(graph), "threshold": None}
        measured = faces.select(held_out).resized(size).array()
        draft = OnnxEmbedder(OnnxFile(out, with_metadata(graph, about), about))
        cost = price(fp32(measured), draft(measured), labels[held_out], far)
        point = {"threshold": cost.threshold, "asked": far, "far": finite(cost.far), "frr": finite(cost.frr)}
        about["threshold"] = {
            "operating_point": point,
            "recipe": about["recipe"],
            "fingerprint": about["fingerprint"],
            "flip": False,
            "data": {"name": f"{cost.people} people of {faces.name}"},
        }
        graph.ClearField("metadata_props")
        content = with_metadata(graph, about)
        kinds["int8"] = OnnxEmbedder(OnnxFile(out, content, about))
    times = {}
    if with_latency:
        times = {number: latency(kinds, np.resize(pixels, (number, *pixels.shape[1:]))) for number in (1, 32)}
    claim(out.parent, [out.name])
    with atomic_write(out) as temporary:
        temporary.write_bytes(content)
    return Exported(len(pixels), difference, cosine, len(content) / 1e6, cost, times)
