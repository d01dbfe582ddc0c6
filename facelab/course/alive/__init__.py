"""The data of the book's interactive figures: one module a figure, whose script stands in ``book/_static/alive``.

``python -m facelab.course.alive FOLDER [NAME...]`` writes ``NAME.data.js`` for each, and the pictures that it shows. A
module has ``data()``, which returns what its script gets, and, where it has pictures, ``files()``: their bytes by name.
"""

import pkgutil
from importlib import import_module, resources
from pathlib import Path
from types import ModuleType

from facelab.errors import FacelabError
from facelab.files import atomic_write
from facelab.reports.alive import as_script


def figures() -> list[str]:
    """Return the names of the figures."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))


def figure(name: str) -> ModuleType:
    """Return the module of a figure.

    Raises:
        FacelabError: there is none of this name.
    """
    if name not in figures():
        raise FacelabError(f"interactive figure {name!r}: choose one of {', '.join(figures())}.")
    return import_module(f"{__name__}.{name}")


def write(folder: Path | str, name: str) -> list[Path]:
    """Write the data of a figure into a folder; return the paths of the files."""
    module, folder = figure(name), Path(folder)
    made = {f"{name}.data.js": as_script(name, module.data()).encode()}
    if hasattr(module, "files"):
        made |= module.files()
    for file, content in made.items():
        with atomic_write(folder / file) as temporary:
            temporary.write_bytes(content)
    return [folder / file for file in made]


def shared() -> Path:
    """Return the folder of the scripts that reports carry, too."""
    return Path(str(resources.files("facelab.reports"))) / "static" / "alive"
