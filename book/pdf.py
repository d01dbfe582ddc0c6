"""Print the whole book as one PDF with Chromium: ``uv run python book/pdf.py`` writes ``_build/facelab.pdf``.

The paper shows what the screen shows: formulas, tables, dropdowns opened; a page number behind each entry of the
contents. Where the web pages stand in ``_build/html``, the PDF is laid beside them, and each page then links it.
``--toc FILE`` prints another table of contents, ``--folder DIR`` works there instead of in ``_build``.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from facelab.course.printing import print_pdf
from facelab.files import atomic_write

ROOT = Path(__file__).parents[1]
CONTENTS = ".paper-contents a"
# A single page holds the pages themselves in place of the lists that lead to them, one wrapper for each part.
PREPARE = """async () => {
  const contents = document.createElement('nav');
  contents.className = 'paper-contents';
  const add = (tag, words) => {
    contents.append(Object.assign(document.createElement(tag), { textContent: words }));
    return contents.lastChild;
  };
  add('h2', 'Contents');
  const captions = document.querySelectorAll('.bd-toc-item .caption');
  const parts = document.querySelectorAll('.toctree-wrapper');
  for (const [index, part] of parts.entries()) {
    add('h3', captions[index].textContent);
    for (const place of part.querySelectorAll(':scope > span[id^="document-"]')) {
      const heading = place.nextElementSibling.querySelector('h1, h2');
      const words = [...heading.childNodes].filter(node => !node.classList?.contains('headerlink'));
      const number = place.id.match(/notebooks\\/(\\d+)/);
      add('a', (number ? `${number[1]}. ` : '') + words.map(node => node.textContent).join('')).href = `#${place.id}`;
      heading.id = place.id;  // the place stands at the end of the page before
      place.remove();
    }
  }
  parts[0]?.before(contents);
  for (const hidden of document.querySelectorAll('.toggle-hidden')) hidden.classList.remove('toggle-hidden');
  for (const details of document.querySelectorAll('details')) details.open = !details.closest('.timeline');
  document.documentElement.dataset.theme = 'light';
  for (const picture of document.images) picture.loading = 'eager';
  const waiting = [...document.images].filter(i => !i.complete);
  await Promise.all(waiting.map(i => new Promise(done => { i.onload = i.onerror = done; })));
}"""


def build_single_page(toc: Path, folder: Path) -> Path:
    """Build the book as one page, from clean, and return it. Translations are not printed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    contents = yaml.safe_load(toc.read_text("utf8"))
    contents["parts"] = [part for part in contents.get("parts", []) if part["caption"] != "По-русски"]
    printed = folder / "_toc.yml"
    printed.write_text(yaml.safe_dump({name: value for name, value in contents.items() if value}), "utf8")
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", ROOT, "--toc", printed, "--path-output", folder, "--builder", "singlehtml"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    pages = folder / "_build" / "singlehtml"
    # the root of the book lies in book/, but Sphinx writes the paths of a single page as if it lay at the top
    return Path(shutil.copyfile(pages / "book" / "index.html", pages / "print.html"))


def link_from_pages(pdf: Path, pages: int, html: Path) -> None:
    """Lay the PDF beside the built web pages, and let each of them show the link to it."""
    facts = {"pages": pages, "megabytes": round(pdf.stat().st_size / 1e6)}
    with atomic_write(html / pdf.name) as temporary:
        shutil.copyfile(pdf, temporary)
    with atomic_write(html / "_static" / "pdf.js") as temporary:
        temporary.write_text(f"window.facelabPdf = {json.dumps(facts)};\n", "utf8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the whole book as one PDF.")
    parser.add_argument("--toc", type=Path, default=ROOT / "book" / "_toc.yml")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build")
    chosen = parser.parse_args()
    output = chosen.folder / "facelab.pdf"
    page = build_single_page(chosen.toc.resolve(), chosen.folder.resolve() / "print")
    pages = print_pdf(page, output, scale=0.82, prepare=PREPARE, contents=CONTENTS)
    print(f"{output}: {pages} pages")
    if (html := chosen.folder / "html").is_dir():
        link_from_pages(output, pages, html)
        print(f"{html}: every page links it")


if __name__ == "__main__":
    main()
