"""The faces and the networks that several notebooks share, so that each is rendered and trained once on a machine."""

from dataclasses import dataclass
from typing import Any

from facelab.data import FaceSet
from facelab.synth import load_synthfaces
from facelab.synth.strangers import divide
from facelab.train import Checkpoint, Recipe, fit
from facelab.train.state import cache_path

TRAIN_IMAGES = 12  # of 16 per identity

# The same network, data, order and budget for every loss: the recipe "quick". With 48 identities and 576 images, the
# usual scale 64 and margin 0.5 of ArcFace do not get going in so few steps (20 epochs of 18). The margin's warm-up was
# chosen by a look at another set of people (64 x 16, seed 7), so that the strangers here stay strangers.
SIZE = 64
_LOSSES: dict[str, dict[str, Any]] = {"arcface": {"scale": 16.0, "margin": 0.3, "margin_warmup": 0.5}}


@dataclass(frozen=True)
class CourseFaces:
    """``synthfaces-mini`` at 64 x 64 pixels, divided once for the whole course.

    Attributes:
        train: 12 pictures of each of 48 identities.
        test: the other 4 pictures of the same identities, for the closed set.
        strangers: all 16 pictures of 16 other identities, for verification and open sets.
    """

    train: FaceSet
    test: FaceSet
    strangers: FaceSet


def course_faces() -> CourseFaces:
    """Return the course's faces; the first call on a machine renders them (about 30 seconds)."""
    known, strangers = divide(load_synthfaces("synthfaces-mini", show_progress=False).resized(SIZE))
    return CourseFaces(*known.split(train=TRAIN_IMAGES, seed=0), strangers)


def course_recipe(loss: str = "cross_entropy", seed: int = 0, *, size: int = SIZE) -> Recipe:
    """Return the recipe of the course's network for a loss, by its name in recipes, at a size in pixels."""
    quick = Recipe.from_toml("quick").model_dump()
    return Recipe.parse({**quick, "size": size, "loss": {"name": loss, **_LOSSES.get(loss, {})}, "seed": seed})


def course_model(
    loss: str = "cross_entropy", *, seed: int = 0, size: int = SIZE, show_progress: bool = False
) -> Checkpoint:
    """Return the course's trained network for a loss; the first call on a machine trains it (about 100 seconds, 40 at
    a size of 32 pixels).

    It is kept under facelab's cache folder; a training that was interrupted goes on where it stopped.
    """
    recipe = course_recipe(loss, seed, size=size)
    faces = course_faces().train
    path = cache_path("course", f"{loss}-{seed}", recipe, faces)
    return fit(recipe, faces, checkpoint=path, show_progress=show_progress)
