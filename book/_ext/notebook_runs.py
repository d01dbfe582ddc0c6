"""How long each notebook took in the whole test run that the book records.

``python book/_ext/notebook_runs.py`` takes the last whole run of the notebooks on this computer, which
notebooks/conftest.py has noted, and writes it to the file that is committed with a release.
"""

import hashlib
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

NOTED = Path(".book") / "last_test_run.json"  # of this computer; written by notebooks/conftest.py
RECORD = Path("book") / "test_run.json"  # of the release; the book shows it
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
OF_THE_RUN = ("run", "machine", "processes", "python", "packages")  # what the rows of one run have in common


def notebook_paths(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("*.ipynb"))


def code_digest(notebook: Path) -> str:
    """Of the cells with code: says whether a notebook is the one that was run."""
    cells = json.loads(notebook.read_text("utf8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return hashlib.sha256("\n\n".join(code).encode()).hexdigest()[:16]


def this_machine() -> str:
    """Cores, memory, processor, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    said = [f"{cores} cores"]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", {}):
        said.append(f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GB of memory")
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text("utf8", "replace").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return ", ".join([*said, names[0] if names else platform.machine(), platform.system()])


def whole_run(root: Path) -> dict[str, Any]:
    """The last noted run as it is recorded: what all chapters have in common, and the seconds of each.

    Raises:
        SystemExit: some notebook was not run with the others, has changed since, or failed.
    """
    noted = json.loads((root / NOTED).read_text("utf8")) if (root / NOTED).exists() else {}
    paths = notebook_paths(root)
    last = max((row.get("run", "") for row in noted.values()), default="")
    rows = {path.stem: noted[path.stem] for path in paths if noted.get(path.stem, {}).get("run") == last}
    faults = [f"{path.stem} was not run" for path in paths if path.stem not in rows]
    faults += [
        f"{name}: {row['cells'] - row['passed']} cells fail"
        for name, row in rows.items()
        if row["passed"] < row["cells"]
    ]
    faults += [
        f"{path.stem} has changed since"
        for path in paths
        if path.stem in rows and rows[path.stem]["code"] != code_digest(path)
    ]
    if faults or not rows:
        raise SystemExit(
            f"no whole run to record: {'; '.join(faults) or 'no notebook'}. Run all: pytest --nbval notebooks"
        )
    chapters = {name: {key: row[key] for key in ("cells", "seconds", "code")} for name, row in rows.items()}
    return {key: rows[paths[0].stem][key] for key in OF_THE_RUN} | {"chapters": chapters}


def record(root: Path) -> dict[str, Any]:
    """The committed record; without chapters where none was made yet."""
    path = root / RECORD
    return json.loads(path.read_text("utf8")) if path.exists() else {"chapters": {}}


def runs(root: Path) -> list[dict[str, str]]:
    """A row for each notebook: cells, seconds, and whether it is still the one that was run."""
    chapters = record(root)["chapters"]
    return [_row(path, chapters.get(path.stem)) for path in notebook_paths(root)]


def circumstances(root: Path) -> list[dict[str, str]]:
    """When, where and with what the recorded run was made; empty without a record."""
    run = record(root)
    if not run["chapters"]:
        return []
    processes = "one notebook at a time" if run["processes"] == 1 else f"{run['processes']} notebooks at a time"
    facts = {"Day": run["run"][:10], "Machine": run["machine"], "How": processes, "Python": run["python"]}
    return [{"What": what, "Value": value} for what, value in (facts | run["packages"]).items()]


def _row(path: Path, run: dict[str, Any] | None) -> dict[str, str]:
    row = {"Notebook": path.stem, "Cells": "", "Seconds": "", "Since then": "not recorded"}
    if run is None:
        return row
    same = run["code"] == code_digest(path)
    return row | {
        "Cells": str(run["cells"]),
        "Seconds": f"{run['seconds']:.0f}",
        "Since then": "the same code" if same else "the code has changed",
    }


if __name__ == "__main__":
    root = Path(__file__).parents[2]
    run = whole_run(root)
    (root / RECORD).write_text(json.dumps(run, indent=1, ensure_ascii=False) + "\n", "utf8")
    total = sum(row["seconds"] for row in run["chapters"].values())
    sys.stdout.write(f"{RECORD}: {len(run['chapters'])} notebooks, {total:.0f} s, of {run['run']}\n")
