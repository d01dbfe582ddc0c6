"""What a training that goes wrong looks like, said early and with the likely remedies."""

import math
import warnings
from collections.abc import Mapping

import torch
from torch import Tensor

from facelab.errors import FacelabError
from facelab.losses import Loss, MagFace, PartialFC
from facelab.train.checkpoint import Checkpoint

EPOCHS, STEPS = 3, 50  # a shorter training is not judged
PROGRESS = 0.02  # a smaller fall of the loss (relative) or gain in accuracy is none
CHANCE = 2.0  # nor is a gain in accuracy of fewer standard errors
OUTSIDE = 0.5  # if more of the embeddings are outside of MagFace's range, its margin does not work
NEAR = 0.01  # a triplet loss so close to its margin (relative) has collapsed


def warn(message: str) -> None:
    """Say what is wrong; the training goes on."""
    warnings.warn(message, RuntimeWarning, stacklevel=3)


def check_step(step: int, value: float) -> None:
    """Stop a training whose loss is not finite."""
    if not math.isfinite(value):
        raise FacelabError(
            f"the loss is {value} at step {step}: the training has diverged. "
            "Try a lower learning_rate, a longer warmup, a smaller scale or margin."
        )


def check_weights(step: int, tensors: Mapping[str, Tensor]) -> None:
    """Stop a training whose weights are not finite, so that they are never saved.

    A loss that was finite does not tell of the step that came after it, the last one of a training, say.
    """
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise FacelabError(
                f"weights are not finite after step {step} ({name}): the training has diverged. "
                "Try a lower learning_rate, a longer warmup, a smaller scale or margin."
            )


def check_lengths(loss: Loss, embeddings: Tensor) -> None:
    """Warn if MagFace's margin does not work, as most embeddings are shorter or longer than the range it is made for.

    Args:
        loss: any; only MagFace cares.
        embeddings: of a batch after the first epoch, shape (n, D).
    """
    loss = loss.margin_loss if isinstance(loss, PartialFC) else loss
    if not isinstance(loss, MagFace):
        return
    lengths = embeddings.detach().float().norm(dim=1)
    shortest, longest = loss.lengths
    outside = ((lengths < shortest) | (lengths > longest)).float().mean().item()
    if outside > OUTSIDE:
        low, high = (loss.margin(end).item() for end in (lengths.min(), lengths.max()))
        warn(
            f"MagFace: embeddings are {lengths.min():.1f} to {lengths.max():.1f} long, {outside:.0%} of them outside "
            f"of {shortest:g} to {longest:g}, where length changes the margin; so margins are {low:.3f} to "
            f"{high:.3f}, not {loss.margins[0]:g} to {loss.margins[1]:g}. A network that ends in a batch "
            "normalisation, as facelab's do, keeps the mean square of the length near embedding_dim = "
            f"{embeddings.shape[1]}: set loss.lengths around its root, or take a larger embedding_dim."
        )


def check_epoch(state: Checkpoint) -> None:
    """Warn of a loss that does not move, and a triplet loss that has collapsed, once; to be called after each epoch."""
    rows, loss = state.history, state.recipe.loss
    if loss.name == "triplet" and _collapsed(rows, loss.margin) and not _collapsed(rows[:-1], loss.margin):
        warn(
            f"the triplet loss has been its margin, {loss.margin:g}, for {EPOCHS} epochs: all embeddings are nearly "
            "equal (collapse). Start again with a lower learning_rate, loss.mining = 'semi-hard' or 'batch-all', "
            "or a softmax loss first."
        )
    elif _stuck(state, len(rows)) and not any(_stuck(state, epochs) for epochs in range(len(rows))):
        first, last = rows[0], rows[-1]
        warn(
            f"the loss does not move: {first['loss']:.3g} in epoch 1, {last['loss']:.3g} in epoch {last['epoch']}. "
            "Try another learning_rate (a third, or three times as much), a smaller loss.scale or loss.margin, "
            "loss.margin_warmup = 0.3, or a higher centre_learning_rate."
        )


def _stuck(state: Checkpoint, epochs: int) -> bool:
    """Whether nothing was learned in so many epochs, if they are enough to judge: not while the learning rate rises.

    On a small set the accuracy moves by chance: one image of 80 is more than a hundredth. So a gain counts from two
    standard errors on, each epoch being a sample of the images that it shows.
    """
    recipe, steps = state.recipe, state.steps_per_epoch
    if epochs < EPOCHS or epochs * steps < STEPS or epochs <= 1.5 * recipe.warmup * recipe.epochs:
        return False
    first, last = state.history[0], state.history[epochs - 1]
    p = (first["accuracy"] + last["accuracy"]) / 2
    chance = CHANCE * math.sqrt(2 * p * (1 - p) / (steps * recipe.batch_size))
    gain = last["accuracy"] - first["accuracy"]
    return last["loss"] > (1 - PROGRESS) * first["loss"] and gain < max(PROGRESS, chance)


def _collapsed(rows: list[dict[str, float]], margin: float) -> bool:
    return len(rows) >= EPOCHS and all(abs(row["loss"] - margin) < NEAR * margin for row in rows[-EPOCHS:])
