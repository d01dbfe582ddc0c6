"""Which images make up each batch: a function of seed and step, so that a training can stop and go on anywhere."""

import logging
from collections.abc import Iterator

import numpy as np
from torch import Tensor
from torch.utils.data import DataLoader

from facelab import processes
from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.train.recipe import Recipe

log = logging.getLogger(__name__)


def epoch_order(recipe: Recipe, labels: np.ndarray, epoch: int) -> np.ndarray:
    """Return the images of one epoch in their order, one batch a row, shape (steps, batch).

    In random order every image comes once; an incomplete last batch is left out, with other images in each epoch. With
    ``images_per_identity`` = K, the images of each identity are dealt in groups of K (those that do not fill a group
    are left out, other ones in each epoch; an identity with fewer than K repeats its images), and a batch is P groups.
    The groups of an identity are spread over the epoch, so that P groups are P identities where the set allows.
    """
    random, k = np.random.default_rng((recipe.seed, epoch)), recipe.images_per_identity or 1
    order = random.permutation(len(labels))
    if k > 1:
        order = _groups(order, labels, k, random).ravel()
    size = min(recipe.batch_size, len(order))
    if size < 2 * k:
        raise FacelabError(f"{len(labels)} images are too few for batches of at least 2 groups of {k}.")
    if size % (k * processes.count()):
        raise FacelabError(
            f"a batch of {size} images does not go into {processes.count()} processes, in groups of {k}; "
            "change batch_size."
        )
    return order[: len(order) // size * size].reshape(-1, size)


def _groups(order: np.ndarray, labels: np.ndarray, k: int, random: np.random.Generator) -> np.ndarray:
    """Return groups of k images of one identity, shape (groups, k)."""
    groups, places = [], []
    for identity in np.unique(labels):
        images = order[labels[order] == identity]
        count = max(1, len(images) // k)
        groups.append(np.resize(images, (count, k)))
        places.append((np.arange(count) + random.random(count)) / count)
    return np.concatenate(groups)[np.argsort(np.concatenate(places), kind="stable")]


def load_batches(recipe: Recipe, faces: FaceSet, step: int, workers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield chips (n, height, width, 3), uint8, and labels (n,) of each batch from ``step`` to the end of the training.

    Where several processes share a batch, each gets its part: the parts, one after the other, are the batch.
    """
    return iter(DataLoader(faces, batch_sampler=_Positions(recipe, faces.labels, step), num_workers=workers))


class _Positions:
    def __init__(self, recipe: Recipe, labels: np.ndarray, step: int):
        self.recipe, self.labels, self.step = recipe, labels, step

    def __iter__(self) -> Iterator[list[int]]:
        epoch, position = divmod(self.step, len(epoch_order(self.recipe, self.labels, 0)))
        for now in range(epoch, self.recipe.epochs):
            for batch in epoch_order(self.recipe, self.labels, now)[position:]:
                yield np.split(batch, processes.count())[processes.rank()].tolist()
            position = 0


def held_in_memory(faces: FaceSet, limit_gb: float) -> FaceSet:
    """Return the set with its images decoded once and held in memory, if they take at most ``limit_gb`` gigabytes."""
    if isinstance(faces.images, np.ndarray) or not len(faces):
        return faces
    needed = len(faces) * faces[0][0].nbytes / 1e9
    if needed > limit_gb:
        log.info("%s: %.1f GB of pixels are more than %.1f GB; each image is decoded again when its turn comes.",
                 faces.name, needed, limit_gb)  # fmt: skip
        return faces
    log.info("%s: %d images decoded once, %.2f GB in memory.", faces.name, len(faces), needed)
    return FaceSet(faces.name, faces.array(), faces.table.reset_index(drop=True))
