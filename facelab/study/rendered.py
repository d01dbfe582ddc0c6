"""Rendered faces as a part of a study: what a plan says about them, and one run that renders for all others."""

import hashlib
import json
from pathlib import Path

from facelab.data.faceset import FaceSet
from facelab.study.experiment import Job, Outcome, Run
from facelab.synth.dataset import load_synthfaces, make
from facelab.synth.photographs import PhotographRecipe, Photographs, load_photographs
from facelab.synth.recipe import PRESETS, SynthRecipe, folder_of


class Render(Run):
    """Render a set into facelab's cache, before the runs that look at it: two that start together would both do it."""

    recipe: SynthRecipe | PhotographRecipe

    def compute(self, job: Job) -> Outcome:
        out = rendered(self.recipe, job)
        return Outcome({"folder": out.name, "pictures": sum(self.recipe.rows_of(i) for i in range(self.recipe.shards))})


def load_faces(recipe: SynthRecipe, job: Job) -> FaceSet:
    """Return rendered faces."""
    return load_synthfaces(rendered(recipe, job))


def load_scenes(recipe: PhotographRecipe, job: Job) -> Photographs:
    """Return rendered photographs."""
    return load_photographs(rendered(recipe, job))


def rendered(recipe: SynthRecipe | PhotographRecipe, job: Job) -> Path:
    """Return the folder of a set under facelab's cache; what is missing in it is rendered.

    It is the preset's, if the recipe is one, else one of its own.
    """
    digest = hashlib.sha256(json.dumps(recipe.to_json(), sort_keys=True).encode()).hexdigest()[:8]
    names = [name for name, preset in PRESETS.items() if recipe == preset]
    out = folder_of(names[0] if names else f"study-{digest}")
    make(recipe, out, workers=job.workers, show_progress=job.show_progress)
    return out
