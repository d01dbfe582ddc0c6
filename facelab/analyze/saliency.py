"""Where a network looks: cover a part of the chip and see how far the embedding falls."""

from collections.abc import Callable

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import unit


def occlusion_map(
    embed: Callable[[np.ndarray], np.ndarray],
    chip: np.ndarray,
    reference: np.ndarray | None = None,
    *,
    patch: int = 16,
    stride: int = 4,
) -> np.ndarray:
    r"""Return for each pixel how much the cosine with a reference falls when a square around it is covered.

    .. math:: S(p) = \operatorname{mean}_{Q \ni p} \left( \cos(x, r) - \cos(x_{\setminus Q}, r) \right)

    over all squares Q that contain p, each filled with the chip's mean colour. Positive: the place speaks for the
    reference; negative: covering it helps. The image with a square is one that no camera takes, and the network may
    react to the square itself. Source: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks",
    ECCV 2014, section 4.2.

    Args:
        embed: from chips (n, height, width, 3), uint8, to embeddings (n, d), such as :class:`facelab.models.Embedder`.
        chip: shape (height, width, 3), uint8.
        reference: embedding to stay near to, shape (d,), for example the mean direction of the identity; the chip's own
            embedding if not given.
        patch: side of the square in pixels.
        stride: step of the square in pixels; at most ``patch``, so that every pixel is covered.

    Returns:
        Shape (height, width), float64, a difference of cosines.

    Raises:
        FacelabError: the chip is not an RGB uint8 image, or patch and stride do not fit it, or an embedding
            has no direction.
    """
    chip = np.asarray(chip)
    if chip.ndim != 3 or chip.shape[2] != 3 or chip.dtype != np.uint8:
        raise FacelabError(f"chip {chip.shape} {chip.dtype}: expected (height, width, 3), uint8.")
    height, width = chip.shape[:2]
    if not 1 <= stride <= patch <= min(height, width):
        raise FacelabError(f"patch={patch}, stride={stride} on {height} x {width}: need 1 <= stride <= patch <= side.")
    fill = chip.reshape(-1, 3).mean(axis=0).round().astype(np.uint8)
    tops, lefts = _starts(height, patch, stride), _starts(width, patch, stride)
    places = [(top, left) for top in tops for left in lefts]
    covered = np.repeat(chip[None], len(places), axis=0)
    for image, (top, left) in zip(covered, places, strict=True):
        image[top : top + patch, left : left + patch] = fill
    embeddings = unit(embed(np.concatenate([chip[None], covered])))
    towards = embeddings[0] if reference is None else np.asarray(reference, np.float64) / np.linalg.norm(reference)
    cosines = embeddings @ towards
    total, times = np.zeros((height, width)), np.zeros((height, width))
    for fall, (top, left) in zip(cosines[0] - cosines[1:], places, strict=True):
        total[top : top + patch, left : left + patch] += fall
        times[top : top + patch, left : left + patch] += 1
    return total / times


def _starts(side: int, patch: int, stride: int) -> list[int]:
    """Positions of the square; the last one ends at the border."""
    return sorted({*range(0, side - patch, stride), side - patch})
