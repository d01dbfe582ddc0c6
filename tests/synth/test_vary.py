"""Every rendering parameter can be seen."""

import dataclasses

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.synth.identity import Identity, sample_identity
from facelab.synth.scene import Scene
from facelab.synth.vary import of_person, of_scene, photograph, plain_scene, vary


def test_every_field_is_a_factor(renderer):
    """All but the seeds, which draw details, and the jitter, which moves a crop and no chip."""
    for kind, factors in ((Identity, of_person(renderer.model)), (Scene, of_scene())):
        varied = {name for factor in factors.values() for change in factor.changes for name in change}
        fields = {field.name for field in dataclasses.fields(kind)}
        assert varied <= fields
        assert fields - varied <= {"seed", "shape_seed", "jitter"}


@pytest.mark.parametrize("part", ["person", "scene"])
def test_every_factor_can_be_seen(renderer, part):
    """Between its first and its last value some place of 8 x 8 pixels changes by five grey levels or more."""
    person, scene, size = sample_identity(renderer.model, 12), plain_scene(12), 112
    body, changed = renderer.body(person), {}
    for name, factor in (of_person(renderer.model) if part == "person" else of_scene()).items():
        pictures = []
        for change in (factor.changes[0], factor.changes[-1]):
            if part == "person":
                body, how = renderer.body(dataclasses.replace(person, **change)), scene
            else:
                how = dataclasses.replace(scene, **change)
            pictures.append(photograph(renderer, body, how, factor.frame, size).astype(int))
        difference = np.abs(pictures[0] - pictures[1]).mean(axis=2)
        changed[name] = difference.reshape(size // 8, 8, size // 8, 8).mean(axis=(1, 3)).max()
    assert {name: change for name, change in changed.items() if change < 5} == {}


def test_only_the_factor_moves(renderer):
    pictures = vary("scene", ["blur, pixels", "distance, dm"], size=48)
    assert [len(row.images) for row in pictures.values()] == [7, 7]
    assert pictures["blur, pixels"].labels[0] == "0.3"
    sharpness = [np.abs(np.diff(image.astype(int), axis=0)).mean() for image in pictures["blur, pixels"].images]
    assert sharpness[0] > sharpness[3] > sharpness[6]


def test_unknown_names_are_refused():
    with pytest.raises(FacelabError, match="'beauty' of a person: choose among bone structure"):
        vary("person", ["beauty"])
    with pytest.raises(FacelabError, match="part 'crowd'"):
        vary("crowd")
