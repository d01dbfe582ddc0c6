import numpy as np
import pandas as pd
import pytest

from facelab.errors import FacelabError
from facelab.synth.factors import SWEEPS, factor_features, of_person, of_scene
from facelab.synth.scene import sample_scene


@pytest.fixture
def small_table() -> pd.DataFrame:
    """The scenes of 30 pictures, without rendering them."""
    table = pd.DataFrame([sample_scene(seed).columns() for seed in range(30)])
    people = np.random.default_rng(0).uniform(0.1, 2, (2, 6)).repeat(5, axis=1)
    return table.assign(melanin=people[0], haemoglobin=people[1])


def test_features_of_synthfaces(small_table):
    features = factor_features(small_table)
    assert set(features) <= {"pose", "light", "expression", "occluder", "distance", "image quality", "skin"}
    for block in features.values():
        assert len(block) == len(small_table)
        np.testing.assert_allclose(block.mean(axis=0), 0, atol=1e-9)
        np.testing.assert_allclose(block.std(axis=0), 1)
    with pytest.raises(FacelabError, match="exposure"):
        factor_features(small_table.drop(columns="exposure"))


def test_every_sweep_moves_a_factor_of_the_table(renderer):
    table = {"person": of_person(renderer.model), "scene": of_scene()}
    for steps in SWEEPS.values():
        assert table[steps.part][steps.factor].change(steps.values[-1])
        assert len(set(steps.values)) == len(steps.values)
