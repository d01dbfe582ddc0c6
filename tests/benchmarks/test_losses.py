"""Time and peak memory of ArcFace beside pytorch-metric-learning's, forward and backward.

``pytest tests/benchmarks/test_losses.py --benchmark-only --benchmark-columns=min,median,rounds``; the goal: 0.75 times
the peer's time. The peak of memory is in the ``extra_info`` of ``--benchmark-json``.
"""

import math
import multiprocessing
import resource

import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch import nn

from facelab.losses import ArcFace

BATCH, DIM = 256, 512
LIBRARIES = ["facelab", "pytorch-metric-learning"]
ROUNDS = {500: 200, 10_575: 10, 100_000: 3}  # 10,575 identities: CASIA-WebFace


def make(library: str, identities: int) -> nn.Module:
    if library == "facelab":
        return ArcFace(identities, DIM, margin=0.5, scale=64)
    return ArcFaceLoss(identities, DIM, margin=math.degrees(0.5), scale=64)


def step(loss: nn.Module, embeddings: torch.Tensor, labels: torch.Tensor) -> None:
    loss.zero_grad()
    embeddings.grad = None
    loss(embeddings, labels).backward()


def batch(identities: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    embeddings = torch.randn(BATCH, DIM, generator=generator, requires_grad=True)
    return embeddings, torch.randint(0, identities, (BATCH,), generator=generator)


def peak_memory(library: str, identities: int) -> float:
    """Return by how many MB one process grows in two steps, loss included; run in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    loss, data = make(library, identities), batch(identities)
    for _ in range(2):
        step(loss, *data)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


@pytest.mark.parametrize("identities", ROUNDS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_forward_and_backward(benchmark, library, identities):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        benchmark.extra_info["peak_memory_mb"] = pool.apply(peak_memory, (library, identities))
    benchmark.group = f"{identities:,} identities"
    loss, data = make(library, identities), batch(identities)
    benchmark.pedantic(step, (loss, *data), rounds=ROUNDS[identities], warmup_rounds=1)
