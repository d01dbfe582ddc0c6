"""Where faces come from: :class:`FaceSet`, one module per source, and splits."""

from facelab.data.cards import card, card_facts, cards
from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.folder import load_folder
from facelab.data.images import read_image
from facelab.data.orl import load_orl
from facelab.data.pairs import PairList, load_bin, read_pairs
from facelab.data.splits import split_closed_set, split_identities

__all__ = [
    "FaceSet",
    "ImageFiles",
    "PairList",
    "card",
    "card_facts",
    "cards",
    "load_bin",
    "load_folder",
    "load_orl",
    "read_image",
    "read_pairs",
    "split_closed_set",
    "split_identities",
]
