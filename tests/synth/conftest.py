"""One renderer and one small set for all tests of this room."""

import numpy as np
import pytest

from facelab.synth import Ranges, SynthRecipe, make
from facelab.synth.identity import sample_identity
from facelab.synth.render import renderer_for


@pytest.fixture(scope="session")
def renderer():
    return renderer_for("cpu")


@pytest.fixture(scope="session")
def body(renderer):
    return renderer.body(sample_identity(renderer.model, np.random.SeedSequence([11, 0])))


@pytest.fixture(scope="session")
def small_recipe():
    """Four identities in three shards' worth of settings: small chips, so that it takes seconds."""
    return SynthRecipe(
        identities=3, images=70, seed=5, size=32, supersampling=1, held_out=1, ranges=Ranges(occluders=0.4)
    )


@pytest.fixture(scope="session")
def small_set(small_recipe, tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth") / "set"
    make(small_recipe, folder, workers=1)
    return folder
