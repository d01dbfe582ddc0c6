"""How long each notebook took: in its last test run if one is recorded, else when its outputs were stored."""

import json
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

RECORD = Path(".book") / "last_test_run.json"  # written by notebooks/conftest.py, which reads both names here
PACKAGES = (
    "facelab",
    "torch",
    "torchvision",
    "opencv-python",
    "numpy",
    "pandas",
    "scikit-learn",
    "matplotlib",
    "nbval",
)
# stamps that `jupyter nbconvert --execute` writes into the metadata of a cell
START, END = "iopub.execute_input", "shell.execute_reply"


def notebook_paths(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("*.ipynb"))


def test_runs(root: Path) -> dict[str, dict[str, Any]]:
    """The recorded test runs of the notebooks that are in the book; empty where none was recorded."""
    record = root / RECORD
    runs = json.loads(record.read_text("utf8")) if record.exists() else {}
    return {path.stem: runs[path.stem] for path in notebook_paths(root) if path.stem in runs}


def runs(root: Path) -> list[dict[str, str]]:
    """One row per notebook: its name, where the row comes from, cells, seconds, day, Python version."""
    tested = test_runs(root)
    return [
        _tested(path.stem, tested[path.stem]) if path.stem in tested else _stored(path) for path in notebook_paths(root)
    ]


def versions(root: Path) -> list[dict[str, str]]:
    """The packages of the latest recorded test run; as installed where it noted none."""
    names = (*PACKAGES, "jupyter-book")  # which the tests can do without
    latest = max(test_runs(root).values(), key=lambda run: run["date"], default={"packages": {}})
    return [{"Package": name, "Version": latest["packages"].get(name) or version(name)} for name in names]


def _tested(name: str, run: dict[str, Any]) -> dict[str, str]:
    return {
        "Notebook": name,
        "From": "test run",
        "Cells": str(run["cells"]),
        "Passed": str(run["passed"]),
        "Seconds": f"{run['seconds']:.1f}",
        "Day": run["date"],
        "Python": run["python"],
    }


def _stored(path: Path) -> dict[str, str]:
    notebook = json.loads(path.read_text("utf8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    times = [_seconds(cell["metadata"]) for cell in cells if cell["source"]]
    known = [seconds for seconds in times if seconds is not None]
    complete = len(known) == len(times) and bool(known)
    return {
        "Notebook": path.stem,
        "From": "stored outputs",
        "Cells": str(len(times)),
        "Passed": "not tested",
        "Seconds": f"{sum(known):.1f}" if complete else "not recorded",
        "Day": max((_day(cell["metadata"]) for cell in cells), default="") if complete else "not recorded",
        "Python": notebook["metadata"].get("language_info", {}).get("version", "not recorded"),
    }


def _seconds(metadata: dict[str, Any]) -> float | None:
    stamps = metadata.get("execution", {})
    if START not in stamps or END not in stamps:
        return None
    return (datetime.fromisoformat(stamps[END]) - datetime.fromisoformat(stamps[START])).total_seconds()


def _day(metadata: dict[str, Any]) -> str:
    return str(metadata.get("execution", {}).get(END, ""))[:10]
