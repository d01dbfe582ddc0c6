"""A source notebook: an assignment, its solution, its hidden checks, and answers that show whether these are fair.

It is a notebook as otter-grader 7 takes it (raw cells mark its blocks), with two blocks of our own:

    # ASSIGNMENT CONFIG     title, minutes, objectives; chapters, files, notes, seconds, memory if needed
    # BEGIN QUESTION        name, objective; manual: true, points and rubric where a person marks
    (Markdown, given code)
    # BEGIN SOLUTION        cells with otter's marks: what students do not get
    # END SOLUTION
    # BEGIN TESTS           assertions that students can run
    # END TESTS
    # BEGIN GRADING         hidden checks, see facelab.coursework.checks
    # END GRADING
    # BEGIN VARIANTS        one answer a cell: "# right: how it differs", or "# wrong: what the student thought" and
    # END VARIANTS              "# says: a part of the message that names the misconception"; perhaps more
    # END QUESTION
"""

import ast
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, NoReturn

import numpy as np
from pydantic import Field, PositiveFloat

from facelab.coursework import checks
from facelab.coursework.checks import Check
from facelab.errors import FacelabError, count
from facelab.files import read_json
from facelab.strict import Strict

POINTS = 100  # of an assignment
VARIANTS = 3  # right ones, and wrong ones, that a question has at least

Cell = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """Another answer to a question, which shows whether its checks are fair."""

    right: bool  # full marks, or fewer points and the message
    note: str  # how it differs from the solution, or what the student thought
    says: tuple[str, ...]  # for a wrong one: parts of the messages that name the misconceptions
    code: str


@dataclass(frozen=True)
class Question:
    """A question: what is asked, answered and checked."""

    name: str  # q1
    objective: str
    prompt: str  # Markdown
    solution: tuple[str, ...]  # code of the cells that answer it, with otter's marks
    tests: tuple[str, ...]  # assertions that students can run
    checks: tuple[Check, ...]
    variants: tuple[Variant, ...]
    points: float  # the sum of the checks', or what a person gives
    manual: bool = False  # a person marks it
    rubric: str = ""  # how

    @property
    def stub(self) -> tuple[str, ...]:
        """The cells of the solution as students get them."""
        return tuple(without_solution(code, f"a solution cell of {self.name}") for code in self.solution)


@dataclass(frozen=True)
class Assignment:
    """An assignment: given cells and questions, in order."""

    source: Path
    title: str
    minutes: float  # that a student needs
    objectives: tuple[str, ...]
    chapters: tuple[str, ...]  # that it belongs to
    files: tuple[str, ...]  # that go with the notebook, by their paths from its folder
    seconds: float  # that a submission's cells may take together
    memory: float  # GiB that they may take
    parts: tuple[str | Question, ...]  # code of a given cell, or a question

    @property
    def name(self) -> str:
        return self.source.stem

    @property
    def questions(self) -> list[Question]:
        return [part for part in self.parts if isinstance(part, Question)]

    @property
    def points(self) -> float:
        return sum(question.points for question in self.questions)

    @property
    def by_person(self) -> float:
        """The points that a person gives."""
        return sum(question.points for question in self.questions if question.manual)

    def cells(self, answers: Mapping[str, Sequence[str]] | None = None) -> list[str]:
        """Return the code cells of a notebook that answers like this.

        Args:
            answers: name of a question -> code of its cells; where it is not given, the solution's.
        """
        cells: list[str] = []
        for part in self.parts:
            cells += [part] if isinstance(part, str) else (answers or {}).get(part.name, part.solution)
        return cells

    @classmethod
    def load(cls, source: Path | str) -> "Assignment":
        """Read a source notebook. The code of its hidden checks is run, so it is one that you trust.

        Raises:
            FacelabError: it is no source notebook, or a mistake is in it; the message names the cell and the remedy.
        """
        return _Reader(Path(source)).assignment()


class _Config(Strict):
    title: str = Field(min_length=1)
    minutes: PositiveFloat
    objectives: tuple[str, ...] = Field(min_length=1)
    name: str = ""
    chapters: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    notes: Any = None
    seconds: PositiveFloat = 300
    memory: PositiveFloat = 8


class _Asked(Strict):
    name: str = Field(pattern=r"^[A-Za-z]\w*$")
    objective: str = Field(min_length=1)
    manual: bool = False
    points: PositiveFloat | None = None
    rubric: str = ""


BLOCKS = ("QUESTION", "SOLUTION", "TESTS", "GRADING", "VARIANTS")
_MARK = re.compile(r"#\s*(?:(ASSIGNMENT)\s+CONFIG|(BEGIN|END)\s+(\w+))\s*", re.IGNORECASE)
_SOLUTION = re.compile(r"# ?(BEGIN |END )?SOLUTION\b|# (BEGIN|END) PROMPT$", re.MULTILINE)
_REFUSED = re.compile(r"#\s*((BEGIN|END)\s+)?IGNORE\s*$|# SEED\s*$|^##?\s*ignore", re.IGNORECASE | re.MULTILINE)


def read_cells(path: Path) -> list[Cell]:
    """Return the cells of a notebook file; the source of each is one text.

    Raises:
        FacelabError: it is no notebook of format 4.
    """
    remedy = "Give a notebook (.ipynb)."
    notebook = read_json(path, remedy)
    try:
        if notebook["nbformat"] != 4:
            raise FacelabError(f"{path} is a notebook of format {notebook['nbformat']}; save it as format 4.")
        return [cell | {"source": _text(cell["source"])} for cell in notebook["cells"] if cell["cell_type"]]
    except (KeyError, TypeError) as error:
        raise FacelabError(f"{path} is not a notebook. {remedy}") from error


def _text(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def mark(cell: Cell) -> tuple[str, str]:
    """Return what a raw cell begins or ends: ("BEGIN", "TESTS"), ("ASSIGNMENT", ""); ("", "") for another cell."""
    found = _MARK.fullmatch(cell["source"].split("\n")[0]) if cell["cell_type"] == "raw" else None
    return ((found[1] or found[2]).upper(), (found[3] or "").upper()) if found else ("", "")


def without_solution(code: str, where: str) -> str:
    """Return the code of a solution's cell as students get it, by otter's rules.

    Args:
        code: with otter's marks.
        where: the cell, for messages.

    Raises:
        FacelabError: the marks do not match, or what is left is not valid Python.
    """
    # The rules are otter's own. It takes seconds to load, and whoever grades does not need them.
    try:
        from otter.assign.solutions import replace_solutions
    except ImportError as error:
        raise FacelabError("otter-grader is not installed: pip install 'facelab[coursework]'") from error

    try:
        stub = "\n".join(replace_solutions(code.split("\n"), "python"))
        ast.parse(stub)
    except AssertionError as error:
        raise FacelabError(
            f"{where}: # BEGIN SOLUTION and # END SOLUTION do not match. Give each its other."
        ) from error
    except SyntaxError as error:
        raise FacelabError(
            f"{where}: without the solution it is not valid Python ({error.msg}, in line {error.lineno}). Mark a "
            "statement of several lines by # BEGIN SOLUTION and # END SOLUTION."
        ) from error
    if _SOLUTION.search(stub):
        raise FacelabError(f"{where}: a mark of the solution is left in what students get. Write x = 1  # SOLUTION")
    return stub


class _Reader:
    """Reads one source notebook."""

    def __init__(self, path: Path):
        self.path = path
        self.cells = read_cells(path)
        self.number = 0  # of the cell that is read, from 1
        self.config: _Config | None = None
        self.parts: list[str | Question] = []
        self.found: list[Check] = []
        self.names: dict[str, Any] = {
            "__name__": "grading",
            "np": np,
            "check": self._check,
            **{name: getattr(checks, name) for name in checks.IN_A_CELL},
        }

    def _check(self, *, points: float, about: str) -> Callable[[Callable[..., None]], Check]:
        make = checks.check(points=points, about=about)

        def decorate(function: Callable[..., None]) -> Check:
            self.found.append(make(function))
            return self.found[-1]

        return decorate

    def wrong(self, message: str) -> NoReturn:
        raise FacelabError(f"{self.path.name}, cell {self.number}: {message}")

    def assignment(self) -> Assignment:
        walk = self._walk()
        for cell in walk:
            match mark(cell):
                case "ASSIGNMENT", _:
                    if self.config:
                        self.wrong("a second # ASSIGNMENT CONFIG. Keep one.")
                    self.config = self._values(_Config, cell)
                case "BEGIN", "QUESTION":
                    self._question(cell, walk)
                case "BEGIN" | "END" as which, name:
                    self.wrong(f"# {which} {name} is outside of a question. Put it between # BEGIN and # END QUESTION.")
                case _:
                    self._given(cell)
        if self.config is None:
            raise FacelabError(f"{self.path}: no raw cell begins with # ASSIGNMENT CONFIG. Add it as the first cell.")
        return self._whole(self.config)

    def _whole(self, config: _Config) -> Assignment:
        where = self.path.name
        questions = [part for part in self.parts if isinstance(part, Question)]
        total = sum(question.points for question in questions)
        if abs(total - POINTS) > 1e-9:
            each = ", ".join(f"{question.name} {question.points:g}" for question in questions)
            raise FacelabError(
                f"{where}: the points sum to {total:g}, not {POINTS} ({each}). Change points= of checks."
            )
        if config.name not in ("", self.path.stem):
            raise FacelabError(f"{where}: name: {config.name} is not the file's name. Leave it out.")
        for name in config.files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise FacelabError(f"{where}: files: {name} leads out of the source's folder. Put the file into it.")
            if not (self.path.parent / name).is_file():
                raise FacelabError(f"{where}: files: {name} is not in {self.path.parent}. Check the name.")
        return Assignment(
            self.path,
            config.title,
            config.minutes,
            config.objectives,
            config.chapters,
            tuple(str(PurePosixPath(name)) for name in config.files),
            config.seconds,
            config.memory,
            tuple(self.parts),
        )

    def _walk(self) -> Iterator[Cell]:
        for number, cell in enumerate(self.cells, 1):
            self.number = number
            if not cell["source"].strip():
                self.wrong("the cell is empty. Delete it.")
            if cell.get("outputs"):
                self.wrong("the cell has outputs, which may show the solution. Clear all outputs and save.")
            if cell.get("attachments"):
                self.wrong("the cell has an attachment. Draw the picture with code, or list a file under files:.")
            if cell["cell_type"] == "markdown" and "```otter" in cell["source"]:
                self.wrong("a block is marked in Markdown. Mark it by a raw cell.")
            if cell["cell_type"] == "raw" and mark(cell) == ("", ""):
                first = cell["source"].split("\n")[0][:40]
                self.wrong(
                    f"a raw cell begins with {first!r}. It begins with # ASSIGNMENT CONFIG, # BEGIN … or # END …"
                )
            if cell["cell_type"] == "code" and (found := _REFUSED.search(cell["source"])):
                self.wrong(f"{found[0].strip()!r} of otter is not used here. Take it out.")
            yield cell

    def _given(self, cell: Cell) -> None:
        """Take a cell that students get as it is."""
        if cell["cell_type"] != "code":
            return
        if found := _SOLUTION.search(cell["source"]):
            self.wrong(
                f"{found[0]!r} stands outside of a solution, where students would get it. Put the cell between the raw "
                "cells # BEGIN SOLUTION and # END SOLUTION."
            )
        self.parts.append(cell["source"])

    def _values(self, model: type[Any], cell: Cell) -> Any:
        import yaml

        try:
            values = yaml.safe_load(cell["source"]) or {}
        except yaml.YAMLError as error:
            line = f" in line {error.problem_mark.line + 1}" if getattr(error, "problem_mark", None) else ""
            self.wrong(f"this is not valid YAML{line}. Put texts that hold a colon between quotes.")
        if not isinstance(values, dict):
            self.wrong("below its first line the cell holds lines of the form key: value.")
        return model.parse(values, f"{self.path.name}, cell {self.number}")

    def _question(self, cell: Cell, walk: Iterator[Cell]) -> None:
        asked: _Asked = self._values(_Asked, cell)
        begin = self.number
        if asked.name in {part.name for part in self.parts if isinstance(part, Question)}:
            self.wrong(f"a second question is called {asked.name}. Give each its own name.")
        before, prompt, after = len(self.parts), list[str](), False
        blocks: dict[str, list[str]] = {}
        self.found = []
        for cell in walk:
            match mark(cell):
                case "END", "QUESTION":
                    break
                case "BEGIN", ("SOLUTION" | "TESTS" | "GRADING" | "VARIANTS") as block:
                    if block in blocks:
                        self.wrong(f"a second # BEGIN {block} in question {asked.name}. Put its cells into the first.")
                    blocks[block] = list(self._block(block, walk, asked))
                    if block == "SOLUTION":
                        before, after = len(self.parts), True
                case "", "":
                    self._given(cell)
                    if cell["cell_type"] == "markdown" and not after:
                        prompt.append(cell["source"])
                case which, name:
                    self.wrong(
                        f"# {which} {name} does not belong into question {asked.name}, which begins in cell {begin}. "
                        f"Blocks in it are {', '.join(BLOCKS[1:])}; it ends with # END QUESTION."
                    )
        else:
            self.wrong(f"question {asked.name}, which begins in cell {begin}, has no # END QUESTION. Add it.")
        question = self._made(asked, "\n\n".join(prompt), blocks)
        self.parts.insert(before, question)

    def _block(self, block: str, walk: Iterator[Cell], asked: _Asked) -> Iterator[str]:
        """Read a block to its end, and give the code of its cells."""
        begin = self.number
        for cell in walk:
            if mark(cell) == ("END", block):
                return
            if mark(cell) != ("", ""):
                break
            if cell["cell_type"] == "markdown":
                if block != "SOLUTION":
                    self.wrong(f"Markdown in # BEGIN {block}. It holds code cells only.")
                continue
            self._parsed(cell["source"])
            getattr(self, f"_{block.lower()}")(cell["source"])
            yield cell["source"]
        self.wrong(f"# BEGIN {block} of question {asked.name}, in cell {begin}, has no # END {block}. Add it.")

    def _parsed(self, code: str) -> ast.Module:
        from facelab.coursework.wire import without_magics

        try:
            return ast.parse(without_magics(code))
        except SyntaxError as error:
            self.wrong(f"this is not valid Python: {error.msg}, in line {error.lineno}.")

    def _solution(self, code: str) -> None:
        if not _SOLUTION.search(code):
            self.wrong("nothing in this cell is marked as solution, so students would get it whole. Add # SOLUTION.")

    def _tests(self, code: str) -> None:
        body = self._parsed(code).body
        if re.match(r"#.*\bhidden\b", code, re.IGNORECASE):
            self.wrong("a hidden test is not hidden well enough. Make a check in # BEGIN GRADING of it.")
        if not any(isinstance(node, ast.Assert | ast.Expr) for node in body):
            self.wrong('nothing is tested. Write assert statements with a message: assert x > 0, "x is positive".')
        for node in body:
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Call):
                self.wrong(f"line {node.lineno} computes a value that nobody looks at. Write assert before it.")

    def _grading(self, code: str) -> None:
        try:
            exec(compile(code, f"<{self.path.name}, cell {self.number}>", "exec"), self.names)
        except Exception as error:
            line, step = "", error.__traceback__
            while step is not None:
                if step.tb_frame.f_code.co_filename.startswith(f"<{self.path.name}"):
                    line = f" in line {step.tb_lineno}"
                step = step.tb_next
            self.wrong(f"its code stops{line}: {type(error).__name__}: {error}")

    def _variants(self, code: str) -> None:
        kind, _, note = code.split("\n")[0].partition(":")
        if kind not in ("# right", "# wrong") or not note.strip():
            self.wrong("a variant begins with # right: how it differs, or # wrong: what the student thought.")
        if (kind == "# wrong") != bool(_says(code)):
            self.wrong(
                "the second line of a wrong variant, and of no right one, is # says: a part of the message that names "
                "the misconception."
            )

    def _made(self, asked: _Asked, prompt: str, blocks: dict[str, list[str]]) -> Question:
        """Make the question of what was read; its last cell is the current one."""
        found = tuple(self.found)
        twice = {one.name for one in found if [other.name for other in found].count(one.name) > 1}
        if not prompt:
            self.wrong(f"question {asked.name} has no text. Ask it in Markdown, before # BEGIN SOLUTION.")
        if twice:
            self.wrong(f"question {asked.name} has two checks called {twice.pop()}. Give each its own name.")
        if "SOLUTION" not in blocks:
            self.wrong(f"question {asked.name} has no # BEGIN SOLUTION. Add it.")
        variants = tuple(
            Variant(code.startswith("# right"), code.split("\n")[0].partition(":")[2].strip(), _says(code), code)
            for code in blocks.get("VARIANTS", [])
        )
        if asked.manual:
            if asked.points is None or not asked.rubric or found or variants:
                self.wrong(
                    f"question {asked.name} is marked by a person, so it has points: and rubric:, and no checks or "
                    "variants. Make another question of what the grader can check."
                )
        else:
            if asked.points is not None or asked.rubric:
                self.wrong(f"the points of question {asked.name} are those of its checks. Leave out points and rubric.")
            if not found:
                self.wrong(f"question {asked.name} has no check. Write one in # BEGIN GRADING, or set manual: true.")
            right = sum(variant.right for variant in variants)
            if min(right, len(variants) - right) < VARIANTS:
                self.wrong(
                    f"question {asked.name} has {count(right, 'right variant')} and "
                    f"{count(len(variants) - right, 'wrong one')}; it needs {VARIANTS} of each."
                )
        return Question(
            asked.name,
            asked.objective,
            prompt,
            tuple(blocks["SOLUTION"]),
            tuple(blocks.get("TESTS", [])),
            found,
            variants,
            asked.points if asked.points is not None else sum(one.points for one in found),
            asked.manual,
            asked.rubric,
        )


def _says(code: str) -> tuple[str, ...]:
    """Return the parts of messages that a wrong variant names in its second line and those that follow."""
    lines = itertools.takewhile(lambda line: line.startswith("# says:"), code.split("\n")[1:])
    return tuple(said for line in lines if (said := line.removeprefix("# says:").strip()))
