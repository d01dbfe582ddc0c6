"""The page of figures shows every figure, with its outputs and today's docstrings."""

import ast
import base64
import builtins
import inspect
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

pytest.importorskip("nbformat")

from facelab.course import figures
from facelab.plots.drawing import unpacked

COVER = "facelab.course.cover"  # its pictures have their own twins for a dark page
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
    figure, axes = plt.subplots(figsize=(8, 8))
    axes.imshow(np.random.default_rng(0).integers(0, 256, (300, 300, 3), dtype=np.uint8))
    fine, coarse = figures._small(figure), figures._small(figure, most=20_000)
    assert 0 < len(coarse) <= 20_000 < len(fine) <= 150_000


def test_every_call_needs_only_what_the_page_starts_with() -> None:
    known = {*dir(builtins), *_names(figures.START.partition("\n")[2], ast.Store), "_"}
    for name in figures.EXAMPLES:
        text = figures.call(name)
        missing = _names(text, ast.Load) - known - _names(text, ast.Store)
        assert not missing, name
        assert isinstance(ast.parse(text).body[-1], ast.Expr), name  # a notebook shows it


@pytest.mark.parametrize("name", ["target_logits", "published_dots", "decision_boundaries", "loss_results"])
def test_a_call_that_is_copied_draws_the_figure(name: str) -> None:
    """All of them run with the page: pytest --nbval book."""
    lines = (
        figures.START.splitlines()[1:-1] + figures.call(name).splitlines()
    )  # without the magic, and with large pictures
    *before, last = ast.parse("\n".join(lines)).body
    names: dict[str, object] = {}
    exec(compile(ast.Module(before, []), name, "exec"), names)
    drawn = eval(compile(ast.Expression(last.value), name, "eval"), names)
    assert isinstance(drawn, Figure)


def _names(text: str, context: type[ast.expr_context]) -> set[str]:
    """Return the names that a program reads, or those that it makes."""
    nodes = list(ast.walk(ast.parse(text)))
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    if context is ast.Store:
        imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
        found |= {alias.asname or alias.name.partition(".")[0] for node in imports for alias in node.names}
        found |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return found


def test_every_figure_is_drawn_and_described() -> None:
    cells = json.loads(PAGE.read_text("utf8"))["cells"]
    for name, function in figures.figure_functions().items():
        (cell,) = [cell for cell in cells if "".join(cell["source"]) == figures.call(name)]
        pictures = [
            picture
            for output in cell["outputs"]
            for kind, picture in output.get("data", {}).items()
            if kind in ("image/png", "image/jpeg")
        ]
        assert len(pictures) == 1
        assert len(base64.b64decode(pictures[0])) <= 150_000
        (kept,) = (kept for output in cell["outputs"] for kept in output.get("metadata", {}).values())
        twins = {"svg", "dark"} if function.__module__ == COVER else {"svg"}
        assert {twin: unpacked(text, "")[:4] for twin, text in kept.items()} == dict.fromkeys(twins, "<svg")
        said = cell["metadata"]["mystnb"]
        assert len(said["image"]["alt"]) > 20
        assert said["figure"]["caption"]
        assert any(inspect.getdoc(function) in "".join(other["source"]) for other in cells)
        assert not [output for output in cell["outputs"] if output.get("name") == "stderr"]
