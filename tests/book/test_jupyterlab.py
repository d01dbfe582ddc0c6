"""The course in JupyterLab: the start page, links, running cells, an interactive figure, and nothing raw to be seen."""

import re
import shutil
import tomllib
from collections.abc import Iterator
from math import cos, pi
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
    alive = next(cell for cell in notebook.cells if 'class="alive"' in cell.source)
    solution = next(i for i, cell in enumerate(notebook.cells) if "{solution-start}" in cell.source)
    notebook.cells = [*notebook.cells[:7], notebook.cells[solution - 1], notebook.cells[solution]]
    term = nbformat.v4.new_markdown_cell("[the rate](../book/glossary.md#term-TAR-FAR)")
    notebook.cells[1:1] = [nbformat.v4.new_code_cell(code), alive, term]
    (root / "notebooks").mkdir()
    nbformat.write(notebook, root / "notebooks" / CHAPTER)
    build = tomllib.loads((ROOT / "pyproject.toml").read_text("utf8"))["tool"]["hatch"]["build"]
    for source, place in build["targets"]["wheel"]["shared-data"].items():
        installed = tmp_path / "DATA" / Path(place).relative_to("share/jupyter")
        for file in [*(ROOT / source).glob("*")] or [ROOT / source]:
            target = installed / file.name if (ROOT / source).is_dir() else installed
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, target)
    with jupyterlab(root, tmp_path) as address:
        yield address


def test_a_reader_starts_follows_a_link_and_runs_cells(browser: Any, lab: str) -> None:
    page = browser.new_page(viewport={"width": 1200, "height": 3000})
    page.set_default_timeout(60_000)
    page.goto(lab)
    page.locator(".jp-MarkdownViewer a", has_text="07. ArcFace, derived").click()
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

    figure = notebook.locator(".alive[data-state=ready]")
    scale = figure.get_by_label("Scale s")
    scale.focus()
    page.keyboard.press("ArrowLeft")  # moves the slider, and no cell is chosen
    assert scale.input_value() == "63"
    assert figure.locator("[data-number=logit]").inner_text() == f"{63 * cos(pi / 3 + 0.5):.2f}"
    assert scale.evaluate("slider => slider === document.activeElement")

    notebook.locator("a", has_text="the rate").click()
    place = page.locator('.jp-MarkdownViewer [id="term-TAR-FAR"]')
    place.wait_for()
    page.wait_for_function("place => place.getBoundingClientRect().top < innerHeight", arg=place.element_handle())
    page.close()
