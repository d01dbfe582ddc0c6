"""Fixtures of the book's tests: the built pages and a browser."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
# A container has no user namespaces, so no sandbox; the other flags keep Chromium itself from asking for the network.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


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
    """Every page that a reader can open, without the redirect at the top."""
    found = [page for page in html.rglob("*.html") if "_static" not in page.parts and page != html / "index.html"]
    assert len(found) > 8, f"{html} holds only {len(found)} pages"
    return sorted(found)


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: uv sync --extra test")
    if CHROMIUM is None:
        pytest.skip("no Chromium found; on Debian: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield started
        started.close()
