"""Fixtures of the book's tests: the built pages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built pages: the one that FACELAB_BOOK_HTML names, else a strict build from clean."""
    if given := os.environ.get("FACELAB_BOOK_HTML"):
        return Path(given).resolve()
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    if not jupyter_book.exists():
        pytest.skip("the book's tools are not installed: uv sync --extra book")
    output = tmp_path_factory.mktemp("book")
    where = ["--toc", ROOT / "book/_toc.yml", "--path-output", output]
    command = [jupyter_book, "build", ROOT, *where, "-n", "-W", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    return output / "_build" / "html"


@pytest.fixture(scope="session")
def pages(html: Path) -> list[Path]:
    """Every page of the book, without the redirect and the notice of a missing page at the top."""
    apart = {html / "index.html", html / "404.html"}
    found = [page for page in html.rglob("*.html") if "_static" not in page.parts and page not in apart]
    assert len(found) > 8, f"{html} holds only {len(found)} pages"
    return sorted(found)
