"""What a training that goes wrong looks like, said early and with the likely remedies."""

import math
import warnings

from facelab.errors import FacelabError
from facelab.train.checkpoint import Checkpoint

EPOCHS, STEPS = 3, 50  # a shorter training is not judged
PROGRESS = 0.02  # a smaller fall of the loss (relative) or gain in accuracy is none
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


def check_epoch(state: Checkpoint) -> None:
    """Warn of a loss that does not move, and a triplet loss that has collapsed, once; to be called after each epoch."""
    rows, loss = state.history, state.recipe.loss
    if loss.name == "triplet" and _collapsed(rows, loss.margin) and not _collapsed(rows[:-1], loss.margin):
        warn(
            f"the triplet loss has been its margin, {loss.margin:g}, for {EPOCHS} epochs: all embeddings are nearly "
            "equal (collapse). Start again with a lower learning_rate, loss.mining = 'semi-hard' or 'batch-all', "
            "or a softmax loss first."
        )
    elif _judged(state, len(rows)) and not _judged(state, len(rows) - 1):
        first, last = rows[0], rows[-1]
        if last["loss"] > (1 - PROGRESS) * first["loss"] and last["accuracy"] < first["accuracy"] + PROGRESS:
            warn(
                f"the loss does not move: {first['loss']:.3g} in epoch 1, {last['loss']:.3g} in epoch {last['epoch']}. "
                "Try another learning_rate (a third, or three times as much), a smaller loss.scale or loss.margin, "
                "loss.margin_warmup = 0.3, or a higher centre_learning_rate."
            )


def _judged(state: Checkpoint, epochs: int) -> bool:
    """Whether so many epochs are enough to judge: not while the learning rate rises."""
    recipe = state.recipe
    warm = epochs > 1.5 * recipe.warmup * recipe.epochs
    return warm and epochs >= EPOCHS and epochs * state.steps_per_epoch >= STEPS


def _collapsed(rows: list[dict[str, float]], margin: float) -> bool:
    return len(rows) >= EPOCHS and all(abs(row["loss"] - margin) < NEAR * margin for row in rows[-EPOCHS:])
