"""An author's trial of a source notebook: the solution, the untouched stub, and every variant get what they should."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from facelab.coursework.checks import LocalStudent, Outcome, run_check
from facelab.coursework.source import Assignment, Question, Variant


@dataclass(frozen=True)
class Trial:
    """What came of a question."""

    question: Question
    problems: tuple[str, ...]  # each a line; none if all is well


def try_out(assignment: Assignment, *, quick: bool = False) -> Iterator[Trial]:
    """Run the answers of a source notebook in this process, question by question.

    Each variant runs after the cells before its question with their solutions; the solution and the stub run whole.

    Args:
        assignment: one that you trust.
        quick: a check that trains may do less of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name in assignment.files:
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(assignment.source.parent / name, Path(folder, name))
        stubs = {question.name: question.stub for question in assignment.questions}
        stub = LocalStudent(assignment.cells(stubs), folder=folder, quick=quick)
        before = LocalStudent(folder=folder, quick=quick)
        for part in assignment.parts:
            if isinstance(part, str):
                before.run([part])
                continue
            problems = [
                f"{_named(variant)}: {problem}"
                for variant in part.variants
                for problem in _of_variant(part, variant, _answered(before, [variant.code]))
            ]
            before.run(part.solution)
            solved = before.twin()  # a visible test or a check that changes a value harms nobody
            problems = [f"solution: {problem}" for problem in _of_right(part, solved)] + problems
            problems += [
                f"stub: {outcome.check.name} gives it {outcome.points:g} points"
                for outcome in _outcomes(part, stub)
                if outcome.points
            ]
            yield Trial(part, tuple(problems))


def _answered(before: LocalStudent, cells: Sequence[str]) -> LocalStudent:
    student = before.twin()
    student.run(cells)
    return student


def _outcomes(question: Question, student: LocalStudent) -> list[Outcome]:
    return [run_check(check, student) for check in question.checks]


def _named(variant: Variant) -> str:
    return f"{'right' if variant.right else 'wrong'} variant ({variant.note})"


def _of_right(question: Question, student: LocalStudent) -> Iterator[str]:
    """Say where a right answer does not get full marks, or does not pass the tests that students run."""
    yield from (f"a cell stops: {error}" for _, error in student.failed)
    for outcome in _outcomes(question, student):
        if outcome.points < outcome.check.points:
            yield f"{outcome.check.name}: {outcome.message}" + (f" [{outcome.fault}]" if outcome.fault else "")
    known, names = len(student.failed), dict(student.names)
    for test in question.tests:
        student.run([test])
        student.names.clear()  # otter runs each on its own: what one assigns, the next does not see
        student.names.update(names)
    yield from (f"a test that students run fails: {error}" for _, error in student.failed[known:])


def _of_variant(question: Question, variant: Variant, student: LocalStudent) -> Iterator[str]:
    if variant.right:
        yield from _of_right(question, student)
        return
    outcomes = _outcomes(question, student)
    if sum(outcome.points for outcome in outcomes) >= question.points:
        yield "gets full marks"
        return
    for says in variant.says:
        if not any(says.lower() in outcome.message.lower() for outcome in outcomes):
            said = "; ".join(f"{outcome.check.name}: {outcome.message}" for outcome in outcomes if outcome.message)
            yield f"no message says {says!r} ({said})"
