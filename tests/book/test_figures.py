"""The page of figures shows every figure, with its outputs and today's docstrings."""

import base64
import inspect
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

pytest.importorskip("nbformat")

from facelab.course import figures

PAGE = Path(__file__).parents[2] / "book/figures.ipynb"


def test_every_figure_has_an_example_and_every_example_a_figure() -> None:
    assert set(figures.EXAMPLES) == set(figures.figure_functions())


def test_the_page_is_up_to_date() -> None:
    """If not: python -m facelab.course.figures book/figures.ipynb"""
    stored = ["".join(cell["source"]) for cell in json.loads(PAGE.read_text("utf8"))["cells"]]
    assert stored == [cell["source"] for cell in figures.page()["cells"]]


def test_the_page_is_small() -> None:
    assert PAGE.stat().st_size <= 2_000_000


def test_a_picture_that_is_too_large_is_drawn_coarser() -> None:
    figure, axes = plt.subplots(figsize=(4, 4))
    axes.imshow(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    fine, coarse = figures._small(figure), figures._small(figure, most=20_000)
    assert 0 < len(coarse) <= 20_000 < len(fine) <= 150_000


def test_every_figure_is_drawn_and_described() -> None:
    cells = json.loads(PAGE.read_text("utf8"))["cells"]
    for name, function in figures.figure_functions().items():
        (cell,) = [cell for cell in cells if "".join(cell["source"]) == f'draw("{name}")']
        pictures = [
            picture
            for output in cell["outputs"]
            for kind, picture in output.get("data", {}).items()
            if kind in ("image/png", "image/jpeg")
        ]
        assert len(pictures) == 1
        assert len(base64.b64decode(pictures[0])) <= 150_000
        said = cell["metadata"]["mystnb"]
        assert len(said["image"]["alt"]) > 20
        assert said["figure"]["caption"]
        assert any(inspect.getdoc(function) in "".join(other["source"]) for other in cells)
        assert not [output for output in cell["outputs"] if output.get("name") == "stderr"]
