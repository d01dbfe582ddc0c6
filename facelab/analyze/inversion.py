"""Template inversion: from an embedding back to a picture of the face."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError


@dataclass(frozen=True, eq=False)
class Inverter:
    """Pictures from embeddings; :func:`learn_inverter` makes one.

    Attributes:
        weights: shape (d + 1, height * width * 3); the last row is what an embedding of zeros gives.
        size: height and width of the pictures.
    """

    weights: np.ndarray
    size: tuple[int, int]

    def __call__(self, embeddings: np.ndarray) -> np.ndarray:
        """Return a picture for each embedding (n, d), of any length: RGB uint8, shape (n, height, width, 3)."""
        pixels = _with_one(embeddings) @ self.weights
        return pixels.clip(0, 255).round().astype(np.uint8).reshape(-1, *self.size, 3)


def learn_inverter(embeddings: np.ndarray, chips: np.ndarray, *, ridge: float = 0.1) -> Inverter:
    r"""Learn to make a picture of an embedding, from pairs of both: ridge regression onto the pixels.

    .. math:: \min_{A, b} \sum_i \|A \hat x_i + b - p_i\|^2 + λ \|A\|^2

    :math:`\hat x_i` is an embedding of length 1, :math:`p_i` the pixels of its chip. An attacker needs no more than a
    system that gives embeddings of pictures; the weights of its network stay unknown. Mai et al., 2019, do the same
    with a deep network in the place of A, and get sharper pictures.

    Args:
        embeddings: shape (n, d), of any length.
        chips: RGB uint8, shape (n, height, width, 3).
        ridge: λ, positive; keeps A small, so that it holds for people who were not among the pairs.

    Raises:
        FacelabError: not as many chips as embeddings, or a ridge that is not positive.
    """
    if chips.ndim != 4 or len(chips) != len(embeddings) or not len(chips):
        raise FacelabError(f"embeddings {embeddings.shape}, chips {chips.shape}: expected (n, d) and (n, h, w, 3).")
    if not ridge > 0:
        raise FacelabError(f"ridge={ridge}: it must be positive; 0.1 is a good beginning.")
    x, pixels = _with_one(embeddings), chips.reshape(len(chips), -1).astype(np.float64)
    penalty = ridge * np.eye(x.shape[1])
    penalty[-1, -1] = 0  # the mean picture costs nothing
    return Inverter(np.linalg.solve(x.T @ x + penalty, x.T @ pixels), chips.shape[1:3])


def _with_one(embeddings: np.ndarray) -> np.ndarray:
    x = np.asarray(embeddings, dtype=np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    return np.column_stack([x, np.ones(len(x))])
