"""Which images make up each batch: a function of seed and step, so that a training can stop and go on anywhere."""

import functools
import logging
import os
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from facelab import processes
from facelab.data.faceset import FaceSet
from facelab.device import send
from facelab.errors import FacelabError
from facelab.train.recipe import Recipe
from facelab.workers import serve

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
        if np.bincount(labels).max() < 2:
            raise FacelabError(f"images_per_identity = {k}: no identity has two images, so nothing tells who is alike.")
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
    by_identity = order[np.argsort(labels[order], kind="stable")]
    images = np.unique(labels, return_counts=True)[1]  # of each identity
    groups = np.maximum(1, images // k)
    identity = np.repeat(np.arange(len(groups)), groups)
    number = np.arange(len(identity)) - np.repeat(groups.cumsum() - groups, groups)  # of a group, in its identity
    member = (number[:, None] * k + np.arange(k)) % images[identity, None]  # begins again where there are fewer than k
    place = (number + random.random(len(number))) / groups[identity]
    first = images.cumsum() - images
    return by_identity[first[identity, None] + member][np.argsort(place, kind="stable")]


def load_batches(
    recipe: Recipe, faces: FaceSet, step: int, device: torch.device, *, memory_gb: float = 2, workers: int = 0
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield chips (n, height, width, 3), uint8, and labels (n,), both on the device, of each batch from ``step`` on.

    Chips that are one array are kept on the device, if they take at most ``memory_gb`` gigabytes, and a batch is picked
    from them; others are loaded by ``workers`` processes. Where several processes share a batch, each gets its part:
    the parts, one after the other, are the batch.
    """
    orders = _orders(recipe, faces.labels, step)
    batches: Iterable[tuple[Tensor, Tensor]]
    if isinstance(faces.images, np.ndarray):
        batches = _picked(faces, orders, device if _gigabytes(faces) <= memory_gb else torch.device("cpu"))
    else:
        rows = (batch.tolist() for order in orders for batch in order)
        start = functools.partial(_start_worker, os.getpid())
        batches = DataLoader(faces, batch_sampler=rows, num_workers=workers, worker_init_fn=start)  # type: ignore[arg-type]
    return ((send(chips, device), send(labels, device)) for chips, labels in batches)


def _start_worker(parent: int, number: int) -> None:
    serve(parent)


def _orders(recipe: Recipe, labels: np.ndarray, step: int) -> Iterator[np.ndarray]:
    """Yield what is left of the order of each epoch: this process's part of each batch, shape (steps, images)."""
    epoch, position = divmod(step, len(epoch_order(recipe, labels, 0)))
    for now in range(epoch, recipe.epochs):
        order = epoch_order(recipe, labels, now)[position:]
        yield np.split(order, processes.count(), axis=1)[processes.rank()]
        position = 0


def _picked(faces: FaceSet, orders: Iterator[np.ndarray], home: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    chips, place = torch.from_numpy(faces.images), faces.table.index.to_numpy(np.int64)
    if home.type != "cpu":
        chips, place = torch.from_numpy(faces.array()).to(home), np.arange(len(faces))
    for order in orders:
        images, labels = (torch.from_numpy(values[order]).to(home) for values in (place, faces.labels))
        for rows, own in zip(images, labels, strict=True):
            yield chips.index_select(0, rows), own


def held_in_memory(faces: FaceSet, limit_gb: float) -> FaceSet:
    """Return the set with its images decoded once and held in memory, if they take at most ``limit_gb`` gigabytes."""
    if isinstance(faces.images, np.ndarray) or not len(faces):
        return faces
    needed = _gigabytes(faces)
    if needed > limit_gb:
        log.info("%s: %.1f GB of pixels are more than %.1f GB; each image is decoded again when its turn comes.",
                 faces.name, needed, limit_gb)  # fmt: skip
        return faces
    log.info("%s: %d images decoded once, %.2f GB in memory.", faces.name, len(faces), needed)
    return FaceSet(faces.name, faces.array(), faces.table.reset_index(drop=True))


def _gigabytes(faces: FaceSet) -> float:
    return len(faces) * faces[0][0].nbytes / 1e9
