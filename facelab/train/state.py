"""The moving parts of a training, made from a checkpoint and put back into it."""

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn, optim
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from facelab import processes
from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.files import claim, facelab_home, read_bytes
from facelab.train.batches import epoch_order
from facelab.train.checkpoint import Checkpoint, network_sha256, previous_path
from facelab.train.health import check_step, check_weights, warn
from facelab.train.parallel import distributed
from facelab.train.recipe import Recipe

READ = {"cuda": 25}  # steps; on other devices each one


class Training:
    """Network, loss and optimiser of a training, on a device.

    Attributes:
        network: what a step calls.
        layout: of images that the network is fastest with.
        loss: of embeddings and labels of the whole batch.
        optimizer: one group for the network, one for the loss.
    """

    def __init__(self, state: Checkpoint, device: torch.device):
        recipe = state.recipe
        torch.manual_seed(recipe.seed)
        network = recipe.build_network().to(device)
        self.layout = _layout(network, device)
        self._plain = network.to(memory_format=self.layout).train()
        self.loss = recipe.build_loss(len(state.identities)).to(device).train()
        self.optimizer = _optimizer(recipe, self._plain, self.loss)
        if state.network:
            self._plain.load_state_dict(state.network)
        if state.loss:
            self.loss.load_state_dict(state.loss)
        if state.step:
            self.optimizer.load_state_dict(_each_centre(state.optimizer, self.loss.own_rows))
        self.loss.trusts_labels = device.type == "cuda"
        self.network = distributed(self._plain, device)
        self._unread: list[Any] = []
        self._read_every = READ.get(device.type, 1)
        self._average = None
        if recipe.weight_average:
            update = get_ema_multi_avg_fn(recipe.weight_average)
            self._average = AveragedModel(self._plain, multi_avg_fn=update, use_buffers=True)
            if state.average:
                self._average.load_state_dict(state.average)

    def update(self, value: Tensor, clip_norm: float) -> None:
        """Make one optimiser step towards a smaller loss value; gradients longer than ``clip_norm`` are shortened."""
        self.optimizer.zero_grad()
        value.backward()
        gradients = [p.grad for group in self.optimizer.param_groups for p in group["params"] if p.grad is not None]
        length = self.loss.total_norm(nn.utils.get_total_norm(gradients))
        if length.is_cuda or not length <= clip_norm:  # also where it is not a number; a GPU would have to be asked
            parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grads_with_norm_(parameters, clip_norm, length)
        self.optimizer.step()
        if self._average:
            self._average.update_parameters(self._plain)

    def record(self, state: Checkpoint, value: Tensor, accuracy: Tensor, images: int, seconds: float) -> None:
        """Count one step; the last row of the history is the running mean over the epoch's batches so far.

        To read a number of a GPU is to wait for it. There the history follows now and then, at the end of an epoch, and
        before the state is saved.

        Raises:
            FacelabError: the loss of a step is not finite.
        """
        self._unread.append((value.detach(), accuracy, self.optimizer.param_groups[0]["lr"], images, seconds))
        state.step += 1
        if (state.step - 1) % self._read_every == 0 or state.step % state.steps_per_epoch == 0:
            self._read(state)

    def _read(self, state: Checkpoint) -> None:
        steps, self._unread = self._unread, []
        if not steps:
            return
        values, accuracies, *others = zip(*steps, strict=True)
        numbers = zip(torch.stack(values).tolist(), torch.stack(accuracies).tolist(), *others, strict=True)
        for step, (value, accuracy, learning_rate, images, seconds) in enumerate(numbers, state.step - len(steps)):
            check_step(step, value)
            epoch, before = divmod(step, state.steps_per_epoch)
            if before == 0:
                state.history.append({"epoch": epoch + 1, "loss": 0.0, "accuracy": 0.0, "images": 0, "seconds": 0.0})
            row = state.history[-1]
            row["loss"] += (value - row["loss"]) / (before + 1)
            row["accuracy"] += (accuracy - row["accuracy"]) / (before + 1)
            row["learning_rate"] = learning_rate
            row["images"] += images
            row["seconds"] += seconds

    def save(self, state: Checkpoint, path: Path | str | None) -> Checkpoint:
        """Put the parameters into the state, and write it if there is a path (with many processes, the first does)."""
        self.collect(state)
        if path and processes.rank() == 0:
            state.save(path)
        return state

    def collect(self, state: Checkpoint) -> Checkpoint:
        """Put the parameters into the state; the optimiser's only while the training goes on.

        Raises:
            FacelabError: the loss of a step, or a weight, is not finite.
        """
        self._read(state)
        state.network = _on_cpu(self._plain.state_dict())
        state.loss = _on_cpu(self.loss.state_dict())
        state.average = _on_cpu(self._average.state_dict()) if self._average else {}
        for tensors in (state.network, state.loss, state.average):
            check_weights(state.step, tensors)
        state.optimizer = {} if state.complete else _each_centre(self.optimizer.state_dict(), self.loss.all_rows)
        return state


def _layout(network: nn.Module, device: torch.device) -> torch.memory_format:
    """Return channels last; channels first for full convolutions on a CPU (a ResNet at 32 pixels: 0.32 s for 0.40)."""
    full = not any(isinstance(module, nn.Conv2d) and module.groups > 1 for module in network.modules())
    return torch.contiguous_format if full and device.type == "cpu" else torch.channels_last


def _each_centre(optimizer: dict[str, Any], rows: Callable[[Tensor], Tensor]) -> dict[str, Any]:
    """Apply ``rows`` to what the optimiser remembers of each class centre: from this process's part to the whole or
    back.
    """
    state = dict(optimizer["state"])
    for number in optimizer["param_groups"][1]["params"]:  # the loss's
        if number in state:
            state[number] = {name: rows(x) if x.ndim == 2 else x for name, x in state[number].items()}
    return {**optimizer, "state": state}


def _on_cpu(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu() for name, tensor in tensors.items()}


def _optimizer(recipe: Recipe, network: nn.Module, loss: nn.Module) -> optim.Optimizer:
    groups: list[dict[str, Any]] = [
        {"params": recipe.freeze(network), "peak": recipe.learning_rate},
        {"params": list(loss.parameters()), "peak": recipe.centre_learning_rate or recipe.learning_rate},
    ]
    if not any(group["params"] for group in groups):
        raise FacelabError(
            f"{recipe.loss.name} has no class centres and the network is frozen: nothing is left to train."
        )
    fused = next(network.parameters()).device.type in ("cuda", "cpu") or None  # one pass; None: as torch does it
    if recipe.optimizer == "adamw":
        return optim.AdamW(groups, betas=(recipe.momentum, 0.999), weight_decay=recipe.weight_decay, fused=fused)
    return optim.SGD(groups, momentum=recipe.momentum, weight_decay=recipe.weight_decay, fused=fused)


class Clock:
    """Measures the steps, and tells when it is time to save."""

    def __init__(self, save_seconds: float):
        self._save_seconds = save_seconds
        self._saved = self._lap = time.monotonic()

    def lap(self) -> float:
        """Return the seconds since the last lap: one step, with the time to load its images."""
        before, self._lap = self._lap, time.monotonic()
        return self._lap - before

    def is_time_to_save(self) -> bool:
        """Whether the last save is so long ago; the processes agree on it, as they save together."""
        due = processes.from_first(lambda: time.monotonic() - self._saved > self._save_seconds)
        if due:
            self._saved = time.monotonic()
        return due


def seed_step(seed: int, step: int) -> None:
    """Make all that is random in a step a function of seed and step."""
    torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))


def start_or_resume(
    recipe: Recipe, faces: FaceSet, path: Path | str | None, start_from: Path | str | None = None
) -> Checkpoint:
    """Return the state to go on from: that of the checkpoint, or a new one, see :func:`facelab.train.fit`.

    Raises:
        FacelabError: the checkpoint belongs to another recipe, data set or start; the set is too small; the network to
            start from is another one than the recipe's; or a file beside the checkpoint would be replaced that facelab
            did not make.
    """
    found = Checkpoint.load_newest(path, warn, Checkpoint.check) if path else None
    state = _resume(found, recipe, faces, path, start_from) if found else _start(recipe, faces, start_from)
    if path and not state.complete:
        path = Path(path)
        claim(path.parent, [path.name, previous_path(path).name, path.with_suffix(".csv").name], known=_is_of_training)
    return state


def _is_of_training(path: Path) -> bool:
    """Say whether a file begins as a checkpoint (an archive) or as the log of a training does."""
    return read_bytes(path).startswith((b"PK\x03\x04", b"epoch,"))


def _resume(
    state: Checkpoint, recipe: Recipe, faces: FaceSet, path: Path | str | None, start_from: Path | str | None
) -> Checkpoint:
    """Check that a training is the one that is asked for."""
    if recipe.pretrained == "if-available":
        recipe = recipe.model_copy(update={"pretrained": state.recipe.pretrained})
    if state.recipe != recipe:
        name, old, new = _first_difference(state.recipe.model_dump(), recipe.model_dump())
        raise FacelabError(
            f"{path} was made with {name} = {old}, not {new}; save to another path, or move it away. "
            f"To begin another training with its weights: --start-from {path}."
        )
    if state.data != _fingerprint(faces):
        raise FacelabError(f"{path} was trained on other images than {faces!r}; save to another path, or move it away.")
    began = network_sha256(start_from) if start_from else ""
    if state.started_from != began:
        of, asked = (f"the network of SHA-256 {sha[:12]}..." if sha else "none" for sha in (state.started_from, began))
        raise FacelabError(
            f"{path} began with the weights of {of}, not of {asked}; give the same --start-from, or save elsewhere."
        )
    return state


def _first_difference(old: dict[str, Any], new: dict[str, Any]) -> tuple[str, Any, Any]:
    """Return the name of the first field that differs, such as ``loss.margin``, and both values."""
    name = next(name for name in new if old[name] != new[name])
    if isinstance(old[name], dict):
        inner, *values = _first_difference(old[name], new[name])
        return (f"{name}.{inner}", *values)
    return name, old[name], new[name]


def _start(recipe: Recipe, faces: FaceSet, start_from: Path | str | None) -> Checkpoint:
    if len(faces) < 2 or len(faces.identities) < 2:
        raise FacelabError(f"{faces!r} is too small to train on: at least 2 images and 2 identities are needed.")
    steps = len(epoch_order(recipe, faces.labels, 0))
    if recipe.pretrained == "if-available":
        recipe = recipe.model_copy(update={"pretrained": not start_from and _imagenet_is_here(recipe)})
    state = Checkpoint(recipe, faces.identities, _fingerprint(faces), step=0, steps_per_epoch=steps)
    if start_from:
        _take_weights(state, start_from)
    elif recipe.frozen and not recipe.pretrained:
        raise FacelabError(
            f"frozen = {list(recipe.frozen)}: layers of random weights would stay random; give a network to "
            "--start-from, or pretrained = true."
        )
    return state


def _take_weights(state: Checkpoint, start_from: Path | str) -> None:
    """Begin with the weights of another training: the network's, and the loss's if identities and loss are the same."""
    recipe, other = state.recipe, Checkpoint.open(start_from)
    if recipe.pretrained:
        raise FacelabError("pretrained = true and --start-from: a network begins with one set of weights; choose one.")
    weights = other.build_network().state_dict()
    with torch.device("meta"):
        expected = recipe.build_network().state_dict()
        of_loss = recipe.build_loss(len(state.identities)).state_dict()
    if _shapes(weights) != _shapes(expected):
        fields = ("backbone", "embedding_dim", "size")
        theirs = " ".join(f"--set {field}={getattr(other.recipe, field)}" for field in fields)
        raise FacelabError(f"{start_from} is another network than the recipe's; give {theirs}.")
    state.network = weights
    same = other.identities == state.identities and other.recipe.loss.name == recipe.loss.name
    if same and _shapes(other.loss) == _shapes(of_loss):
        state.loss = other.loss
    state.started_from = network_sha256(start_from)


def _shapes(tensors: dict[str, Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in tensors.items()}


def _imagenet_is_here(recipe: Recipe) -> bool:
    try:
        recipe.model_copy(update={"pretrained": True}).build_network()
    except FacelabError as error:
        warn(f"{error} Starting from random weights.")
        return False
    return True


def cache_path(folder: str, name: str, recipe: Recipe, faces: FaceSet) -> Path:
    """Return where facelab's cache keeps a training: another recipe or other faces, another file.

    What a recipe does not change has no part in it, so that a new field of recipes leaves every file where it is.
    """
    changes = json.dumps(recipe.changes(), sort_keys=True)
    digest = hashlib.sha256((changes + _fingerprint(faces)).encode()).hexdigest()[:8]
    return facelab_home() / folder / f"{name}-{digest}.pt"


def _fingerprint(faces: FaceSet) -> str:
    """Identify a training set by its identities, its labels, and a sample of its pixels."""
    digest = hashlib.sha256("\n".join(faces.identities).encode(errors="surrogateescape"))
    digest.update(faces.labels.tobytes())
    for index in np.linspace(0, len(faces) - 1, num=min(len(faces), 64)).astype(int):
        digest.update(np.ascontiguousarray(faces[index][0]).tobytes())
    return digest.hexdigest()
