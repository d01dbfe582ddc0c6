"""Benchmarks run as a user's program does: on two cores."""

from collections.abc import Iterator

import cv2
import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def two_cores() -> Iterator[None]:
    before = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    yield
    torch.set_num_threads(before[0])
    cv2.setNumThreads(before[1])
