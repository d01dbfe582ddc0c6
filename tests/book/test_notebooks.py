"""The stored form of every notebook: outputs, order, sizes, pictures, sections."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
KILOBYTE = 1000
# A folder of somebody's machine: a home, a temporary folder, a site-packages, a drive letter.
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/])/(?:home|Users|root|tmp|work|usr|opt|var|mnt|content)/\w|\b[A-Z]:\\\\\w|site-packages"
)
SECTIONS = ("What you will learn", "Before you start", "Time", "Take-aways", "Exercises", "Further reading")

pytestmark = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def test_outputs_are_stored_and_in_order(path: Path) -> None:
    counts = [cell["execution_count"] for cell in _code(path)]
    assert counts == list(range(1, len(counts) + 1)), "run all cells from the top, once, and save"
    assert any(cell["outputs"] for cell in _code(path)), "no output is stored"


def test_opening_it_in_jupyterlab_changes_nothing(path: Path) -> None:
    """JupyterLab writes both marks of a folded output, and the kernel's name; else who only reads is asked to save."""
    assert json.loads(path.read_text("utf8"))["metadata"]["kernelspec"]["display_name"] == "Python 3 (ipykernel)"
    for cell in _code(path):
        folded = cell["metadata"].get("jupyter", {}).get("outputs_hidden", False)
        assert cell["metadata"].get("collapsed", False) == folded, f"collapsed: {_source(cell)[:80]}"


def test_no_stored_error_or_warning(path: Path) -> None:
    for output in _outputs(path):
        assert output["output_type"] != "error", output.get("ename")
        assert output.get("name") != "stderr", f"stderr: {_text(output)[:300]}"
        assert not re.search(r"\w*Warning:", _text(output)), _text(output)[:300]


def test_no_absolute_path(path: Path) -> None:
    for cell in _cells(path):
        texts = ["".join(cell["source"]), *(_text(output) for output in cell.get("outputs", []))]
        for text in texts:
            assert not (match := ABSOLUTE_PATH.search(text)), text[max(0, match.start() - 60) : match.end() + 60]


def test_sizes(path: Path) -> None:
    assert path.stat().st_size <= 2000 * KILOBYTE
    for output in _outputs(path):
        for kind, data in output.get("data", {}).items():
            if kind.startswith("image/"):
                size = len(base64.b64decode("".join(data))) if kind != "image/svg+xml" else len("".join(data))
                assert size <= 200 * KILOBYTE, f"an {kind} of {size} bytes"


def test_every_picture_has_alt_text_and_caption(path: Path) -> None:
    for cell in _code(path):
        pictures = [o for o in cell["outputs"] if any(kind.startswith("image/") for kind in o.get("data", {}))]
        if pictures:
            said = cell["metadata"].get("mystnb", {})
            assert len(said.get("image", {}).get("alt", "")) > 20, f"alt text: {_source(cell)[:80]}"
            assert len(said.get("figure", {}).get("caption", "")) > 20, f"caption: {_source(cell)[:80]}"
    for cell in _cells(path):
        if cell["cell_type"] == "markdown":
            assert not re.search(r"!\[\s*\]\(|<img(?![^>]*\balt=)", _source(cell)), (
                "a picture in the text has no alt text"
            )


def test_shape_of_the_chapter(path: Path) -> None:
    text = "\n".join(_source(cell) for cell in _cells(path) if cell["cell_type"] == "markdown")
    assert text.startswith("# ")
    positions = [text.find(section) for section in SECTIONS]
    assert -1 not in positions, f"missing: {[s for s, p in zip(SECTIONS, positions, strict=True) if p < 0]}"
    objectives = text[positions[0] : positions[1]]
    assert 3 <= len(re.findall(r"^[-*] ", objectives, re.M)) <= 5, "three to five objectives"
    end = next(
        k for k, cell in enumerate(_cells(path)) if re.search("^## Exercises", _source(cell), re.M)
    )  # solutions follow
    for cell, limit in [(c, 20) for c in _cells(path)[:end]] + [(c, 40) for c in _cells(path)[end:]]:
        if cell["cell_type"] == "code":
            assert len(_source(cell).splitlines()) <= limit, f"a code cell is longer than {limit} lines"


def test_every_exercise_has_a_hidden_solution(path: Path) -> None:
    text = "\n".join(_source(cell) for cell in _cells(path) if cell["cell_type"] == "markdown")
    exercises = set(re.findall(r"\{exercise(?:-start)?\}[^\n]*\n:label: (\S+)", text))
    solutions = set(re.findall(r"\{solution(?:-start)?\} (\S+)\n:class: dropdown", text))
    assert exercises
    assert exercises == solutions


def _cells(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text("utf8"))["cells"]


def _code(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in _cells(path) if cell["cell_type"] == "code" and _source(cell)]


def _outputs(path: Path) -> list[dict[str, Any]]:
    return [output for cell in _code(path) for output in cell["outputs"]]


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def _text(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    return "".join(
        "".join(part) for part in (output.get("text", ""), data.get("text/plain", ""), data.get("text/html", ""))
    )
