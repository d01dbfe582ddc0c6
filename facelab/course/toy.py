"""The famous toy: embeddings of two dimensions, so that what a loss does to them can be drawn as it is."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from facelab.course.networks import course_faces
from facelab.data import FaceSet
from facelab.losses import ClassifierLoss
from facelab.models import to_input
from facelab.train import LossRecipe, augment

SIZE = 16
IDENTITIES = 6
STEPS = 300  # full batches; each loss below has settled by then

# One scale for all that have one. SphereFace's annealing is quicker than its default, which needs thousands of steps.
TOY_LOSSES: dict[str, LossRecipe] = {
    "cross_entropy": LossRecipe(name="cross_entropy"),
    "normface": LossRecipe(name="normface", scale=12),
    "sphereface": LossRecipe(name="sphereface", margin=4, annealing=(1000, 5, 2)),
    "cosface": LossRecipe(name="cosface", scale=12, margin=0.35),
    "arcface": LossRecipe(name="arcface", scale=12, margin=0.5),
}


@dataclass(frozen=True)
class Toy:
    """A trained toy.

    Attributes:
        train, test: embeddings of the training and the test images before normalisation, shapes (n, 2) and (m, 2).
        train_labels, test_labels: shapes (n,) and (m,).
        centres: class centres; for a loss without any, the mean of each identity's training embeddings; shape (C, 2).
        losses: the loss at each step.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray
    centres: np.ndarray
    losses: np.ndarray


def toy_faces() -> tuple[FaceSet, FaceSet]:
    """Return 12 training and 4 test pictures of each of six identities of ``synthfaces-mini``, at 16 x 16 pixels."""
    faces = course_faces()
    train, test = (part.select(part.labels < IDENTITIES, "toy").resized(SIZE) for part in (faces.train, faces.test))
    return train, test


def toy_network(size: int = SIZE) -> nn.Sequential:
    """Return a small network with a two-dimensional embedding: three strided convolutions and a linear layer.

    There is no normalisation at its end, so that the lengths of the embeddings are free.
    """
    layers: list[nn.Module] = []
    for before, after in ((3, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(64 * (size // 8) ** 2, 2, bias=False))


def train_toy(
    loss: LossRecipe, train: FaceSet, test: FaceSet, *, seed: int = 0, steps: int = STEPS, learning_rate: float = 0.01
) -> Toy:
    """Train the toy network on full batches (about a second).

    Class centres start evenly around the circle: in the plane two of them cannot pass each other without falling
    together, so that a random order of start is where many trainings stay. All losses get the same start.

    Args:
        loss: name and arguments, as in a recipe.
        train, test: pictures of the same identities, all of one size, for example :func:`toy_faces`.
        seed: of the network and the augmentation.
        steps: optimiser steps (Adam, one cycle of the learning rate).
        learning_rate: its peak.
    """
    chips, labels = torch.from_numpy(train.array()), torch.from_numpy(train.labels)
    size = chips.shape[1]
    pixels = to_input(chips, size)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network, criterion = toy_network(size), loss.build(len(train.identities), 2)
    if isinstance(criterion, ClassifierLoss):
        turn = torch.arange(len(criterion.centres)) * (2 * torch.pi / len(criterion.centres))
        criterion.centres.data = torch.stack([turn.cos(), turn.sin()], dim=1)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam([*network.parameters(), *criterion.parameters()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=learning_rate, total_steps=steps)
    values = []
    for _ in range(steps):
        value = criterion(network(augment(pixels, generator)), labels)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        values.append(value.item())
    network.eval()
    with torch.inference_mode():
        embeddings = [network(to_input(torch.from_numpy(part.array()), size)).numpy() for part in (train, test)]
    if isinstance(criterion, ClassifierLoss):
        centres = criterion.main_centres(torch.from_numpy(embeddings[0]), labels).numpy()
    else:
        centres = np.stack([embeddings[0][train.labels == k].mean(axis=0) for k in range(len(train.identities))])
    return Toy(embeddings[0], train.labels, embeddings[1], test.labels, centres, np.array(values))
