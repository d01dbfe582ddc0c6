"""Numbers in the text are those of the published results: each that is marked is looked up again.

A mark is a comment behind the number, which no reader sees: ``2.4 points<!-- gpu: settings/17/…/value, x100 -->``. It
names the study, the way through its values, and a factor. The number must be the value, rounded to the digits that it
shows.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from facelab.study.results import Results

ROOT = Path(__file__).parents[2]
PAGES = [path for path in (ROOT / "book").rglob("*.md") if ".ipynb_checkpoints" not in path.parts]  # JupyterLab's
TEXTS = sorted([*PAGES, *(ROOT / "notebooks").glob("*.ipynb"), ROOT / "README.md"])
MARK = re.compile(r"<!-- (?P<study>[a-z0-9-]+): (?P<path>[^>]+?)(?:, x(?P<factor>\d+))? -->")
NUMBER = re.compile(r"([-−]?\d[\d,]*(?:\.\d+)?)[^\d]*$")


def text_of(path: Path) -> str:
    if path.suffix != ".ipynb":
        text = path.read_text("utf8")
        return re.sub(r"(\d),(\d)", r"\1.\2", text) if path.parent.name == "ru" else text  # a decimal comma
    cells = json.loads(path.read_text("utf8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def wrong(text: str) -> list[str]:
    """Return a line for each marked number that is not what the results say."""
    lines = []
    for mark in MARK.finditer(text):
        value: Any = Results.load(mark["study"]).values
        for key in mark["path"].split("/"):
            value = value[int(key)] if isinstance(value, list) else value[key]
        quoted = NUMBER.search(text[max(0, mark.start() - 60) : mark.start()])
        assert quoted, f"no number before {mark[0]}"
        digits = quoted[1].replace("−", "-").replace(",", "")
        right = f"{value * int(mark['factor'] or 1):.{len(digits.partition('.')[2])}f}"
        if right != digits:
            lines.append(f"{quoted[1]} should be {right}: {mark[0]}")
    return lines


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_marked_numbers_are_those_of_the_results(path: Path) -> None:
    assert wrong(text_of(path)) == []


def test_a_wrong_number_is_found() -> None:
    value = Results.load("gpu").values["settings"]["17"]["losses"]["cosface"]["centroid"]["value"]
    mark = "<!-- gpu: settings/17/losses/cosface/centroid/value -->"
    assert wrong(f"CosFace reaches {value:.3f}{mark}, and {100 * value:.1f} %{mark[:-4]}, x100 -->.") == []
    assert wrong(f"CosFace reaches {value + 0.001:.3f}{mark}.") == [
        f"{value + 0.001:.3f} should be {value:.3f}: {mark}"
    ]
    with pytest.raises(KeyError):
        wrong("0.5<!-- gpu: settings/18 -->")


def test_the_chapter_on_comparing_losses_is_marked() -> None:
    assert len(MARK.findall(text_of(ROOT / "notebooks" / "10_loss_comparison.ipynb"))) >= 10
