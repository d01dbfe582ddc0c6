"""Chips per second of SynthFaces, per stage and all in: ``pytest tests/benchmarks/test_synth.py --benchmark-only -s``.

The stages in one process on one core, and all in with a GPU where there is one; the last line is a whole set by two
workers on two cores.
"""

from itertools import count

import cv2
import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from facelab.errors import FacelabError
from facelab.synth import SynthRecipe, background, hair, make, sensor, skin
from facelab.synth.identity import sample_identity
from facelab.synth.recipe import render_identity
from facelab.synth.render import ChipFraming, check_device, renderer_for
from facelab.synth.scene import sample_scene

IMAGES = 24


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    with threadpool_limits(1):
        yield
    cv2.setNumThreads(threads)


@pytest.fixture(scope="module")
def stage():
    renderer = renderer_for()
    person = sample_identity(renderer.model, 3)
    body = renderer.body(person)
    scenes = [sample_scene(np.random.SeedSequence([4, k])) for k in range(renderer.batch)]
    return renderer, person, body, scenes


def _report(benchmark, name: str, chips: float) -> None:
    milliseconds = benchmark.stats["median"] * 1000 / chips
    print(f"\n{name:<22} {milliseconds:7.2f} ms per chip {1000 / milliseconds:9.1f} chips/s on one core")


def test_all_in(benchmark, stage):
    """Body, scenes, mesh, light, visibility, shading, sensor, JPEG: what :func:`make` does per identity."""
    recipe, numbers = SynthRecipe(identities=1000, images=IMAGES, seed=9), count()
    benchmark.pedantic(lambda: render_identity(stage[0], recipe, next(numbers)), rounds=8, warmup_rounds=1)
    _report(benchmark, "all in", IMAGES)


def test_all_in_with_a_gpu(benchmark):
    """One process; several share a GPU, as the CPU still makes each person's shape, skin and hair."""
    try:
        check_device("cuda:0")
    except FacelabError as error:
        pytest.skip(str(error))
    renderer, recipe, numbers = renderer_for("cuda:0"), SynthRecipe(identities=1000, images=IMAGES, seed=9), count()
    benchmark.pedantic(lambda: render_identity(renderer, recipe, next(numbers)), rounds=8, warmup_rounds=1)
    _report(benchmark, "all in with a GPU", IMAGES)


def test_body(benchmark, stage):
    renderer, person, _, _ = stage
    benchmark.pedantic(lambda: renderer.body(person), rounds=8, warmup_rounds=1)
    _report(benchmark, f"body (1/{IMAGES} each)", IMAGES)


def test_skin(benchmark, stage):
    renderer, person, _, _ = stage
    benchmark.pedantic(lambda: skin.paint_skin(renderer.model, person), rounds=8, warmup_rounds=1)
    _report(benchmark, f"  skin (1/{IMAGES})", IMAGES)


def test_hair(benchmark, stage):
    renderer, person, body, _ = stage
    benchmark.pedantic(lambda: hair.grow(renderer.model, person, body.rest, body.skull), rounds=8, warmup_rounds=1)
    _report(benchmark, f"  hair (1/{IMAGES})", IMAGES)


def test_render(benchmark, stage):
    renderer, _, body, scenes = stage
    framing = ChipFraming()
    benchmark.pedantic(
        lambda: renderer.render(body, scenes, size=framing.shape, framing=framing), rounds=8, warmup_rounds=1
    )
    _report(benchmark, "render", len(scenes))


def test_background(benchmark, stage):
    scenes = stage[3]
    benchmark.pedantic(lambda: [background.paint(scene, (112, 112)) for scene in scenes], rounds=8, warmup_rounds=1)
    _report(benchmark, "  background", len(scenes))


def test_sensor_and_jpeg(benchmark, stage):
    scenes = stage[3]
    linear = np.random.default_rng(0).random((112, 112, 3), dtype=np.float32)

    def work():
        return [sensor.encode_jpeg(sensor.expose(linear, scene), scene.jpeg) for scene in scenes]

    benchmark.pedantic(work, rounds=8, warmup_rounds=1)
    _report(benchmark, "  sensor and JPEG", len(scenes))


def test_two_workers(benchmark, tmp_path):
    """64 identities x 16, as of ``synthfaces-mini``, with the start of the workers."""
    reports = []
    benchmark.pedantic(
        lambda: reports.append(make(SynthRecipe(identities=64, images=16, seed=9), tmp_path / "set", workers=2)),
        rounds=1,
    )
    print(f"\ntwo workers: {reports[0]}")
