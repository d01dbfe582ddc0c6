"""See what a training does while it does it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facelab.errors import FacelabError
from facelab.losses import Loss
from facelab.losses.base import ClassifierLoss, MarginLoss


@dataclass
class EmbeddingWatch:
    """Measures embeddings and class centres while :func:`facelab.train.fit` trains: pass it as ``watch``.

    Every ``every`` steps (an epoch, say) it takes the embeddings seen since the last time, which the network made while
    it changed, of augmented images and in training mode; so a spread is a little larger than that of the finished
    network. Where the loss compares angles, embeddings and centres are normalised first.

    Attributes:
        measure: of embeddings (n, d), labels (n,), centres (C, d), one for each identity, and bias (C,) or None,
            such as :func:`facelab.analyze.neural_collapse`.
        every: steps between two measurements.
        steps: steps done at each measurement.
        history: the measurements.
    """

    measure: Callable[[np.ndarray, np.ndarray, np.ndarray, np.ndarray | None], Any]
    every: int
    steps: list[int] = field(default_factory=list)
    history: list[Any] = field(default_factory=list)
    _seen: list[tuple[Tensor, Tensor]] = field(default_factory=list, repr=False)

    def __call__(self, step: int, embeddings: Tensor, labels: Tensor, loss: Loss) -> None:
        self._seen.append((embeddings.float().cpu(), labels.cpu()))  # under autocast they are bfloat16
        if len(self._seen) < self.every:
            return
        if not isinstance(loss, ClassifierLoss):
            raise FacelabError(f"{type(loss).__name__} has no class centres, so there is nothing to measure against.")
        seen = [torch.cat(parts) for parts in zip(*self._seen, strict=True)]
        self._seen.clear()
        w = loss.main_centres(*(part.to(loss.centres.device) for part in seen)).cpu().numpy()
        x, y, bias = *(part.numpy() for part in seen), getattr(loss, "bias", None)
        if isinstance(loss, MarginLoss):
            x, w = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, w))
        self.steps.append(step + 1)
        self.history.append(self.measure(x, y, w, None if bias is None else bias.detach().cpu().numpy()))
