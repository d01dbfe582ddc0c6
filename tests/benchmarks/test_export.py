"""An exported network beside PyTorch, in turns, in one process, on one thread.

``pytest tests/benchmarks/test_export.py --benchmark-only -s``. The goal: int8 at least 3 times PyTorch's speed for one
chip where the CPU has VNNI, measured with a ResNet34 at 112 pixels.
"""

import numpy as np
import pytest
import torch

from facelab.device import threads
from facelab.export.graphs import graph_of
from facelab.export.int8 import quantize
from facelab.export.latency import latency
from facelab.models import Embedder, make_backbone, pretrained
from facelab.models.onnx import INPUT, open_session


@pytest.mark.parametrize("name", ["resnet34 at 112", "mobilefacenet at 64"])
def test_latency(benchmark, name, orl_chips):
    torch.manual_seed(0)
    chips = orl_chips.select(range(0, 400, 10)).array()
    if name.startswith("resnet34"):
        embed = Embedder(make_backbone("resnet34", 512), size=112, device="cpu")
    else:
        embed = pretrained("synthfaces-arcface", device="cpu")
    graph = graph_of(embed)
    kinds = {"PyTorch": embed}
    for kind, model in (("ONNX", graph), ("int8", quantize(graph, chips))):
        session = open_session(model.SerializeToString(), kind)
        kinds[kind] = lambda batch, session=session: session.run(None, {INPUT: batch})

    def measure():
        with threads(1):  # a second one waits by spinning, and its time would count
            return {number: latency(kinds, np.resize(chips, (number, *chips.shape[1:]))) for number in (1, 32)}

    for number, taken in benchmark.pedantic(measure, rounds=1).items():
        for kind, one in taken.items():
            ratio = taken["PyTorch"].cpu / one.cpu
            benchmark.extra_info[f"{kind}, batch {number}"] = ratio
            print(f"\n{name}, batch {number}, {kind}: {one.wall:.1f} ms, CPU {one.cpu:.1f} ms, {ratio:.2f} x PyTorch")
