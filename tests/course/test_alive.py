"""What the interactive figures show is what the package gives."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facelab.course.alive import landmarks, margin, suppression, training

ROOT = Path(__file__).parents[2]


def stored(name: str) -> Any:
    text = (ROOT / "book" / "_static" / "alive" / f"{name}.data.js").read_text("utf8")
    return json.loads(text.removeprefix(f"alive.data.{name} = ").removesuffix(";\n"))


def test_the_margin_laboratory() -> None:
    assert stored("margin") == margin.data()


def test_the_landmarks() -> None:
    found, kept = landmarks.data(), stored("landmarks")
    assert np.abs(np.subtract(found.pop("landmarks"), kept.pop("landmarks"))).max() < 0.15  # stored to one place
    assert found == kept


def test_the_proposals() -> None:
    """From the stored picture, which is the one of the page "Try it": to render it takes long."""
    kept = stored("suppression")
    picture = base64.b64decode(kept["picture"])
    assert picture == (ROOT / "book/browser/pictures/photograph.jpg").read_bytes()
    boxes, scores = suppression.proposals(picture)
    sure = [np.abs(values - 0.6) > 1e-4 for values in (scores, np.array(kept["scores"]))]  # else a machine may differ
    assert np.allclose(boxes[sure[0]], np.array(kept["boxes"])[sure[1]], atol=1e-3)
    assert np.allclose(scores[sure[0]], np.array(kept["scores"])[sure[1]], atol=1e-4)
    assert len(kept["faces"]) == 4
    assert len(kept["scores"]) > 150


def test_the_trainings() -> None:
    """Training anew takes minutes; so their form, and what chapter 08 prints of its own run."""
    runs = {run["name"]: run for run in stored("training")["runs"]}
    mean = {}
    for name, recipe in training.trainings().items():
        run = runs.pop(name)
        assert run["loss"] == recipe.loss.name
        steps = len(run["margin"])
        assert steps == run["epoch"] * recipe.epochs == 9 * recipe.epochs
        own, other = (np.frombuffer(base64.b64decode(run[angle]), np.uint8) for angle in ("own", "other"))
        assert len(own) == len(other) == steps * recipe.batch_size
        assert max(own.max(), other.max()) <= 180
        margins = np.radians(run["margin"])
        assert margins[-1] == pytest.approx(recipe.loss.margin or 0, abs=1e-3)
        assert (np.diff(margins) >= 0).all()
        mean[name] = [angles.reshape(steps, -1).mean(axis=1) for angles in (own, other)]
    assert not runs
    entropy, mended, paper = mean.values()
    for own, other in (entropy, mended):  # starts some 10 degrees behind, and catches up
        assert 5 < (own - other)[0] < 15
        assert abs((own - other)[-9:].mean()) < 3
        assert own[-1] < 70
    cells = json.loads((ROOT / "notebooks/08_arcface_training.ipynb").read_text("utf8"))["cells"]
    (table,) = [cell["outputs"][0]["data"]["text/plain"] for cell in cells if cell["id"] == "cell-10b"]
    chapter = [int(angle) for angle in re.findall(r"^ *\d+ +(\d+)°", "".join(table), re.MULTILINE)]
    assert np.allclose(paper[0].reshape(8, -1).mean(axis=1), chapter, atol=5)
