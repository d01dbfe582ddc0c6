"""Recipe, augmentation, loop, checkpoints: everything between chips and a trained network."""

from facelab.train.augment import augment
from facelab.train.checkpoint import Checkpoint
from facelab.train.loop import fit
from facelab.train.recipe import LossRecipe, Recipe

__all__ = ["Checkpoint", "LossRecipe", "Recipe", "augment", "fit"]
