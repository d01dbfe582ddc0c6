"""Three trainings, step by step: the angles of chapter 08, of every image of every batch before its step."""

import base64
from typing import Any

import numpy as np

from facelab.analyze import centre_angles
from facelab.course.networks import course_faces, course_recipe
from facelab.train import LossRecipe, Recipe, fit

# The values of the paper, as in chapter 08: a scale and a margin that are too large for 576 images.
PAPER: dict[str, Any] = {
    "loss": LossRecipe(name="arcface", scale=64, margin=0.5),
    "epochs": 8, "optimizer": "sgd", "learning_rate": 0.1, "backbone": "resnet18",
}  # fmt: skip


def trainings() -> dict[str, Recipe]:
    """Return what is replayed, by the names that the menu shows."""
    return {
        "cross entropy": course_recipe("cross_entropy"),
        "ArcFace, s = 16, m rises to 0.3": course_recipe("arcface"),
        "ArcFace, s = 64, m = 0.5, as in the paper": course_recipe("cross_entropy").model_copy(update=PAPER),
    }


def data() -> dict[str, Any]:
    """Train anew (about two minutes on two cores), and return what happened in each training."""
    return {"runs": [{"name": name, **replayed(recipe)} for name, recipe in trainings().items()]}


def replayed(recipe: Recipe) -> dict[str, Any]:
    """Train with a recipe, and return the angles to the own and to the nearest other class centre.

    Returns:
        ``loss``, its name in recipes; ``batch``, images a step; ``epoch``, steps an epoch; ``margin``, of each step, in
        degrees, to two places (zero without one); ``own`` and ``other``, one byte for each image of each step, whole
        degrees, in base64.
    """
    own: list[np.ndarray] = []
    other: list[np.ndarray] = []
    margin: list[float] = []

    def watch(step: int, embeddings: Any, labels: Any, loss: Any) -> None:
        angles = centre_angles(embeddings, labels, loss.centres.detach())
        own.append(angles.own)
        other.append(angles.other)
        margin.append(getattr(loss, "margin_factor", 0.0) * getattr(loss, "margin", 0.0))

    fit(recipe, course_faces().train, device="cpu", watch=watch, show_progress=False)
    return {
        "loss": recipe.loss.name,
        "batch": len(own[0]),
        "epoch": len(own) // recipe.epochs,
        "margin": np.degrees(margin).round(2).tolist(),
        "own": _packed(own),
        "other": _packed(other),
    }


def _packed(angles: list[np.ndarray]) -> str:
    return base64.b64encode(np.degrees(np.concatenate(angles)).round().astype(np.uint8).tobytes()).decode()
