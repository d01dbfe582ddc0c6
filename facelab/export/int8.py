"""Eight-bit numbers in place of floating point: a quarter of the size, and what that costs."""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facelab.errors import FacelabError, count
from facelab.evaluate import (
    Comparison,
    Estimate,
    Scores,
    compare_scores,
    eer,
    errors_at,
    operating_point,
    pair_scores,
    roc,
    tar_at_far,
)
from facelab.models.onnx import INPUT

if TYPE_CHECKING:
    from onnx import ModelProto


def quantize(model: "ModelProto", chips: np.ndarray) -> "ModelProto":
    """Return the graph with 8-bit weights (signed, a scale for each channel) and activations (unsigned).

    Static, by onnxruntime: the range of each activation is the one that the chips show. Preparing the pixels and
    normalising the embedding stay in floating point. The graph holds standard operators alone (QuantizeLinear and
    DequantizeLinear around each layer, "QDQ"); unsigned by signed is what VNNI instructions multiply.

    Args:
        model: what :func:`facelab.export.graphs.network_graph` returns.
        chips: to calibrate on, shape (n, height, width, 3), uint8.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

    class Reader(CalibrationDataReader):
        """Chips one by one."""

        def __init__(self) -> None:
            self.left = iter(chips)

        def get_next(self) -> dict[str, np.ndarray] | None:
            chip = next(self.left, None)
            return None if chip is None else {INPUT: chip[None]}

    kinds = [node.op_type for node in model.graph.node]
    first, last = kinds.index("Conv"), max(i for i, kind in enumerate(kinds) if kind in ("Gemm", "MatMul"))
    outside = [node.name for i, node in enumerate(model.graph.node) if not first <= i <= last]
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)  # it advises a step that PyTorch's exporter has done
    try:
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder, "fp32.onnx"), Path(folder, "int8.onnx")
            source.write_bytes(model.SerializeToString())
            quantize_static(
                source,
                target,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=outside,
            )
            quantized = onnx.load(target)
    finally:
        logging.disable(before)
    return quantized


def halves(labels: np.ndarray, known: np.ndarray, *, most: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    """Return which chips to calibrate on, and which to measure on: of other people; each at most ``most``.

    Args:
        labels: identity of each chip, shape (n,); -1 where it is not known.
        known: identities whom the network was trained on, shape (k,), bool: they are not measured.
        most: chips of each.

    Raises:
        FacelabError: there are too few people.
    """
    people = np.random.default_rng(0).permutation(len(known))
    people = people[np.argsort(~known[people], kind="stable")]  # those whom it knows first
    measured = people[max(1, min(len(people) // 2 + int(known.sum()), len(people) - 2)) :]
    measured = measured[~known[measured]]
    at = np.isin(labels, measured)
    if len(measured) < 2 or (np.bincount(labels[at])).max(initial=0) < 2 or at.all():
        raise FacelabError(
            f"--calibrate: {count(len(people), 'identity', 'identities')}, {int(known.sum())} of them of the training; "
            "give four strangers or more, with two pictures each, so that people are left to measure on."
        )
    return np.flatnonzero(~at)[:most], np.flatnonzero(at)[:most]


@dataclass(frozen=True)
class Price:
    """What 8-bit numbers cost on people who were not calibrated on.

    Attributes:
        chips, people: how many were measured.
        lowest, mean: cosine between a chip's two embeddings.
        eer, tar: fp32's value, int8's, and the paired difference (int8 minus fp32); TAR at the FAR ``asked``.
        asked: false accept rate.
        before, threshold: fp32's and int8's threshold for it there.
        far, frr: of int8 at its threshold.
    """

    chips: int
    people: int
    lowest: float
    mean: float
    eer: tuple[float, float, Comparison]
    tar: tuple[float, float, Comparison]
    asked: float
    before: float
    threshold: float
    far: Estimate
    frr: Estimate

    def sentences(self) -> list[str]:
        """Return it in words."""
        said = [
            f"int8 on {count(self.chips, 'chip')} of {count(self.people, 'person', 'people')} it was not calibrated "
            f"on: cosine to fp32 {self.mean:.4f} on average, {self.lowest:.4f} at least"
        ]
        for name, (before, after, paired) in (("EER", self.eer), (f"TAR at FAR {self.asked:.2%}", self.tar)):
            d = paired.difference
            said.append(
                f"{name}: {before:.1%} in fp32, {after:.1%} in int8; difference {100 * d.value:+.1f} points, 95 % "
                f"interval {100 * d.low:+.1f} to {100 * d.high:+.1f}"
            )
        said.append(
            f"threshold for FAR {self.asked:.2%}: {self.before:.3f} in fp32, {self.threshold:.3f} in int8, which is "
            "kept in the file; calibrate it on people of your own"
        )
        return said


def price(fp32: np.ndarray, int8: np.ndarray, labels: np.ndarray, asked: float) -> Price:
    """Measure it.

    Args:
        fp32, int8: embeddings of length 1 of the same chips, shape (n, D).
        labels: their identities, shape (n,).
        asked: false accept rate of the threshold.
    """
    cosines = (fp32.astype(np.float64) * int8).sum(axis=1)
    scores: list[Scores] = [pair_scores(part.astype(np.float64), labels) for part in (fp32, int8)]
    if asked * np.count_nonzero(~scores[0].genuine) < 1:
        raise FacelabError(f"--far {asked:g}: too few pairs of two people to measure it; calibrate on more people.")

    def paired(measure) -> tuple[float, float, Comparison]:
        values = [float(measure(roc(one))) for one in scores]
        return values[0], values[1], compare_scores([scores[1]], [scores[0]], measure, replicates=500)

    points = [operating_point(one, asked).threshold for one in scores]
    far, frr = errors_at(scores[1], points[1])
    return Price(
        len(labels),
        len(np.unique(labels)),
        float(cosines.min()),
        float(cosines.mean()),
        paired(eer),
        paired(lambda curve: tar_at_far(curve, asked, int(np.count_nonzero(~scores[0].genuine)))),
        asked,
        points[0],
        points[1],
        far,
        frr,
    )
