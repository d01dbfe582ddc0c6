"""The book's sources: citations, bibliography, table of contents, one address."""

import importlib
import json
import re
from collections import Counter
from pathlib import Path

import pytest
import yaml

pybtex = pytest.importorskip("pybtex.database", reason="the book's tools are not installed: uv sync --extra book")

ROOT = Path(__file__).parents[2]
# Neither a DOI nor an arXiv number exists: reports, a proceedings paper, an article, a project page, three legal acts.
WITHOUT_A_NUMBER = {
    "huang2007lfw",
    "daugman2000landscapes",
    "buolamwini2018gendershades",
    "radovanovic2010hubs",
    "harvey2021exposing",
    "gdpr2016",
    "aiact2024",
    "aiomnibus2026",
}
BIBLIOGRAPHY = pybtex.parse_file(ROOT / "book/references.bib").entries
TEXTS = [
    *sorted(
        path
        for path in (ROOT / "book").rglob("*.md")
        if ".ipynb_checkpoints" not in path.parts and path.name != "README.ru.md"  # which is no page of the book
    ),
    *sorted((ROOT / "book").glob("*.ipynb")),
    *sorted((ROOT / "notebooks").glob("*.ipynb")),
]


def _text(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text("utf8")
    return "\n".join(
        "".join(cell["source"])
        for cell in json.loads(path.read_text("utf8"))["cells"]
        if cell["cell_type"] == "markdown"
    )


def cited() -> set[str]:
    keys = re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", "\n".join(map(_text, TEXTS)))
    return {key.strip() for group in keys for key in group.split(",")}


def test_every_citation_is_in_the_bibliography_and_every_entry_is_cited() -> None:
    assert cited() == set(BIBLIOGRAPHY)


@pytest.mark.parametrize("key", sorted(BIBLIOGRAPHY))
def test_entry_is_complete(key: str) -> None:
    entry = BIBLIOGRAPHY[key]
    fields = entry.fields
    assert entry.persons.get("author")
    assert fields.get("title")
    assert re.fullmatch(r"(19|20)\d\d", fields["year"])
    if "doi" in fields:
        assert re.fullmatch(r"10\.\d{4,9}/\S+", fields["doi"])
    elif "eprint" in fields:
        assert fields["archiveprefix"] == "arXiv"
        assert re.fullmatch(r"\d{4}\.\d{4,5}|cs/\d{7}", fields["eprint"])
    else:
        assert key in WITHOUT_A_NUMBER, "a DOI or an arXiv number"
        assert fields["url"].startswith("https://")


def test_an_entry_says_where_it_was_published_and_stands_once() -> None:
    where = {"article": "journal", "inproceedings": "booktitle", "techreport": "institution", "book": "publisher"}
    for key, entry in BIBLIOGRAPHY.items():
        assert entry.type == "misc" or entry.fields.get(where[entry.type]), key
        assert "arxiv" not in entry.fields.get("journal", "").lower(), f"{key}: a preprint is @misc"
    for field in ("doi", "eprint"):
        numbers = Counter(entry.fields[field] for entry in BIBLIOGRAPHY.values() if field in entry.fields)
        assert [number for number, times in numbers.items() if times > 1] == []
    works = Counter((entry.fields["title"], entry.fields["year"]) for entry in BIBLIOGRAPHY.values())
    assert [work for work, times in works.items() if times > 1] == []


def test_a_citation_names_one_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "book" / "_ext")
    letters = importlib.import_module("citation_letters")
    entries = pybtex.parse_file(ROOT / "book/references.bib").entries
    before = Counter(map(letters.cited_as, entries.values()))
    assert before["Wang et al.", "2018"] == 2  # AM-Softmax, CosFace
    for _ in range(2):  # what is read again has its letters
        letters.add_letters(entries)
        assert set(Counter(map(letters.cited_as, entries.values())).values()) == {1}
    assert entries["wang2018amsoftmax"].fields["year"] == "2018a"  # Cheng before Wang, the second authors
    assert entries["wang2018cosface"].fields["year"] == "2018b"
    assert entries["liu2017sphereface"].fields["year"] == "2017"


def test_every_notebook_and_page_is_in_the_table_of_contents() -> None:
    def pages(entries: list[dict]) -> set[str]:
        return {entry["file"] for entry in entries} | {
            page for entry in entries for page in pages(entry.get("sections", []))
        }

    toc = yaml.safe_load((ROOT / "book/_toc.yml").read_text("utf8"))
    listed = {toc["root"]}.union(*(pages(part["chapters"]) for part in toc["parts"]))
    assert listed == {str(path.relative_to(ROOT).with_suffix("")) for path in TEXTS}


def test_the_repository_address_stands_in_one_place() -> None:
    address = yaml.safe_load((ROOT / "_config.yml").read_text("utf8"))["repository"]["url"]
    if address:
        assert (ROOT / "_config.yml").read_text("utf8").count(address) == 1
        assert not [path.name for path in TEXTS if address in _text(path)]
    assert not [path.name for path in TEXTS if "github.com/facelab" in _text(path)]
