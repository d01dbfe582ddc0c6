"""Fixtures that several rooms share: real photographs, the detector, and small random chips."""

import numpy as np
import pandas as pd
import pytest
import torch

from facelab.align import make_chips
from facelab.data import FaceSet, load_orl
from facelab.detect import MTCNN

# Tests run on tiny batches: a second thread gains little, and loses much where another process wants the core.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def orl() -> FaceSet:
    return load_orl()


@pytest.fixture(scope="session")
def mtcnn() -> MTCNN:
    return MTCNN()


@pytest.fixture(scope="session")
def orl_chips(orl, mtcnn) -> FaceSet:
    chips, report = make_chips(orl, mtcnn)
    assert report.found == report.photographs == 400
    return chips


@pytest.fixture
def toy_chips() -> FaceSet:
    """Three identities x four 32 x 32 chips; each identity has its own mean colour, so that it can be learned."""
    generator = np.random.default_rng(0)
    colours = np.array([[60, 90, 120], [120, 60, 90], [90, 120, 60]])[np.repeat(range(3), 4)]
    images = (colours[:, None, None] + generator.integers(0, 80, (12, 32, 32, 3))).astype(np.uint8)
    return FaceSet("toy", images, pd.DataFrame({"identity": np.repeat(["a", "b", "c"], 4)}))
