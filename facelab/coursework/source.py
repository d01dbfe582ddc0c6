"""A source notebook: an assignment, its solution, its hidden checks, and answers that show whether these are fair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facelab.coursework.checks import Check


@dataclass(frozen=True)
class Variant:
    """Another answer to a question, which shows whether its checks are fair."""

    right: bool  # full marks, or fewer points and the message
    note: str  # how it differs from the solution, or what the student thought
    says: str  # for a wrong one: a part of the message that names the misconception
    code: str


@dataclass(frozen=True)
class Question:
    """A question: what is asked, answered and checked."""

    name: str  # q1
    objective: str
    prompt: str  # Markdown
    solution: tuple[str, ...]  # code of the cells that answer it
    stub: tuple[str, ...]  # the same cells as students get them
    checks: tuple[Check, ...]
    variants: tuple[Variant, ...]
    points: float  # the sum of the checks', or what a person gives
    manual: bool = False  # a person marks it
    rubric: str = ""  # how


@dataclass(frozen=True)
class Assignment:
    """An assignment: given cells and questions, in order."""

    name: str  # of the file, without .ipynb
    title: str
    minutes: float  # that a student needs
    objectives: tuple[str, ...]
    seconds: float  # that a submission's cells may take together
    memory: float  # GiB
    parts: tuple[str | Question, ...]  # code of a given cell, or a question

    @property
    def questions(self) -> list[Question]:
        return [part for part in self.parts if isinstance(part, Question)]

    def cells(self, answers: Mapping[str, Sequence[str]] | None = None, *, until: str = "") -> list[str]:
        """Return the code cells of a notebook that answers like this.

        Args:
            answers: name of a question -> code of its cells; where it is not given, the solution's.
            until: a question; nothing from it on is in the list.
        """
        cells: list[str] = []
        for part in self.parts:
            if isinstance(part, str):
                cells.append(part)
            elif part.name == until:
                break
            else:
                cells += (answers or {}).get(part.name, part.solution)
        return cells
