"""How long a batch takes: every kind in turns, in one process, so that what else the machine does slows all alike."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Latency:
    """Median milliseconds of one call: by the clock, and of all this process's threads on the CPU."""

    wall: float
    cpu: float


def latency(
    kinds: Mapping[str, Callable[[np.ndarray], object]], batch: np.ndarray, *, rounds: int = 15
) -> dict[str, Latency]:
    """Return what each kind takes for a batch; the first round warms up.

    Args:
        kinds: what is called, by name.
        batch: chips, shape (n, height, width, 3), uint8.
        rounds: that are counted.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):
        for name, call in kinds.items():
            start = time.perf_counter(), time.process_time()
            call(batch)
            taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    return {name: Latency(*(1000 * np.median(times[1:], axis=0)).tolist()) for name, times in taken.items()}
