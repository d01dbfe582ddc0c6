"""Print the whole book as one PDF with Chromium: ``uv run python book/pdf.py`` writes ``_build/facelab.pdf``.

The browser prints what the screen shows (formulas, tables, dropdowns opened). LaTeX would need a second rendering of
every HTML table and of the timeline.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "_build" / "facelab.pdf"
# In a container there are no user namespaces for the sandbox; the book is our own file.
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
OPEN_EVERYTHING = """async () => {
  for (const hidden of document.querySelectorAll('.toggle-hidden')) hidden.classList.remove('toggle-hidden');
  for (const details of document.querySelectorAll('details')) details.open = !details.closest('.timeline');
  document.documentElement.dataset.theme = 'light';
  for (const picture of document.images) picture.loading = 'eager';
  const waiting = [...document.images].filter(i => !i.complete);
  await Promise.all(waiting.map(i => new Promise(done => { i.onload = i.onerror = done; })));
}"""
FOOTER = (
    '<div style="font: 8px sans-serif; width: 100%; text-align: center; color: #555">'
    '<span class="pageNumber"></span> / <span class="totalPages"></span></div>'
)


def build_single_page() -> Path:
    """Build the book as one page, from clean, and return it."""
    folder = ROOT / "_build" / "print"
    shutil.rmtree(folder, ignore_errors=True)
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    toc = ROOT / "book" / "_toc.yml"
    command = [jupyter_book, "build", ROOT, "--toc", toc, "--path-output", folder, "--builder", "singlehtml"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    pages = folder / "_build" / "singlehtml"
    # the root of the book lies in book/, but Sphinx writes the paths of a single page as if it lay at the top
    return Path(shutil.copyfile(pages / "book" / "index.html", pages / "print.html"))


def print_pdf(page_file: Path, output: Path) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("Chromium is not installed; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(color_scheme="light", offline=True)
        page.goto(page_file.as_uri())
        page.wait_for_function("document.documentElement.dataset.settled")
        page.evaluate(OPEN_EVERYTHING)
        page.pdf(
            path=output,
            format="A4",
            scale=0.82,
            margin={"top": "16mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            print_background=True,
            outline=True,
            tagged=True,
        )
        browser.close()


if __name__ == "__main__":
    print_pdf(build_single_page(), OUTPUT)
    print(OUTPUT.relative_to(ROOT))
