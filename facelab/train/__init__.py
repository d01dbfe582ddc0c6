"""Recipe, augmentation, loop, checkpoints: everything between chips and a trained network."""

from facelab.train.augment import augment
from facelab.train.checkpoint import Checkpoint
from facelab.train.loop import fit
from facelab.train.network import Network, open_network
from facelab.train.recipe import Augmentation, LossRecipe, Recipe, presets
from facelab.train.watch import EmbeddingWatch

__all__ = [
    "Augmentation",
    "Checkpoint",
    "EmbeddingWatch",
    "LossRecipe",
    "Network",
    "Recipe",
    "augment",
    "fit",
    "open_network",
    "presets",
]
