"""What changes with the step: learning rate, margin, scale."""

import math

from torch import optim

from facelab.losses import Loss
from facelab.train.recipe import Recipe


def set_schedule(recipe: Recipe, done: float, optimizer: optim.Optimizer, loss: Loss) -> None:
    """Set learning rate (linear warm-up, then half a cosine), margin and scale (linear warm-up).

    Args:
        recipe: says how long the warm-ups take, and where they begin.
        done: the share of the training that is done after this step, in (0, 1].
        optimizer: its groups have their peak learning rate under ``peak``.
        loss: gets ``margin_factor`` and ``scale``.
    """
    if done < recipe.warmup:
        factor = done / recipe.warmup
    else:
        factor = (1 + math.cos(math.pi * (done - recipe.warmup) / (1 - recipe.warmup))) / 2
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor
    if recipe.loss.margin_warmup:
        loss.schedule(margin_factor=min(1.0, done / recipe.loss.margin_warmup))
    if recipe.loss.scale_warmup:
        first, share = recipe.loss.scale_warmup
        left = max(0.0, 1 - done / share if share else 0.0)
        loss.schedule(scale=recipe.loss.scale + (first - recipe.loss.scale) * left)
