"""The way of a GPU, run on the CPU: it must agree with NumPy and OpenCV."""

import dataclasses

import numpy as np
import pytest
import warp as wp

from facelab.data.faceset import EncodedImages
from facelab.synth import background, resident, sensor
from facelab.synth.photographs import PhotographRecipe, render_photograph
from facelab.synth.recipe import SynthRecipe, render_identity
from facelab.synth.render import ChipFraming, Renderer
from facelab.synth.scene import Ranges, sample_scene

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def on_device(renderer):
    return Renderer(renderer.model, "cpu", resident=True)


def scenes(count: int, **changes):
    drawn = [sample_scene(np.random.SeedSequence([5, k]), Ranges(occluders=0.5)) for k in range(count)]
    return [dataclasses.replace(scene, **changes) for scene in drawn]


def test_pictures_agree_with_the_other_way_but_for_the_noise(renderer, on_device, body):
    everything = scenes(12, noise=0.0)
    everything[0] = dataclasses.replace(everything[0], motion=3.0)  # pixels; rare in the data sets
    assert {scene.resolution < 0.99 for scene in everything} == {True, False}
    framing = ChipFraming()
    host, device = (r.render(body, everything, size=framing.shape, framing=framing) for r in (renderer, on_device))
    for scene, a, b in zip(everything, host, device, strict=True):
        difference = np.abs(a.image.astype(int) - b.image)
        assert difference.mean() < 0.1, scene  # grey levels
        assert np.percentile(difference, 99.5) <= 1, scene
        assert np.abs(a.landmarks - b.landmarks).max() < 1e-3
        assert np.abs(a.dense - b.dense).max() < 1e-3
        assert np.abs(a.box - b.box).max() < 1e-3
        assert np.array_equal(a.visible, b.visible)
        assert np.abs(a.mask - b.mask).mean() < 1e-3


def expose_grey(level: float, camera, size=(112, 112)) -> tuple[np.ndarray, np.ndarray]:
    """A grey card by both ways: a person's two pictures, (H, W, 3) each."""
    card = np.full((*size, 3), level, np.float32)
    there = resident.expose(wp.array(card[None], dtype=wp.vec3, device="cpu"), [camera]).numpy()[0]
    return sensor.expose(card, camera), there


@pytest.mark.parametrize("resolution", [1.0, 0.5])
def test_noise_is_of_the_same_kind(resolution):
    (camera,) = scenes(1, noise=0.05, resolution=resolution, exposure=0.0, motion=0.0, saturation=1.0, contrast=1.0)
    pictures = [picture.astype(float)[2:-2, 2:-2] for picture in expose_grey(0.2, camera)]
    spread = [picture.std(axis=(0, 1)) for picture in pictures]
    beside = [np.corrcoef(p[:, 1:, 1].ravel(), p[:, :-1, 1].ravel())[0, 1] for p in pictures]
    assert np.abs(spread[1] / spread[0] - 1).max() < 0.08
    assert abs(beside[1] - beside[0]) < 0.04
    assert np.abs(pictures[1].mean(axis=(0, 1)) - pictures[0].mean(axis=(0, 1))).max() < 1  # a level


def test_the_seed_decides_the_noise():
    one, other = scenes(2, noise=0.05)
    assert np.array_equal(expose_grey(0.3, one)[1], expose_grey(0.3, one)[1])
    assert not np.array_equal(expose_grey(0.3, one)[1], expose_grey(0.3, dataclasses.replace(one, seed=other.seed))[1])


@pytest.mark.parametrize("size", [(112, 112), (90, 160), (50, 40)])
def test_backdrops_agree(on_device, size):
    several = scenes(4)
    there = on_device._backdrops(several, size).numpy()
    for scene, backdrop in zip(several, there, strict=True):
        assert np.abs(backdrop - background.paint(scene, size)).max() < 1e-4


def test_an_identity_has_the_same_rows(renderer, on_device):
    recipe = SynthRecipe(1, 10, seed=3, size=48)  # two launches of the one, one of the other
    pairs = zip(*(render_identity(r, recipe, 0) for r in (renderer, on_device)), strict=True)
    for host, device in pairs:
        assert host.keys() == device.keys()
        for name, value in host.items():
            if name not in ("image", "coverage", "landmarks", "dense", "box"):
                assert device[name] == value
            elif name != "image":
                assert np.allclose(device[name], value, atol=1e-3)


def test_photographs_agree(renderer, on_device):
    recipe = PhotographRecipe(1, seed=2, width=320, height=240, largest=120, smallest=24)
    host, device = (render_photograph(r, recipe, 0) for r in (renderer, on_device))
    pictures = EncodedImages([row.pop("image")["bytes"] for row in (host, device)], "photographs")
    assert host == device
    assert np.abs(pictures[0].astype(int) - pictures[1]).mean() < 4  # grey levels: noise, and JPEG's answer to it
