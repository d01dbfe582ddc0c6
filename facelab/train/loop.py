"""The training loop: one for every loss."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from facelab.data.faceset import FaceSet
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.losses import Loss
from facelab.models.preprocess import to_input
from facelab.progress import progress_bar
from facelab.train.augment import augment
from facelab.train.checkpoint import Checkpoint
from facelab.train.recipe import Recipe


def fit(
    recipe: Recipe,
    faces: FaceSet,
    *,
    device: str | torch.device = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    checkpoint: Path | str | None = None,
    checkpoint_seconds: float = 30,
    watch: Callable[[int, Tensor, Tensor, Loss], None] | None = None,
    show_progress: bool = False,
) -> Checkpoint:
    """Train a network on chips.

    All that is random (order, augmentation, dropout) is a function of the recipe's seed and the step. So a training
    that was interrupted at any step and resumed ends with the same bits as one that was not (on the same machine).

    Args:
        recipe: what to train.
        faces: the chips, all of one size.
        device: see :func:`facelab.device.resolve_device`.
        precision: ``"bf16"`` runs the network under autocast; losses stay in float32.
        checkpoint: where to save, every ``checkpoint_seconds`` and at the end. If the file exists, the training goes on
            from it.
        watch: called after every step with its number, the embeddings and labels of the batch, and the loss; see what
            a training does while it does it. It gets no gradient.
        show_progress: show a bar with the loss and the time left.

    Returns:
        The complete :class:`Checkpoint`.

    Raises:
        FacelabError: the checkpoint belongs to another recipe or data set, the set is too small, or the loss is not
            finite.
    """
    device = resolve_device(device)
    state = _resume(checkpoint, recipe, faces) or _start(recipe, faces)
    if state.complete:
        return state
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        progress_bar(f"train {recipe.loss.name}", state.total_steps, show=show_progress, completed=state.step) as bar,
    ):
        torch.manual_seed(recipe.seed)
        network = recipe.build_network().to(device, memory_format=torch.channels_last).train()
        loss = recipe.build_loss(len(faces.identities)).to(device).train()
        parameters = [*network.parameters(), *loss.parameters()]
        optimizer = torch.optim.SGD(parameters, momentum=recipe.momentum, weight_decay=recipe.weight_decay)
        if state.step:
            network.load_state_dict(state.network)
            loss.load_state_dict(state.loss)
            optimizer.load_state_dict(state.optimizer)

        saved = time.monotonic()
        for chips, labels in DataLoader(faces, batch_sampler=_batches(state, len(faces))):
            started = time.monotonic()
            _set_schedule(state, optimizer, loss)
            torch.manual_seed(_seed(recipe.seed, state.step))  # dropout and augmentation read the global state
            labels = labels.to(device)
            images = to_input(chips.to(device), recipe.size)
            if recipe.augment:
                images = augment(images, torch.default_generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                embeddings = network(images.contiguous(memory_format=torch.channels_last))
            value = loss(embeddings, labels)
            optimizer.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
            optimizer.step()

            accuracy = loss.accuracy(embeddings, labels).item()
            if watch:
                watch(state.step, embeddings.detach(), labels, loss)
            _record(state, value.item(), accuracy, optimizer.param_groups[0]["lr"], time.monotonic() - started)
            bar.update(note=f"loss {value.item():.2f}")
            if checkpoint and not state.complete and time.monotonic() - saved > checkpoint_seconds:
                _collect(state, network, loss, optimizer).save(checkpoint)
                saved = time.monotonic()

    _collect(state, network, loss)
    if checkpoint:
        state.save(checkpoint)
    return state


def _start(recipe: Recipe, faces: FaceSet) -> Checkpoint:
    batch_size = min(recipe.batch_size, len(faces))
    if batch_size < 2 or len(faces.identities) < 2:
        raise FacelabError(f"{faces!r} is too small to train on: at least 2 images and 2 identities are needed.")
    return Checkpoint(
        recipe=recipe,
        identities=faces.identities,
        data=_fingerprint(faces),
        step=0,
        steps_per_epoch=len(faces) // batch_size,  # an incomplete last batch is left out, with other images each epoch
    )


def _resume(path: Path | str | None, recipe: Recipe, faces: FaceSet) -> Checkpoint | None:
    if path is None or not Path(path).exists():
        return None
    state = Checkpoint.load(path)
    if state.recipe != recipe:
        old, new = state.recipe.model_dump(), recipe.model_dump()
        name = next(name for name in new if old[name] != new[name])
        raise FacelabError(
            f"{path} was made with {name} = {old[name]}, not {new[name]}; delete it or save to another path."
        )
    if state.data != _fingerprint(faces):
        raise FacelabError(f"{path} was trained on other images than {faces!r}; delete it or save to another path.")
    return state


def _fingerprint(faces: FaceSet) -> str:
    """Identify a training set by its identities, its labels, and a sample of its pixels."""
    digest = hashlib.sha256("\n".join(faces.identities).encode())
    digest.update(faces.labels.tobytes())
    for index in np.linspace(0, len(faces) - 1, num=min(len(faces), 64)).astype(int):
        digest.update(np.ascontiguousarray(faces[index][0]).tobytes())
    return digest.hexdigest()


def _seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1)[0])


def _batches(state: Checkpoint, n: int) -> Iterator[list[int]]:
    """Yield the positions of each batch from the state's step to the end; every epoch has its own order."""
    size = min(state.recipe.batch_size, n)
    for step in range(state.step, state.total_steps):
        epoch, position = divmod(step, state.steps_per_epoch)
        order = np.random.default_rng((state.recipe.seed, epoch)).permutation(n)
        yield order[position * size : (position + 1) * size].tolist()


def _set_schedule(state: Checkpoint, optimizer: torch.optim.Optimizer, loss: nn.Module) -> None:
    """Set this step's learning rate (linear warm-up, then half a cosine) and margin (linear warm-up)."""
    recipe, done = state.recipe, (state.step + 1) / state.total_steps
    if done < recipe.warmup:
        factor = done / recipe.warmup
    else:
        factor = (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2
    for group in optimizer.param_groups:
        group["lr"] = recipe.learning_rate * factor
    if recipe.loss.margin_warmup:
        loss.margin_factor = min(1.0, done / recipe.loss.margin_warmup)


def _record(state: Checkpoint, value: float, accuracy: float, learning_rate: float, seconds: float) -> None:
    """Count one step; the last row of the history is the running mean over the epoch's batches so far."""
    if not math.isfinite(value):
        raise FacelabError(
            f"the loss is {value} at step {state.step}: the training has diverged. "
            "Try a lower learning_rate, a longer warmup, a smaller scale or margin."
        )
    epoch, before = divmod(state.step, state.steps_per_epoch)
    if before == 0:
        state.history.append({"epoch": epoch + 1, "loss": 0.0, "accuracy": 0.0, "seconds": 0.0})
    row = state.history[-1]
    row["loss"] += (value - row["loss"]) / (before + 1)
    row["accuracy"] += (accuracy - row["accuracy"]) / (before + 1)
    row["learning_rate"] = learning_rate
    row["seconds"] += seconds
    state.step += 1


def _collect(
    state: Checkpoint, network: nn.Module, loss: nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> Checkpoint:
    """Put the parameters into the state; the optimiser's only while the training goes on."""
    state.network = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
    state.loss = {name: tensor.detach().cpu() for name, tensor in loss.state_dict().items()}
    state.optimizer = optimizer.state_dict() if optimizer else {}
    return state
