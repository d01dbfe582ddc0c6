"""Alignment beside insightface and scikit-image; that the pixels are the same is tested in tests/align/test_batch.py.

``pytest tests/benchmarks/test_align.py --benchmark-only --benchmark-columns=min,median,rounds``; the goal is twice the
speed of ``norm_crop`` on a batch of 256 faces.
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from skimage import data
from skimage.transform import SimilarityTransform, warp

from facelab.align import TEMPLATE, align_batch

N = 256
IMAGE = data.astronaut()


def landmarks() -> np.ndarray:
    return TEMPLATE * 0.9 + [190, 60] + np.random.default_rng(0).normal(0, 2, (N, 5, 2))


def load_norm_crop():
    spec = importlib.util.find_spec("insightface")
    if spec is None:
        pytest.skip("insightface is not installed")
    path = Path(spec.submodule_search_locations[0]) / "utils" / "face_align.py"
    spec = importlib.util.spec_from_file_location("insightface_face_align", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.norm_crop


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("library", ["facelab", "insightface", "scikit-image"])
def test_align(benchmark, library):
    points = landmarks()
    if library == "facelab":
        benchmark.pedantic(align_batch, ([IMAGE] * N, points), rounds=10, warmup_rounds=1)
    elif library == "insightface":
        norm_crop = load_norm_crop()
        benchmark.pedantic(lambda: [norm_crop(IMAGE, p) for p in points], rounds=10, warmup_rounds=1)
    else:

        def theirs():
            return [
                warp(IMAGE, SimilarityTransform.from_estimate(p, TEMPLATE).inverse, output_shape=(112, 112), order=1)
                for p in points
            ]

        benchmark.pedantic(theirs, rounds=2, warmup_rounds=0)
