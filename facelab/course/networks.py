"""The faces and the networks that several notebooks share, so that each is rendered and trained once on a machine."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facelab.data import FaceSet
from facelab.synth import load_synthfaces
from facelab.synth.strangers import divide
from facelab.train import Checkpoint, Recipe, fit
from facelab.train.state import cache_path

TRAIN_IMAGES = 12  # of 16 per identity

PICTURES = 64  # pixels across, as the chapters show them

# The same network, data, order and budget for every loss: the recipe "quick", for 32 x 32 pixels. With 48
# identities and 576 images, the usual scale 64 and margin 0.5 of ArcFace do not get going in so few steps (16 epochs of
# 9). The margin's warm-up was chosen by a look at another set of people (64 x 16, seed 7), so that the strangers here
# stay strangers.
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
    """Return the course's faces; the first call on a machine renders them (about 30 seconds), and shows progress."""
    known, strangers = divide(load_synthfaces("synthfaces-mini").resized(PICTURES))
    return CourseFaces(*known.split(train=TRAIN_IMAGES, seed=0), strangers)


def course_recipe(loss: str = "cross_entropy", seed: int = 0) -> Recipe:
    """Return the recipe of the course's network for a loss, by its name in recipes."""
    quick = Recipe.from_toml("quick").model_dump()
    return Recipe.parse({**quick, "loss": {"name": loss, **_LOSSES.get(loss, {})}, "seed": seed})


def course_model(loss: str = "cross_entropy", *, seed: int = 0, show_progress: bool = True) -> Checkpoint:
    """Return the course's trained network for a loss; the first call on a machine trains it (about a minute).

    It is kept under facelab's cache folder; a training that was interrupted goes on where it stopped.
    """
    recipe, faces = course_recipe(loss, seed), course_faces().train
    return fit(recipe, faces, checkpoint=_kept(recipe, faces), show_progress=show_progress)


def keep(checkpoint: Checkpoint) -> None:
    """Keep a network that a chapter has trained with the course's recipe, so that :func:`course_model` need not."""
    path = _kept(checkpoint.recipe, course_faces().train)
    if not path.exists():
        checkpoint.save(path)


def _kept(recipe: Recipe, faces: FaceSet) -> Path:
    # -2: a history counts each batch before its own step. Older ones, in "course", counted it after.
    return cache_path("course-2", f"{recipe.loss.name}-{recipe.seed}", recipe, faces)
