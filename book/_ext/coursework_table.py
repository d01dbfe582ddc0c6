"""What the book's pages on coursework show of the assignments, read from their sources."""

import re
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from facelab.coursework.similarity import Code, Comparison
from facelab.coursework.source import Assignment

STUDENTS, CLASSES = 20, 2  # of the classes that draw their answers


def assignments(folder: Path) -> list[Assignment]:
    """The sources, in the order of their names."""
    return [Assignment.load(path) for path in sorted(folder.glob("[0-9]*.ipynb"))]


def overview(assignment: Assignment) -> dict[str, str]:
    """A row of the table of assignments; cells are Markdown."""
    by_person = assignment.by_person
    return {
        "assignment": f"{assignment.name[0]}. {_title(assignment)}",
        "hours": f"{round(assignment.minutes / 60, 1):g}",
        "points": f"{assignment.points:g}" + (f", {by_person:g} of them by a person" if by_person else ""),
        "chapters": ", ".join(_link(assignment.source.parents[1], name) for name in assignment.chapters),
    }


def objectives(assignment: Assignment) -> str:
    """What a student can do after it, as a list under its title."""
    return f"**{assignment.name[0]}. {_title(assignment)}**\n\n" + "".join(
        f"- {aim}\n" for aim in assignment.objectives
    )


def base_rates(assignment: Assignment) -> dict[str, str]:
    """A row of the table of similarities of people who did not copy, of the assignment's right answers."""
    answers = [
        [question.solution, *((variant.code,) for variant in question.variants if variant.right)]
        for question in assignment.questions
        if not question.manual
    ]
    ways = min(map(len, answers))
    apart = similarities([[each[way] for each in answers] for way in range(ways)])
    generator = np.random.default_rng(0)
    drawn = [
        value
        for _ in range(CLASSES)
        for value in similarities([[each[generator.integers(len(each))] for each in answers] for _ in range(STUDENTS)])
    ]
    return {
        "assignment": f"{assignment.name[0]}. {_title(assignment)}",
        "pairs that differ everywhere": str(len(apart)),
        "median": _percent(statistics.median(apart)),
        "largest": _percent(max(apart)),
        "a class that draws: median": _percent(statistics.median(drawn)),
        "one pair in twenty is above": _percent(float(np.quantile(drawn, 0.95))),
    }


def similarities(notebooks: Sequence[Sequence[Sequence[str]]]) -> list[float]:
    """The similarity of every two notebooks, each the cells of its answers."""
    cells = ["\n".join(cell) for notebook in notebooks for cell in notebook]
    heads = re.findall(r"^def .*?:", "\n".join(cells), re.MULTILINE)
    given = frozenset(re.findall(r"\b[^\W\d]\w*\b", " ".join(heads)))
    codes = [
        Code(str(number), [text for answer in notebook for text in answer], given)
        for number, notebook in enumerate(notebooks)
    ]
    return [pair.similarity for pair in Comparison(codes).pairs]


def _link(notebooks: Path, chapter: str) -> str:
    there = (notebooks / f"{chapter}.ipynb").exists()
    return f"[{chapter[:2]}](/notebooks/{chapter}.ipynb)" if there else chapter[:2]


def _title(assignment: Assignment) -> str:
    title = re.sub(r"^Assignment \d: ", "", assignment.title)
    return title[:1].upper() + title[1:]


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
