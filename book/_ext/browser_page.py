"""The pipeline in the reader's browser: makes the networks' files, the scripts of the page, and the single file.

The page's own scripts stand in ``book/browser/``, and go into the book as they are. What is made here: the networks as
ONNX files, from the weights of the package; the facts that the scripts need from it; and the files that a page may not
read from a disk, packed into scripts. ``python book/_ext/browser_page.py OUT.html`` writes the single file alone.
"""

import base64
import gzip
import hashlib
import html
import json
import sys
import zlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from facelab.errors import FacelabError
from facelab.files import atomic_write, facelab_home, read_bytes

HERE = Path(__file__).parents[1] / "browser"
NETWORK = "synthfaces-arcface"
# In this order: each one uses what stands before it.
SCRIPTS = ("networks.js", "pixels.js", "mtcnn.js", "align.js", "draw.js", "requests.js", "page.js")
# onnxruntime-web 1.30.0 (npm, MIT), dist/: vendored, as the book asks for no package manager but Python's. Each is
# compressed by `gzip -9n`; the sums are of the files as they come out again.
RUNTIME = "1.30.0"
VENDORED = {
    "ort.wasm.min.js": "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    "ort-wasm-simd-threaded.mjs": "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    "ort-wasm-simd-threaded.wasm": "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}
# What a page may do: run its own scripts, show pictures that it made, and nothing over a connection. In the book, the
# theme's files lie beside the page; 'unsafe-eval' is what older browsers ask for before they run WebAssembly.
ALONE = (
    "default-src 'none'; script-src 'unsafe-inline' 'wasm-unsafe-eval' blob:; style-src 'unsafe-inline'; "
    "img-src blob:; media-src blob:; connect-src 'none'; form-action 'none'; base-uri 'none'"
)
IN_BOOK = (
    "default-src 'self' file: data: blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; connect-src 'none'; "
    "object-src 'none'; form-action 'self' file:"
)
SINGLE_FILE = "facelab-in-your-browser.html"
FOLDER = "browser"  # in the built book's _static


def packed() -> dict[str, bytes]:
    """Return the files that travel inside scripts, by name, each compressed."""
    files = {name: vendored(name) for name in VENDORED if not name.endswith(".js")}
    for name, data in (networks() | pictures()).items():
        files[name] = gzip.compress(data, 9, mtime=0)
    return files


def vendored(name: str) -> bytes:
    """Return a file of onnxruntime-web, compressed.

    Raises:
        FacelabError: it is not the file that was published.
    """
    path = HERE / "vendor" / f"{name}.gz"
    data = read_bytes(path)
    try:
        plain = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise FacelabError(f"{path} is damaged ({error}). Take it from the repository again.") from error
    if hashlib.sha256(plain).hexdigest() != VENDORED[name]:
        raise FacelabError(f"{path} is not the file of onnxruntime-web {RUNTIME}. Take it from the repository again.")
    return data


def networks() -> dict[str, bytes]:
    """Return the four networks as ONNX files; they are made anew when a weight, a library or the export has changed."""
    from facelab.export import export_mtcnn, export_network, graphs
    from facelab.models import onnx

    code = [Path(module.__file__).read_text("utf8") for module in (graphs, onnx)]
    key = [_about()["sha256"], *map(version, ("torch", "onnx", "onnxscript", "mtcnn")), *code]
    folder = facelab_home() / "browser" / hashlib.sha256("\n".join(key).encode()).hexdigest()[:16]
    names = [f"{name}.onnx" for name in ("pnet", "rnet", "onet", "embedder")]
    if not all((folder / name).exists() for name in names):
        export_mtcnn(folder)
        export_network(NETWORK, folder / "embedder.onnx")
    return {name: read_bytes(folder / name) for name in names}


def pictures() -> dict[str, bytes]:
    """Return the pictures that come with the page: two rendered ones, and a sheet of ORL photographs."""
    from facelab.data import load_orl

    orl = load_orl()
    sheet = np.vstack([np.hstack([orl[10 * person + photo][0] for photo in (0, 3, 7)]) for person in (2, 12)])
    rendered = {path.name: path.read_bytes() for path in sorted((HERE / "pictures").iterdir())}
    return rendered | {"orl.png": cv2.imencode(".png", sheet)[1].tobytes()}  # grey: the order of colours is all one


def facts() -> dict[str, Any]:
    """Return what the scripts know of the package."""
    from facelab.align.similarity import TEMPLATE
    from facelab.detect import MTCNN

    defaults = MTCNN.__init__.__kwdefaults__  # autodoc writes its own into the signature
    rendered = "Rendered: these people do not exist."
    return {
        "network": {"name": NETWORK, "sha256": _about()["sha256"]},
        "operating_point": _about()["operating_point"],
        "template": TEMPLATE.tolist(),
        "mtcnn": {name: defaults[name] for name in ("thresholds", "factor")},
        "samples": [
            {"file": "photograph.jpg", "type": "image/jpeg", "title": "A rendered photograph", "credit": rendered},
            {"file": "sheet.png", "type": "image/png", "title": "Three rendered people", "credit": rendered},
            {
                "file": "orl.png",
                "type": "image/png",
                "title": "Two real people (ORL)",
                "credit": "Photographs: AT&T Laboratories Cambridge (ORL, 1992 to 1994).",
            },
        ],
    }


@cache
def scripts() -> dict[str, str]:
    """Return all scripts of the pipeline by name, in the order in which they are loaded."""
    made = {"facts.js": f"var facelab = {{ packed: {{}}, facts: {json.dumps(facts())} }};\n"}
    for name, data in packed().items():
        made[f"{name}.js"] = f"facelab.packed[{json.dumps(name)}] = {json.dumps(base64.b64encode(data).decode())};\n"
    made["ort.wasm.min.js"] = gzip.decompress(vendored("ort.wasm.min.js")).decode()
    return made | {name: (HERE / name).read_text("utf8") for name in SCRIPTS}


def panel() -> str:
    """Return the part of the page that the scripts fill, in HTML."""
    size = sum(map(len, scripts().values())) / 1e6
    return (
        (HERE / "panel.html")
        .read_text("utf8")
        .replace("{{ megabytes }}", f"{size:.0f}")
        .replace("{{ scripts }}", html.escape(json.dumps(list(scripts()))))
    )


def single_file() -> str:
    """Return the page that needs nothing beside it: everything inline."""
    text = "\n".join(f"<script>\n{script}</script>" for script in scripts().values())
    assert text.count("</script") == len(scripts()), "a script would end too early inside the page"
    inside = {
        "policy": ALONE,
        "style": (HERE / "style.css").read_text("utf8"),
        "panel": panel(),
        "version": RUNTIME,
        "licence": (HERE / "vendor" / "LICENSE.txt").read_text("utf8"),
        "scripts": text,
    }
    page = (HERE / "single.html").read_text("utf8")
    for name, value in inside.items():
        page = page.replace(f"{{{{ {name} }}}}", value, 1)
    return page


def _about() -> dict[str, Any]:
    from facelab.models import shipped_networks

    return shipped_networks()[NETWORK]


def render_pictures() -> None:
    """Render the two pictures of ``book/browser/pictures/`` anew."""
    from facelab.synth import load_synthfaces
    from facelab.synth.photographs import PhotographRecipe, render_photograph
    from facelab.synth.render import renderer_for

    photograph = render_photograph(renderer_for("cpu"), PhotographRecipe(24, seed=4), 6)
    faces = load_synthfaces("synthfaces-mini")
    rows = [faces.select(faces.labels == identity).array()[[3, 9, 12]] for identity in (3, 7, 12)]
    sheet = np.vstack([np.hstack(list(row)) for row in rows])
    for name, data in {
        "photograph.jpg": photograph["image"]["bytes"],
        "sheet.png": cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1].tobytes(),
    }.items():
        with atomic_write(HERE / "pictures" / name) as temporary:
            temporary.write_bytes(data)


class BrowserPage(SphinxDirective):
    """``{browser-page}``: the panel that the scripts fill; on paper a sentence in its place."""

    def run(self) -> list[nodes.Node]:
        if self.env.app.builder.name != "html":
            text = "This part works in a browser only: open the page on a screen."
            return [nodes.paragraph(text, text)]
        for path in [*HERE.rglob("*"), Path(__file__)]:
            self.env.note_dependency(str(path))
        self.env.metadata[self.env.docname]["browser-page"] = "yes"
        return [nodes.raw("", panel(), format="html")]


class SingleFile(SphinxDirective):
    """``{single-file}``: the link to it, and its size."""

    def run(self) -> list[nodes.Node]:
        if self.env.app.builder.name != "html":
            return [nodes.paragraph(SINGLE_FILE, SINGLE_FILE)]
        up = "../" * self.env.docname.count("/")
        text = f"{SINGLE_FILE} ({len(single_file()) / 1e6:.0f} MB)"
        link = f'<p><a href="{up}_static/{FOLDER}/{SINGLE_FILE}" download>{text}</a></p>'
        return [nodes.raw("", link, format="html")]


def furnish(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the page that has the panel its style, its first script, and the rule that forbids connections."""
    if "browser-page" in app.env.metadata.get(page, {}):
        app.add_css_file(f"{FOLDER}/style.css")
        app.add_js_file(f"{FOLDER}/load.js", loading_method="defer")
        context["metatags"] += f'<meta http-equiv="Content-Security-Policy" content="{IN_BOOK}">\n'


def write_files(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.name == "html":
        folder = Path(app.outdir) / "_static" / FOLDER
        folder.mkdir(parents=True, exist_ok=True)
        beside = {name: (HERE / name).read_text("utf8") for name in ("style.css", "load.js")}
        for name, text in {**scripts(), **beside, SINGLE_FILE: single_file()}.items():
            (folder / name).write_text(text, "utf8")


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("browser-page", BrowserPage)
    app.add_directive("single-file", SingleFile)
    app.connect("html-page-context", furnish)
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


if __name__ == "__main__":
    if sys.argv[1:] == ["--render"]:
        render_pictures()
    else:
        Path(sys.argv[1]).write_text(single_file(), encoding="utf8")
