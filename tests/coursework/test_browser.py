"""An assignment worked through in JupyterLab: open, fill in, check, restart and run all, save; then it is graded."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyterlab_for_tests import jupyterlab

from facelab.coursework.build import build
from facelab.coursework.grading import grade
from facelab.coursework.source import Assignment

pytestmark = pytest.mark.slow

ANSWERS = {
    "def middle(values):": "def middle(values):\n    return sum(values) / len(values)",
    "best = ...": "best = max(scores)",
}


@pytest.fixture
def lab(small: Path, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """JupyterLab on the student's folder: the notebook's path and the server's address."""
    folder = build(Assignment.load(small), tmp_path / "dist") / "student"
    quiet = ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    with jupyterlab(folder, tmp_path, *quiet) as address:
        yield folder / "small.ipynb", address


def _choose(page: Any, menu: str, entry: str) -> None:
    page.get_by_role("menuitem", name=menu, exact=True).first.click()
    page.get_by_role("menuitem", name=entry).first.click()


def _outputs(page: Any, code: str) -> Any:
    """The output below the cell that holds this code."""
    return page.locator(".jp-CodeCell", has_text=code).locator(".jp-Cell-outputArea")


def test_a_student_works_through_an_assignment(browser: Any, lab: tuple[Path, str], tmp_path: Path) -> None:
    path, address = lab
    page = browser.new_page(viewport={"width": 1200, "height": 1600})
    page.set_default_timeout(60_000)
    page.goto(f"{address}/tree/small.ipynb")
    page.locator("#jp-main-statusbar").get_by_text(
        "Idle"
    ).wait_for()  # what runs before the kernel is there can be lost
    for stub, answer in ANSWERS.items():
        page.locator(".jp-CodeCell", has_text=stub).locator(".cm-content").click()
        page.keyboard.press("Control+A")
        page.keyboard.insert_text(answer)

    _choose(page, "Run", "Run All Cells")
    checked = _outputs(page, 'grader.check("q1")')
    checked.get_by_text("passed").first.wait_for()

    _choose(page, "Kernel", "Restart Kernel and Run All Cells")
    page.locator(".jp-Dialog .jp-mod-accept").click()
    checked.get_by_text("passed").first.wait_for(state="detached")  # the outputs of the first run go
    _outputs(page, "grader.check_all()").get_by_text("passed").first.wait_for()
    page.keyboard.press("Control+S")
    page.locator("#jp-main-statusbar").get_by_text("Saving completed").wait_for()
    page.close()

    saved = json.loads(path.read_text("utf-8"))
    code = ["".join(cell["source"]) for cell in saved["cells"] if cell["cell_type"] == "code"]
    assert set(ANSWERS.values()) <= set(code)
    handed_in = tmp_path / "submissions"
    handed_in.mkdir()
    shutil.copy(path, handed_in / "ada.ipynb")
    (row,) = grade(path.parents[1], handed_in, tmp_path / "grades.csv").rows
    assert (row.status, row.submission.student, row.total) == ("ok", "ada", 60)
