"""Embedding many chips with a trained network."""

from collections.abc import Iterator

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
        network: maps (n, 3, size, size) to (n, embedding_dim); see :func:`facelab.models.make_backbone`.
        size: the resolution that the network was trained at, in pixels.
        device: where to compute; see :func:`facelab.device.resolve_device`.
        batch_size: chips per forward pass.
        flip: embed the mirror image too, and add both embeddings before they are normalised, as the evaluation scripts
            of the field do (InsightFace, ``recognition/arcface_torch/eval/verification.py``). Scores of embeddings with
            and without it must not be mixed, nor their thresholds exchanged.

    Example:
        >>> from facelab.models import resnet34
        >>> embed = Embedder(resnet34(128), size=64, device="cpu")
        >>> embed(np.zeros((5, 112, 112, 3), np.uint8)).shape
        (5, 128)
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        size: int,
        device: str | torch.device = "auto",
        batch_size: int = 128,
        flip: bool = False,
    ):
        self.device = resolve_device(device)
        self.network = network.to(self.device).to(memory_format=torch.channels_last).eval()
        self.size, self.batch_size, self.flip = size, batch_size, flip

    @torch.inference_mode()
    def __call__(self, chips: FaceSet | np.ndarray, *, normalize: bool = True) -> np.ndarray:
        """Return the embeddings, shape (n, embedding_dim), float32; each of length 1 if ``normalize``.

        Args:
            chips: a FaceSet of chips, of which only one batch is in memory at a time; or an array
                (n, height, width, 3), uint8.

        Raises:
            FacelabError: chips of the wrong shape or of different sizes, or the network gives NaN.
        """
        parts = [self._raw(batch) for batch in _batches(chips, self.batch_size)]
        if not parts:
            raise FacelabError("there are no chips to embed.")
        embeddings = torch.cat(parts)
        if not torch.isfinite(embeddings).all():
            bad = int(torch.nonzero(~torch.isfinite(embeddings).all(dim=1))[0, 0])
            raise FacelabError(f"the embedding of chip {bad} is not finite; the network has diverged, train it again.")
        if normalize:
            embeddings = nn.functional.normalize(embeddings)
        return embeddings.cpu().numpy()

    def _raw(self, batch: np.ndarray) -> torch.Tensor:
        """Return the embeddings of one batch, as the network gives them, (n, embedding_dim), float32."""
        self.network.eval()
        x = to_input(torch.from_numpy(batch).to(self.device), self.size)
        raw = self.network(x).float()
        return raw + self.network(x.flip(-1)).float() if self.flip else raw


def _batches(chips: FaceSet | np.ndarray, size: int) -> Iterator[np.ndarray]:
    """Yield arrays of up to ``size`` chips, (n, height, width, 3); a FaceSet is read one batch at a time."""
    shape = None
    for start in range(0, len(chips), size):
        if not isinstance(chips, FaceSet):
            yield np.ascontiguousarray(chips[start : start + size])  # a mirrored view runs backwards
            continue
        images = [chips[i][0] for i in range(start, min(start + size, len(chips)))]
        shape = shape or images[0].shape
        for i, image in enumerate(images, start):
            if image.shape != shape:
                raise FacelabError(
                    f"FaceSet {chips.name!r}: image {i} has the shape {image.shape}, image 0 {shape}; align them first."
                )
        yield np.stack(images)
