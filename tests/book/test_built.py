"""The built pages, read as text: links, pictures, and nothing that is loaded from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

pytestmark = pytest.mark.slow

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
LOADING_LINKS = {"stylesheet", "icon", "shortcut icon", "preload", "prefetch", "preconnect", "manifest"}


class Page(HTMLParser):
    """What a page links to, loads, and names."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.pictures: list[dict[str, str | None]] = []
        self.feed(path.read_text("utf8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids.update(value for name in ("id", "name") if (value := values.get(name)))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"] or "")
        if tag in LOADED and values.get(LOADED[tag]):
            self.loads.append(values[LOADED[tag]] or "")
        if tag == "link" and values.get("rel") in LOADING_LINKS:
            self.loads.append(values.get("href") or "")
        if tag == "img":
            self.pictures.append(values)


def test_internal_links_lead_somewhere(html: Path, pages: list[Path]) -> None:
    parsed = {page: Page(page) for page in pages}
    broken = []
    for page, content in parsed.items():
        for link in content.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc or link == "#":
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            known = parsed[target].ids if target in parsed else None
            if not target.is_file() or (parts.fragment and known is not None and unquote(parts.fragment) not in known):
                broken.append(f"{page.relative_to(html)} -> {link}")
    assert not broken


def test_nothing_is_loaded_from_elsewhere(html: Path, pages: list[Path]) -> None:
    loads = {load: page.name for page in pages for load in Page(page).loads}
    assert not {
        load: name for load, name in loads.items() if urlsplit(load).scheme not in ("", "data") or urlsplit(load).netloc
    }
    for sheet in html.rglob("*.css"):
        text = sheet.read_text("utf8", errors="replace")
        assert not re.search(r"url\(['\"]?(https?:)?//|@import url", text), sheet


def test_every_page_says_what_it_is_about(html: Path, pages: list[Path]) -> None:
    silent = []
    for page in pages:
        said = re.findall(r'<meta property="og:(title|description)" content="([^"]+)"', page.read_text("utf8"))
        if [name for name, _ in said] != ["title", "description"]:
            silent.append(str(page.relative_to(html)))
    assert silent == []


def test_the_notice_of_a_missing_page_needs_nothing_beside_it(html: Path) -> None:
    """It is shown in whatever folder somebody looked for a page."""
    notice = Page(html / "404.html")
    assert (notice.loads, set(notice.links)) == ([], {"/"})


# What Sphinx, the theme and the extensions write around a text, in two languages.
WORDS = {
    r'caption-number">(Exercise|Упражнение) \d': ("Exercise", "Упражнение"),
    r'caption-number">(Fig\.|Рис\.) \d': ("Fig.", "Рис."),
    r'admonition-title">(Solution to|Решение:) <a [^>]*>\S': ("Solution to", "Решение:"),
    r'prev-next-subtitle">(next|далее|вперёд)<': ("next", "вперёд"),
    r'id="pst-skip-link".*?>(Skip to main content|Перейти к тексту)<': ("Skip to main content", "Перейти к тексту"),
    r'aria-label="(Download this page|Скачать эту страницу)"': ("Download this page", "Скачать эту страницу"),
    r'collapsed admonition-title">(Solution: code and output|Решение: код и вывод)': (
        "Solution: code and output",
        "Решение: код и вывод",
    ),
}


def test_the_words_around_a_text_are_in_its_language(html: Path) -> None:
    english, russian = html / "notebooks" / "00_quickstart.html", html / "book" / "ru" / "00_quickstart.html"
    for number, page in enumerate((english, russian)):
        text = page.read_text("utf8")
        for pattern, words in WORDS.items():
            assert set(re.findall(pattern, text)) == {words[number]}, (page.name, pattern)


def test_every_picture_has_alt_text(pages: list[Path]) -> None:
    # a path as alt text is what Sphinx writes when the author gave none
    missing = [
        (page.name, p.get("src"))
        for page in pages
        for p in Page(page).pictures
        if not p.get("alt") or "_images/" in (p["alt"] or "")
    ]
    assert not missing


@pytest.mark.parametrize(
    "path", sorted(Path(__file__).parents[2].glob("notebooks/*.ipynb")), ids=lambda path: path.stem
)
def test_what_is_numbered_in_a_chapter_has_the_number_of_its_file(html: Path, path: Path) -> None:
    page = (html / "notebooks" / f"{path.stem}.html").read_text("utf8")
    chapter = int(path.stem[:2])
    assert re.findall(r'<h\d><span class="section-number">(.*?)</span>', page) == [f"{chapter}. "]
    for kind, counted in (
        ("figures", re.findall(r'class="caption-number">Fig\. ([\d.]+) ', page)),
        ("exercises", re.findall(r'"admonition-title"><span class="caption-number">Exercise ([\d.]+) ', page)),
    ):
        assert counted == [f"{chapter}.{number}" for number in range(1, len(counted) + 1)], kind
        assert len(counted) >= 3, kind


@pytest.mark.parametrize("source", ["notebooks/00_quickstart", "book/how_to_use"])
def test_a_translated_page_counts_as_its_source_does(html: Path, source: str) -> None:
    english, russian = (
        re.findall(r'caption-number">(?:Fig\.|Рис\.|Exercise|Упражнение) ([\d.]+) ', page.read_text("utf8"))
        for page in (html / f"{source}.html", html / "book" / "ru" / f"{Path(source).name}.html")
    )
    assert russian == english != []


def test_no_line_ends_between_a_number_and_its_percent_sign(html: Path) -> None:
    text = (html / "notebooks" / "12_verification_identification.html").read_text("utf8")
    paragraphs = re.sub(r"<(code|annotation)\b.*?</\1>", "", "".join(re.findall(r"<p>.*?</p>", text, re.DOTALL)))
    assert paragraphs.count("\N{NO-BREAK SPACE}%") > 10
    assert not re.search(r"\d %", paragraphs)


def test_a_translated_page_has_the_figures_for_a_phone(html: Path) -> None:
    pages = ("notebooks/00_quickstart.html", "book/ru/00_quickstart.html")
    english, russian = ((html / page).read_text("utf8").count("-phone.svg") for page in pages)
    assert english == russian > 0
