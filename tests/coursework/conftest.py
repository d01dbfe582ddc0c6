"""A small assignment, with all that a source notebook can hold."""

import base64
import contextlib
import gzip
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

RAW, TEXT, CODE = "raw", "markdown", "code"

SMALL = [
    (
        RAW,
        "# ASSIGNMENT CONFIG\ntitle: Two small questions\nminutes: 5\nobjectives: [mean and scale]\n"
        "chapters: [06_cross_entropy]\nfiles: [data/scores.csv]\nnotes: |\n  measured by an instructor: 4711 seconds\n",
    ),
    (TEXT, "# Small\n\nSee [chapter 06](../06_cross_entropy.ipynb) and [the data](data/scores.csv)."),
    (CODE, "import numpy as np"),
    (CODE, "scores = np.loadtxt('data/scores.csv')\n\ndef twice(x):\n    return scaled(x, 2)"),
    (RAW, "# BEGIN QUESTION\nname: q1\nobjective: take a mean"),
    (TEXT, "## Question 1\n\nWrite `middle`, the mean of a list, and `best`, the largest score."),
    (RAW, "# BEGIN SOLUTION"),
    (
        CODE,
        'def middle(values):\n    """Return the mean."""\n    # BEGIN SOLUTION\n    whole_sum = np.sum(values)\n'
        "    return whole_sum / len(values)\n    # END SOLUTION",
    ),
    (CODE, "best = scores.max()  # SOLUTION"),
    (RAW, "# END SOLUTION"),
    (RAW, "# BEGIN TESTS"),
    (CODE, 'text = """a\n  b"""\nassert abs(middle([1, 3]) - 2) < 1e-6, "the mean of 1 and 3 is 2"\n'
           "assert len(text) == 5"),
    (CODE, "assert best > 0, 'a score is positive'"),
    (RAW, "# END TESTS"),
    (CODE, "print('the middle is', middle([1, 2]))"),
    (RAW, "# BEGIN GRADING"),
    (CODE, "secret_values = [0.0, 1.0, 11.0]\n\ndef helper(student, right):\n    expect(student.value('best'), right)"),
    (
        CODE,
        '@check(points=40, about="the mean")\ndef mean(student):\n'
        "    expect(student.call('middle', secret_values), 4.0, wrong=[(1.0, 'That is the median.')])\n\n"
        '@check(points=20, about="the largest of the scores")\ndef largest(student):\n    helper(student, 0.75)',
    ),
    (RAW, "# END GRADING"),
    (RAW, "# BEGIN VARIANTS"),
    (CODE, "# right: numpy does it\nmiddle, best = np.mean, 0.75"),
    (CODE, "# right: a loop\ndef middle(values):\n    total = 0\n    for value in values:\n        total += value\n"
           "    return total / len(values)\nbest = sorted(scores)[-1]"),
    (CODE, "# right: an array\ndef middle(values):\n    return np.float32(np.mean(values))\nbest = scores[1:].sum()"),
    (CODE, "# wrong: the median is the mean\n# says: the median\nmiddle, best = np.median, 0.75"),
    (CODE, "# wrong: takes the first score\n# says: too small\nmiddle, best = np.mean, scores[0]"),
    (CODE, "# wrong: forgets to return\n# says: with return\ndef middle(values):\n    np.mean(values)\nbest = 0.75"),
    (RAW, "# END VARIANTS"),
    (RAW, "# END QUESTION"),
    (RAW, "# BEGIN QUESTION\nname: q2\nobjective: use an earlier answer"),
    (TEXT, "Write `scaled`, which scales the middle."),
    (RAW, "# BEGIN SOLUTION"),
    (CODE, "def scaled(x, by):\n    return middle(x) * by  # SOLUTION"),
    (RAW, "# END SOLUTION"),
    (RAW, "# BEGIN GRADING"),
    (CODE, '@check(points=30, about="scaling")\ndef scale(student):\n    helper(student, 0.75)\n'
           "    expect(student.call('twice', secret_values), 8)"),
    (RAW, "# END GRADING"),
    (RAW, "# BEGIN VARIANTS"),
    (CODE, "# right: turned round\ndef scaled(x, by):\n    return by * middle(x)"),
    (CODE, "# right: a lambda\nscaled = lambda x, by: by * middle(x)"),
    (CODE, "# right: without middle\ndef scaled(x, by):\n    return sum(x) * by / len(x)"),
    (CODE, "# wrong: adds\n# says: too small\ndef scaled(x, by):\n    return middle(x) + by"),
    (CODE, "# wrong: other name\n# says: 'scaled' is not\nscale = 3"),
    (CODE, "# wrong: changes the score\n# says: too large\nscores[:] = 9\nbest = 9\ndef scaled(x, by):\n"
           "    return middle(x) * by"),
    (RAW, "# END VARIANTS"),
    (RAW, "# END QUESTION"),
    (RAW, "# BEGIN QUESTION\nname: q3\nobjective: explain\n"
          "manual: true\npoints: 10\nrubric: 10 for the word outlier-only"),
    (TEXT, "Why is the mean not the median?"),
    (RAW, "# BEGIN SOLUTION"),
    (TEXT, "Because of the word outlier-only in this answer."),
    (RAW, "# END SOLUTION"),
    (RAW, "# END QUESTION"),
]  # fmt: skip


@pytest.fixture
def small_cells() -> list[tuple[str, str]]:
    """Its cells: type and source."""
    return list(SMALL)


@pytest.fixture
def write_source(tmp_path: Path) -> Callable[[list[tuple[str, str]]], Path]:
    """Write cells as a source notebook, with the files beside it."""

    def write(cells: list[tuple[str, str]]) -> Path:
        folder = tmp_path / "source"
        (folder / "data").mkdir(parents=True, exist_ok=True)
        (folder / "data" / "scores.csv").write_text("0.25\n0.75\n")
        code = {"outputs": [], "execution_count": None}
        held = [
            {"cell_type": kind, "source": source.splitlines(True), "metadata": {"note": "an instructor's own"}}
            | (code if kind == CODE else {})
            for kind, source in cells
        ]
        notebook = {"cells": held, "metadata": {"author": "nobody-else"}, "nbformat": 4, "nbformat_minor": 4}
        (folder / "small.ipynb").write_text(json.dumps(notebook))
        return folder / "small.ipynb"

    return write


@pytest.fixture
def small(write_source, small_cells) -> Path:
    """The source notebook of the small assignment."""
    return write_source(small_cells)


@pytest.fixture
def read_through() -> Callable[[Path], str]:
    return _read_through


def _read_through(folder: Path) -> str:
    """Everything that is in the files of a folder: as it is, with JSON's escapes undone, and unpacked."""
    found = []

    def look(data: bytes) -> None:
        if not data:
            return
        text = data.decode("utf-8", errors="replace")
        found.append(text)
        with contextlib.suppress(ValueError):
            found.extend(texts(json.loads(text)))
        if zipfile.is_zipfile(io.BytesIO(data)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for name in archive.namelist():
                    found.append(name)
                    look(archive.read(name))
        for unpack in (gzip.decompress, zlib.decompress):
            with contextlib.suppress(OSError, EOFError, zlib.error):
                look(unpack(data))

    def texts(value):
        if isinstance(value, str):
            yield value
            with contextlib.suppress(ValueError):
                look(base64.b64decode(value, validate=True) if len(value) > 100 else b"")
        elif isinstance(value, list):
            if all(isinstance(one, str) for one in value):
                yield "".join(value)
            for one in value:
                yield from texts(one)
        elif isinstance(value, dict):
            for key, one in value.items():
                yield key
                yield from texts(one)

    for path in sorted(folder.rglob("*")):
        found.append(path.name)
        if path.is_file():
            look(path.read_bytes())
    return "\n".join(found)
