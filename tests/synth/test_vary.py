"""Every rendering parameter can be seen."""

import dataclasses

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.synth.factors import SWEEPS, of_person, of_scene
from facelab.synth.identity import Identity, sample_identity
from facelab.synth.scene import OCCLUDERS, Scene
from facelab.synth.vary import factors_of, plain_scene, relatives, render_factor, sweep, vary

pytestmark = pytest.mark.slow


def test_every_field_is_a_factor(renderer):
    """All but the seeds, which draw details, and the jitter, which moves a crop and no chip."""
    for kind, factors in ((Identity, of_person(renderer.model)), (Scene, of_scene())):
        changes = [factor.change(v) | factor.fixed for factor in factors.values() for v in factor.values]
        varied = {name for change in changes for name in change}
        fields = {field.name for field in dataclasses.fields(kind)}
        assert varied <= fields
        assert fields - varied <= {"seed", "shape_seed", "jitter"}


@pytest.mark.parametrize("part", ["person", "scene"])
def test_every_factor_can_be_seen(renderer, part):
    """Between its first and its last value some place of 8 x 8 pixels changes by five grey levels or more."""
    person, scene, size = sample_identity(renderer.model, 12), plain_scene(12), 112
    changed = {}
    for name, factor in factors_of(part, renderer).items():
        ends = factor.values[0], factor.values[-1]
        first, last = (image.astype(int) for image in render_factor(renderer, part, factor, ends, person, scene, size))
        difference = np.abs(first - last).mean(axis=2)
        changed[name] = difference.reshape(size // 8, 8, size // 8, 8).mean(axis=(1, 3)).max()
    assert {name: change for name, change in changed.items() if change < 5} == {}


def test_only_the_factor_moves(renderer):
    pictures = vary("scene", ["blur, pixels", "distance, dm"], size=48)
    assert [len(row.images) for row in pictures.values()] == [7, 7]
    assert pictures["blur, pixels"].labels[0] == "0.3"
    sharpness = [np.abs(np.diff(image.astype(int), axis=0)).mean() for image in pictures["blur, pixels"].images]
    assert sharpness[0] > sharpness[3] > sharpness[6]


def test_fewer_steps_keep_the_ends_and_the_middle():
    few = vary("scene", ["blur, pixels", "occluder"], size=48, steps=3)
    assert few["blur, pixels"].labels == ["0.3", "2.4", "4.5"]
    assert len(few["blur, pixels"].images) == 3
    assert few["occluder"].labels == list(OCCLUDERS)  # words are all shown


def test_sweep_moves_one_factor_only():
    """Rendered pictures: the reference is the same for every factor, and the others differ from it."""
    yaw, light = sweep("yaw", identities=2), sweep("light", identities=2)
    assert yaw.images.shape == (2, len(SWEEPS["yaw"].values), 64, 64, 3)
    np.testing.assert_array_equal(yaw.values, sorted(SWEEPS["yaw"].values))
    start = yaw.images[:, yaw.reference]
    np.testing.assert_array_equal(start, light.images[:, light.reference])
    for swept in (yaw, light):
        distance = np.abs(swept.images.astype(int) - start[:, None]).mean(axis=(2, 3, 4))
        assert (np.diff(distance[:, swept.reference :], axis=1) > 0).all()  # further away, more different
    assert np.abs(start[0].astype(int) - start[1]).mean() > 5  # two people


def test_darker_skin_is_rendered_darker():
    swept = sweep("skin", identities=2)
    cheeks = swept.images[:, :, 36:42, 26:38].mean(axis=(2, 3, 4))
    assert (np.diff(cheeks, axis=1) < 0).all()


def test_unknown_names_are_refused():
    with pytest.raises(FacelabError, match="'beauty' of a person: choose among bone structure"):
        vary("person", ["beauty"])
    with pytest.raises(FacelabError, match="part 'crowd'"):
        vary("crowd")
    with pytest.raises(FacelabError, match="steps=1: choose 2 to 7"):
        vary("scene", ["roll"], steps=1)
    with pytest.raises(FacelabError, match="'age': choose one of yaw"):
        sweep("age")
    with pytest.raises(FacelabError, match="identities=1"):
        sweep("yaw", identities=1)


def test_relatives_resemble_more_than_strangers() -> None:
    """Look-alikes share colours and hair, so their images lie nearer than strangers' in the mean."""
    families = relatives((3, 8), size=48)
    assert families[0].labels[2:4] == ["sibling", "look-alike"]
    images = np.array([family.images for family in families]).astype(float).reshape(2, 7, -1)
    distance = np.abs(images - images[:, :1]).mean(axis=(0, 2))
    assert distance[3:5].mean() < 0.6 * distance[5:7].mean()
