"""The pages after grading: right numbers, nothing of the hidden checks, and no HTML of a student's."""

from pathlib import Path

import numpy as np
import pytest

from facelab.coursework import feedback
from facelab.coursework.grading import Answer, Grades, Mark, Result, Row
from facelab.coursework.source import Assignment
from facelab.coursework.submissions import Submission

POINTS = np.array([[60, 30], [40, 30], [20, 0], [0, 30], [60, 0]])


def mark(first: float, second: float, message: str = "") -> Mark:
    mean = Result("the mean", min(first, 40), 40, "" if first >= 40 else message)
    largest = Result("the largest of the scores", max(0, first - 40), 20)
    scaled = Result("scaling", second, 30, "" if second else "It is too small.")
    answers = (Answer("q1", 60, False, (mean, largest)), Answer("q2", 30, False, (scaled,)), Answer("q3", 10, True))
    return Mark("ok", "", answers)


@pytest.fixture
def grades(small, tmp_path) -> Grades:
    rows = [
        Row(
            Submission(f"s{number}", Path(f"s{number}.ipynb")),
            mark(*points, "That is the median."),
            page=f"feedback/s{number}.html",
        )
        for number, points in enumerate(POINTS)
    ]
    old = Row(
        Submission("s4", Path("old.ipynb"), superseded=True), None, notes=("a later file of this student counts",)
    )
    return Grades(
        Assignment.load(small), (*rows, old), tmp_path / "grades.csv", tmp_path / "g" / "summary.html", "bwrap"
    )


def test_difficulty_and_discrimination_are_those_of_numpy(grades):
    first, second, third = feedback._items(grades)
    assert first["difficulty"] == pytest.approx(POINTS[:, 0].mean() / 60)
    assert second["difficulty"] == pytest.approx(0.6)
    assert first["discrimination"] == pytest.approx(np.corrcoef(POINTS.T)[0, 1])
    assert (first["shares"], second["shares"], third["shares"]) == ((2, 2, 1), (3, 0, 2), None)


def test_each_total_is_counted_once():
    for totals in ([0, 45, 89.99, 90], [33.3] * 7, list(np.linspace(0, 90, 31))):
        ranges = feedback._histogram(totals, 90)
        assert sum(number for _, number in ranges) == len(totals)
        wanted, _ = np.histogram(totals, 10, (0, 90))
        assert [number for _, number in ranges][::-1] == list(wanted)


def test_the_summary_counts_remarks_and_names_what_needs_a_look(grades):
    feedback.write_summary(grades)
    page = " ".join(grades.summary.read_text().split())
    assert "5 counted of 6 handed in" in page
    mean, deviation = POINTS.sum(1).mean(), POINTS.sum(1).std(ddof=1)
    assert f"mean {mean:.1f}" in page
    assert f"standard deviation {deviation:.1f}" in page
    assert '<td class="number">2</td><td>q1</td><td>That is the median.</td>' in page
    assert "a later file of this student counts" in page
    assert "Nothing stands out" not in page


def test_a_page_names_the_mistake_and_escapes_what_a_student_wrote(grades, tmp_path):
    evil = "<script>alert(1)</script>"
    held = Mark("time-out", f"{evil} took long.", mark(0, 0, f"That is the median. {evil}").answers, ((2, evil),), evil)
    row = Row(Submission(evil, Path("x.ipynb")), held, late=1.5, penalty=3.0)
    feedback.write_page(grades, row, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 5
    for text in ("That is the median.", "the largest of the scores", "0 of 90 points", "1.5 days", "marked yet"):
        assert text in page
    for hidden in ("4711", "outlier-only", "secret_values", "numpy does it"):
        assert hidden not in page
    assert "http" not in page  # all is in the page


def test_one_submission_has_a_summary_too(grades):
    one = Grades(grades.assignment, grades.rows[:1], grades.table, grades.summary, "none")
    assert feedback._items(one)[0]["discrimination"] is None
    feedback.write_summary(one)
    page = grades.summary.read_text()
    assert "standard deviation" in page
    assert "nan" not in page
    assert "without a sandbox" in page


@pytest.mark.slow
def test_the_pages_can_be_read_by_all(browser, grades, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    feedback.write_summary(grades)
    held = Mark("crash", "It ended Python.", mark(0, 30, "That is the median.").answers, ((2, "E"),), "printed\n" * 99)
    feedback.write_page(grades, Row(Submission("ann", Path("x")), held), tmp_path / "page.html")
    for scheme in ("light", "dark"):
        page = browser.new_page(color_scheme=scheme, viewport={"width": 400, "height": 900})
        for path in (grades.summary, tmp_path / "page.html"):
            page.goto(path.as_uri())
            found = axe.Axe().run(page)
            assert not found.violations_count, found.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") <= 400
        page.close()
