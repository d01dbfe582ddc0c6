"""Published results of the studies: one JSON file for each command, shipped with the package and read by the book."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from facelab.errors import FacelabError
from facelab.files import atomic_write


def load_results(name: str) -> dict[str, Any]:
    """Return the results that ``python -m facelab.study.NAME`` recorded.

    Raises:
        FacelabError: no results of this name are shipped.
    """
    path = _path(name)
    if not path.is_file():
        raise FacelabError(f"no results {name!r}; make them with: python -m facelab.study.{name}")
    return json.loads(path.read_text(encoding="utf-8"))


def save_results(name: str, values: dict[str, Any]) -> None:
    """Write the results of a study; the file is complete or the old one."""
    with atomic_write(_path(name)) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def _path(name: str) -> Path:
    return Path(str(files("facelab.study.results"))) / f"{name}.json"
