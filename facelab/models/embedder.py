"""Embedding many chips with a trained network."""

import numpy as np
import torch
from torch import nn

from facelab.data.faceset import FaceSet
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.models.preprocess import to_input


class Embedder:
    """Turns chips into embeddings: batches, moves to the device, normalises.

    Args:
        network: maps (n, 3, size, size) to (n, embedding_dim), for example :func:`facelab.models.resnet34`.
        size: the resolution that the network was trained at, in pixels.
        device: where to compute; see :func:`facelab.device.resolve_device`.
        batch_size: chips per forward pass.
    """

    def __init__(self, network: nn.Module, *, size: int, device: str | torch.device = "cpu", batch_size: int = 128):
        self.device = resolve_device(device)
        self.network = network.to(self.device, memory_format=torch.channels_last).eval()
        self.size, self.batch_size = size, batch_size

    @torch.inference_mode()
    def __call__(self, chips: FaceSet | np.ndarray, *, normalize: bool = True) -> np.ndarray:
        """Return the embeddings, shape (n, embedding_dim), float32; each of length 1 if ``normalize``.

        Args:
            chips: a FaceSet of chips, or an array (n, height, width, 3), uint8.

        Raises:
            FacelabError: chips of the wrong shape, or the network gives NaN.
        """
        array = chips.array() if isinstance(chips, FaceSet) else np.asarray(chips)
        self.network.eval()
        parts = []
        for start in range(0, len(array), self.batch_size):
            batch = torch.from_numpy(array[start : start + self.batch_size]).to(self.device)
            parts.append(self.network(to_input(batch, self.size)).float())
        if not parts:
            raise FacelabError("there are no chips to embed.")
        embeddings = torch.cat(parts)
        if not torch.isfinite(embeddings).all():
            bad = int(torch.nonzero(~torch.isfinite(embeddings).all(dim=1))[0, 0])
            raise FacelabError(f"the embedding of chip {bad} is not finite; the network has diverged, train it again.")
        if normalize:
            embeddings = nn.functional.normalize(embeddings)
        return embeddings.cpu().numpy()
