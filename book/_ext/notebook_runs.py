"""What the stored notebooks say about their last run: seconds, cells, Python; and the versions of the packages."""

import json
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = [
    "facelab",
    "torch",
    "torchvision",
    "opencv-python",
    "numpy",
    "pandas",
    "scikit-learn",
    "matplotlib",
    "nbval",
    "jupyter-book",
]
# stamps that `jupyter nbconvert --execute` writes into the metadata of a cell
START, END = "iopub.execute_input", "shell.execute_reply"


def notebook_paths(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("*.ipynb"))


def runs(root: Path) -> list[dict[str, str]]:
    """One row per notebook: its name, number of code cells, seconds of the stored run, day, Python version."""
    return [_run(path) for path in notebook_paths(root)]


def versions() -> list[dict[str, str]]:
    return [{"Package": name, "Version": version(name)} for name in PACKAGES]


def _run(path: Path) -> dict[str, str]:
    notebook = json.loads(path.read_text("utf8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    times = [_seconds(cell["metadata"]) for cell in cells if cell["source"]]
    known = [seconds for seconds in times if seconds is not None]
    complete = len(known) == len(times) and bool(known)
    return {
        "Notebook": path.stem,
        "Code cells": str(len(times)),
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
