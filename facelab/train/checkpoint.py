"""A training at one moment: enough to go on exactly, and enough to use the network."""

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from facelab.errors import FacelabError
from facelab.files import atomic_write, open_file
from facelab.models import Embedder, pretrained, shipped_networks
from facelab.synth.recipe import PRESETS
from facelab.train.recipe import Recipe

FORMAT = 3  # 3: a moving average of the weights, two groups of parameters in the optimiser
READS = (2, 3)  # a complete training of format 2 is as good as one of format 3
SHIPPED_ON = "synthfaces-500"  # the set that the networks in the package were trained on, see networks/card.md


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
        average: the moving average of the network's, if the recipe wants one.
        optimizer: its state; empty once the training is complete.
        history: one row per epoch: ``epoch``, ``loss``, ``accuracy`` (on the augmented training images, without
            margin), ``learning_rate`` (at the end), ``images`` (so many were seen), ``seconds``. Loss and accuracy are
            means over the epoch's batches, each as it was before its own step.
        started_from: SHA-256 of the network whose weights it began with, see :func:`network_sha256`; empty if none.
    """

    recipe: Recipe
    identities: list[str]
    data: str
    step: int
    steps_per_epoch: int
    network: dict[str, Tensor] = field(default_factory=dict)
    loss: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    started_from: str = ""

    @property
    def total_steps(self) -> int:
        """Optimiser steps of the whole training."""
        return self.recipe.epochs * self.steps_per_epoch

    @property
    def complete(self) -> bool:
        """Whether the training has ended."""
        return self.step >= self.total_steps

    @property
    def speed(self) -> float:
        """Images per second, in the epoch that is running or was the last."""
        return self.history[-1]["images"] / self.history[-1]["seconds"]

    def build_network(self) -> nn.Module:
        """Return the network with the trained weights: their moving average, if there is one."""
        recipe = self.recipe.model_copy(update={"pretrained": False})
        averaged = {name.removeprefix("module."): x for name, x in self.average.items() if name != "n_averaged"}
        with torch.device("meta"):  # before memory is taken for what a file claims
            _check_shapes("network", recipe.build_network().state_dict(), averaged or self.network)
        network = recipe.build_network()
        network.load_state_dict(averaged or self.network)
        return network

    def check(self) -> None:
        """Check that a training can go on from here: that weights, optimiser and history are those of the recipe.

        Raises:
            FacelabError: they are not.
        """
        if not self.step:
            return
        with torch.device("meta"):
            network = self.recipe.model_copy(update={"pretrained": False}).build_network()
            loss = self.recipe.build_loss(len(self.identities))
        _check_shapes("network", network.state_dict(), self.network)
        if not self.recipe.loss.centre_sampling:  # with it, a process builds its own part
            _check_shapes("loss", loss.state_dict(), self.loss)
        if len(self.history) != -(-self.step // self.steps_per_epoch):
            raise FacelabError(f"its history has {len(self.history)} epochs, and step {self.step}")
        if self.complete:
            return
        groups = self.optimizer.get("param_groups"), self.optimizer.get("state")
        if not (isinstance(groups[0], list) and len(groups[0]) == 2 and isinstance(groups[1], dict)):
            raise FacelabError("it has no state of an optimiser")
        shapes = [tensor.shape for tensor in (*self.recipe.freeze(network), *loss.parameters())]
        for number, kept in groups[1].items():
            for tensor in kept.values() if isinstance(kept, dict) and number in range(len(shapes)) else [None]:
                fits = isinstance(tensor, Tensor) and (tensor.ndim == 0 or tensor.shape == shapes[number])
                if not (fits or self.recipe.loss.centre_sampling):
                    raise FacelabError(f"the optimiser's state of parameter {number} does not fit")

    def embedder(self, device: str | torch.device = "auto", *, flip: bool = False) -> Embedder:
        """Return the trained network, ready to embed chips."""
        return Embedder(self.build_network(), size=self.recipe.size, device=device, flip=flip)

    def save(self, path: Path | str) -> None:
        """Write to ``path``; a reader never sees half a file.

        While the training goes on, the checkpoint before is kept beside it, see :func:`previous_path`.

        Raises:
            FacelabError: the disk is full or the folder cannot be written; what was there is kept.
        """
        path, previous = Path(path), previous_path(path)
        values = {**self.__dict__, "recipe": self.recipe.model_dump(), "format": FORMAT}
        with atomic_write(path) as temporary:
            try:
                torch.save(values, temporary)
            except RuntimeError as error:  # torch reports a full disk so
                raise FacelabError(f"cannot write {path}: {error}. Free space or choose another folder.") from error
            if path.exists():
                path.replace(previous)
        if self.complete:
            previous.unlink(missing_ok=True)

    @classmethod
    def load_newest(
        cls,
        path: Path | str,
        report: Callable[[str], None],
        check: Callable[["Checkpoint"], None] = lambda state: None,
    ) -> "Checkpoint | None":
        """Read the checkpoint of a training, or the one before if it is damaged or missing; None if there is none.

        Args:
            path: where it was saved.
            report: is told which checkpoint is damaged; that file is put aside under a name that ends in ``.damaged``.
            check: also makes a checkpoint a damaged one, by an error.

        Raises:
            FacelabError: it is damaged, and there is none before it.
        """
        path, previous = Path(path), previous_path(path)
        if not previous.exists():
            return cls._load_checked(path, check) if path.exists() else None
        try:
            return cls._load_checked(path, check)
        except FacelabError as error:
            state = cls.load(previous)
            if path.exists():
                report(f"{error} Going on from the checkpoint before it, step {state.step}.")
                path.replace(path.with_name(f"{path.name}.damaged"))
            return state

    @classmethod
    def open(cls, network: Path | str) -> "Checkpoint":
        """Read a checkpoint by its path, or one of :func:`facelab.models.shipped_networks` by its name.

        Raises:
            FacelabError: see :meth:`load` and :func:`facelab.models.pretrained`.
        """
        about = shipped_networks().get(str(network))
        if about is None:
            return cls.load(network)
        recipe, people = Recipe.parse(about["recipe"], source=str(network)), PRESETS[SHIPPED_ON]
        identities = [f"{SHIPPED_ON}/p{number:05d}" for number in range(people.identities - people.held_out)]
        weights = pretrained(str(network), device="cpu").network.state_dict()
        return cls(recipe, identities, "", step=recipe.epochs, steps_per_epoch=1, network=weights)

    @classmethod
    def load(cls, path: Path | str) -> "Checkpoint":
        """Read a checkpoint; only tensors and plain values are unpickled, never code.

        The file is an archive whose parts have checksums (CRC-32), which are compared: one changed bit is seen.

        Raises:
            FacelabError: the file is missing, damaged, or of another format.
        """
        if not Path(path).exists():
            raise FacelabError(
                f"there is no checkpoint {path}. Check the path, or take a network of facelab's own: "
                f"{', '.join(shipped_networks())}."
            )
        with open_file(path) as file:
            try:
                with zipfile.ZipFile(file) as archive:
                    if any(part.compress_type != zipfile.ZIP_STORED for part in archive.infolist()):
                        raise FacelabError("its parts are compressed")
                    if part := archive.testzip():
                        raise FacelabError(f"the checksum of its part {part} is wrong")
                file.seek(0)
                values = torch.load(file, map_location="cpu", weights_only=True)
                state = cls._of(values)
            except Exception as error:  # what a damaged file raises is without end
                raise _no_checkpoint(path, error) from error
        if state is None:
            raise FacelabError(f"{path} is not a checkpoint of this version of facelab; train again, to another place.")
        return state

    @classmethod
    def _load_checked(cls, path: Path, check: Callable[["Checkpoint"], None]) -> "Checkpoint":
        state = cls.load(path)
        try:
            check(state)
        except Exception as error:
            raise _no_checkpoint(path, error) from error
        return state

    @classmethod
    def _of(cls, values: Any) -> "Checkpoint | None":
        """Make a checkpoint of what a file holds, every field of its type; None of another version."""
        form = values.pop("format", None) if isinstance(values, dict) else None
        if form not in READS or (form < FORMAT and values.get("optimizer")):
            return None
        kinds = {"recipe": dict, "identities": list, "data": str, "step": int, "steps_per_epoch": int, "history": list}
        for name, kind in (kinds | dict.fromkeys(("network", "loss", "optimizer"), dict)).items():
            if type(values.get(name)) is not kind:
                raise FacelabError(f"its field {name} is missing, or of another type")
        state = cls(**{**values, "recipe": Recipe.parse(values["recipe"], source="its recipe")})
        tensors = [*state.network.values(), *state.loss.values(), *state.average.values()]
        rows = [row.get(name) for row in state.history for name in ("epoch", "loss", "accuracy", "images", "seconds")]
        if not (
            all(isinstance(tensor, Tensor) for tensor in tensors)
            and all(isinstance(name, str) for name in (*state.identities, *state.network, *state.loss, *state.average))
            and all(isinstance(number, int | float) for number in rows)
            and isinstance(state.started_from, str)
            and state.step >= 0 < state.steps_per_epoch
        ):
            raise FacelabError("a field of it holds something else")
        return state


def _no_checkpoint(path: Path | str, error: Exception) -> FacelabError:
    why = f" ({str(error).rstrip('.')})" if isinstance(error, FacelabError) else ""
    return FacelabError(
        f"{path} is damaged, or not a checkpoint that facelab train saved{why}. Check the path; to train again to the "
        "same place, move the file away first."
    )


def _check_shapes(what: str, expected: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> None:
    for name in dict.fromkeys([*expected, *found]):
        shapes = [tuple(part[name].shape) if name in part else "nothing" for part in (expected, found)]
        if shapes[0] != shapes[1]:
            raise FacelabError(f"the {what} of its recipe has {shapes[0]} for {name}, and it holds {shapes[1]}.")


def previous_path(path: Path | str) -> Path:
    """Return where the checkpoint before the one at ``path`` is kept: ``NAME.previous.pt`` beside it."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def network_sha256(network: Path | str) -> str:
    """Return the SHA-256 of the file of a network that :meth:`Checkpoint.open` takes, in hexadecimal digits."""
    if about := shipped_networks().get(str(network)):
        return about["sha256"]
    with open_file(network) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
