"""Print the whole book as one PDF with Chromium: ``uv run python book/pdf.py`` writes ``_build/facelab.pdf``.

The paper shows what the screen shows: formulas, tables, dropdowns opened.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from facelab.course.printing import print_pdf

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "_build" / "facelab.pdf"
OPEN_EVERYTHING = """async () => {
  for (const hidden of document.querySelectorAll('.toggle-hidden')) hidden.classList.remove('toggle-hidden');
  for (const details of document.querySelectorAll('details')) details.open = !details.closest('.timeline');
  document.documentElement.dataset.theme = 'light';
  for (const picture of document.images) picture.loading = 'eager';
  const waiting = [...document.images].filter(i => !i.complete);
  await Promise.all(waiting.map(i => new Promise(done => { i.onload = i.onerror = done; })));
}"""


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


if __name__ == "__main__":
    print_pdf(build_single_page(), OUTPUT, scale=0.82, prepare=OPEN_EVERYTHING)
    print(OUTPUT.relative_to(ROOT))
