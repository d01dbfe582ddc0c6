"""The book on paper: what ``book/pdf.py`` makes of a single page that Sphinx writes."""

import runpy
from pathlib import Path

import pytest

from facelab.course import printing
from facelab.course.printing import print_pdf
from facelab.errors import FacelabError

PDF = Path(__file__).parents[2] / "book" / "pdf.py"
# Two parts with three pages of the book, two of them with a place of the same name. "first" fills two sheets.
SINGLE = """<!doctype html><html lang="en" data-settled="yes"><head><title>A book</title><style>
  .toctree-wrapper > section, .new { break-before: page; } .paper-contents a::after { content: " " attr(data-page); }
</style></head><body>
<nav class="bd-toc-item"><p class="caption">Part one</p><p class="caption">Part two</p></nav>
<main><section><h1>A book</h1><div class="toctree-wrapper">
<span id="document-notebooks/00_first"></span>
<section id="same"><h2>First<a class="headerlink" href="#same">#</a></h2><p id="id1">Here.</p>
<p class="new">More.</p><details><summary>A choice</summary>unfolded</details>
<details class="hide"><summary><p class="expanded">Hide code cell content</p></summary><p>code</p></details></section>
<span id="document-book/second"></span>
<section><h2>Second</h2>
<a href="#document-book/third#id1">third</a> <a href="#id1">mine</a><p id="id1">Mine.</p></section>
</div><div class="toctree-wrapper">
<span id="document-book/third"></span>
<section><h2>Third</h2><p class="new" id="id1">Third place.</p></section>
</div></section></main></body></html>"""


@pytest.mark.slow
def test_contents_and_links_lead_to_the_right_sheets(tmp_path: Path) -> None:
    pytest.importorskip("playwright", reason="playwright is not installed: uv sync --extra book")
    pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed: uv sync --extra book")
    if printing.find_chromium() is None:
        pytest.skip("no Chromium found; on Debian: apt-get install chromium")
    made = runpy.run_path(str(PDF))
    (tmp_path / "page.html").write_text(SINGLE)
    output = tmp_path / "book.pdf"
    how = {"prepare": made["PREPARE"], "contents": made["CONTENTS"], "author": "An author"}
    assert print_pdf(tmp_path / "page.html", output, **how) == 6
    printed = pypdf.PdfReader(output)
    texts = [" ".join(page.extract_text().split()) for page in printed.pages]
    for line in ("Part one", "00. First 2", "Second 4", "Part two", "Third 5"):
        assert line in texts[0]
    assert texts[2] == "00. First More. A choice unfolded Code and output code 3 / 6", (
        "its title stands above every sheet of a page"
    )
    assert "#" not in texts[1]
    places = {name: printed.get_destination_page_number(place) for name, place in printed.named_destinations.items()}
    leads = [places[link.get_object()["/Dest"]] for link in printed.pages[3]["/Annots"]]
    assert leads == [5, 3], "a place of the page that the link names, or of its own"
    assert [entry.title for entry in printed.outline if not isinstance(entry, list)]
    assert (printed.metadata.title, printed.metadata.author) == ("facelab: A book", "An author")
    assert printed.trailer["/Root"]["/Lang"] == "en"


def test_what_prints_must_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(printing.shutil, "which", lambda program: None)
    with pytest.raises(FacelabError, match=r"Chromium, which is not installed; on Debian: apt-get install chromium"):
        printing.find_printer()


def test_a_place_where_nothing_can_be_written_is_known_before_the_book_is_built(tmp_path: Path) -> None:
    made = runpy.run_path(str(PDF))
    (tmp_path / "file").write_text("mine")
    made["print_book"].__globals__["find_printer"] = lambda: "chromium"
    with pytest.raises(FacelabError, match=r"cannot write into .*file.*: choose another --folder"):
        made["print_book"](PDF, tmp_path / "file" / "folder")


@pytest.mark.parametrize("text", ["", "parts: 3", "parts: [a]", "parts: ["])
def test_a_file_that_is_no_table_of_contents_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "toc.yml").write_text(text)
    with pytest.raises(FacelabError, match=r"toc\.yml is no table of contents; book/_toc\.yml is one"):
        runpy.run_path(str(PDF))["build_single_page"](tmp_path / "toc.yml", tmp_path)
