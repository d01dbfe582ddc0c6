"""The letters of an SVG of matplotlib: glyphs of 100 units, scaled by the size and set one after another."""

import re

TEXT = re.compile(
    r"<!-- (?P<text>[^>]*?) --><g (?:style=\"[^\"]*\" )?transform=\"translate\((?P<x>[-\d.]+) (?P<y>[-\d.]+)\)"
    r"(?: rotate\((?P<turned>[-\d.]+)\))? scale\((?P<scale>[\d.]+) -[\d.]+\)\">(?P<glyphs>.*?)</g>"
)
GLYPH = 40  # units; as wide as a narrow one


def sizes(svg: str) -> list[float]:
    """Sizes of the texts in points."""
    return [100 * float(scale) for scale in re.findall(r"scale\(([\d.]+) -[\d.]+\)", svg)]


def extent(svg: str) -> tuple[float, float]:
    """Width and height of the picture in points."""
    width, height = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups()
    return float(width), float(height)


def cut(svg: str) -> list[str]:
    """Texts that reach beyond the picture, upright or turned by a quarter."""
    width, height = extent(svg)
    beyond = []
    for found in TEXT.finditer(svg):
        x, y, scale = (float(found[part]) for part in ("x", "y", "scale"))
        last = max((float(at) for at in re.findall(r"<use [^>]*translate\(([\d.]+)", found["glyphs"])), default=0.0)
        length = scale * (last + GLYPH)
        if not 0 <= x <= width or not 0 <= y <= height or (y - length < 0 if found["turned"] else x + length > width):
            beyond.append(found["text"])
    return beyond
