"""Fixtures that several rooms share: real photographs, the detector, small random chips, a browser."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from facelab.align import make_chips
from facelab.course.printing import find_chromium
from facelab.data import FaceSet, load_orl
from facelab.data.images import read_image
from facelab.detect import MTCNN

sys.path.append(str(Path(__file__).parent))  # layouts.py: small sets in the layouts of real ones, for several rooms

# Tests run on tiny batches: a second thread gains little, and loses much where another process wants the core.
torch.set_num_threads(1)

CHROMIUM = find_chromium()
# A container has no user namespaces, so no sandbox; the other flags keep Chromium itself from asking for the network.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",  # a camera for the page that can use one
]

# The files that take longest, the longest first: so two processes end together. Chapter 06 stands before those that use
# its network, or they would train it a second time.
LONG = [
    "06_cross_entropy.ipynb", "00_quickstart.ipynb", "08_arcface_training.ipynb", "test_browser.py",
    "09_metric_learning.ipynb", "test_assignments.py", "11_embedding_analysis.ipynb", "14_production.ipynb",
    "03_synthfaces.ipynb",
    "test_quickstart.py", "test_processes.py", "test_fit.py", "figures.ipynb", "07_arcface_derivation.ipynb",
    "test_kill.py", "test_losses.py", "04_detection.ipynb", "test_dataset.py", "12_verification_identification.ipynb",
]  # fmt: skip


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):  # in one process, the order says where to look
        items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.fixture(scope="session")
def orl() -> FaceSet:
    return load_orl()


@pytest.fixture(scope="session")
def mtcnn() -> MTCNN:
    return MTCNN()


@pytest.fixture(scope="session")
def group_photo() -> np.ndarray:
    """Six people; a sample picture in the wheel insightface, which is located and never imported."""
    spec = importlib.util.find_spec("insightface")
    if spec is None:
        pytest.skip("the package insightface, which carries the group photograph, is not installed")
    return read_image(Path(spec.submodule_search_locations[0]) / "data" / "images" / "t1.jpg")


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


@pytest.fixture(scope="module")  # while it is open, nobody else in the process can use Playwright, as print_pdf does
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: uv sync --extra test")
    if CHROMIUM is None:
        pytest.skip("no Chromium found; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield started
        started.close()
