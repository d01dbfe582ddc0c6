"""The margin laboratory: what the page cannot compute by itself."""

from typing import Any

import numpy as np

from facelab.losses import LOSSES
from facelab.plots.style import LOSS_STYLES

IDENTITIES, DIMENSIONS = 500, 512  # as in chapter 07
SHOWN = ("normface", "sphereface", "cosface", "arcface", "combined")


def data() -> dict[str, Any]:
    """Return the ``looks`` of the losses, and ``others``: the cosines between a typical image and the other 499
    centres, rising, to five places.

    The centres lie at random in 512 dimensions. These are the quantiles of the cosine of a random direction, at (j - ½)
    / 499: of all sets of 499 the most even one, so that no chance comes in.
    """
    from scipy.special import betaincinv

    number, half = IDENTITIES - 1, (DIMENSIONS - 1) / 2
    share = (np.arange(number) + 0.5) / number
    cosines = 2 * betaincinv(half, half, share) - 1  # (1 + cos) / 2 of a random direction follows this law
    looks = {name: {"title": LOSSES[name].title, "colour": LOSS_STYLES[name].colour} for name in SHOWN}
    return {"looks": looks, "others": cosines.round(5).tolist()}
