"""What the start page says of each chapter, read from its notebook: title, objective, time, a picture."""

import base64
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import notebook_runs

WORDS = {"half a minute": 0.5, "one hour": 60.0, "an hour": 60.0}
AMOUNT = r"half a minute|one hour|an hour|[\d.]+ minutes?"
SVG = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
PANELS = ".//clipPath/rect"
EDGE = 4  # points around the panels of a card's picture; markers reach as far
TYPES = {"image/svg+xml": "svg", "image/png": "png", "image/jpeg": "jpg"}
for prefix, address in SVG.items():
    ET.register_namespace(prefix, address)


@dataclass(frozen=True)
class Chapter:
    """One chapter.

    Attributes:
        name: of the notebook, which begins with the chapter's number.
        objective: the first thing that a reader learns, in Markdown without links.
        run: minutes to run on a laptop with two cores, as the chapter states them; first: what the first run needs.
        read: minutes to read.
        cells: of the notebook.
    """

    name: str
    title: str
    objective: str
    run: float
    first: float
    read: float
    cells: list[dict[str, Any]]

    @classmethod
    def load(cls, path: Path) -> "Chapter":
        """Read the head of a chapter.

        Raises:
            ValueError: the head has no title, objective or time; it names the chapter and the form.
        """
        cells = json.loads(path.read_text("utf8"))["cells"]
        head = "".join(cells[0]["source"])
        title = re.match(r"# (.+)", head)
        objective = re.search(r"\*\*What you will learn\*\*\s+- (.+(?:\n  .+)*)", head)
        time = re.search(r"\*\*Time\*\*: (.+(?:\n.+)*)", head)
        run = time and re.search(rf"({AMOUNT}) to run", time[1])
        read = time and re.search(rf"({AMOUNT}) to read", time[1])
        if not (title and objective and time and run and read):
            raise ValueError(
                f"{path.name}: no title, objective or time; write: **Time**: 1 minute to run ..., 30 minutes to read"
            )
        first = re.search(rf"\(({AMOUNT})", time[1])
        text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(objective[1].split()))
        minutes = [_minutes(found[1]) if found else 0.0 for found in (run, first, read)]
        return cls(path.stem, title[1], text, *minutes, cells)

    def picture(self, name: str) -> tuple[str, bytes, str]:
        """The stored figure of this name: suffix, bytes, alt text.

        Raises:
            ValueError: the chapter has no such figure; it names those that there are.
        """
        figures = {cell["metadata"].get("mystnb", {}).get("figure", {}).get("name"): cell for cell in self.cells}
        if name not in figures:
            raise ValueError(f"{self.name} has no figure {name!r}; it has {', '.join(filter(None, figures))}")
        alt = figures[name]["metadata"]["mystnb"]["image"]["alt"]
        for output in figures[name]["outputs"]:
            for kind, suffix in TYPES.items():
                if data := "".join(output.get("data", {}).get(kind, "")):
                    return suffix, data.encode() if suffix == "svg" else base64.b64decode(data), alt
        raise ValueError(f"{self.name}: figure {name!r} has no stored picture; run the notebook")


def without_letters(picture: str) -> str:
    """An SVG of a figure without what cannot be read on a card, texts and legends, and without the room around."""
    root = ET.fromstring(picture)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.get("id", "").startswith(("text_", "legend_")):
                parent.remove(child)
    panels = [[float(rect.get(key, 0)) for key in ("x", "y", "width", "height")] for rect in root.iterfind(PANELS, SVG)]
    left, top = (min(panel[axis] for panel in panels) - EDGE for axis in (0, 1))
    width, height = (max(panel[axis] + panel[axis + 2] for panel in panels) + EDGE for axis in (0, 1))
    box = [left, top, width - left, height - top]
    root.attrib |= {"viewBox": " ".join(f"{end:g}" for end in box), "width": f"{box[2]:g}", "height": f"{box[3]:g}"}
    return ET.tostring(root, encoding="unicode")


def cards(root: Path, pictures: dict[str, str], folder: Path) -> list[str]:
    """Markdown of a grid with a card for each chapter; writes the pictures into a folder below the root.

    Args:
        pictures: the name of a figure for each chapter's number.
    """
    lines = ["::::{grid} 1 2 3 3", ":gutter: 3", ":class-container: chapters", ""]
    for path in notebook_runs.notebook_paths(root):
        chapter = Chapter.load(path)
        number = chapter.name[:2]
        if number not in pictures:
            line = f"- [{number}. {chapter.title}](../notebooks/{path.name}) <!-- NAME -->"
            raise ValueError(f"the start page names no figure for {chapter.name}: add a line '{line}'")
        suffix, data, alt = chapter.picture(pictures[number])
        if suffix == "svg":
            data = without_letters(data.decode()).encode()
        picture = folder / f"{chapter.name}.{suffix}"
        folder.mkdir(parents=True, exist_ok=True)
        if not picture.exists() or picture.read_bytes() != data:
            picture.write_bytes(data)
        lines += [
            ":::{grid-item-card}",
            f":link: /notebooks/{chapter.name}",
            ":link-type: doc",
            f":img-top: /{picture.relative_to(root).as_posix()}",
            f":img-alt: {json.dumps(alt, ensure_ascii=False)}",
            "",
            f"**{number}. {chapter.title}**",
            "",
            chapter.objective,
            "",
            "```{card-footer}",
            f"{_said(chapter.run)} to run, {_said(chapter.read)} to read",
            "```",
            ":::",
            "",
        ]
    return [*lines, "::::"]


def _minutes(amount: str) -> float:
    return WORDS.get(amount) or float(amount.split()[0])


def _said(minutes: float) -> str:
    return "½ min" if minutes == 0.5 else f"{minutes:g} min"
