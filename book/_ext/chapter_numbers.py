"""Chapters have the numbers of their files, and what is numbered in them counts by it: Fig. 7.1, Exercise 7.2.

Sphinx would count chapters from 1, and number each of their sections.
"""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector

CHAPTER = re.compile(r"(?:notebooks|book/ru)/(\d\d)_\w+")


def number(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Number titles of chapters, and figures, exercises and formulas by them; return the pages that change."""
    chapters = {name: int(found[1]) for name in env.titles if (found := CHAPTER.fullmatch(name))}
    before = env.toc_fignumbers
    # While figures are counted, all sections of a chapter have its number.
    env.toc_secnumbers = {name: {"": (chapter,)} for name, chapter in chapters.items()}
    TocTreeCollector().assign_figure_numbers(env)
    # A translated page counts from one again, as its source does.
    for name in [name for name in env.toc_fignumbers if name.startswith("book/ru/")]:
        for numbers in env.toc_fignumbers[name].values():
            numbers |= {node: (*number[:-1], k) for k, (node, number) in enumerate(numbers.items(), start=1)}
    for name, chapter in chapters.items():
        title, *sections = env.tocs[name].findall(nodes.reference)
        env.titles[name]["secnumber"] = title["secnumber"] = [chapter]
        env.toc_secnumbers[name] |= {section["anchorname"]: () for section in sections}
    return [name for name, numbers in env.toc_fignumbers.items() if numbers != before.get(name)]
