"""A training in miniature: no images and no files, so that a recipe shows in half a second whether it gets going."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses import ArcFace
from facelab.losses.base import check_positive, check_range

IDENTITIES, IMAGES = 48, 16  # as in the course's faces; a quarter of the images is for the test
FEATURES, DIMENSIONS = 64, 64  # of an image, of an embedding
STEPS, BATCH = 150, 64
# The spread of what all people share, such as pose and light, in 8 of the directions, beside 1 of who it is and 0.5 of
# noise. At 2.5 and less the paper's scale and margin get going with SGD; at 3 they do not, as on the course's faces.
SHARED, DIRECTIONS, NOISE = 3.0, 8, 0.5
CLIP_NORM = 5.0  # as in a recipe


@dataclass(frozen=True)
class Miniature:
    """What came of a training in miniature.

    Attributes:
        losses: at each step.
        accuracy: share of new images named by the nearest centroid; chance is 1/48.
        angle: θ_y in radians, the mean over the training images.
        sure: p_y without a margin, the mean over the training images.
    """

    losses: list[float]
    accuracy: float
    angle: float
    sure: float


def train_miniature(
    *,
    optimizer: Literal["sgd", "adamw"] = "sgd",
    learning_rate: float = 0.02,
    scale: float = 16.0,
    margin: float = 0.2,
    margin_warmup: float = 0.0,
    seed: int = 0,
) -> Miniature:
    """Train a network of two layers with ArcFace for 150 steps on drawn features (half a second).

    A feature vector is a person, plus eight directions in which all people vary far more than they differ, plus noise.

    Args:
        optimizer: SGD with momentum 0.9, or AdamW.
        learning_rate: the same at every step.
        scale: s.
        margin: m in radians; at 0 the loss is NormFace.
        margin_warmup: share of the training over which the margin rises from 0.
        seed: of people, images, network and order.

    Raises:
        FacelabError: a value out of its range.
    """
    if optimizer not in ("sgd", "adamw"):
        raise FacelabError(f"optimizer={optimizer!r}: it is one of sgd, adamw.")
    check_positive(learning_rate=learning_rate)
    check_range(0, 1 + 1e-9, margin_warmup=margin_warmup)
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(IDENTITIES).repeat_interleave(IMAGES)
    people = torch.randn(IDENTITIES, FEATURES, generator=generator)
    images = people[labels] + NOISE * torch.randn(len(labels), FEATURES, generator=generator)
    directions = torch.randn(DIRECTIONS, FEATURES, generator=generator)
    images += SHARED * torch.randn(len(labels), DIRECTIONS, generator=generator) @ directions
    test = torch.arange(len(labels)) % 4 == 0
    new, names, images, labels = images[test], labels[test], images[~test], labels[~test]

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = nn.Sequential(
            *(nn.Linear(FEATURES, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU()),
            *(nn.Linear(128, DIMENSIONS, bias=False), nn.BatchNorm1d(DIMENSIONS, affine=False)),
        )
        loss = ArcFace(IDENTITIES, DIMENSIONS, scale=scale, margin=margin)
    parameters = [*network.parameters(), *loss.parameters()]
    descent: torch.optim.Optimizer = torch.optim.AdamW(parameters, learning_rate)
    if optimizer == "sgd":
        descent = torch.optim.SGD(parameters, learning_rate, momentum=0.9)
    losses = []
    for step in range(STEPS):
        loss.margin_factor = min(1.0, step / (margin_warmup * STEPS)) if margin_warmup else 1.0
        batch = torch.randperm(len(labels), generator=generator)[:BATCH]
        value = loss(network(images[batch]), labels[batch])
        descent.zero_grad()
        value.backward()
        nn.utils.clip_grad_norm_(parameters, CLIP_NORM)
        descent.step()
        losses.append(value.item())

    network.eval()
    with torch.no_grad():
        own = functional.one_hot(labels, IDENTITIES).bool()
        gallery, probes = (functional.normalize(network(part)) for part in (images, new))
        centroids = functional.normalize(own.T.float() @ gallery)
        named = (probes @ centroids.T).argmax(dim=1)
        logits = loss.logits(gallery)
        angle = (logits[own] / scale).clamp(-1, 1).acos().mean()
        sure = logits.softmax(dim=1)[own].mean()
    return Miniature(losses, (named == names).float().mean().item(), angle.item(), sure.item())
