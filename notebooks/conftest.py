"""Notes how long each notebook took in its last test run; what is recorded with a release comes from here.

``pytest --nbval`` loads this file with the notebooks. A notebook that ran whole, whether its cells passed or not, gets
its row in ``.book/last_test_run.json``; a run of some of its cells changes nothing, nor do the other notebooks' rows.
``python book/_ext/notebook_runs.py`` makes the record of them.
"""

import json
import platform
import runpy
from collections import defaultdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

import pytest

# What the book's page reads, its own file says; that file needs the standard library only.
PAGE = runpy.run_path(str(Path(__file__).parents[1] / "book" / "_ext" / "notebook_runs.py"))
NOTED, PACKAGES = PAGE["NOTED"], PAGE["PACKAGES"]

# Sources of assignments hold no outputs; tests/coursework tries their solutions and variants instead.
collect_ignore = ["coursework"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """nbval compares no PNG and no JPEG; a figure as SVG is a text, and the last digits of one differ by machine."""
    for file in {item.parent for item in items if hasattr(item.parent, "skip_compare")}:
        file.skip_compare = (*file.skip_compare, "image/svg+xml")


_reports: dict[Path, list[pytest.TestReport]] = defaultdict(list)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    path = Path(report.nodeid.split("::")[0])
    if path.suffix == ".ipynb":
        _reports[path].append(report)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workerinput"):
        return  # of several processes (pytest -n) the one that hears of all tests writes
    root = session.config.rootpath
    whole = {path.stem: row for path, reports in _reports.items() if (row := _row(root / path, reports))}
    _reports.clear()
    run = {  # what the notebooks of one run have in common
        "run": datetime.now().isoformat(timespec="seconds"),
        "machine": PAGE["this_machine"](),
        "processes": getattr(session.config.option, "numprocesses", None) or 1,
        "python": platform.python_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }
    whole = {name: row | run for name, row in whole.items()}
    if not whole:
        return
    from facelab.files import atomic_write  # not needed to collect

    noted = root / NOTED
    known = json.loads(noted.read_text("utf8")) if noted.exists() else {}
    with atomic_write(noted) as temporary:
        temporary.write_text(json.dumps(dict(sorted((known | whole).items())), indent=1) + "\n", "utf8")


def _row(notebook: Path, reports: list[pytest.TestReport]) -> dict | None:
    """The run of a notebook, or None if not every cell with code was run."""
    cells = {report.nodeid for report in reports if report.when == "call" and not report.skipped}
    if len(cells) < _code_cells(notebook):
        return None
    failed = {report.nodeid for report in reports if report.failed}
    return {
        "cells": len(cells),
        "passed": len(cells - failed),
        "seconds": round(sum(report.duration for report in reports), 1),  # with the start of the kernel
        "code": PAGE["code_digest"](notebook),
    }


def _code_cells(notebook: Path) -> int:
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    return sum(cell["cell_type"] == "code" for cell in cells)
