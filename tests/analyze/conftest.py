"""Embeddings with a known structure, shared by the tests of this room."""

import numpy as np
import pytest


@pytest.fixture
def groups() -> tuple[np.ndarray, np.ndarray]:
    """Six identities x eight embeddings in 16 dimensions, overlapping a little."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 8)
    return generator.normal(0, 1, (6, 16))[labels] + generator.normal(0, 0.7, (48, 16)), labels


@pytest.fixture
def rotation() -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(1).normal(size=(16, 16)))[0]
