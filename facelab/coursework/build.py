"""Source notebook -> what students get, and what stays with the instructor.

    DIST/NAME/student/NAME.ipynb            no solution, no hidden check, no output; and the assignment's files
    DIST/NAME/grader/NAME.ipynb             the source itself; and the assignment's files
    DIST/NAME/grader/NAME_solution.ipynb    the notebook as a student with all points would hand it in

otter-grader takes the solutions out and puts the tests that students run into the notebook, so ``grader.check("q1")``
needs no other file and no network. What is hidden is taken out before otter sees the notebook.
"""

import ast
import builtins
import contextlib
import json
import re
import symtable
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from facelab.coursework.source import Assignment, Cell, Question, mark, read_cells
from facelab.errors import FacelabError
from facelab.files import atomic_write, claim, made, read_bytes, remove_made

_HIDDEN = ("GRADING", "VARIANTS")
_OTTER = """# ASSIGNMENT CONFIG
init_cell: false
check_all_cell: false
export_cell: false
generate: false
run_tests: false
suppress_no_tests_warning: true
tests:
  ok_format: false
"""
_EXPORT = re.compile(r"<!-- (BEGIN|END) QUESTION -->\n*")
_START = "import otter\n\ngrader = otter.Notebook({name!r})"
_END = """## Before you hand in

1. Choose *Kernel*, *Restart Kernel and Run All Cells*: your notebook has to run from its first cell to its last.
2. Look at what the cell below says. These are the small checks that you know; the grade comes from more of them.
3. Save (Ctrl+S), and hand in this file under its name, `{name}`, and what else the assignment asks for."""


def sources(source: Path | str) -> list[Path]:
    """Return the source notebooks at a path: itself, or those in the folder.

    Raises:
        FacelabError: there is none.
    """
    path = Path(source)
    found = sorted(one for one in path.glob("*.ipynb") if not one.name.startswith(".")) if path.is_dir() else [path]
    if not found:
        raise FacelabError(f"no source notebook (.ipynb) is in {path}. Check the path.")
    return found


def build(assignment: Assignment, dist: Path | str) -> Path:
    """Write what students get and what grading needs.

    Args:
        assignment: as :meth:`Assignment.load` reads it.
        dist: folder; the assignment gets a folder of its name in it. The same source gives the same bytes.

    Returns:
        That folder.

    Raises:
        FacelabError: a solution cannot be taken out, or a file is there that facelab did not make.
    """
    files = dict(_files(assignment))
    dist, inside = Path(dist), f"{assignment.name}/"
    claim(dist, list(files))
    remove_made(dist, [name for name in made(dist) if name.startswith(inside) and name not in files])
    for name, content in files.items():
        with atomic_write(dist / name) as temporary:
            temporary.write_bytes(content)
    return dist / assignment.name


def _files(assignment: Assignment) -> Iterator[tuple[str, bytes]]:
    name = assignment.name
    student, solution = _assigned(assignment)
    _check_nothing_hidden(assignment, student)
    yield f"{name}/student/{name}.ipynb", _written(student)
    yield f"{name}/grader/{name}_solution.ipynb", _written(solution)
    yield f"{name}/grader/{name}.ipynb", read_bytes(assignment.source)
    for file in assignment.files:
        content = read_bytes(assignment.source.parent / file)
        if b"# BEGIN SOLUTION" in content or b"# BEGIN GRADING" in content:
            raise FacelabError(f"{assignment.source}: files: {file} holds a solution, and students would get it.")
        yield f"{name}/student/{file}", content
        yield f"{name}/grader/{file}", content


def _assigned(assignment: Assignment) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the student's notebook and the solved one, which otter makes."""
    from otter.assign import main

    for question in assignment.questions:
        _ = question.stub  # its mistakes are said more clearly than by otter
    with tempfile.TemporaryDirectory() as folder, _temporary_files_in(folder):
        source, result = Path(folder, f"{assignment.name}.ipynb"), Path(folder, "result")
        source.write_bytes(_written(_notebook(_for_otter(assignment))))
        try:
            main(str(source), str(result), no_pdfs=True, no_run_tests=True)
        except Exception as error:
            raise FacelabError(f"otter-grader does not take {assignment.source}: {error}") from error
        student, solved = (read_cells(result / who / source.name) for who in ("student", "autograder"))
        tests = json.loads((result / "student" / source.name).read_text("utf-8"))["metadata"].get("otter", {})
    return _notebook(student, tests), _notebook(solved, tests)


@contextlib.contextmanager
def _temporary_files_in(folder: str) -> Iterator[None]:
    """Otter leaves a temporary folder behind; in the block it is made in this one."""
    before, tempfile.tempdir = tempfile.tempdir, folder
    try:
        yield
    finally:
        tempfile.tempdir = before


def _for_otter(assignment: Assignment) -> Iterator[Cell]:
    """Give the cells of the source as otter takes them: without what is hidden, and with what every notebook has."""
    file = f"{assignment.name}.ipynb"
    waiting = iter(assignment.questions)
    question: Question | None = None
    block, started, told, tests = "", False, False, 0
    for cell in read_cells(assignment.source):
        match mark(cell):
            case "ASSIGNMENT", _:
                yield _cell("raw", _OTTER)
                continue
            case "BEGIN", "QUESTION":
                question, told, tests = next(waiting), False, 0
                manual = "\nmanual: true" if question.manual else ""
                yield from [] if started else [_cell("code", _START.format(name=file))]
                started = True
                yield _cell("raw", f"# BEGIN QUESTION\nname: {question.name}{manual}")
                continue
            case "BEGIN", name:
                block = name
            case "END", name:
                block = ""
                if name in _HIDDEN:
                    continue
        if block in _HIDDEN:
            continue
        source, kind = cell["source"], cell["cell_type"]
        if kind == "code" and not started:
            yield _cell("code", _START.format(name=file))
            started = True
        if kind == "code" and block == "TESTS":
            tests += 1
            source = as_function(source, f"test_{tests}")
        if kind == "markdown":
            source = _without_links(source, assignment.files)
        if kind == "markdown" and question and not told:
            source, told = _with_points(source, question), True
        yield _cell(kind, source)
    yield _cell("markdown", _END.format(name=file))
    yield _cell("code", "grader.check_all()")


def _with_points(prompt: str, question: Question) -> str:
    """Say below the heading of a prompt what the question is worth."""
    worth = f"*{question.points:g} points{', marked by a person' if question.manual else ''}*"
    heading, _, rest = prompt.partition("\n")
    return f"{heading}\n\n{worth}\n{rest}" if heading.startswith("#") else f"{worth}\n\n{prompt}"


def _without_links(text: str, files: Sequence[str]) -> str:
    """Return Markdown with the words of links to files that students do not get, such as chapters."""
    link = re.compile(r"(?<!!)\[([^\]]*)\]\((?!\w+:|#)([^)\s]*)\)")
    return link.sub(lambda found: found[0] if found[2] in files else found[1], text)


def as_function(code: str, name: str = "test") -> str:
    """Return a test as otter takes it: one function, whose parameters are the names that it wants of the notebook."""
    function = ast.parse(f"def {name}(): pass").body[0]
    assert isinstance(function, ast.FunctionDef)
    function.body = ast.parse(code).body
    names = sorted(
        _free(symtable.symtable(ast.unparse(function), "test", "exec").get_children()[0]) - set(dir(builtins))
    )
    function.args.args = [ast.arg(name) for name in names]
    defined = (
        f"assert {name} is not None and {name} is not ..., "
        f"'{name} is not defined, or still `...`: run the cells above in order, and write your answer.'"
        for name in names
    )
    function.body = [*ast.parse("\n".join(defined)).body, *function.body]
    return ast.unparse(function)


def _free(table: symtable.SymbolTable) -> set[str]:
    """Return the global names that a function, and those in it, read."""
    own = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_global()}
    return own.union(*(_free(child) for child in table.get_children()))


def _cell(kind: str, source: str) -> Cell:
    more: dict[str, Any] = {"outputs": [], "execution_count": None} if kind == "code" else {}
    return {"cell_type": kind, "metadata": {}, "source": source} | more


def _notebook(cells: Iterable[Cell], tests: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a notebook of cells: nothing but their source and what otter says of them, and ids that stay the same."""
    kept: list[Cell] = []
    for cell in cells:
        source = _EXPORT.sub("", cell["source"])  # empty where otter puts a mark for its PDFs only
        if not source.strip():
            continue
        said = {key: value for key, value in cell["metadata"].items() if key in ("tags", "editable", "deletable")}
        kept.append(_cell(cell["cell_type"], source) | {"metadata": said, "id": f"cell-{len(kept) + 1}"})
    return {
        "cells": kept,
        "metadata": {
            "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
            **({"otter": tests} if tests else {}),
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _written(notebook: dict[str, Any]) -> bytes:
    """Return a notebook file, laid out as Jupyter does."""
    lines = [cell | {"source": cell["source"].splitlines(keepends=True)} for cell in notebook["cells"]]
    text = json.dumps(notebook | {"cells": lines}, indent=1, ensure_ascii=False, sort_keys=True)
    return (text + "\n").encode("utf-8")


def _check_nothing_hidden(assignment: Assignment, student: dict[str, Any]) -> None:
    """Look for lines of solutions and hidden cells in the student's notebook; there are none, unless otter changes."""
    tests = student["metadata"]["otter"]["tests"] if "otter" in student["metadata"] else {}
    shown = "\n".join([*(cell["source"] for cell in student["cells"]), *tests.values()])
    for line in hidden_lines(assignment):
        if line in shown:
            raise FacelabError(f"{assignment.source}: students would get this line of what is hidden: {line!r}.")


def hidden_lines(assignment: Assignment) -> list[str]:
    """Return the lines of solutions, hidden checks, variants and settings, without those that students are meant to
    get elsewhere, and without short ones, which tell nothing."""
    hidden: list[str] = []
    given: list[str] = [part for part in assignment.parts if isinstance(part, str)]
    block = ""
    for cell in read_cells(assignment.source):
        which, name = mark(cell)
        block = {"BEGIN": name, "END": ""}.get(which, block)
        (hidden if block in (*_HIDDEN, "SOLUTION") or which else given).append(cell["source"])
    for question in assignment.questions:
        given += [*question.stub, *(as_function(code) for code in question.tests)]
    meant = "\n".join(given)
    lines = {line.strip() for text in hidden for line in text.split("\n")}
    return sorted(line for line in lines if len(re.sub(r"\W", "", line)) >= 12 and line not in meant)
