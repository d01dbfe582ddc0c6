"""The house as a whole: light at the door, rooms in order, one clear error for the user."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import facelab
from facelab.cli import app

PACKAGE = Path(facelab.__file__).parent
# A room may import from the rooms before it, never from those after it (small shared modules stand first;
# synth stands behind align, by whose template it frames its chips).
ROOMS = [
    "errors", "files", "strict", "device", "processes", "workers", "progress",
    "data", "detect", "align", "synth", "convert", "sources", "models", "losses", "train", "evaluate", "analyze",
    "embeddings", "export", "search", "plots", "reports", "study", "course", "coursework", "cli",
]  # fmt: skip


def test_import_is_light():
    heavy = ["torch", "torchvision", "cv2", "sklearn", "matplotlib", "pandas", "anny", "warp", "rich"]
    code = f"import sys, facelab; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_help_needs_no_torch():
    code = (
        "import sys\nfrom facelab.cli import app\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\nprint('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("False")


def _imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("facelab.")}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_rooms_import_only_from_rooms_before_them(path):
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py").replace("__main__", "cli")
    if room == "__init__":
        assert not _imported_rooms(path)
        return
    later = {name for name in _imported_rooms(path) if ROOMS.index(name) > ROOMS.index(room)}
    assert not later, f"{path.name} in {room} imports from {later}"


def test_user_error_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        app(["data", "nobody"])
    assert stop.value.code == 2
    error = capsys.readouterr().err.strip()
    assert "nobody" in error
    assert "orl" in error
    assert "Traceback" not in error
    assert len(error.splitlines()) == 1


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        app(["--version"])
    assert stop.value.code == 0
    assert facelab.__version__ in capsys.readouterr().out
