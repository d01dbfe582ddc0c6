"""Eight-bit numbers: what they cost is measured on other people, and such a file is another network."""

import json
import re

import numpy as np
import onnx
import pytest

from facelab.cli import app
from facelab.errors import FacelabError
from facelab.evaluate import pair_scores, threshold_at_far
from facelab.export import int8
from facelab.models.onnx import OnnxEmbedder, read_onnx, write_onnx
from facelab.reports.threshold import read_threshold
from facelab.train import open_network


@pytest.fixture(scope="module")
def quantized(exported, chips) -> onnx.ModelProto:
    return int8.quantize(onnx.load(exported), chips[:16])


def test_it_is_small_signed_by_channel_and_standard(quantized, exported):
    assert {node.domain for node in quantized.graph.node} <= {"", "ai.onnx"}
    assert quantized.ByteSize() < 0.4 * exported.stat().st_size
    kinds = {tensor.name: tensor for tensor in quantized.graph.initializer}
    weights = [node.input[1] for node in quantized.graph.node if node.op_type == "Conv"]
    from_whom = {node.output[0]: node.input for node in quantized.graph.node if node.op_type == "DequantizeLinear"}
    for name in weights:
        weight, scale = (kinds[part] for part in from_whom[name][:2])
        assert weight.data_type == onnx.TensorProto.INT8
        assert list(scale.dims) == [weight.dims[0]]


def test_the_price_is_what_scores_say(exported, quantized, chips, tmp_path):
    path = tmp_path / "int8.onnx"
    about = read_onnx(exported).metadata
    quantized.ClearField("metadata_props")
    write_onnx(path, quantized, about | {"precision": "int8", "fingerprint": "another"})
    assert open_network(path).fingerprint == "another"
    labels = np.repeat(np.arange(4), 4)
    fp32, eight = (OnnxEmbedder(file)(chips[16:]) for file in (exported, path))
    assert 0.9 < (fp32 * eight).sum(axis=1).min() < 0.99999
    cost = int8.price(fp32, eight, labels, 0.1)
    scores = [pair_scores(part.astype(np.float64), labels) for part in (fp32, eight)]
    assert (cost.before, cost.threshold) == tuple(threshold_at_far(one, 0.1) for one in scores)
    assert cost.lowest == pytest.approx((fp32 * eight).sum(axis=1).min())
    assert (cost.chips, cost.people) == (16, 4)
    assert cost.tar[2].difference.value == pytest.approx(cost.tar[1] - cost.tar[0])
    assert len(cost.sentences()) == 4


def test_nobody_is_calibrated_and_measured_on():
    labels = np.repeat(np.arange(10), 3)
    known = np.arange(10) == 7
    calibration, measured = int8.halves(labels, known)
    assert not set(labels[calibration]) & set(labels[measured])
    assert 7 not in labels[measured]
    assert len(calibration) + len(measured) == 30
    with pytest.raises(FacelabError, match="four strangers or more"):
        int8.halves(labels, np.ones(10, bool))


def test_a_threshold_is_read_from_the_file(exported):
    known = read_threshold(exported)
    source = open_network("synthfaces-arcface")
    assert known.fingerprint == source.fingerprint
    assert known.asked == 0.001
    assert 0 < known.value < 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", "net.pt"], "must end in .onnx"),
        (["--calibrate", "orl"], "without --int8"),
        (["--int8", "--threshold", "r.json"], "threshold is chosen again"),
        (["--int8", "--far", "2"], "must lie in"),
    ],
)
def test_arguments(arguments, said, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        app(["export", "synthfaces-arcface", *arguments])
    assert stop.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())
    assert not list(tmp_path.iterdir())


def test_the_command(capsys, tmp_path, exported, monkeypatch):
    """All of the command but PyTorch's exporter, which has made this graph once."""
    monkeypatch.setattr("facelab.reports.export.network_graph", lambda network: onnx.load(exported))
    out = tmp_path / "net.onnx"
    with pytest.raises(SystemExit) as stop:
        app(["export", "synthfaces-arcface", "--out", str(out), "--int8", "--calibrate", "strangers", "--latency"])
    assert stop.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "(within 1e-05)" in said
    assert "people it was not calibrated on" in said
    assert re.search(r"95 % interval", said)
    about = read_onnx(out).metadata
    assert about["precision"] == "int8"
    assert about["fingerprint"] != open_network(exported).fingerprint
    assert read_threshold(out).fingerprint == about["fingerprint"]
    assert json.dumps(about["threshold"])
