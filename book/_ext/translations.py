"""Translated pages: which part of the English page each part was made from, and which parts are behind.

A page of ``book/ru/`` names its source in its front matter. Each of its parts begins with a line that says of which
part of the source it is the translation, and of which text of that part::

    % from set-up-in-two-lines 3f9c01ab

A part of a Markdown page is the text from one heading to the next; its name is made of the heading. A part of a
notebook is a cell; its name is the cell's id, and of a cell with a figure the part is its alt text and, after an empty
line, its caption. All else of a notebook, code and outputs, comes from the English one, so it cannot differ.

``python book/_ext/translations.py`` lists for each page what is behind; ``... PAGE`` writes the present sums into one.
"""

import hashlib
import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

LANGUAGES = {"en": "English", "ru": "Русский"}  # the translations into one are in the folder of book/ with its name
ROOT = Path(__file__).parents[2]
MARK = re.compile(r"^% from (\S+) (\S+)\n", re.MULTILINE)
BEHIND = """```{{admonition}} Перевод отстаёт
:class: note
Эта страница отстаёт от [английской]({source}). Частей, которые там изменились или здесь не переведены: {number}.
```
"""
# What stands on the button that opens a folded cell.
PROMPTS = {
    "Solution: code and output": "Решение: код и вывод",
    "Solution: the code that draws it": "Решение: код, который рисует",
}


@dataclass(frozen=True)
class Translation:
    """A translated page.

    Attributes:
        path: of the page; source: of the English one.
        head: what stands before the first part: the front matter; of a notebook, a line that only JupyterLab shows.
        parts: the text of each part, by its name.
        sums: of the English text that it was made from, by its name.
    """

    path: Path
    source: Path
    head: str
    parts: dict[str, str]
    sums: dict[str, str]

    @classmethod
    def parse(cls, text: str, path: Path) -> "Translation":
        """Read a page.

        Raises:
            ValueError: it names no source, or a part twice.
        """
        front = re.match(r"---\n(.*?)\n---\n", text, re.DOTALL)
        named = yaml.safe_load(front[1]).get("source") if front else None
        if not named:
            raise ValueError(f"{path.name}: the front matter names no source, for example  source: book/index.md")
        head, *found = MARK.split(text)
        names, sums, parts = found[0::3], found[1::3], found[2::3]
        if len(set(names)) < len(names):
            raise ValueError(f"{path.name}: a part stands twice: {max(names, key=names.count)}")
        texts = dict(zip(names, parts, strict=True))
        return cls(path, ROOT / named, head, texts, dict(zip(names, sums, strict=True)))

    @classmethod
    def load(cls, path: Path) -> "Translation":
        return cls.parse(path.read_text("utf8"), path)

    def behind(self) -> list[str]:
        """Parts of the source whose text is not the one that was translated, and those that it no longer has."""
        now = parts_of(self.source)
        stale = [name for name, text in now.items() if self.sums.get(name) != checksum(text)]
        return stale + [name for name in self.sums if name not in now]

    def page(self) -> str:
        """What is built, with a line that says if it is behind: Markdown, or a notebook as JSON."""
        if self.source.suffix != ".ipynb":
            text = self.head + "".join(self.parts.values())
            return re.sub(r"^# .+\n", lambda title: title[0] + self._notice(), text, count=1, flags=re.MULTILINE)
        notebook = json.loads(self.source.read_text("utf8"))
        for number, cell in enumerate(notebook["cells"]):
            text = self.parts.get(cell["id"], "").strip()
            if cell["cell_type"] == "markdown" and text:
                cell["source"] = text + (self._notice() if number == 0 else "")
            elif cell["cell_type"] == "markdown":
                cell["source"] = _moved("".join(cell["source"]), self.source, self.path)
            elif cell["cell_type"] == "code":
                _caption(cell, text)
        return json.dumps(notebook)

    def _notice(self) -> str:
        number = len(self.behind())
        return f"\n\n{BEHIND.format(source=link(self.path, self.source), number=number)}\n" if number else ""


def parts_of(source: Path) -> dict[str, str]:
    """The parts of an English page or notebook that are translated, by name."""
    if source.suffix == ".ipynb":
        cells = json.loads(source.read_text("utf8"))["cells"]
        return {cell["id"]: text for cell in cells if (text := _text(cell))}
    parts: dict[str, str] = {}
    fence = ""
    name = ""
    for line in re.sub(r"\A---\n.*?\n---\n", "", source.read_text("utf8"), flags=re.DOTALL).splitlines(keepends=True):
        opened = re.match(r"(`{3,}|:{3,}|~{3,})", line)
        if opened and not fence:
            fence = opened[1]
        elif fence and line.strip() == fence:
            fence = ""
        elif not fence and (heading := re.match(r"#{1,3} (.+)", line)):
            name = re.sub(r"\W+", "-", heading[1].lower()).strip("-")
        if name:
            parts[name] = parts.get(name, "") + line
    return parts


def checksum(text: str) -> str:
    """Of a text, whatever its line breaks and the marks of its numbers are."""
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]


def link(page: Path, target: Path) -> str:
    """From one file to another, as Markdown has it."""
    return Path(os.path.relpath(target, page.parent)).as_posix()


def pages() -> list[Translation]:
    return [Translation.load(path) for code in [*LANGUAGES][1:] for path in sorted((ROOT / "book" / code).glob("*.md"))]


def read_notebook(text: str, path: str) -> nbformat.NotebookNode:
    """For MyST-NB: a translation as the notebook that it is built as."""
    return nbformat.reads(Translation.parse(text, Path(path)).page(), as_version=4)


def _text(cell: dict[str, Any]) -> str:
    if cell["cell_type"] == "markdown":
        return "".join(cell["source"])
    shown = cell["metadata"].get("mystnb", {})
    said = (shown.get("image", {}).get("alt", ""), shown.get("figure", {}).get("caption", ""))
    return "\n\n".join(said).strip()


def _moved(text: str, source: Path, page: Path) -> str:
    """An English text on a translated page: its links lead to where they led, its labels are its own."""

    def lead(found: re.Match[str]) -> str:
        return f"]({link(page, Path(os.path.normpath(source.parent / found[1])))}{found[2] or ''})"

    text = re.sub(r"\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)", lead, text)
    return re.sub(r"^(:label: |```\{solution-start\} )", r"\1ru-", text, flags=re.MULTILINE)


def _caption(cell: dict[str, Any], text: str) -> None:
    """Give a cell its translated alt text, caption and prompts, and its figure a name of its own."""
    shown = cell["metadata"].get("mystnb", {})
    shown.update({key: PROMPTS[said] for key, said in shown.items() if key.startswith("code_prompt")})
    alt, _, caption = text.partition("\n\n")
    if "figure" in shown:
        shown["figure"]["name"] = f"ru-{shown['figure']['name']}"
        shown["figure"]["caption"] = caption.strip() or shown["figure"]["caption"]
    if "image" in shown and alt:
        shown["image"]["alt"] = alt.strip()


def main(names: list[str]) -> None:
    names = [Path(name).name for name in names]
    if unknown := set(names) - {page.path.name for page in pages()}:
        sys.exit(f"no translated page is called {', '.join(sorted(unknown))}")
    for page in pages():
        if page.path.name in names:
            now = parts_of(page.source)
            text = MARK.sub(
                lambda mark, now=now: f"% from {mark[1]} {checksum(now[mark[1]]) if mark[1] in now else mark[2]}\n",
                page.path.read_text("utf8"),
            )
            page.path.write_text(text, "utf8")
        elif not names:
            behind = page.behind()
            state = f"{len(behind)} behind: {', '.join(behind)}" if behind else "up to date"
            print(f"{page.path.relative_to(ROOT)}: {state}")


if __name__ == "__main__":
    main(sys.argv[1:])
