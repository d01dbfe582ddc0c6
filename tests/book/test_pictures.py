"""The stored figures: letters that can be read, and rows in which something is seen to change."""

import base64
import io
import json
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from letters import cut, extent, sizes
from PIL import Image

from facelab.plots.drawing import unpacked

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
COLUMN = 688  # pixels that a page 1280 wide has for a figure
PHONE_COLUMN = 342  # of 390
LEAST = 9  # pixels of a letter
LEAST_FACE = 50  # pixels of a photograph on a phone
# Of 256 steps of a colour, mean over the pixels. Two pictures of the same scene differ by 0; glasses, the least that
# a row shows between two neighbours, by 0.8; the colour of the iris, the least row, by 1.3.
LEAST_STEP, LEAST_ROW = 0.7, 1.2
FACTORS = {"fig-synth-scene", "fig-synth-light", "fig-synth-person", "fig-synth-hair"}


def figures(path: Path) -> dict[str, str]:
    """The SVGs of a notebook by the name of the figure, and their twins for a phone."""
    found = {}
    for cell in json.loads(path.read_text("utf8"))["cells"]:
        name = cell["metadata"].get("mystnb", {}).get("figure", {}).get("name", cell["id"])
        for output in cell.get("outputs", []):
            if "image/svg+xml" in output.get("data", {}):
                found[name] = "".join(output["data"]["image/svg+xml"])
                if twin := output["metadata"].get("image/svg+xml", {}).get("narrow"):
                    found[f"{name} on a phone"] = unpacked(twin, found[name])
    return found


def on_a_phone(path: Path) -> dict[str, str]:
    """What a phone shows of the figures of a notebook: the twin where there is one."""
    found = figures(path)
    return {name: found.get(f"{name} on a phone", svg) for name, svg in found.items() if not name.endswith("a phone")}


def scale(svg: str, column: int) -> float:
    """Pixels of a point of the figure on a page that has so many for its width."""
    return min(96 / 72, column / extent(svg)[0])


def smallest_letters(svg: str, column: int = COLUMN) -> float:
    """Pixels of the smallest text as the page shows the figure."""
    return min(sizes(svg), default=np.inf) * scale(svg, column)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_text_is_cut(path: Path) -> None:
    assert {name: texts for name, svg in figures(path).items() if (texts := cut(svg))} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_letters_can_be_read(path: Path) -> None:
    small = {name: round(smallest_letters(svg), 1) for name, svg in figures(path).items()}
    assert {name: size for name, size in small.items() if size < LEAST} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_letters_can_be_read_on_a_phone(path: Path) -> None:
    small = {name: round(smallest_letters(svg, PHONE_COLUMN), 1) for name, svg in on_a_phone(path).items()}
    assert {name: size for name, size in small.items() if size < LEAST} == {}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_faces_can_be_seen_on_a_phone(path: Path) -> None:
    small = {name: round(smallest_picture(svg)) for name, svg in on_a_phone(path).items() if "<image" in svg}
    assert {name: size for name, size in small.items() if size < LEAST_FACE} == {}


def smallest_picture(svg: str) -> float:
    """Pixels that the narrowest picture inside has on a phone."""
    widths = re.findall(r'<image [^>]*?width="([\d.]+)"', re.sub(r'base64,[^"]+', "", svg))
    return min(map(float, widths)) * scale(svg, PHONE_COLUMN)


def test_letters_are_measured() -> None:
    drawn = '<svg viewBox="0 0 {} 100"><g transform="translate(1 2) scale(0.08 -0.08)"/></svg>'
    assert smallest_letters(drawn.format(300)) == pytest.approx(8 * 96 / 72)
    assert smallest_letters(drawn.format(2 * COLUMN * 72 / 96)) == pytest.approx(4 * 96 / 72)
    assert smallest_letters(drawn.format(2 * 342 * 72 / 96), PHONE_COLUMN) == pytest.approx(4 * 96 / 72)


def rows(svg: str) -> dict[str, list[np.ndarray]]:
    """The pictures of each group of :func:`facelab.plots.one_factor_at_a_time` by its name, which its first one has."""
    found: dict[str, list[np.ndarray]] = {}
    for panel in re.split(r'<g id="axes_\d+">', svg)[1:]:
        _, *name = re.findall("<!-- (.*?) -->", panel)
        if name:
            row = found[name[0]] = []
        encoded = re.search(r"base64,([^\"]+)", panel)[1]
        row.append(np.asarray(Image.open(io.BytesIO(base64.b64decode(encoded))).convert("RGB"), float))
    return found


def test_every_row_of_factors_visibly_changes() -> None:
    (path,) = [path for path in NOTEBOOKS if path.stem.endswith("_synthfaces")]
    of_factors = {name: svg for name, svg in figures(path).items() if name in FACTORS}
    assert set(of_factors) == FACTORS
    for svg in of_factors.values():
        for factor, row in rows(svg).items():
            steps = [np.abs(one - other).mean() for one, other in pairwise(row)]
            assert len(steps) > 1, factor
            assert min(steps) > LEAST_STEP, (factor, steps)
            assert np.mean(steps) > LEAST_ROW, (factor, steps)
