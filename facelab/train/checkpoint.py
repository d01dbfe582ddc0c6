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

FORMAT = 2  # 2: a recipe holds only the arguments that its loss takes


@dataclass
class Checkpoint:
    """The state of a training after ``step`` steps.

    Attributes:
        recipe: how it was and will be trained.
        identities: whom the class centres stand for, in the order of the labels.
        data: a fingerprint of the training set; resuming on another set is an error.
        step: optimiser steps done.
        steps_per_epoch: optimiser steps in one pass over the training set.
        network, loss: parameters and buffers.
        optimizer: its state; empty once the training is complete.
        history: one row per epoch: ``epoch``, ``loss``, ``accuracy`` (on the augmented training images, without
            margin), ``learning_rate`` (at the end), ``seconds``.
    """

    recipe: Recipe
    identities: list[str]
    data: str
    step: int
    steps_per_epoch: int
    network: dict[str, Tensor] = field(default_factory=dict)
    loss: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.epochs * self.steps_per_epoch

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
