"""A page on paper: Chromium prints what the screen shows, formulas set by the MathJax that the book carries.

LaTeX would need a second rendering of everything that is HTML. Needs ``facelab[book]`` and an installed Chromium;
nothing is loaded from a network.
"""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from facelab.errors import FacelabError
from facelab.files import atomic_write

# One file with every TeX extension and its glyphs as SVG paths: no font files, nothing more to load, works from file://.
MATHJAX_FILE = "tex-svg-full.js"
SETTLED = "document.documentElement.dataset.settled"  # set by the page's own script when its formulas stand
WRONG = "[...document.querySelectorAll('[data-mjx-error]')].map(node => node.dataset.mjxError)"
# In a container there are no user namespaces for the sandbox; the pages are our own files.
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
TIMEOUT = 600_000  # milliseconds to open and settle: the whole book is one page of thousands of formulas
NUMBER_LINKS = """([links, pages]) => {
  for (const link of document.querySelectorAll(links)) {
    link.dataset.page = pages[decodeURIComponent(link.hash.slice(1))] ?? "000";
  }
}"""
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #555">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def find_chromium() -> str | None:
    """Return the program of an installed Chromium, or of what is made of it."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def mathjax_source() -> Path:
    """Return the MathJax 3 bundle (Apache-2.0) inside the package ``sphinx-mathjax-offline``, which is not imported.

    Raises:
        FacelabError: the package is not installed.
    """
    spec = find_spec("sphinx-mathjax-offline")
    if spec is None or not spec.submodule_search_locations:
        raise FacelabError(
            "formulas are set by the package sphinx-mathjax-offline, which is not installed: uv sync --extra book"
        )
    return Path(spec.submodule_search_locations[0]) / "static" / "mathjax" / MATHJAX_FILE


def find_printer() -> str:
    """Return the program of Chromium where all is installed that prints a page.

    Raises:
        FacelabError: Playwright, pypdf or Chromium is not installed.
    """
    for package in ("playwright", "pypdf"):
        if find_spec(package) is None:
            raise FacelabError(f"a PDF needs {package}, which is not installed: uv sync --extra book")
    chromium = find_chromium()
    if chromium is None:
        raise FacelabError("a PDF is printed by Chromium, which is not installed; on Debian: apt-get install chromium")
    return chromium


def print_pdf(
    page: Path | str,
    output: Path | str,
    *,
    scale: float = 1.0,
    prepare: str = "",
    contents: str = "",
    author: str = "",
) -> int:
    """Print a page (HTML) to a PDF of A4 pages with their numbers below, and return how many pages it has.

    Args:
        page: the file; it sets ``document.documentElement.dataset.settled`` when its formulas stand.
        output: the PDF.
        scale: of the text.
        prepare: JavaScript to run in the page before it is printed.
        contents: CSS selector of links inside the page, each of which gets the number of the paper page that it leads
            to, as attribute ``data-page``. The page is then printed twice: a number is known when it has been printed.
        author: whom the properties of the file name. Its title and language are those of the page.

    Raises:
        FacelabError: what prints is not installed or fails, or a formula of the page is wrong.
    """
    chromium = find_printer()
    from playwright.sync_api import Error, sync_playwright
    from pypdf import PdfReader, PdfWriter

    with sync_playwright() as playwright, atomic_write(output) as temporary:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        try:
            sheet = browser.new_page(color_scheme="light", offline=True)
            sheet.set_default_timeout(TIMEOUT)
            sheet.goto(Path(page).resolve().as_uri())
            sheet.wait_for_function(SETTLED)
            if wrong := sheet.evaluate(WRONG):
                raise FacelabError(f"{page}: a formula is wrong: {wrong[0]}")
            # MathJax gives its glyphs an outline of no width; a PDF has no such line, and draws the thinnest there is.
            sheet.add_style_tag(content="mjx-container svg g { stroke: none }")
            if prepare:
                sheet.evaluate(prepare)
            if contents:
                sheet.evaluate(NUMBER_LINKS, [contents, {}])  # the numbers take their place before they are known
                _write(sheet, temporary, scale)
                sheet.evaluate(NUMBER_LINKS, [contents, _pages_of_places(PdfReader(temporary))])
            _write(sheet, temporary, scale)
        except Error as error:
            raise FacelabError(f"{page}: {chromium} cannot print it: {error.message.splitlines()[0]}") from error
        finally:
            browser.close()
        printed = PdfWriter(temporary, incremental=True)  # adds to the file, and keeps what it has
        printed.page_mode = "/UseOutlines"
        if author:
            printed.add_metadata({"/Author": author})
        printed.write(temporary)
        return len(printed.pages)


def _write(sheet: Any, path: Path, scale: float) -> None:
    sheet.pdf(
        path=path,
        format="A4",
        scale=scale,
        margin={"top": "16mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
        display_header_footer=True,
        header_template="<span></span>",
        footer_template=FOOTER,
        print_background=True,
        outline=True,
        tagged=True,
    )


def _pages_of_places(printed: Any) -> dict[str, int]:
    """The page, from 1 on, of every place inside the document that a link leads to, by its id."""
    pages = {name: printed.get_destination_page_number(place) for name, place in printed.named_destinations.items()}
    return {unquote(name.lstrip("/")): page + 1 for name, page in pages.items() if page is not None}
