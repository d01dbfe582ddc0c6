"""Scores of pairs, counted: those of chapter 00, and those of chapter 12 on both its data sets."""

from typing import Any

from facelab.align import make_chips
from facelab.data import load_orl, split_identities
from facelab.detect import MTCNN
from facelab.evaluate import pair_scores
from facelab.models import pretrained
from facelab.plots.style import display_name
from facelab.reports.alive import count_scores
from facelab.synth import load_synthfaces

NETWORKS = {"cross_entropy": "synthfaces-cross-entropy", "arcface": "synthfaces-arcface"}


def data() -> dict[str, Any]:
    """Return by part of the book the FAR that is asked for at first, and the sets of pairs: name, scores counted."""
    photographs, _ = make_chips(load_orl(), MTCNN(), missing="default")
    _, unseen = split_identities(photographs, held_out=10, seed=0)
    embed = {loss: pretrained(network, device="cpu") for loss, network in NETWORKS.items()}
    quick = pair_scores(embed["arcface"](unseen), unseen.labels)
    sets = {"rendered strangers": load_synthfaces("synthfaces-mini"), "photographs (ORL)": photographs}
    return {
        "quickstart": {"far": 0.01, "sets": [{"name": "ten strangers", **count_scores(quick)}]},
        "strangers": {
            "far": 0.001,
            "sets": [
                {"name": f"{display_name(loss)}: {what}", **count_scores(pair_scores(network(faces), faces.labels))}
                for loss, network in embed.items()
                for what, faces in sets.items()
            ],
        },
    }
