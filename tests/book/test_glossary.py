"""The glossary: two languages for every term, and an entry for every term that a chapter sets in italics."""

import json
import re
from pathlib import Path

import pytest

sphinx = pytest.importorskip("sphinx.util.nodes", reason="the book's tools are not installed: uv sync --extra book")

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ENTRIES = [
    entry.split("\n")
    for entry in re.search(r"```\{glossary\}\n(.*?)\n```", (ROOT / "book" / "glossary.md").read_text("utf8"), re.S)[
        1
    ].split("\n\n")
]
TERMS = {entry[0] for entry in ENTRIES}
IDS = {"term-" + sphinx._make_id(term) for term in TERMS}
CYRILLIC = re.compile("[а-яё]", re.I)
LINK = re.compile(r"\[([^\]]*)\]\(\.\./book/glossary\.md#([^)]*)\)")
# Titles and names, which are set in italics too, and sayings. Questions are known by their mark.
NO_TERMS = {
    "Gender Shades", "Anny", "as it was", "one scorer", "equal losses", "equal losses, one scorer",
    "explain the picture", "name the identity", "be closer to your own than to any other, by a margin",
}  # fmt: skip


def text_of(path: Path) -> str:
    cells = json.loads(path.read_text("utf8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def italics_without_an_entry(text: str) -> list[str]:
    """Return what is set in italics in a text, and is neither a link to a term nor a term."""
    text = re.sub(r"^```\w.*?^```$|\$\$.*?\$\$|\$[^$\n]*\$|(?<!\})`[^`]*`", "", text, flags=re.M | re.S)
    found = re.findall(r"(?<![\w*])\*(?=[^\s*])([^*]+?)(?<=\S)\*(?![\w*])", text.replace("**", "§"))
    words = [" ".join(words.split()) for words in found]
    known = {word for term in TERMS for word in (term, term[0].upper() + term[1:], term + "s")} | NO_TERMS
    return [word for word in words if not LINK.search(word) and word not in known and "?" not in word]


def test_every_entry_is_in_english_and_in_russian_once_and_says_something() -> None:
    for english, russian, *said in ENTRIES:
        assert not CYRILLIC.search(english)
        assert CYRILLIC.search(russian), english
        assert said, english
        assert all(line.startswith("  ") for line in said), english
    assert len(TERMS) == len(IDS) == len(ENTRIES)
    assert len({russian for _, russian, *_ in ENTRIES}) == len(ENTRIES)
    assert list(TERMS) != []
    assert [entry[0].lower() for entry in ENTRIES] == sorted(term.lower() for term in TERMS)


def test_what_is_not_explained_is_found() -> None:
    text = (
        "*margin*, *[chip](../book/glossary.md#term-chip)*, $a * b * c$, `*x*`, **bold**, *who is this?* A *foo bar*."
    )
    assert italics_without_an_entry(text) == ["foo bar"]


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_term_in_italics_has_its_entry(path: Path) -> None:
    text = text_of(path)
    assert italics_without_an_entry(text) == []
    assert LINK.search(text), "terms lead to the glossary where they first stand"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_term_leads_to_the_glossary_once_a_chapter(path: Path) -> None:
    linked = [name for _, name in LINK.findall(text_of(path))]
    assert set(linked) <= IDS
    assert len(linked) == len(set(linked))
