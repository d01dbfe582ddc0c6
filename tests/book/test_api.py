"""The reference has a page for every room, and every name at a room's door stands on it."""

import importlib
import re
from pathlib import Path

import pytest

import facelab

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ROOMS = sorted(p.name for p in Path(facelab.__file__).parent.iterdir() if (p / "__init__.py").exists())
ROOMS.remove("cli")  # facelab --help is its reference


@pytest.mark.parametrize("room", ROOMS)
def test_every_room_has_a_page(room: str) -> None:
    assert f"book/api/{room}\n" in (ROOT / "book" / "_toc.yml").read_text("utf8")
    assert f"({room}.md)" in (ROOT / "book" / "api" / "index.md").read_text("utf8")


@pytest.mark.parametrize("room", ROOMS)
def test_every_name_at_the_door_is_documented(room: str, html: Path) -> None:
    page = (html / "book" / "api" / f"{room}.html").read_text("utf8")
    documented = set(re.findall(r'<dt class="sig[^>]* id="([\w.]+)"', page))
    names = getattr(importlib.import_module(f"facelab.{room}"), "__all__", [])
    assert {f"facelab.{room}.{name}" for name in names} <= documented
