"""The training loop: one for every loss."""

import hashlib
import math
import time
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch.utils.data import DataLoader

from facelab.data.faceset import FaceSet
from facelab.device import resolve_device
from facelab.errors import FacelabError
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
    show_progress: bool = False,
) -> Checkpoint:
    """Train a network on chips.

    All that is random (order, augmentation, dropout) is a function of the recipe's seed and the step, so a training
    that was interrupted at any step and resumed ends with the same bits as one that was not (on the same machine).

    Args:
        recipe: what to train.
        faces: the chips; all of one size, or of ``recipe.size`` after resizing.
        device: see :func:`facelab.device.resolve_device`.
        precision: ``"bf16"`` runs the network under autocast; losses stay in float32.
        checkpoint: where to save, every ``checkpoint_seconds`` and at the end. If the file exists, the training goes on
            from it.
        show_progress: show a bar with the loss and the time left.

    Returns:
        The complete :class:`Checkpoint`.

    Raises:
        FacelabError: the checkpoint belongs to another recipe or data set, the set is too small, or the loss is not
            finite.
    """
    device = resolve_device(device)
    batch_size = min(recipe.batch_size, len(faces))
    if batch_size < 2 or len(faces.identities) < 2:
        raise FacelabError(f"{faces!r} is too small to train on: at least 2 images and 2 identities are needed.")
    steps_per_epoch = len(faces) // batch_size  # an incomplete last batch is left out; another one each epoch
    state = _resume(checkpoint, recipe, faces) or Checkpoint(
        recipe, faces.identities, _fingerprint(faces), 0, recipe.epochs * steps_per_epoch, {}, {}
    )
    if state.complete:
        return state
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(recipe.seed)
        network = recipe.build_network().to(device, memory_format=torch.channels_last)
        loss = recipe.build_loss(len(faces.identities)).to(device)
        parameters = [*network.parameters(), *loss.parameters()]
        optimizer = torch.optim.SGD(
            parameters,
            recipe.learning_rate,
            recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
        )
        if state.step:
            (
                network.load_state_dict(state.network),
                loss.load_state_dict(state.loss),
                optimizer.load_state_dict(state.optimizer),
            )
        network.train(), loss.train()

        saved = started = time.monotonic()
        with progress_bar(
            f"train {recipe.loss.name}", state.total_steps, show=show_progress, completed=state.step
        ) as bar:
            while not state.complete:
                epoch, first = divmod(state.step, steps_per_epoch)
                batches = _epoch_order(len(faces), recipe.seed, epoch)[: steps_per_epoch * batch_size].reshape(
                    -1, batch_size
                )
                for chips, labels in DataLoader(faces, batch_sampler=batches[first:].tolist()):
                    generator = torch.Generator().manual_seed(_seed(recipe.seed, state.step))
                    torch.manual_seed(_seed(recipe.seed, state.step, 1))  # dropout reads the global state
                    _apply_schedule(recipe, state, optimizer, loss)
                    images, labels = to_input(chips.to(device), recipe.size), labels.to(device)
                    if recipe.augment:
                        images = augment(images, generator)
                    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                        embeddings = network(images.contiguous(memory_format=torch.channels_last))
                    value = loss(embeddings, labels)
                    optimizer.zero_grad()
                    value.backward()
                    torch.nn.utils.clip_grad_norm_(parameters, recipe.clip_norm)
                    optimizer.step()
                    with torch.no_grad():
                        correct = (loss.logits(embeddings).argmax(dim=1) == labels).sum()
                    _count(state, value.item(), correct.item(), len(labels))
                    bar.update(note=f"loss {value.item():.2f}")
                    if checkpoint and time.monotonic() - saved > checkpoint_seconds and not state.complete:
                        _collect(state, network, loss, optimizer).save(checkpoint)
                        saved = time.monotonic()
                lap = time.monotonic()
                _end_epoch(state, epoch, optimizer.param_groups[0]["lr"], lap - started)
                started = lap
    _collect(state, network, loss)
    if checkpoint:
        state.save(checkpoint)
    return state


def _apply_schedule(recipe: Recipe, state: Checkpoint, optimizer: torch.optim.Optimizer, loss: torch.nn.Module) -> None:
    """Set this step's learning rate (linear warm-up, then half a cosine) and margin (linear warm-up)."""
    done = (state.step + 1) / state.total_steps
    if done < recipe.warmup:
        factor = done / recipe.warmup
    else:
        factor = (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2
    for group in optimizer.param_groups:
        group["lr"] = recipe.learning_rate * factor
    if recipe.loss.margin_warmup:
        loss.margin = recipe.loss.margin * min(1.0, done / recipe.loss.margin_warmup)


def _count(state: Checkpoint, value: float, correct: int, n: int) -> None:
    if not math.isfinite(value):
        raise FacelabError(
            f"the loss is {value} at step {state.step}: the training has diverged. "
            "Try a lower learning_rate, a longer warmup, a smaller scale or margin."
        )
    state.step += 1
    for name, amount in (("loss", value * n), ("correct", correct), ("seen", n)):
        state.running[name] = state.running.get(name, 0.0) + amount


def _end_epoch(state: Checkpoint, epoch: int, learning_rate: float, seconds: float) -> None:
    seen = state.running["seen"]
    row = {"epoch": epoch + 1, "loss": state.running["loss"] / seen, "accuracy": state.running["correct"] / seen}
    state.history.append({**row, "learning_rate": learning_rate, "seconds": seconds})
    state.running = {}


def _collect(
    state: Checkpoint, network: torch.nn.Module, loss: torch.nn.Module, optimizer: torch.optim.Optimizer | None = None
) -> Checkpoint:
    state.network, state.loss = (
        {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()} for module in (network, loss)
    )
    state.optimizer = optimizer.state_dict() if optimizer else {}
    return state


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
    """Identify a training set by its identities, labels, and a sample of its pixels."""
    digest = hashlib.sha256("\n".join(faces.identities).encode())
    digest.update(faces.labels.tobytes())
    for index in np.linspace(0, len(faces) - 1, num=min(len(faces), 64)).astype(int):
        digest.update(np.ascontiguousarray(faces[index][0]).tobytes())
    return digest.hexdigest()


def _seed(*key: int) -> int:
    return int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _epoch_order(n: int, seed: int, epoch: int) -> np.ndarray:
    return np.random.default_rng(np.random.SeedSequence((seed, epoch, 2))).permutation(n)
