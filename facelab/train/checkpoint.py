"""A training at one moment: enough to go on exactly, and enough to use the network."""

import pickle
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.errors import FacelabError
from facelab.files import atomic_write
from facelab.models import Embedder
from facelab.train.recipe import Recipe

FORMAT = 1


@dataclass
class Checkpoint:
    """The state of a training after ``step`` steps.

    Attributes:
        recipe: how it was and will be trained.
        identities: whom the class centres stand for, in the order of the labels.
        data: a fingerprint of the training set; resuming on another set is an error.
        step: optimiser steps done.
        total_steps: optimiser steps of the whole training.
        network, loss: parameters and buffers.
        optimizer: its state; empty once the training is complete.
        history: one row per finished epoch: ``epoch``, ``loss``, ``accuracy`` (on the training images as they were
            augmented, without margin), ``learning_rate``, ``seconds``.
        running: sums over the epoch that is not finished yet.
    """

    recipe: Recipe
    identities: list[str]
    data: str
    step: int
    total_steps: int
    network: dict[str, Tensor]
    loss: dict[str, Tensor]
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    running: dict[str, float] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether the training has ended."""
        return self.step >= self.total_steps

    def build_network(self) -> nn.Module:
        """Return the network with the trained weights."""
        network = self.recipe.model_copy(update={"pretrained": False}).build_network()
        network.load_state_dict(self.network)
        return network

    def embedder(self, device: str | torch.device = "cpu") -> Embedder:
        """Return the trained network, ready to embed chips."""
        return Embedder(self.build_network(), size=self.recipe.size, device=device)

    def save(self, path: Path | str) -> None:
        """Write to ``path``; a reader never sees half a file."""
        values = {**asdict(self), "recipe": self.recipe.model_dump(), "format": FORMAT}
        with atomic_write(path) as temporary:
            try:
                torch.save(values, temporary)
            except RuntimeError as error:  # torch reports a full disk so
                raise FacelabError(f"cannot write {path}: {error}. Free space or choose another folder.") from error

    @classmethod
    def load(cls, path: Path | str) -> "Checkpoint":
        """Read a checkpoint; only tensors and plain values are unpickled, never code.

        Raises:
            FacelabError: the file is missing, damaged, or of another format.
        """
        try:
            values = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError as error:
            raise FacelabError(f"there is no checkpoint {path}. Check the path.") from error
        except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
            raise FacelabError(f"{path} is damaged or not a checkpoint; delete it to train again.") from error
        if not isinstance(values, dict) or values.pop("format", None) != FORMAT:
            raise FacelabError(f"{path} is not a checkpoint of this version of facelab; delete it to train again.")
        return cls(**{**values, "recipe": Recipe.parse(values["recipe"], source=str(path))})
