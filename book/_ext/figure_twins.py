"""Figures for both themes and both widths.

A notebook stores a figure as one SVG for a light page, and beside it, in the metadata of the output, one for a phone;
the page of figures stores a small picture, with the SVG beside it. Here the twins for a dark page are written, and the
page shows the one that fits. The theme's own classes ``only-light`` and ``only-dark`` would hide the caption as well.
"""

import base64
import hashlib
import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import translations
from sphinx.application import Sphinx

from facelab.plots.drawing import dark, unpacked

IMAGE = re.compile(
    r'<img (?P<before>[^>]*?)src="(?P<folder>[^"]*_images/)(?P<name>[0-9a-f]{64})\.(?P<kind>svg|png|jpe?g)"'
    r"(?P<after>[^>]*?)/?>"
)
CARD = re.compile(
    r'<img (?P<before>[^>]*?class="sd-card-img-top)(?P<after>" src="[^"]*_images/(?P<name>[^"/]+))\.svg" ?/>'
)
PHONE = "(max-width: 600px)"


def show(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Put the twins of each figure into a page, and a link around them, which opens it large; a card has its own."""
    if app.builder.name != "html" or "_images/" not in context.get("body", ""):
        return
    sources = {Path(uri).name: Path(app.srcdir) / uri for uri in app.builder.images}
    source = Path(app.env.doc2path(page))
    of_translation = {translation.path: translation.source for translation in translations.pages()}
    phones, small = _stored(of_translation.get(source, source))

    def with_twins(found: re.Match[str]) -> str:
        if found["kind"] == "svg":
            light = sources[f"{found['name']}.svg"].read_text("utf8")
            darkened = dark(light)
        elif found["name"] in small:
            light, darkened = small[found["name"]]
            _write(app, found["name"], light)
        else:
            return f'<a class="enlarge" href="{found["folder"]}{found["name"]}.{found["kind"]}">{found[0]}</a>'
        names = {"light": found["name"], "dark": f"{found['name']}-dark"}
        _write(app, names["dark"], darkened)
        phone = phones.get(light)
        if phone:
            _write(app, f"{names['light']}-phone", phone)
            _write(app, f"{names['dark']}-phone", dark(phone))
        shown = []
        for theme, name in names.items():
            path = found["folder"] + name
            image = f'<img {found["before"]}src="{path}.svg"{found["after"]}/>'
            if phone:
                image = f'<picture><source media="{PHONE}" srcset="{path}-phone.svg"/>{image}</picture>'
            shown.append(f'<a class="enlarge ink-{theme}" href="{path}.svg">{image}</a>')
        return "".join(shown)

    def with_dark_twin(found: re.Match[str]) -> str:
        _write(app, f"{found['name']}-dark", dark(sources[f"{found['name']}.svg"].read_text("utf8")))
        themes = {"light": "", "dark": "-dark"}
        return "".join(
            f'<img {found["before"]} ink-{theme}{found["after"]}{twin}.svg"/>' for theme, twin in themes.items()
        )

    context["body"] = CARD.sub(with_dark_twin, IMAGE.sub(with_twins, context["body"]))


@cache
def _stored(source: Path) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    """The SVGs that a notebook stores beside its figures, by what myst-nb writes of these.

    One for a phone, by the text of the file; one of a small picture, and its dark twin, by the name of the file, its
    SHA-256.
    """
    phones: dict[str, str] = {}
    small: dict[str, tuple[str, str]] = {}
    if source.suffix != ".ipynb":
        return phones, small
    for cell in json.loads(source.read_text("utf8"))["cells"]:
        for output in cell.get("outputs", []):
            for kind in ("image/svg+xml", "image/png", "image/jpeg"):
                beside = output.get("metadata", {}).get(kind, {})
                text = "".join(output.get("data", {}).get(kind, ""))
                if "narrow" in beside:
                    phones[os.linesep.join(text.splitlines())] = unpacked(beside["narrow"], text)
                if "svg" in beside:
                    light = unpacked(beside["svg"], "")
                    own = unpacked(beside["dark"], "") if "dark" in beside else dark(light)
                    small[hashlib.sha256(base64.b64decode(text)).hexdigest()] = light, own
    return phones, small


def _write(app: Sphinx, name: str, text: str) -> None:
    path = Path(app.outdir) / "_images" / f"{name}.svg"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("html-page-context", show)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
