"""Throughput of the training loop beside a bare PyTorch loop on random tensors of the same shape.

``pytest tests/benchmarks/test_train.py --benchmark-only -s``. The two take turns, some steps each, so
that what else the machine does slows both; ``extra_info`` of ``--benchmark-json`` has the images per second of both and
their ratio. On a GPU, if there is one, both compute in bfloat16. Ours decodes nothing here (the chips are in memory),
but turns bytes into floats, augments, measures the accuracy, shortens long gradients, and writes its history; the bare
loop does nothing but forward, backward and step, on tensors that are where they are needed.
"""

import statistics
import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from facelab.data import FaceSet
from facelab.models import resnet34
from facelab.train import Recipe, fit

CPU, GPU = torch.device("cpu"), torch.device("cuda")
DIM, IDENTITIES, TURNS = 128, 48, 12


class _Stop(Exception):
    pass


def bare_steps(size: int, batch: int, device: torch.device) -> Iterator[None]:
    """Make one step each time it is asked for the next."""
    network = resnet34(DIM).to(device, memory_format=torch.channels_last).train()
    head = nn.Linear(DIM, IDENTITIES).to(device)
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = torch.randn(batch, 3, size, size, device=device).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(batch, device=device) % IDENTITIES
    while True:
        with torch.autocast(device.type, torch.bfloat16, enabled=device == GPU):
            loss = nn.functional.cross_entropy(head(network(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield


def in_turns(size: int, batch: int, device: torch.device, turns: int = TURNS, **changes) -> tuple[float, float]:
    """Return images per second of ours and of the bare loop: the median over turns of 1 step, on a GPU 30.

    Args:
        size: of the chips, pixels.
        batch: images a step.
        device: where both compute.
        turns: so many are counted; one more before them warms up.
        changes: of the recipe.
    """
    steps = 30 if device == GPU else 1
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (40 * batch, size, size, 3), dtype=np.uint8)
    chips = FaceSet("random", images, pd.DataFrame({"identity": [f"{i % IDENTITIES:02d}" for i in range(len(images))]}))
    recipe = {"size": size, "embedding_dim": DIM, "epochs": 1000, "batch_size": batch, "learning_rate": 0.01}
    bare, ours, theirs, mark = bare_steps(size, batch, device), [], [], [0.0]

    def now() -> float:
        if device == GPU:
            torch.cuda.synchronize()
        return time.perf_counter()

    def watch(step: int, *_: object) -> None:
        """Between two calls that count lie whole steps of ours; then the bare loop has its turn."""
        if step % steps:
            return
        start = now()
        ours.append(start - mark[0])
        if len(ours) == turns + 2:
            raise _Stop
        for _ in range(steps):
            next(bare)
        mark[0] = now()
        theirs.append(mark[0] - start)

    with pytest.raises(_Stop):
        fit(
            Recipe.parse(recipe | changes),
            chips,
            device=device,
            precision="bf16" if device == GPU else "fp32",
            watch=watch,
        )
    own, other = (steps * batch / statistics.median(seconds) for seconds in (ours[2:], theirs[1:]))
    return own, other


@pytest.mark.parametrize("size", [64, 112])
@pytest.mark.parametrize(
    ("device", "batch"),
    [
        pytest.param(CPU, 32, id="cpu"),
        *[
            pytest.param(
                GPU,
                batch,
                id=f"gpu-{batch}",
                marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU"),
            )
            for batch in (128, 256)
        ],
    ],
)
def test_training_loop(benchmark, device, batch, size):
    own, other = benchmark.pedantic(in_turns, (size, batch, device), rounds=1)
    benchmark.extra_info |= {"images_per_second": own, "bare_images_per_second": other, "ratio": own / other}
    print(f"\n{size}x{size}: {own:.1f} images/s, bare loop {other:.1f}, ratio {own / other:.3f}")
