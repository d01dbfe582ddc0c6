"""Grades: each submission is run in a sandbox, and checked from outside of it.

What a submission does changes its own marks only: time that ends, memory that ends, a crash, a file that is no notebook
are a row like any other. Marks are kept as they come, so a run that was stopped goes on where it was.
"""

import csv
import hashlib
import io
import math
import multiprocessing
import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from facelab import __version__
from facelab.coursework.checks import Died, Student, TimedOut, run_check
from facelab.coursework.sandbox import NO_SANDBOX, Limits, Sandbox, Stopped, check_hidden, find_layer, sweep
from facelab.coursework.source import Assignment
from facelab.coursework.submissions import (
    LARGEST,
    Submission,
    check_outside,
    code_cells,
    csv_cell,
    find_submissions,
    safe_names,
    said,
)
from facelab.errors import FacelabError, count
from facelab.files import atomic_write, check_claim, claim, read_bytes, read_json, write_json
from facelab.progress import progress_bar
from facelab.workers import check_workers, deaths_said, serve

_NOTEBOOK = re.compile(r"otter\.Notebook\(\s*['\"](.+?)\.ipynb['\"]")  # in the cell that build puts first
_RESTARTS = 10  # so often a submission whose process ended is started again
_OVERALL = 3  # times the seconds of the cells: for the cells, run again after each restart, and all calls


@dataclass(frozen=True)
class Result:
    """What came of a check: what it looked at, points of how many, and the feedback."""

    about: str
    points: float
    of: float
    message: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Answer:
    """What came of a question; of a manual one nothing yet."""

    name: str
    of: float
    manual: bool = False
    results: tuple[Result, ...] = ()

    @property
    def points(self) -> float:
        return round(sum(result.points for result in self.results), 6)


@dataclass(frozen=True)
class Mark:
    """What came of a notebook, whoever submitted it.

    Attributes:
        status: ``ok``, ``time-out``, ``memory``, ``crash`` (the points of what still worked count) or ``unreadable``.
        reason: what happened, unless ``ok``.
        answers: by question.
        errors: number of a cell and the error that ended it.
        printed: the beginning of what the cells printed.
    """

    status: str
    reason: str = ""
    answers: tuple[Answer, ...] = ()
    errors: tuple[tuple[int, str], ...] = ()
    printed: str = ""

    @property
    def points(self) -> float:
        return round(sum(answer.points for answer in self.answers), 6)

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Mark":
        """Return the mark that ``dataclasses.asdict`` and JSON made these values of."""
        answers = [
            Answer(**{**one, "results": tuple(Result(**result) for result in one["results"])})
            for one in values["answers"]
        ]
        errors = tuple((number, error) for number, error in values["errors"])
        return cls(**{**values, "answers": tuple(answers), "errors": errors})


@dataclass(frozen=True)
class Row:
    """A submission and its mark.

    Attributes:
        submission: the file.
        mark: None if a later file of the student's counts.
        late: days after the deadline; None without one.
        penalty: points that are lost for that.
        page: name of the feedback's file, or ``""``.
        notes: what a person should know.
    """

    submission: Submission
    mark: Mark | None
    late: float | None = None
    penalty: float = 0.0
    page: str = ""
    notes: tuple[str, ...] = ()

    @property
    def status(self) -> str:
        return self.mark.status if self.mark else "superseded"

    @property
    def total(self) -> float:
        """Points of the checks less the penalty; what a person marks is to be added."""
        return round(max(0.0, self.mark.points - self.penalty), 2) if self.mark else 0.0


@dataclass(frozen=True)
class Grades:
    """What came of all submissions of an assignment."""

    assignment: Assignment
    rows: tuple[Row, ...]
    table: Path  # grades.csv
    summary: Path
    layer: str

    @property
    def counted(self) -> tuple[Row, ...]:
        """The rows that have a mark, of each student that of the last file."""
        return tuple(row for row in self.rows if row.mark)


def grade(
    dist: Path | str,
    submissions: Path | str,
    out: Path | str,
    *,
    deadline: str = "",
    late: float = 0.0,
    sandbox: bool = True,
    jobs: int = 1,
    show_progress: bool = False,
) -> Grades:
    """Grade all submissions of an assignment, and write the table, a page for each student, and a summary.

    Args:
        dist: the folder that :func:`facelab.coursework.build.build` made of the assignment.
        submissions: a folder, see :func:`facelab.coursework.submissions.find_submissions`, or one notebook.
        out: the table (CSV). Pages and marks go into a folder beside it of the same name.
        deadline: a date and time with its time zone, ISO 8601.
        late: percent of the points that are lost for each day after the deadline that has begun.
        sandbox: False runs the code of students with all rights of this process.
        jobs: so many submissions beside each other.
        show_progress: show a bar.

    Raises:
        FacelabError: a file cannot be read or written, no sandbox starts, or the solution does not get full marks.
    """
    check_workers(jobs, name="jobs")
    until = _deadline(deadline) if deadline else None
    if not 0 <= late <= 100:
        raise FacelabError(f"late={late:g}: give the percent of a day, 0 to 100.")
    out = Path(out)
    if out.suffix != ".csv":
        raise FacelabError(f"{out} would be no table: give a name that ends in .csv, such as grades.csv.")
    source = find_source(dist)
    assignment, found = Assignment.load(source), find_submissions(submissions)
    folder = out.with_suffix("")
    check_outside(submissions, out, folder)
    check_claim(out.parent, [out.name, f"{folder.name}/summary.html"])
    sweep()
    layer = find_layer() if sandbox else NO_SANDBOX
    if sandbox:
        check_hidden([dist, submissions, out])
    _check_solution(assignment, layer)
    digest = _digest_of_grader(source)
    keys = {one: _key(one, digest) for one in found if not one.superseded}
    names = safe_names([one.key for one in keys])
    pages = {one: f"feedback/{names[one.key]}.html" for one in keys}
    kept = [f"{folder.name}/marks/{key}.json" for key in keys.values() if key]
    claim(
        out.parent,
        [out.name, *kept, f"{folder.name}/summary.html", *(f"{folder.name}/{page}" for page in pages.values())],
    )
    marks = _marks(source, keys, folder / "marks", layer, jobs, show_progress)
    rows = tuple(_row(one, marks.get(one), pages.get(one, ""), until, late, found, keys) for one in found)
    grades = Grades(assignment, rows, out, folder / "summary.html", layer)
    from facelab.coursework import feedback

    for row in grades.counted:
        feedback.write_page(grades, row, folder / row.page)
    feedback.write_summary(grades)
    _write_table(grades)
    return grades


def find_source(dist: Path | str) -> Path:
    """Return the source notebook in a folder that ``build`` made."""
    found = sorted(path for path in Path(dist, "grader").glob("*.ipynb") if not path.stem.endswith("_solution"))
    if len(found) == 1:
        return found[0]
    inner = sorted({path.parent.parent.name for path in Path(dist).glob("*/grader/*.ipynb")})
    hint = f"give one of its folders: {', '.join(inner)}" if inner else "give the folder that coursework build made"
    raise FacelabError(f"{dist} holds no grader/NAME.ipynb: {hint}.")


def _deadline(text: str) -> datetime:
    try:
        when = datetime.fromisoformat(text)
    except ValueError as error:
        raise FacelabError(f"deadline {text!r} is no date. {_DATE}") from error
    if when.tzinfo is None:
        raise FacelabError(f"deadline {text!r} has no time zone. {_DATE}")
    return when


_DATE = "Write it like 2027-03-31T23:59+02:00."


class SandboxedStudent(Student):
    """A submission in a sandbox. If its process ends, it is started again without the cell that ended it.

    Args:
        cells: its code.
        assignment: whose limits and files it gets.
        layer: of the sandbox.
    """

    def __init__(self, cells: Sequence[str], assignment: Assignment, layer: str):
        self.cells = cells
        self._seconds, self._left = assignment.seconds, _OVERALL * assignment.seconds
        self._limits = Limits(submission=self._left, memory=int(assignment.memory * 2**30))
        self._files = {name: assignment.source.parent / name for name in assignment.files}
        self._layer, self._starts = layer, 0
        self._sandbox: Sandbox | None = None
        self._ended: dict[int, str] = {}  # number of a cell that ended the process -> how
        self.errors: dict[int, str] = {}
        self.stops: list[Stopped] = []
        self.printed = ""

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        sandbox = self._running()
        try:
            return sandbox.ask(request, min(seconds, max(self._left - sandbox.cpu, 1)))
        except Stopped as stopped:
            self._over(stopped)
            raise (TimedOut if stopped.kind == "time-out" else Died)(str(stopped)) from None

    def _running(self) -> Sandbox:
        """Return a sandbox in which all cells have run but those that ended it."""
        while self._sandbox is None:
            if self._left <= 0:
                raise TimedOut("The time for the whole notebook was over before this was checked.")
            if self._starts > _RESTARTS:
                raise Died("The notebook ended Python too often to go on.")
            self._starts += 1
            self._sandbox = Sandbox(self._layer, self._limits, self._files)
            self._run(self._sandbox)
        return self._sandbox

    def _run(self, sandbox: Sandbox) -> None:
        for number, cell in enumerate(self.cells, 1):
            left = min(self._seconds, self._left) - sandbox.cpu
            try:
                if number in self._ended:
                    error = sandbox.run(cell, number, 10, skipped=self._ended[number])
                elif left <= 0:
                    raise Stopped("time-out", f"The cells took longer than {self._seconds:g} seconds together.")
                else:
                    error = sandbox.run(cell, number, left)
            except Stopped as stopped:
                self._ended[number] = self.errors[number] = str(stopped)
                self._over(stopped)
                return
            if error:
                self.errors[number] = error
            self.printed = sandbox.output

    def _over(self, stopped: Stopped) -> None:
        self.stops.append(stopped)
        self.close()

    def close(self) -> None:
        """End its processes."""
        if self._sandbox is not None:
            self.printed = self._sandbox.output or self.printed
            self._left -= self._sandbox.cpu
            self._sandbox.close()
            self._sandbox = None


def mark_cells(cells: Sequence[str], assignment: Assignment, layer: str) -> Mark:
    """Run cells in a sandbox and all checks outside of it."""
    student = SandboxedStudent(cells, assignment, layer)
    answers = []
    try:
        for question in assignment.questions:
            results = []
            for check in question.checks:
                outcome = run_check(check, student)
                message, fault = _text(outcome.message), _text(outcome.fault)
                results.append(Result(check.about, outcome.points, check.points, message, fault))
            answers.append(Answer(question.name, question.points, question.manual, tuple(results)))
    finally:
        student.close()
    errors = tuple((number, _text(error)) for number, error in sorted(student.errors.items()))
    status, reason = ("ok", "") if not student.stops else (student.stops[0].kind, str(student.stops[0]))
    return Mark(status, reason, tuple(answers), errors, _text(student.printed, 1 << 16))


def _text(text: str, most: int = 2000) -> str:
    """Return a text of a submission as files can hold it: cut, and without what no text holds."""
    text = text[:most].encode("utf-8", "replace").decode("utf-8")
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def mark_notebook(path: Path, assignment: Assignment, layer: str) -> Mark:
    """Return the mark of a notebook, whatever it is."""
    try:
        cells = code_cells(path)
        mark = mark_cells(cells, assignment, layer)
        names = {name for cell in cells for name in _NOTEBOOK.findall(cell)}
        if names and assignment.name not in names and not mark.points:
            return unreadable(assignment, f"the notebook of another assignment, {min(names)[:80]}")
        return mark
    except FacelabError as error:
        return unreadable(assignment, said(error, path))


def unreadable(assignment: Assignment, reason: str) -> Mark:
    """Return the mark of what is no notebook of this assignment."""
    answers = [
        Answer(
            question.name,
            question.points,
            question.manual,
            tuple(Result(check.about, 0, check.points, "The notebook could not be read.") for check in question.checks),
        )
        for question in assignment.questions
    ]
    return Mark("unreadable", _text(reason), tuple(answers))


def _check_solution(assignment: Assignment, layer: str) -> None:
    """Raise a :class:`FacelabError` unless the solution gets full marks: then a fault is not the students'."""
    mark = mark_cells(assignment.cells(), assignment, layer)
    for answer in mark.answers:
        for result in answer.results:
            if result.points < result.of:
                stopped = f" {mark.reason}" if mark.reason else ""
                raise FacelabError(
                    f"the solution itself does not get full marks here: {answer.name}, {result.about}: {result.message}"
                    f"{stopped} No submission was graded. Is all installed that the assignment needs? Sandbox: {layer}."
                )


@cache
def _loaded(source: Path) -> Assignment:
    return Assignment.load(source)


def _mark_file(source: Path, path: Path, layer: str) -> Mark:
    return mark_notebook(path, _loaded(source), layer)


def _marks(
    source: Path, keys: dict[Submission, str], folder: Path, layer: str, jobs: int, show_progress: bool
) -> dict[Submission, Mark]:
    """Return the mark of each submission; those that are kept are not made again."""
    marks: dict[Submission, Mark] = {}
    by_key: dict[str, Mark] = {}
    waiting: dict[str, Submission] = {}
    for one, key in keys.items():
        if not key:
            marks[one] = unreadable(_loaded(source), one.reason)
        elif key not in waiting and (mark := _kept(folder / f"{key}.json")) is not None:
            by_key[key] = mark
        else:
            waiting.setdefault(key, one)
    with progress_bar("submissions", len(keys), show_progress=show_progress, completed=len(keys) - len(waiting)) as bar:
        for key, mark in _made(source, waiting, layer, jobs):
            write_json(folder / f"{key}.json", asdict(mark))
            by_key[key] = mark
            bar.update(note=waiting[key].key[:40])
    return marks | {one: by_key[key] for one, key in keys.items() if key}


def _made(source: Path, waiting: dict[str, Submission], layer: str, jobs: int) -> Iterator[tuple[str, Mark]]:
    if jobs == 1 or len(waiting) < 2:
        for key, one in waiting.items():
            yield key, _mark_file(source, one.path, layer)
        return
    context = multiprocessing.get_context("spawn")
    with deaths_said(), ProcessPoolExecutor(jobs, context, serve, (os.getpid(),)) as pool:
        futures = {pool.submit(_mark_file, source, one.path, layer): key for key, one in waiting.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BaseException:  # Ctrl-C: what runs is not waited for
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def _kept(path: Path) -> Mark | None:
    if not path.exists():
        return None
    try:
        return Mark.of(read_json(path))
    except (FacelabError, TypeError, ValueError, KeyError):  # damaged: it is made again
        return None


def _digest_of_grader(source: Path) -> str:
    """Return a digest of all that a mark depends on beside the submission."""
    digest = hashlib.sha256(__version__.encode())
    for folder, pattern in ((source.parent, "**/*"), (Path(__file__).parent, "*.py")):
        for path in sorted(path for path in folder.glob(pattern) if path.is_file()):
            digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _key(one: Submission, digest: str) -> str:
    """Return the name of a submission's mark; "" for what is not read."""
    if one.reason:
        return ""
    try:
        data = read_bytes(one.path, most=LARGEST)
    except FacelabError as error:
        data = str(error).encode()
    return hashlib.sha256(digest.encode() + data).hexdigest()[:32]


def _row(
    one: Submission,
    mark: Mark | None,
    page: str,
    until: datetime | None,
    late: float,
    found: Sequence[Submission],
    keys: dict[Submission, str],
) -> Row:
    if mark is None:
        return Row(one, None, notes=("a later file of this student counts",))
    notes = []
    same = [other.key for other in keys if other.key != one.key and keys[other] and keys[other] == keys[one]]
    if same:
        notes.append(f"the same file as {', '.join(same)}")
    if earlier := sum(other.key == one.key for other in found) - 1:
        notes.append(f"{count(earlier, 'other file')} of this student")
    if any(result.fault for answer in mark.answers for result in answer.results):
        notes.append("a check could not use what came")
    days = None
    if until is not None and one.submitted is not None:
        days = max(0.0, (one.submitted - until).total_seconds() / 86400)
    penalty = min(mark.points, mark.points * late / 100 * math.ceil(days or 0))
    return Row(one, mark, days, round(penalty, 2), page, tuple(notes))


def _write_table(grades: Grades) -> None:
    questions = grades.assignment.questions
    head = [question.name for question in questions]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        [
            "student",
            "id",
            "status",
            *head,
            "points",
            "late_days",
            "penalty",
            "total",
            "submitted",
            "file",
            "feedback",
            "note",
        ]
    )
    for row in grades.rows:
        one, mark = row.submission, row.mark
        points = {answer.name: answer for answer in mark.answers} if mark else {}
        cells = ["" if not mark or points[name].manual else f"{points[name].points:g}" for name in head]
        numbers = ["", "", "", ""]
        if mark:
            days = "" if row.late is None else f"{row.late:.4g}"
            numbers = [f"{mark.points:g}", days, f"{row.penalty:g}", f"{row.total:g}"]
        when = one.submitted.astimezone(UTC).isoformat(timespec="seconds") if one.submitted else ""
        note = "; ".join([*([mark.reason] if mark and mark.reason else []), *row.notes])
        page = f"{grades.table.stem}/{row.page}" if row.page else ""
        told = [one.student, one.identity, row.status, *cells, *numbers, when, one.path.name, page, note]
        writer.writerow([csv_cell(value) for value in told])
    with atomic_write(grades.table) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
