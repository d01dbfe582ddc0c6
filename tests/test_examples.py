"""The examples in the docstrings do what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import facelab

PACKAGE = Path(facelab.__file__).parent
MODULES = [
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text("utf8")
]


def test_examples_are_there() -> None:
    assert len(MODULES) > 12


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted > 0
    assert found.failed == 0
