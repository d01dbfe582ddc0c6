"""What students and instructors read after grading: a page for each submission, and a summary."""

import statistics
from collections import Counter
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from facelab.files import atomic_write

if TYPE_CHECKING:
    from facelab.coursework.grading import Grades, Row

_BINS = 10
_MESSAGES = 15


@cache
def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader

    folder = FileSystemLoader(Path(__file__).parent, encoding="utf-8")
    return Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True)


def render(template: str, path: Path, **values: Any) -> None:
    """Write a page; whatever the values say is text in it, never HTML.

    Args:
        template: name of its file.
        path: of the page.
        values: what the template shows.
    """
    html = _environment().get_template(template).render(points=_points, **values)
    with atomic_write(path) as temporary:
        temporary.write_text(html, encoding="utf-8", errors="replace")


def _points(value: float) -> str:
    return f"{round(value, 2):g}"


def write_page(grades: "Grades", row: "Row", path: Path) -> None:
    """Write a student's page: for each check what it looked at, the points, and what to think about.

    It shows neither inputs nor right values of hidden checks. Whatever the submission said is text in it, never HTML.
    """
    questions = grades.assignment.questions
    manual = grades.assignment.by_person
    when = row.submission.submitted
    render(
        "feedback.html.j2",
        path,
        title=f"Feedback: {grades.assignment.title}",
        row=row,
        mark=row.mark,
        submitted=when.strftime("%Y-%m-%d %H:%M %Z") if when else "",
        objectives={question.name: question.objective for question in questions},
        manual=manual,
        automatic=grades.assignment.points - manual,
    )


def write_summary(grades: "Grades") -> None:
    """Write the instructor's page: how points are spread, by question too, which remarks are frequent, and which
    submissions need a look."""
    rows = grades.counted
    manual = grades.assignment.by_person
    automatic = grades.assignment.points - manual
    totals = [row.total for row in rows]
    render(
        "summary.html.j2",
        grades.summary,
        title=f"Summary: {grades.assignment.title}",
        counted=len(rows),
        files=len(grades.rows),
        layer=grades.layer,
        automatic=automatic,
        manual=manual,
        mean=statistics.fmean(totals),
        median=statistics.median(totals),
        deviation=statistics.stdev(totals) if len(totals) > 1 else 0.0,
        lowest=min(totals),
        highest=max(totals),
        histogram=_histogram(totals, automatic),
        items=_items(grades),
        checks=_checks(grades),
        messages=_messages(rows),
        looks=[look for row in grades.rows if (look := _look(row))],
        table=grades.table.name,
    )


def _histogram(totals: Sequence[float], most: float) -> list[tuple[str, int]]:
    """Return ten ranges and how many totals lie in each; the upper end belongs to the last only."""
    most = most or 1.0
    places = Counter(min(_BINS - 1, int(total / most * _BINS)) for total in totals)
    return [
        (f"{_points(most * i / _BINS)} to {_points(most * (i + 1) / _BINS)}", places[i]) for i in reversed(range(_BINS))
    ]


def _items(grades: "Grades") -> list[dict[str, Any]]:
    """Return difficulty and discrimination of each question.

    Difficulty is the mean share of its points; discrimination Pearson's correlation of its points with those of all
    other questions, the corrected item-total correlation (Nunnally, Psychometric Theory, 1978).
    """
    marks = [row.mark for row in grades.counted if row.mark]
    items = []
    for number, question in enumerate(grades.assignment.questions):
        item: dict[str, Any] = {"name": question.name, "objective": question.objective, "shares": None}
        items.append(item)
        if question.manual or not question.points:
            continue
        own = [mark.answers[number].points for mark in marks]
        rest = [mark.points - points for mark, points in zip(marks, own, strict=True)]
        full = sum(points >= question.points - 1e-9 for points in own)
        none = sum(points <= 1e-9 for points in own)
        item["difficulty"] = statistics.fmean(own) / question.points
        varied = len(marks) > 2 and len(set(own)) > 1 and len(set(rest)) > 1
        item["discrimination"] = statistics.correlation(own, rest) if varied else None
        item["shares"] = (full, len(own) - full - none, none)
        item["bar"] = tuple(zip(("full", "part", "none"), item["shares"], strict=True))
    return items


def _checks(grades: "Grades") -> list[dict[str, Any]]:
    marks = [row.mark for row in grades.counted if row.mark]
    return [
        {
            "question": question.name,
            "about": check.about,
            "of": check.points,
            "held": sum(mark.answers[i].results[j].points >= check.points for mark in marks),
        }
        for i, question in enumerate(grades.assignment.questions)
        for j, check in enumerate(question.checks)
    ]


def _messages(rows: Sequence["Row"]) -> list[dict[str, Any]]:
    """Return the remarks that most students got, each counted once for a student and a question."""
    found = Counter(
        pair
        for row in rows
        if row.mark and row.mark.status != "unreadable"
        for pair in {
            (answer.name, result.message) for answer in row.mark.answers for result in answer.results if result.message
        }
    )
    order = sorted(found.items(), key=lambda one: (-one[1], one[0]))[:_MESSAGES]
    return [{"number": number, "question": question, "text": text} for (question, text), number in order]


def _look(row: "Row") -> dict[str, str] | None:
    """Return why a person should look at a submission; None if nothing stands out."""
    why = list(row.notes)
    if row.mark and row.mark.reason:
        why.insert(0, row.mark.reason)
    if row.late:
        why.append(f"{row.late:.1f} days late")
    if row.mark and not why:
        return None
    page = quote(row.page) if row.page else ""
    return {"student": row.submission.key, "status": row.status, "why": "; ".join(why), "page": page}
