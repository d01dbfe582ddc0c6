"""The notebooks' last test run: what notes it, what is recorded of it, what the book's page makes of that."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat.v4 as nb
import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "_ext" / "notebook_runs.py"
RUNS = runpy.run_path(str(PAGE))
NOTED = Path(".book") / "last_test_run.json"


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


def test_a_whole_run_is_noted_passed_or_not(project: Path) -> None:
    noted = _noted(project)
    assert list(noted) == ["bad", "good"]
    assert [(run["cells"], run["passed"], run["processes"]) for run in noted.values()] == [(2, 1, 2), (2, 2, 2)]
    assert all(run["seconds"] > 0 and run["packages"]["facelab"] and "core" in run["machine"] for run in noted.values())


def test_a_whole_run_changes_only_its_row_and_a_run_of_some_cells_none(project: Path) -> None:
    marked = {name: run | {"run": "2000-01-01T00:00:00"} for name, run in _noted(project).items()}
    (project / NOTED).write_text(json.dumps(marked), "utf8")
    assert _pytest(project, "notebooks/bad.ipynb::Cell 0", "notebooks/good.ipynb") == 0
    assert _noted(project)["bad"] == marked["bad"]
    assert _noted(project)["good"]["run"] > "2000-01-01"


def test_only_one_whole_run_that_passed_becomes_the_record(project: Path) -> None:
    def write() -> str:
        command = [sys.executable, str(project / "book" / "_ext" / PAGE.name)]
        return subprocess.run(command, capture_output=True, text=True).stderr

    good = _noted(project)["good"]
    noted = {"good": good, "bad": good | {"passed": 1, "run": "2000-01-01T00:00:00"}}

    def note(**changes: Any) -> None:
        (project / NOTED).write_text(json.dumps(noted | {"bad": noted["bad"] | changes}), "utf8")

    note()
    assert "bad was not run" in write()
    note(run=good["run"])
    assert "bad: 1 cells fail" in write()
    note(run=good["run"], passed=2, code="another")
    assert "bad has changed since" in write()
    assert not (project / RUNS["RECORD"]).exists()
    assert {row["Since then"] for row in RUNS["runs"](project)} == {"not recorded"}
    assert RUNS["circumstances"](project) == []

    note(run=good["run"], passed=2, code=RUNS["code_digest"](project / "notebooks" / "bad.ipynb"), seconds=61.2)
    assert write() == ""
    rows = {row["Notebook"]: row for row in RUNS["runs"](project)}
    assert (rows["bad"]["Seconds"], rows["bad"]["Since then"]) == ("61", "the same code")
    facts = {row["What"]: row["Value"] for row in RUNS["circumstances"](project)}
    assert facts["How"] == "one notebook at a time"
    assert facts["facelab"] == good["packages"]["facelab"]

    path = project / "notebooks" / "bad.ipynb"
    path.write_text(path.read_text("utf8").replace("x + 1", "x + 2"), "utf8")
    assert {row["Notebook"]: row["Since then"] for row in RUNS["runs"](project)} == {
        "bad": "the code has changed",
        "good": "the same code",
    }


def _cell(source: str, stdout: str | None) -> Any:
    outputs = [] if stdout is None else [nb.new_output("stream", name="stdout", text=stdout)]
    return nb.new_code_cell(source, outputs=outputs, execution_count=1)


def _pytest(root: Path, *what: str) -> int:
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "-p", "no:cacheprovider", *what]
    return subprocess.run(command, cwd=root, capture_output=True).returncode


def _noted(root: Path) -> dict[str, Any]:
    return json.loads((root / NOTED).read_text("utf8"))
