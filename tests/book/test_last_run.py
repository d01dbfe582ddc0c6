"""The record of the notebooks' last test run: what writes it, and what the book's page makes of it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat.v4 as nb
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
RECORD = Path(".book") / "last_test_run.json"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small project with two notebooks, run once as a whole; one cell of ``bad`` prints something new."""
    root = tmp_path_factory.mktemp("project")
    (root / "notebooks").mkdir()
    (root / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib")
    (root / "book" / "_ext").mkdir(parents=True)
    for file in ("notebooks/conftest.py", "book/_ext/notebook_runs.py"):
        (root / file).write_text((ROOT / file).read_text("utf8"), "utf8")
    for name, stored in (("good", "2\n"), ("bad", "3\n")):
        cells = [nb.new_markdown_cell("# Title"), _cell("x = 1", None), _cell("print(x + 1)", stored)]
        (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps(nb.new_notebook(cells=cells)), "utf8")
    # in two processes, as the gate does; the cell that prints something new fails
    assert _pytest(root, "-n", "2", "--dist", "loadfile", "notebooks") == 1
    return root


def test_a_whole_run_is_recorded_passed_or_not(project: Path) -> None:
    record = _record(project)
    assert list(record) == ["bad", "good"]
    assert [(run["cells"], run["passed"]) for run in record.values()] == [(2, 1), (2, 2)]
    assert all(run["seconds"] > 0 and run["packages"]["facelab"] for run in record.values())


def test_a_whole_run_changes_only_its_row_and_a_run_of_some_cells_none(project: Path) -> None:
    marked = {name: run | {"date": "2000-01-01"} for name, run in _record(project).items()}
    (project / RECORD).write_text(json.dumps(marked), "utf8")
    assert _pytest(project, "notebooks/bad.ipynb::Cell 0", "notebooks/good.ipynb") == 0
    assert _record(project)["bad"] == marked["bad"]
    assert _record(project)["good"]["date"] > "2000-01-01"


def test_the_page_shows_the_record_and_else_what_the_notebooks_store(project: Path, tmp_path: Path) -> None:
    pages = _load("notebook_runs")
    rows = {row["Notebook"]: row for row in pages.runs(project)}
    assert (rows["bad"]["From"], rows["bad"]["Cells"], rows["bad"]["Passed"]) == ("test run", "2", "1")
    assert pages.versions(project)[0] == {
        "Package": "facelab",
        "Version": _record(project)["good"]["packages"]["facelab"],
    }

    (tmp_path / "notebooks").mkdir()
    cell = _cell(
        "1", None, **{"iopub.execute_input": "2026-01-02T03:04:05Z", "shell.execute_reply": "2026-01-02T03:04:07Z"}
    )
    (tmp_path / "notebooks" / "new.ipynb").write_text(json.dumps(nb.new_notebook(cells=[cell])), "utf8")
    (row,) = pages.runs(tmp_path)
    assert (row["From"], row["Seconds"], row["Day"]) == ("stored outputs", "2.0", "2026-01-02")


def _cell(source: str, stdout: str | None, **stamps: str) -> Any:
    outputs = [] if stdout is None else [nb.new_output("stream", name="stdout", text=stdout)]
    return nb.new_code_cell(source, outputs=outputs, execution_count=1, metadata={"execution": stamps})


def _pytest(root: Path, *what: str) -> int:
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", *what]
    return subprocess.run(command, cwd=root, capture_output=True).returncode


def _record(root: Path) -> dict[str, Any]:
    return json.loads((root / RECORD).read_text("utf8"))


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "book" / "_ext" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
