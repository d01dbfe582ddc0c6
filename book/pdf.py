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
import tempfile
from pathlib import Path

import yaml

from facelab.course.printing import find_printer, print_pdf
from facelab.errors import FacelabError
from facelab.files import atomic_write, can_write, read_text

ROOT = Path(__file__).parents[1]
SCALE = 0.78  # letters of 9.4 points
AUTHOR = "The facelab authors"
CONTENTS = ".paper-contents a"
# A single page holds the pages of the book in place of the lists that lead to them, one wrapper for each part. Above
# the sheets of a page stands its title. An id such as "quiz" or "id3" stands in many pages: what a link leads to gets
# the name of its page before it, as the links have it (#document-PAGE#ID, see facelab_book.py).
PREPARE = """async () => {
  for (const link of document.querySelectorAll('.headerlink')) link.remove();
  const contents = document.createElement('nav');
  contents.className = 'paper-contents';
  const add = (tag, words) => {
    contents.append(Object.assign(document.createElement(tag), { textContent: words }));
    return contents.lastChild;
  };
  const pages = new Map();
  const heads = document.head.appendChild(document.createElement('style'));
  add('h2', 'Contents');
  const captions = document.querySelectorAll('.bd-toc-item .caption');
  const parts = document.querySelectorAll('.toctree-wrapper');
  for (const [index, part] of parts.entries()) {
    if (captions[index]) add('h3', captions[index].textContent);
    for (const place of part.querySelectorAll(':scope > span[id^="document-"]')) {
      const page = place.nextElementSibling;
      const heading = page.querySelector('h1, h2');
      const number = place.id.match(/notebooks\\/(\\d+)/);
      const title = (number ? `${number[1]}. ` : '') + heading.textContent;
      add('a', title).href = `#${place.id}`;
      page.dataset.place = place.id;
      page.style.page = `page-${pages.size}`;
      const head = `content: ${JSON.stringify(title)}; font: 10px sans-serif; color: #555`;
      heads.append(`@page page-${pages.size} { @top-right { ${head} } }\\n`);
      pages.set(place.id, page);
      heading.id = place.id;  // the place stands at the end of the page before
      place.remove();
    }
  }
  // behind what the start page begins with
  (document.querySelector('main section > section') ?? parts[0])?.before(contents);
  document.title = `facelab: ${document.querySelector('h1').textContent.trim()}`;
  document.getElementById('print-main-content')?.remove();  // the theme's contents, without pages
  for (const link of document.querySelectorAll('main a[href^="#"]')) {
    const [, named, id] = link.getAttribute('href').match(/^#(document-[^#]+)?#?(.*)$/);
    const page = named ? pages.get(named) : link.closest('[data-place]');
    if (!id || !page) continue;
    const name = `${page.dataset.place}#${id}`;
    const target = page.querySelector(`[id="${CSS.escape(id)}"]`);
    if (target) target.id = name;
    if (document.getElementById(name)) link.setAttribute('href', `#${name}`);
  }
  for (const hidden of document.querySelectorAll('.toggle-hidden')) hidden.classList.remove('toggle-hidden');
  const named = { content: 'Code and output', source: 'Code', output: 'Output' };  // nobody hides anything on paper
  for (const prompt of document.querySelectorAll('details.hide > summary .expanded'))
    prompt.textContent = prompt.textContent.replace(/^Hide code cell (\\w+)/, (_, what) => named[what]);
  for (const details of document.querySelectorAll('details')) details.open = !details.closest('.timeline');
  document.documentElement.dataset.theme = 'light';
  for (const picture of document.images) picture.loading = 'eager';
  const waiting = [...document.images].filter(i => !i.complete);
  await Promise.all(waiting.map(i => new Promise(done => { i.onload = i.onerror = done; })));
}"""


def build_single_page(toc: Path, folder: Path) -> Path:
    """Build the book as one page in an empty folder, and return it. Translations are not printed.

    Raises:
        FacelabError: the table of contents cannot be read, or the book cannot be built.
    """
    try:
        contents = yaml.safe_load(read_text(toc))
        contents["parts"] = [part for part in contents.get("parts", []) if part.get("caption") != "По-русски"]
    except (yaml.YAMLError, AttributeError, TypeError) as error:
        raise FacelabError(f"{toc} is no table of contents; book/_toc.yml is one.") from error
    printed = folder / "_toc.yml"
    printed.write_text(yaml.safe_dump({name: value for name, value in contents.items() if value}), "utf8")
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command: list[str | Path] = [
        jupyter_book,
        "build",
        ROOT,
        "--toc",
        printed,
        "--path-output",
        folder,
        "--builder",
        "singlehtml",
    ]
    if subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL).returncode:
        raise FacelabError(f"the book of {toc} could not be built as one page; what went wrong stands above.")
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


def print_book(toc: Path, folder: Path) -> None:
    """Build and print the book, and link it from the web pages that lie in the folder.

    Raises:
        FacelabError: what prints is not installed, nothing can be written there, or the book cannot be built.
    """
    find_printer()
    if not can_write(folder):
        raise FacelabError(f"cannot write into {folder}: choose another --folder.")
    output = folder / "facelab.pdf"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".facelab-print-") as made:
        print("1/2  all pages of the book as one: a minute or two", flush=True)
        page = build_single_page(toc, Path(made).resolve())
        print("2/2  on paper, twice, as the contents need the numbers of the pages: some minutes", flush=True)
        pages = print_pdf(page, output, scale=SCALE, prepare=PREPARE, contents=CONTENTS, author=AUTHOR)
    print(f"{output}: {pages} pages, {output.stat().st_size / 1e6:.0f} MB")
    if (html := folder / "html").is_dir():
        link_from_pages(output, pages, html)
        print(f"{html}: every page links it")


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the whole book as one PDF.")
    parser.add_argument("--toc", type=Path, default=ROOT / "book" / "_toc.yml", help="another table of contents")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build", help="where the PDF goes, beside html/")
    chosen = parser.parse_args()
    try:
        print_book(chosen.toc, chosen.folder)
    except FacelabError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("stopped: the PDF is as it was before")


if __name__ == "__main__":
    main()
