"""The course in JupyterLab: the start page, a link to a notebook, its first cells, and nothing raw to be seen."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyterlab_for_tests import jupyterlab

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CHAPTER = "07_arcface_derivation.ipynb"
RAW = re.compile(
    r"\{(exercise|solution|cite|admonition|dropdown|eq|term|prf:)|:(class|label): |Not Found|Unknown Directive"
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """JupyterLab on a copy of the course's pages and a chapter, with the extension as it is in the source."""
    root = tmp_path / "course"
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("browser", "api", ".ipynb_checkpoints"))
    notebook = nbformat.read(ROOT / "notebooks" / CHAPTER, 4)
    code = (
        "import time\nfrom facelab.progress import progress_bar\nwith progress_bar('train arcface', 4) as bar:\n"
        "    for i in range(4):\n        time.sleep(0.5); bar.update(1, 'loss 3.21')\nprint('trained')"
    )
    solution = next(i for i, cell in enumerate(notebook.cells) if "{solution-start}" in cell.source)
    notebook.cells = [*notebook.cells[:7], notebook.cells[solution - 1], notebook.cells[solution]]
    notebook.cells.insert(1, nbformat.v4.new_code_cell(code))
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks" / CHAPTER)
    (root / "book" / "index.md").write_text(f"# Start\n\n[The chapter](../notebooks/{CHAPTER})\n", "utf8")
    share = tmp_path / "DATA"
    shutil.copytree(ROOT / "book" / "jupyterlab", share / "labextensions" / "facelab")
    with jupyterlab(root, tmp_path) as address:
        yield address


def test_a_reader_starts_follows_a_link_and_runs_cells(browser: Any, lab: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 3000})
    page.set_default_timeout(60_000)
    page.goto(lab)
    page.locator(".jp-MarkdownViewer a", has_text="The chapter").click()
    notebook = page.locator(".jp-Notebook")
    page.locator("#jp-main-statusbar").get_by_text("Idle").wait_for()

    cited = notebook.locator(".facelab-cited a").first
    cited.wait_for()
    assert cited.inner_text() == "Wang et al., 2017"
    assert cited.get_attribute("href").startswith("https://")
    assert not RAW.search(notebook.inner_text())
    folded = notebook.locator("details", has_text="Solution").last
    folded.wait_for()
    assert folded.get_attribute("open") is None

    cell = notebook.locator(".jp-CodeCell", has_text="train arcface").first
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    line = page.locator(".facelab-progress")
    line.get_by_text("loss 3.21").wait_for()
    assert re.fullmatch(r"train arcface: \d of 4, loss 3\.21, 0:00:0\d left", line.inner_text())
    cell.locator(".jp-Cell-outputArea", has_text="trained").wait_for()
    line.wait_for(state="detached")
    assert [text.strip() for text in cell.locator(".jp-OutputArea-output").all_inner_texts()] == ["trained"]
    page.close()
