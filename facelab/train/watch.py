"""See what a training does while it does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelab.losses import Loss, Softmax


@dataclass
class EmbeddingWatch:
    """Measures embeddings while :func:`facelab.train.fit` trains: pass it as ``watch``.

    Every ``every`` steps (an epoch, say) it takes the embeddings seen since the last time, which the network made while
    it changed, each batch before its own step, of augmented images and in training mode; so a spread is a little larger
    than that of the finished network. Embeddings are normalised first, except those of plain softmax, which reads their
    length.

    Attributes:
        measure: of embeddings (n, d) and labels (n,), such as :func:`facelab.analyze.variability_collapse`.
        every: steps between two measurements.
        steps: batches seen up to each measurement.
        history: the measurements.
    """

    measure: Callable[[np.ndarray, np.ndarray], Any]
    every: int
    steps: list[int] = field(default_factory=list)
    history: list[Any] = field(default_factory=list)
    _seen: list[tuple[Tensor, Tensor]] = field(default_factory=list, repr=False)

    def __call__(self, step: int, embeddings: Tensor, labels: Tensor, loss: Loss) -> None:
        self._seen.append((embeddings.float().cpu(), labels.cpu()))  # under autocast they are bfloat16
        if len(self._seen) < self.every:
            return
        x, y = (torch.cat(parts).numpy() for parts in zip(*self._seen, strict=True))
        self._seen.clear()
        if not isinstance(loss, Softmax):
            x = x / np.linalg.norm(x, axis=1, keepdims=True)
        self.steps.append(step + 1)
        self.history.append(self.measure(x, y))
