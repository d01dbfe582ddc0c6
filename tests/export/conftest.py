"""Graphs are exported once: it takes PyTorch seconds."""

from pathlib import Path

import numpy as np
import pytest

from facelab.align import align_batch
from facelab.export import export_network


@pytest.fixture(scope="session")
def exported(tmp_path_factory) -> Path:
    """A network of the package as an ONNX file."""
    path = tmp_path_factory.mktemp("export") / "net.onnx"
    export_network("synthfaces-arcface", path)
    return path


@pytest.fixture(scope="session")
def chips(orl, mtcnn) -> np.ndarray:
    """Aligned chips of eight people of ORL, four of each, (32, 112, 112, 3)."""
    photographs = [orl[10 * person + picture][0] for person in range(8) for picture in range(4)]
    return align_batch(photographs, np.stack([faces[0].landmarks for faces in mtcnn.detect(photographs)]))
