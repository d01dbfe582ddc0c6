"""``synthfaces-mini`` divided by identity, once for all: who trains on one part and tests on the other agree on it."""

from facelab.data.faceset import FaceSet
from facelab.synth.dataset import load_synthfaces

STRANGERS = 16  # of the 64 identities of synthfaces-mini


def divide(mini: FaceSet) -> tuple[FaceSet, FaceSet]:
    """Return the 48 identities of ``synthfaces-mini`` that networks may be trained on, and the 16 others."""
    known = mini.labels < len(mini.identities) - STRANGERS
    return mini.select(known, "mini"), mini.select(~known, "mini/strangers")


def load_strangers(show_progress: bool = False) -> FaceSet:
    """Return all 16 pictures of each of the 16 identities that the course's networks have not seen."""
    return divide(load_synthfaces("synthfaces-mini", show_progress=show_progress))[1]
