"""Maps of the sixteen strangers of chapter 11 for both networks, of pure noise, and the chips behind the points."""

from functools import cache
from typing import Any

import numpy as np

from facelab.analyze import project, trust
from facelab.course.alive.factors import webp
from facelab.data import FaceSet
from facelab.evaluate import leave_one_out_rank1
from facelab.models import pretrained
from facelab.plots.style import display_name
from facelab.synth import load_synthfaces

PEOPLE = 16
SIDE = 84  # pixels of a chip on the sheet
METHODS: dict[str, dict[str, Any]] = {
    "PCA": {"method": "pca"},
    "t-SNE, perplexity 30": {"method": "tsne", "neighbours": 30},
    "t-SNE, perplexity 3": {"method": "tsne", "neighbours": 3},
    "UMAP, 15 neighbours": {"method": "umap", "neighbours": 15},
}


@cache
def strangers() -> FaceSet:
    """Return the pictures of the first sixteen identities."""
    faces = load_synthfaces("synthfaces-mini")
    return faces.select(faces.labels < PEOPLE)


def noise() -> np.ndarray:
    """Return the noise of chapter 11, shape (256, 128)."""
    return np.random.default_rng(0).normal(size=(256, 128))


def one_map(embeddings: np.ndarray, points: np.ndarray) -> dict[str, Any]:
    """Return a map for the page: points in thousandths of its width and height, and how far it can be trusted."""
    trusted, shifted = trust(embeddings, points), points - points.min(axis=0)
    return {
        "points": np.rint(1000 * shifted / shifted.max(axis=0)).astype(int).tolist(),
        "trustworthiness": round(trusted.trustworthiness, 3),
        "continuity": round(trusted.continuity, 3),
    }


def data() -> dict[str, Any]:
    """Return the maps by space and method, and for each picture who it is, its yaw in degrees and its melanin."""
    faces = strangers()
    small = faces.resized(64)
    spaces = {
        display_name("arcface"): pretrained("synthfaces-arcface", device="cpu")(small),
        display_name("cross_entropy"): pretrained("synthfaces-cross-entropy", device="cpu")(small),
    }
    known = {name: round(leave_one_out_rank1(x, faces.labels).value, 3) for name, x in spaces.items()}
    return {
        "spaces": {
            name: {
                "right": known.get(name),
                "maps": {title: one_map(x, project(x, **how)) for title, how in METHODS.items()},
            }
            for name, x in {**spaces, "pure noise": noise()}.items()
        },
        "identity": faces.labels.tolist(),
        "names": list(faces.identities),
        "yaw": np.degrees(faces.table["yaw"]).round(1).tolist(),
        "melanin": faces.table["melanin"].round(2).tolist(),
        "sheet": {"file": "maps.webp", "columns": PEOPLE, "side": SIDE},
    }


def files() -> dict[str, bytes]:
    """Return the sheet of chips: one row for each identity."""
    chips = strangers().resized(SIDE).array()
    rows = chips.reshape(PEOPLE, -1, SIDE, SIDE, 3).transpose(0, 2, 1, 3, 4).reshape(PEOPLE * SIDE, -1, 3)
    return {"maps.webp": webp([rows])}
