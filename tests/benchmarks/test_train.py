"""Throughput of the training loop beside a bare PyTorch loop on random tensors of the same shape.

``pytest tests/benchmarks/test_train.py --benchmark-only -s``. The two take turns, some steps each, so
that what else the machine does slows both; ``extra_info`` of ``--benchmark-json`` has the images per second of both and
their ratio. Ours decodes nothing here (the chips are in memory), but turns bytes into floats, augments, measures the
accuracy, and writes its history; the bare loop does nothing but forward, backward and step.
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

BATCH, DIM, IDENTITIES, ROUNDS = 32, 128, 48, 12


class _Stop(Exception):
    pass


def bare_step(size: int) -> Iterator[float]:
    """Yield the seconds of each step."""
    network = resnet34(DIM).to(memory_format=torch.channels_last).train()
    head = nn.Linear(DIM, IDENTITIES)
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.01, momentum=0.9, weight_decay=5e-4)
    images = torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(BATCH) % IDENTITIES
    while True:
        started = time.perf_counter()
        loss = nn.functional.cross_entropy(head(network(images)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield time.perf_counter() - started


@pytest.mark.parametrize("size", [64, 112])
def test_training_loop(benchmark, size):
    images = np.random.default_rng(0).integers(0, 256, (10 * BATCH, size, size, 3), dtype=np.uint8)
    identity = [f"{i % IDENTITIES:02d}" for i in range(len(images))]
    chips = FaceSet("random", images, pd.DataFrame({"identity": identity}))
    recipe = Recipe.parse({"size": size, "embedding_dim": DIM, "epochs": 100, "batch_size": BATCH})
    bare, ours, theirs, mark = bare_step(size), [], [], [0.0]

    def watch(step, embeddings, labels, loss):
        """Between two calls lies one whole step of ours; then the bare loop has its turn."""
        ours.append(time.perf_counter() - mark[0])
        if step == ROUNDS:
            raise _Stop
        theirs.append(next(bare))
        mark[0] = time.perf_counter()

    def run():
        with pytest.raises(_Stop):
            fit(recipe, chips, device="cpu", watch=watch)

    benchmark.pedantic(run, rounds=1)
    own, other = (BATCH / statistics.median(seconds[2:]) for seconds in (ours, theirs))
    benchmark.extra_info |= {"images_per_second": own, "bare_images_per_second": other, "ratio": own / other}
    print(f"\n{size}x{size}: {own:.1f} images/s, bare loop {other:.1f}, ratio {own / other:.3f}")
