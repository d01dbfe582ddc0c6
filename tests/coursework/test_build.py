"""What students get: no solution, no hidden check, nothing of the instructor's; and otter's own checks work in it."""

import gzip
import json
import os
import sys
import zipfile
from pathlib import Path

import nbclient
import nbformat
import pytest

from facelab.cli import app
from facelab.coursework.build import as_function, build, hidden_lines, sources
from facelab.coursework.source import Assignment
from facelab.errors import FacelabError

# Words that stand only in what students must not get.
SECRETS = [
    "whole_sum", "scores.max", "return middle(x) * by", "secret_values", "That is the median",
    "the largest of the scores", "# right", "total += value", "outlier-only", "4711", "an instructor's own",
    "nobody-else", "expect(", "GRADING",
]  # fmt: skip


@pytest.fixture
def dist(small, tmp_path) -> Path:
    build(Assignment.load(small), tmp_path / "dist")
    return tmp_path / "dist"


def test_students_get_nothing_that_is_hidden(dist, read_through):
    given = read_through(dist / "small" / "student")
    assert [secret for secret in SECRETS if secret in given] == []
    kept = read_through(dist / "small" / "grader")
    assert [secret for secret in SECRETS if secret not in kept] == []  # the search finds what is there


def test_the_search_looks_into_escapes_and_archives(tmp_path, read_through):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inner.gz", gzip.compress(json.dumps({"x": ["scores", ".max é"]}).encode()))
    assert "scores.max é" in read_through(tmp_path)


def test_the_students_notebook(dist):
    assert sorted(path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()) == [
        ".facelab",
        "small/grader/data/scores.csv",
        "small/grader/small.ipynb",
        "small/grader/small_solution.ipynb",
        "small/student/data/scores.csv",
        "small/student/small.ipynb",
    ]
    notebook = nbformat.read(dist / "small" / "student" / "small.ipynb", 4)
    nbformat.validate(notebook)
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook.cells)
    text = [cell.source for cell in notebook.cells]
    assert text[0] == "# Small\n\nSee chapter 06 and [the data](data/scores.csv)."
    assert text[1] == "import otter\n\ngrader = otter.Notebook('small.ipynb')"
    assert text[4].startswith("## Question 1\n\n*60 points*\n\nWrite")
    assert text[5] == 'def middle(values):\n    """Return the mean."""\n    ...'
    assert text[6:9] == ["best = ...", "print('the middle is', middle([1, 2]))", 'grader.check("q1")']
    assert "*30 points*\n\nWrite `scaled`" in text[9]
    assert text[11].startswith("*10 points, marked by a person*")
    assert "Type your answer here" in text[12]
    assert text[-1] == "grader.check_all()"
    assert "hand in this file under its name, `small.ipynb`" in text[-2]
    assert set(notebook.metadata.otter.tests) == {"q1"}


@pytest.mark.slow
def test_otters_check_fails_for_the_stub_and_passes_for_the_solution(dist, monkeypatch):
    """In one run of the student's notebook: its check, the solution's cells, its check once more."""
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")  # nothing listens: a download would fail
    student = dist / "small" / "student"
    notebook = nbformat.read(student / "small.ipynb", 4)
    solved = nbformat.read(dist / "small" / "grader" / "small_solution.ipynb", 4)
    first = next(number for number, cell in enumerate(notebook.cells) if cell.source == 'grader.check("q1")')
    notebook.cells[first + 1 :] = [cell for cell in solved.cells[2:] if cell.cell_type == "code"]
    where = {"metadata": {"path": student}}
    nbclient.NotebookClient(notebook, timeout=60, allow_errors=True, resources=where).execute()
    before, after = ("".join(output.get("data", {}).get("text/plain", "") for output in cell.outputs)
                     for cell in notebook.cells if cell.source == 'grader.check("q1")')  # fmt: skip
    assert "AssertionError: best is not defined, or still `...`" in before
    assert before.count("Test case failed") == 2
    assert "All test cases passed!" in after
    assert (
        "".join(output.get("evalue", "") for cell in notebook.cells[first + 1 :] for output in cell.get("outputs", []))
        == ""
    )


def test_the_same_source_gives_the_same_bytes(small, dist, tmp_path):
    build(Assignment.load(small), tmp_path / "again")
    for path in dist.rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "again" / path.relative_to(dist)).read_bytes(), path


def test_a_build_replaces_its_own_files_and_nobody_elses(small, small_cells, write_source, dist):
    mine = dist / "small" / "student" / "hint.txt"
    mine.write_text("mine")
    write_source([(kind, source.replace("files: [data/scores.csv]\n", "")) for kind, source in small_cells])
    build(Assignment.load(small), dist)
    assert not (dist / "small" / "student" / "data" / "scores.csv").exists()  # it is no longer part of it
    assert mine.read_text() == "mine"

    other = dist.parent / "other"
    (other / "small" / "grader").mkdir(parents=True)
    (other / "small" / "grader" / "small.ipynb").write_text("mine")
    with pytest.raises(FacelabError, match="facelab did not make it"):
        build(Assignment.load(small), other)
    assert [path.name for path in other.rglob("*") if path.is_file()] == ["small.ipynb"]


def test_nothing_is_written_when_a_solution_cannot_be_taken_out(small_cells, write_source, tmp_path):
    number = next(number for number, (_, source) in enumerate(small_cells) if source.startswith("best ="))
    small_cells[number] = ("code", "best = max(  # SOLUTION\n    scores)")
    with pytest.raises(FacelabError, match="without the solution it is not valid Python"):
        build(Assignment.load(write_source(small_cells)), tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.mark.parametrize("name", ["small.ipynb", "data/other.ipynb"])
def test_no_source_goes_to_students_as_a_file(small, small_cells, write_source, tmp_path, name):
    (small.parent / "data" / "other.ipynb").write_bytes(small.read_bytes())
    small_cells[0] = ("raw", small_cells[0][1].replace("[data/scores.csv]", f"[data/scores.csv, ./{name}]"))
    write_source(small_cells)
    with pytest.raises(FacelabError, match=f"files: {name} holds a solution"):
        build(Assignment.load(small), tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_the_build_itself_looks_for_what_is_hidden(small, tmp_path, monkeypatch):
    monkeypatch.setattr("otter.assign.notebook_transformer.strip_solutions_and_output", lambda _, notebook: notebook)
    with pytest.raises(FacelabError, match="students would get this line of what is hidden"):
        build(Assignment.load(small), tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_without_otter_the_remedy_is_said(small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "otter.assign.solutions", None)
    with pytest.raises(FacelabError, match=r"pip install 'facelab\[coursework\]'"):
        build(Assignment.load(small), tmp_path / "dist")


def test_the_command_builds_a_folder(small, tmp_path, capsys):
    out = tmp_path / "dist"
    with pytest.raises(SystemExit) as stop:
        app(["coursework", "build", str(small.parent), "--out", str(out)])
    assert stop.value.code == 0
    assert (out / "small" / "student" / "small.ipynb").exists()
    assert "give it to the students" in capsys.readouterr().out
    with pytest.raises(FacelabError, match="no source notebook"):
        sources(tmp_path)


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_build_leaves_no_temporary_files(small, tmp_path, monkeypatch, umask):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    before = os.umask(umask)
    try:
        build(Assignment.load(small), tmp_path / "dist")
    finally:
        os.umask(before)
    assert list(folder.iterdir()) == []


def test_a_test_gets_the_names_of_the_notebook():
    code = (
        "import math\nfrom a import b\ntotal = sum(f(x) for x in values)\n"
        "def inner(y):\n    return y + z + total\nassert np.all(inner(total) > len(b))\n[k for k in q]"
    )
    assert as_function(code, "test_3").startswith("def test_3(f, np, q, values, z):")


def test_every_line_of_the_solution_that_is_not_given_is_looked_for(small):
    lines = hidden_lines(Assignment.load(small))
    assert "whole_sum = np.sum(values)" in lines
    assert "secret_values = [0.0, 1.0, 11.0]" in lines
    assert "rubric: 10 for the word outlier-only" in lines
    assert '"""Return the mean."""' not in lines
