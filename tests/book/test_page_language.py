"""The words around a page's text are in the page's language, and the next page's are not."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

pytest.importorskip("sphinx_book_theme", reason="the book's tools are not installed: uv sync --extra book")
page_language = pytest.importorskip("page_language")
locale = pytest.importorskip("sphinx.locale")


def test_every_catalog_has_russian_words() -> None:
    for name, english in {
        "sphinx": "Note",  # Sphinx's own
        "booktheme": "Contents",
        "exercise": "Exercise",
        "proof": "Theorem",
        "togglebutton": "Click to show",
    }.items():
        assert page_language.catalogs("ru")[name].gettext(english) not in ("", english), name
        assert page_language.catalogs("en")[name].gettext(english) == english
    assert page_language.say("ru", "next page") == "следующая страница"  # of the theme below the book's


def test_words_are_those_of_the_language_that_is_spoken() -> None:
    of_theme = locale.get_translation("booktheme")
    label = locale.admonitionlabels["note"]
    try:
        for language, note, contents in (("ru", "Примечание", "Содержание"), ("en", "Note", "Contents")):
            page_language.speak(language)
            assert (str(label), of_theme("Contents")) == (note, contents)
    finally:
        page_language.speak("en")
