"""The book's own Sphinx extension: carried mathematics, one repository address, and the page of execution times."""

import json
import re
import shutil
import textwrap
from html import escape
from pathlib import Path
from typing import Any

import book_tables
import chapter_numbers
import chapters
import citation_letters
import coursework_table
import notebook_runs
import page_language
import study_results
import translations
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from facelab.course.printing import MATHJAX_FILE, mathjax_source

TRANSLATED: dict[str, translations.Translation] = {}  # the translated pages by the name that Sphinx knows
NUMBERED: dict[str, str] = {}  # how a numbered thing is called in English, by its kind, as "Fig. %s"
# Pages that Sphinx makes: they have no text to be described by.
MADE = {
    "search": ("Search", "Search the pages of the course on face recognition."),
    "genindex": ("Index", "Every name of the package facelab, in the order of the alphabet."),
}

WITHOUT_SCRIPTS = (
    "JavaScript is switched off.",
    "Without it formulas are shown as TeX; the search and the figures that can be moved do not work.",
    "Texts, figures, quizzes and solutions are all here.",
)


def configure(app: Sphinx, config: Any) -> None:
    """Point pages to the carried MathJax, and give them the repository's address, which only ``_config.yml`` holds."""
    config.mathjax_path = f"mathjax/{MATHJAX_FILE}"
    repository = config.html_theme_options.get("repository_url")
    where = {"repository": "from whoever gave you this book", "repository_ru": "он есть у того, кто дал вам эту книгу"}
    if repository:
        where = dict.fromkeys(where, f"[{repository}]({repository})")
    config.myst_substitutions = {**config.myst_substitutions, **where}


def leave_out_thebe(app: Sphinx, config: Any) -> None:
    """Jupyter Book always loads sphinx-thebe, whose script names a CDN and is declared twice on the search page."""
    for listeners in app.events.listeners.values():
        for listener in [each for each in listeners if each.handler.__module__ == "sphinx_thebe"]:
            app.disconnect(listener.id)
    app.registry.css_files[:] = [entry for entry in app.registry.css_files if "thebe" not in entry[0]]


def share_html_handlers(app: Sphinx) -> None:
    """Let the single page, which becomes the PDF, use the node handlers of HTML.

    Sphinx takes a builder's own handlers *instead of* those of its format, and one extension registers some for
    ``singlehtml``, which hides all others.
    """
    handlers = app.registry.translation_handlers
    handlers["singlehtml"] = {**handlers.get("html", {}), **handlers.get("singlehtml", {})}


def keep_pages_of_links(app: Sphinx) -> None:
    """On the single page, let a link to a place say on which page of the book it is: ``#document-PAGE#ID``.

    Sphinx drops the page there, and the same id stands in many pages; book/pdf.py gives the places the same names.
    """
    if app.builder.name == "singlehtml":
        app.builder.fix_refuris = lambda tree: None


def mend_roles(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """docutils calls a bibliography a list, but not its entries list items: a screen reader announces an empty list."""
    if "body" in context:
        context["body"] = context["body"].replace('<div role="list" class="citation-list', '<div class="citation-list')


def mend_tables(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tables of pandas name their rows beside their columns, and a wide page breaks no interval."""
    if "body" in context:
        context["body"] = book_tables.mended(context["body"])


def lead_to_cards(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The timeline links to the sources of the cards, as JupyterLab opens them; here to what is built of them."""
    if "body" in context:
        target = r"\1\3" if app.builder.name == "singlehtml" else r"\1\2.html\3"
        context["body"] = re.sub(r'(<a class="to-card" href=")([^"#]+)\.md(#[^"]+")', target, context["body"])


def enliven(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give a page that has an interactive figure the script that loads them; on paper there is none."""
    if 'class="alive"' in context.get("body", ""):
        app.add_css_file("alive/alive.css")
        if app.builder.name == "html":
            app.add_js_file("alive/alive.js")


def tell_without_scripts(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Who has switched JavaScript off is told what is missing."""
    if app.builder.name == "html" and doctree is not None:
        text = " ".join(page_language.say(language_of(page), said) for said in WITHOUT_SCRIPTS)
        context["body"] = f'<noscript><p class="no-script">{text}</p></noscript>{context["body"]}'


def describe(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Say to search engines, and to who is sent a link, what a page is about: its title and its first paragraph."""
    title, text = MADE.get(page, ("", ""))
    if doctree is not None:
        title = doctree.next_node(nodes.title).astext()
        found = sorted(doctree.findall(nodes.paragraph), key=lambda p: not isinstance(p.parent, nodes.section))
        text = " ".join(found[0].astext().split()) if found else ""
    if text:
        said = escape(textwrap.shorten(text.replace("$", ""), 200, placeholder=" …"), quote=True)
        title = escape(title, quote=True)
        tags = context.get("metatags", "")
        if 'name="description"' not in tags:  # which a page may give itself
            tags += f'\n<meta name="description" content="{said}" />'
        about = {"title": title, "description": said}
        properties = [f'<meta property="og:{name}" content="{value}" />' for name, value in about.items()]
        context["metatags"] = "\n".join([tags, *properties, ""])


def know_terms(app: Sphinx, doctree: nodes.document) -> None:
    """Let a plain link lead to a term of the glossary, ``[margin](../book/glossary.md#term-margin)``, and mark Russian.

    The role ``{term}`` would be shown as it is written where a notebook is not a page of this book.
    """
    places = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for term in doctree.findall(nodes.term):
        places.update({name: (term.line or 0, name, term.astext()) for name in term["ids"]})
        if re.search("[а-яё]", term.astext(), re.IGNORECASE):
            term["classes"].append("language-ru")  # docutils makes lang="ru" of it, for screen readers


def language_of(docname: str) -> str:
    return docname.split("/")[1] if docname in TRANSLATED else "en"


def leave_names_alone(app: Sphinx, doctree: nodes.document) -> None:
    """docutils takes TAR@FAR in a docstring for an address of mail; no name of a host is without a dot."""
    for link in list(doctree.findall(nodes.reference)):
        address = link.get("refuri", "")
        if address.startswith("mailto:") and "." not in address:
            link.replace_self(link.children)


def translate(app: Sphinx, docname: str, source: list[str]) -> None:
    """A translated page is what is built of its file and of the English page, and is built again when that changes."""
    page_language.speak(language_of(docname))
    page = TRANSLATED.get(docname)
    if page is not None:
        app.env.note_dependency(str(page.source))
        if page.source.suffix == ".md":
            source[0] = page.page()


def read_translated_notebooks(app: Sphinx, config: Any) -> None:
    """Let MyST-NB read a translated notebook as the notebook that it becomes."""
    TRANSLATED.clear()
    for page in translations.pages():
        name = page.path.relative_to(translations.ROOT).as_posix()
        TRANSLATED[name.removesuffix(".md")] = page
        if page.source.suffix == ".ipynb":
            config.nb_custom_formats[name] = ("translations.read_notebook", {"path": str(page.path)}, False)


class ResolvedInItsLanguage(SphinxPostTransform):
    """Before any other: exercises and figures get their numbers, with the word before them, in the page's language."""

    default_priority = 1

    def run(self, **_: Any) -> None:
        language = language_of(self.env.docname)
        page_language.speak(language)
        NUMBERED.update({kind: said for kind, said in self.config.numfig_format.items() if kind not in NUMBERED})
        self.config.numfig_format = {kind: page_language.say(language, said) for kind, said in NUMBERED.items()}


class SolutionTitles(SphinxPostTransform):
    """The space before the link of a solution's title stands outside of it: a link is underlined."""

    default_priority = 30  # after sphinx-exercise

    def run(self, **_: Any) -> None:
        for title in self.document.findall(nodes.title):
            link = title.next_node(nodes.reference)
            if link is not None and link.children and link[0].astext().startswith(" "):
                link[0] = nodes.Text(link[0].astext().lstrip())
                title.insert(title.index(link), nodes.Text(" "))


def render_in_its_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The words of the theme's templates, and of the scripts that carry their words with them."""
    language = language_of(page)
    page_language.speak(language)
    if language != "en":
        context["gettext"] = lambda english: page_language.say(language, english)
        hints = {"toggleHintShow": "Click to show", "toggleHintHide": "Click to hide"}
        said = page_language.catalogs(language)["togglebutton"].gettext
        app.add_js_file(None, body=" ".join(f"{name} = {json.dumps(said(hint))};" for name, hint in hints.items()))


def finish_in_its_language(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """The foot of a page; and titles in another language, in the contents and in the links to the next pages, say so,
    for screen readers."""
    own, contents = language_of(page), context.get("toctree")
    for name in ("author", "theme_extra_footer"):
        context[name] = page_language.say(own, context.get(name) or "")

    def marked(title: str) -> str:
        language = "ru" if re.search("[а-яё]", title, re.IGNORECASE) else "en"
        return title if language == own or not title.strip() else f'<span lang="{language}">{title}</span>'

    if contents and app.builder.name == "html":
        context["toctree"] = lambda **kw: re.sub(r"(?<=>)[^<>]+(?=<)", lambda found: marked(found[0]), contents(**kw))
        for link in filter(None, (context.get("prev"), context.get("next"))):
            link["title"] = marked(link["title"])


def keep_together(app: Sphinx, doctree: nodes.document) -> None:
    """No line ends between a number and its percent sign, or within ``s = 16``."""
    for text in list(doctree.findall(nodes.Text)):
        if isinstance(text.parent, (nodes.FixedTextElement, nodes.literal, nodes.math, nodes.math_block, nodes.raw)):
            continue
        kept = re.sub(r"(?<=\d) (?=%)|(?<=\b\w) (?== [\d−])|(?<=\b\w =) (?=[\d−])", "\N{NO-BREAK SPACE}", text)
        if kept != text:
            text.parent.replace(text, nodes.Text(kept))


def mark_english(app: Sphinx, doctree: nodes.document) -> None:
    """What is not translated on a translated page says that it is English, for screen readers."""
    if app.env.docname not in TRANSLATED:
        return
    for text in doctree.findall(nodes.TextElement):
        said = "" if isinstance(text, nodes.Inline) else text.astext()
        if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}", said) and not re.search("[а-яё]", said, re.IGNORECASE):
            text["classes"].append("language-en")


def offer_languages(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Link a page with its translation; say in which language a page is."""
    if "body" not in context or app.builder.name != "html":
        return
    english = {name: name_of(each.source) for name, each in TRANSLATED.items()}
    code = language_of(page)
    source = english.get(page, page)
    names = {"en": source} | {name.split("/")[1]: name for name, original in english.items() if original == source}
    if code != "en":
        context["language"] = code
    if len(names) < 2:
        return
    shown = []
    for other, name in names.items():
        words = translations.LANGUAGES[other]
        if name == page:
            shown.append(f'<span lang="{other}" aria-current="true">{words}</span>')
        else:
            uri = app.builder.get_relative_uri(page, name)
            shown.append(f'<a href="{uri}" lang="{other}" hreflang="{other}">{words}</a>')
            context["metatags"] = (
                context.get("metatags", "") + f'\n<link rel="alternate" hreflang="{other}" href="{uri}" />'
            )
    label = page_language.say(code, "Language")
    context["body"] = f'<nav class="languages" aria-label="{label}">{" · ".join(shown)}</nav>' + context["body"]


def name_of(source: Path) -> str:
    """The name under which Sphinx knows a file of the book."""
    return source.relative_to(translations.ROOT).with_suffix("").as_posix()


def letter_years(app: Sphinx) -> None:
    """Two works of the same authors and year are told apart by a letter, in citations and in the bibliography."""
    citation_letters.add_letters(app.env.domains["cite"].bibdata.data.entries)


def copy_mathjax(app: Sphinx, exception: Exception | None) -> None:
    if exception is None and app.builder.format == "html":
        target = Path(app.outdir) / "_static" / "mathjax" / MATHJAX_FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(mathjax_source(), target)


class NotebookRuns(SphinxDirective):
    """``{notebook-runs}``: seconds of each notebook in the recorded run; ``{notebook-runs} circumstances`` of it."""

    optional_arguments = 1

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        for path in [root / notebook_runs.RECORD, *notebook_runs.notebook_paths(root)]:
            self.env.note_dependency(str(path))
        if self.arguments == ["circumstances"]:
            rows = notebook_runs.circumstances(root)
            return [_table(rows, "The recorded run")] if rows else []
        return [_table(notebook_runs.runs(root), "The notebooks in the recorded run")]


class DataCards(SphinxDirective):
    """``{data-cards}``: every card of the package, in the order of their names; a new card needs no change here."""

    def run(self) -> list[nodes.Node]:
        container = nodes.container()
        for path in sorted((Path(self.env.srcdir) / "facelab" / "data" / "cards").glob("*.md")):
            self.env.note_dependency(str(path))
            text = re.sub(r"^#", "##", path.read_text("utf8"), flags=re.MULTILINE)  # a card's title is a section here
            self.state.nested_parse(text.splitlines(), self.content_offset, container, match_titles=True)
        return container.children


class StudyResults(SphinxDirective):
    """``{study-results}``: a section for each study whose results come with the package."""

    def run(self) -> list[nodes.Node]:
        for path in (Path(self.env.srcdir) / "facelab" / "study" / "results").glob("*.json"):
            self.env.note_dependency(str(path))
        container = nodes.container()
        self.state.nested_parse(study_results.lines(), self.content_offset, container, match_titles=True)
        return container.children


class DataSources(SphinxDirective):
    """``{data-sources}``: every row of the table of sources."""

    def run(self) -> list[nodes.Node]:
        from facelab.sources import SOURCES

        return [
            _table(
                [
                    {"name": source.name + (":PATH" if source.fits else ""), "what": source.title, "card": source.card}
                    for source in SOURCES
                ],
                "Sources of faces",
            )
        ]


class ChapterCards(SphinxDirective):
    """``{chapter-cards}``: a card for each chapter, made of a list of links, which JupyterLab shows as it stands.

    A line ends with the name of the figure on the card: ``- [NUMBER. TITLE](PATH) <!-- NAME -->``.
    """

    has_content = True
    line = re.compile(r"- \[(\d\d)\. .+\]\(.+\) <!-- (\S+) -->")

    def run(self) -> list[nodes.Node]:
        root = Path(self.env.srcdir)
        for path in notebook_runs.notebook_paths(root):
            self.env.note_dependency(str(path))
        pictures = dict(self.line.findall("\n".join(self.content)))
        container = nodes.container()
        try:
            lines = chapters.cards(root, pictures, root / ".book" / "cards")
        except ValueError as error:
            raise self.error(str(error)) from error
        self.state.nested_parse(lines, self.content_offset, container)
        return container.children


class CourseworkTable(SphinxDirective):
    """``{coursework-table} overview``, ``objectives`` or ``base_rates``: of each assignment, read from the sources."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        found = coursework_table.assignments(Path(self.env.srcdir) / "notebooks" / "coursework")
        for assignment in found:
            self.env.note_dependency(str(assignment.source))
        said = [getattr(coursework_table, self.arguments[0])(assignment) for assignment in found]
        if not isinstance(said[0], str):
            said = book_tables.markdown(said[0], [row.values() for row in said])
        lines = "\n".join(said).splitlines()
        container = nodes.container()
        self.state.nested_parse(lines, self.content_offset, container)
        return container.children


def _table(rows: list[dict[str, str]], title: str) -> nodes.table:
    table = nodes.table("", nodes.title(title, title))
    group = nodes.tgroup(cols=len(rows[0]))
    group += [nodes.colspec(colwidth=1) for _ in rows[0]]
    head, body = nodes.thead(), nodes.tbody()
    head += _row(list(rows[0]))
    body += [_row(list(row.values())) for row in rows]
    table += group
    group += [head, body]
    return table


def _row(cells: list[str]) -> nodes.row:
    row = nodes.row()
    for cell in cells:
        paragraph = nodes.paragraph()
        for part in re.split("(?<=_)", cell):  # on a phone the name of a file goes on in the next line, behind a "_"
            paragraph += [nodes.Text(part), nodes.raw("", "<wbr>", format="html")]
        del paragraph[-1]
        row += nodes.entry("", paragraph)
    return row


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", configure, priority=100)  # before MyST reads its substitutions
    app.connect("config-inited", leave_out_thebe)
    app.connect("config-inited", read_translated_notebooks, priority=900)  # after MyST-NB made suffixes of its formats
    app.connect("source-read", translate)
    app.connect("builder-inited", share_html_handlers)
    app.connect("builder-inited", keep_pages_of_links)
    app.connect("builder-inited", letter_years, priority=900)  # after the bibliography was read
    app.connect("doctree-read", know_terms)
    app.connect("doctree-read", mark_english)
    app.connect("doctree-read", keep_together)
    app.connect("doctree-read", leave_names_alone)
    app.connect("env-get-updated", chapter_numbers.number, priority=900)  # after Sphinx has counted
    app.add_post_transform(ResolvedInItsLanguage)
    app.add_post_transform(SolutionTitles)
    app.connect("html-page-context", render_in_its_language, priority=100)  # before the theme writes its words
    app.connect("html-page-context", mend_roles)
    app.connect("html-page-context", mend_tables)
    app.connect("html-page-context", lead_to_cards)
    app.connect("html-page-context", enliven)
    app.connect("html-page-context", describe)
    app.connect("html-page-context", offer_languages)
    app.connect("html-page-context", tell_without_scripts)  # above all else
    app.connect("html-page-context", finish_in_its_language, priority=900)  # after the theme
    app.connect("build-finished", copy_mathjax)
    app.add_directive("notebook-runs", NotebookRuns)
    app.add_directive("data-cards", DataCards)
    app.add_directive("study-results", StudyResults)
    app.add_directive("data-sources", DataSources)
    app.add_directive("chapter-cards", ChapterCards)
    app.add_directive("coursework-table", CourseworkTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
