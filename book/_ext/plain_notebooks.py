"""Notebooks without directives, for Colab, GitHub and other programs: made by the build, one by one and as a zip."""

import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from facelab.errors import FacelabError

FOLDER = "downloads"  # in the built book's _static
ZIP = "facelab-notebooks.zip"
PUBLISHED = "gh-pages"  # the branch that a published book lies on, from which Colab opens the notebooks
OPENING = re.compile(r"^(\s*)(`{3,}|:{3,})\{([\w:-]+)\}\s*(.*)$")
ROLE = re.compile(r"\{([a-z:]+)\}`([^`]*)`")


class Plain:
    """Turns the Markdown of one notebook into what every program shows.

    Args:
        citations: for each key of the bibliography, authors and year.
        pages: the address under which ``book/...`` can be read; empty: links to pages become their words.
    """

    def __init__(self, citations: Mapping[str, tuple[str, str]], pages: str = "") -> None:
        self.citations, self.pages = citations, pages
        self.equations: dict[str, int] = {}

    def notebook(self, notebook: Any, address: str = "") -> Any:
        """Return the notebook in plain form, with a cell that installs the package from an address, if one is given."""
        cells = []
        for cell in notebook.cells:
            for label in re.findall(r"\$\$ *\(([\w-]+)\)", cell.source) if cell.cell_type == "markdown" else ():
                self.equations[label] = len(self.equations) + 1
        for cell in notebook.cells:
            cell = cell.copy()
            said = cell.metadata.get("mystnb", {}).get("figure", {}).get("caption")
            if cell.cell_type == "markdown":
                cell.source = self.markdown(cell.source)
            elif cell.cell_type == "code":
                cell.outputs = [self._output(output) for output in cell.get("outputs", ())]
                if {"hide-cell", "hide-input"} & {*cell.metadata.get("tags", ())}:
                    cell.metadata = {**cell.metadata, "cellView": "form"}  # Colab folds such code
            cells.append(cell)
            if said:
                caption = nbformat.v4.new_markdown_cell(f"*{self.markdown(said)}*", id=f"{cell.id[:50]}-caption")
                cells.append(caption)
        if address:
            install = nbformat.v4.new_code_cell(f"%pip install --quiet git+{address}", id="install-facelab")
            cells.insert(1, install)
        return nbformat.from_dict({**notebook, "cells": cells})

    def markdown(self, text: str) -> str:
        """Return Markdown without directives and roles."""
        lines, done = text.split("\n"), []
        while lines:
            line = lines.pop(0)
            if opening := OPENING.match(line):
                indent, fence, name, title = opening.groups()
                body = []
                while lines and not re.fullmatch(rf"\s*{fence[0]}{{{len(fence)},}}\s*", lines[0]):
                    body.append(lines.pop(0).removeprefix(indent))
                if lines:
                    lines.pop(0)
                done += [indent + each for each in self._directive(name, title, body)]
            elif re.match(r"\s*(`{3,}|~{3,})", line):  # code stays as it is
                fence = line.strip()[:3]
                done.append(line)
                while lines and not lines[0].strip().startswith(fence):
                    done.append(lines.pop(0))
                done += [lines.pop(0)] if lines else []
            elif not re.match(r'<div class="alive"', line):  # what is alive on the page has its figure above
                done.append(self._line(line))
        return "\n".join(done)

    def _directive(self, name: str, title: str, body: list[str]) -> list[str]:
        options = {}
        while body and (option := re.match(r":([\w-]+): ?(.*)", body[0])):
            options[option[1]] = option[2]
            body = body[1:]
        title, inside = self._line(title), self.markdown("\n".join(body)).strip("\n").split("\n")
        if name in ("exercise-end", "solution-end"):
            return ["", "</details>"] if name == "solution-end" else []
        if name == "exercise-start":
            return [f"#### Exercise: {title}"]
        if name == "solution-start":
            return _folded("Solution", [])[:-2]
        if name == "dropdown" or "dropdown" in options.get("class", ""):
            return _folded(title, inside)
        if name in ("admonition", "note", "tip", "warning", "important", "prf:definition", "prf:theorem", "prf:proof"):
            kind = name.removeprefix("prf:").capitalize()
            head = title if name == "admonition" else f"{kind}. {title}".removesuffix(". ")
            return [f"> **{head}**", ">", *(f"> {line}".rstrip() for line in inside)]
        raise FacelabError(f"the directive {{{name}}} has no plain form. Give it one in {Path(__file__).name}.")

    def _line(self, line: str) -> str:
        line = re.sub(r"\$\$ *\(([\w-]+)\)", lambda m: rf"\tag{{{self.equations.get(m[1], '')}}} $$", line)
        line = ROLE.sub(self._role, line)
        line = re.sub(r"\[([^\[\]]*)\]\{[.#][^}]*\}", r"\1", line)
        target = rf"[\1]({self.pages}/\2)" if self.pages else r"\1"
        return re.sub(r"(?<!!)\[([^\[\]]+)\]\((?:\.\./)+(book/[^)\s]*)\)", target, line)

    def _output(self, output: Any) -> Any:
        """Return an output whose links to pages, as in the line of time, lead to where pages can be read."""
        html = output.get("data", {}).get("text/html")
        if not html:
            return output
        lead = rf'<a\1href="{self.pages}/\2"\3</a>' if self.pages else r"<span\1\3</span>"
        html = re.sub(r'<a( [^>]*?)href="(?:\.\./)+(book/[^"]*)"(.*?)</a>', lead, html)
        return nbformat.from_dict({**output, "data": {**output["data"], "text/html": html}})

    def _role(self, found: re.Match[str]) -> str:
        role, text = found.groups()
        if role.startswith("cite"):
            works = [self.citations[key.strip()] for key in text.split(",")]
            if role == "cite:t":
                return ", ".join(f"{authors} ({year})" for authors, year in works)
            return "(" + "; ".join(f"{authors}, {year}" for authors, year in works) + ")"
        if role == "eq":
            return f"({self.equations[text]})"
        return re.sub(r"^(.*) <.*>$", r"\1", text)


def _folded(title: str, inside: list[str]) -> list[str]:
    return [f"<details><summary><b>{title}</b></summary>", "", *inside, "", "</details>"]


def repository(config: Any) -> tuple[str, str]:
    """Return the repository's address, empty if ``_config.yml`` sets none, and its branch."""
    options = config.html_theme_options
    return options.get("repository_url") or "", options.get("repository_branch") or "main"


def leave_out_launching(app: Sphinx, config: Any) -> None:
    """Without a repository there is nothing that a button could open."""
    known = bool(repository(config)[0])
    config.html_theme_options.update(use_repository_button=known, use_issues_button=known)
    if not known:
        config.html_theme_options["launch_buttons"] = {}


def lead_to_downloads(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Offer the plain notebook and the zip among the downloads of a chapter; Colab opens the plain one."""
    groups = {group.get("label"): group["buttons"] for group in context.get("header_buttons", ()) if "buttons" in group}
    if not page.startswith("notebooks/"):
        return
    name = f"{page.removeprefix('notebooks/')}.ipynb"
    for label, file, text in (("plain", name, "Plain notebook"), ("zip", ZIP, "All notebooks (zip)")):
        url = context["pathto"](f"_static/{FOLDER}/{file}", 1)
        said = {"text": text, "tooltip": "For Colab and other programs", "label": f"download-{label}-button"}
        button = {"type": "link", "url": url, "icon": "fas fa-file-arrow-down", **said}
        groups.get("download-buttons", []).append(button)
    for button in groups.get("launch-buttons", ()):
        if "colab" in button["url"]:
            where = repository(app.config)[0].removeprefix("https://github.com/")
            button["url"] = f"https://colab.research.google.com/github/{where}/blob/{PUBLISHED}/_static/{FOLDER}/{name}"


def citations(app: Sphinx) -> dict[str, tuple[str, str]]:
    import citation_letters

    return {key: citation_letters.cited_as(e) for key, e in app.env.domains["cite"].bibdata.data.entries.items()}


def write_plain(root: Path, out: Path, known: Mapping[str, tuple[str, str]], address: str, branch: str) -> None:
    """Write the plain form of every chapter, and the zip of them."""
    out.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(out / ZIP, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted((root / "notebooks").glob("*.ipynb")):
            plain = Plain(known, f"{address}/blob/{branch}" if address else "")
            text = nbformat.writes(plain.notebook(nbformat.read(path, 4), address and f"{address}@{branch}"))
            (out / path.name).write_text(text, "utf8")
            archive.writestr(zipfile.ZipInfo(path.name), text, zipfile.ZIP_DEFLATED)


def write_files(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.name == "html":
        out = Path(app.outdir) / "_static" / FOLDER
        write_plain(Path(app.srcdir), out, citations(app), *repository(app.config))


class PlainNotebooks(SphinxDirective):
    """``{plain-notebooks}``: the link to the zip."""

    def run(self) -> list[nodes.Node]:
        if self.env.app.builder.name != "html":
            return [nodes.paragraph(ZIP, ZIP)]
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", f'<p><a href="{up}_static/{FOLDER}/{ZIP}" download>{ZIP}</a></p>', format="html")]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("plain-notebooks", PlainNotebooks)
    app.connect("config-inited", leave_out_launching, priority=100)
    app.connect("html-page-context", lead_to_downloads, priority=900)  # after the theme has its buttons
    app.connect("build-finished", write_files)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
