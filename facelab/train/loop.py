"""The training loop: one for every loss."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from facelab import processes
from facelab.data.faceset import FaceSet
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.losses import Loss
from facelab.models.preprocess import to_input
from facelab.progress import progress_bar
from facelab.train.augment import augment
from facelab.train.batches import held_in_memory, load_batches
from facelab.train.checkpoint import Checkpoint
from facelab.train.health import check_epoch, check_lengths
from facelab.train.log import Log
from facelab.train.recipe import Recipe
from facelab.train.schedule import set_schedule
from facelab.train.state import Clock, Training, seed_step, start_or_resume
from facelab.workers import check_workers, deaths_said


def fit(
    recipe: Recipe,
    faces: FaceSet,
    *,
    device: str | torch.device = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
    checkpoint: Path | str | None = None,
    start_from: Path | str | None = None,
    checkpoint_seconds: float = 30,
    memory_gb: float = 2,
    workers: int = 0,
    tensorboard: bool = False,
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
        checkpoint: where to save, every ``checkpoint_seconds`` and at the end, with a table of the epochs (``.csv``)
            beside it. If the file exists, the training goes on from it.
        start_from: begin a new training with the weights of a network that :meth:`facelab.train.Checkpoint.open` takes;
            with its class centres too, if loss and names of the identities are the same. The schedule begins anew.
            The recipe's ``frozen`` layers keep these weights. The same is to be given when the training goes on.
        memory_gb: chips are decoded once and held in memory if they fit in so much; else by ``workers`` processes.
        tensorboard: also write the epochs for TensorBoard, if it is installed.
        watch: called in every step with its number (from 0), the embeddings and labels of the batch, and the loss; see
            what a training does while it does it. All are as the step's loss value was computed from them: the step
            moves weights and class centres afterwards. So copy what is to be kept. It gets no gradient.
        show_progress: show a bar with the loss, the speed and the time left.

    Raises:
        FacelabError: the checkpoint belongs to another recipe, data set or start, the set is too small, the network to
            start from is not the recipe's, or the loss is not finite.
    """
    device = resolve_device(device)
    check_workers(workers, least=0)
    if not memory_gb >= 0:
        raise FacelabError(f"memory_gb={memory_gb}: give 0 or more.")
    state = processes.from_first(lambda: start_or_resume(recipe, faces, checkpoint, start_from))
    if state.complete:
        return state
    faces, recipe, clock = held_in_memory(faces, memory_gb), state.recipe, Clock(checkpoint_seconds)
    with (
        torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        progress_bar(
            f"train {recipe.loss.name}", state.total_steps, show_progress=show_progress, completed=state.step
        ) as bar,
        Log(checkpoint, tensorboard, state) as log,
        deaths_said(),
    ):
        training = Training(state, device)
        for chips, labels in load_batches(recipe, faces, state.step, device, memory_gb=memory_gb, workers=workers):
            set_schedule(recipe, (state.step + 1) / state.total_steps, training.optimizer, training.loss)
            seed_step(recipe.seed, state.step)  # augmentation and dropout read the global random state
            images = to_input(chips, recipe.size)
            if recipe.augment:
                images = augment(images, torch.default_generator, recipe.augmentation)
            with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
                embeddings = training.network(images.contiguous(memory_format=training.layout))
            embeddings, labels = processes.gather(embeddings), processes.gather(labels)
            value = training.loss(embeddings, labels)

            # Before the update: after it, the class centres have moved towards the very images that are counted.
            accuracy = training.loss.accuracy(embeddings, labels)
            if watch:
                watch(state.step, embeddings.detach(), labels, training.loss)
            training.update(value, recipe.clip_norm)
            training.record(state, value, accuracy, len(labels), clock.lap())
            bar.update(note=f"loss {state.history[-1]['loss']:.2f}, {state.speed:.0f} images/s")
            if state.step % state.steps_per_epoch == 0:
                check_epoch(state)
                if state.step == state.steps_per_epoch:
                    check_lengths(training.loss, embeddings)
                log.write(state)
            if checkpoint and not state.complete and clock.is_time_to_save():
                training.save(state, checkpoint)
        return training.save(state, checkpoint)
