"""The words that Sphinx, the theme and the extensions put on a page, in the language of the page.

Sphinx runs once, in English. But each of them brings its words in many languages, in catalogs, and looks a word up when
it writes it. So the catalogs are exchanged for each page, whenever one is read, resolved or rendered.
"""

import gettext
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import sphinx.locale

# Name of the catalog, the package that brings it, the folder there.
CATALOGS = (
    ("sphinx", "sphinx", "locale"),
    ("sphinx", "pydata_sphinx_theme", "locale"),
    ("booktheme", "sphinx_book_theme", "theme/sphinx_book_theme/static/locales"),
    ("exercise", "sphinx_exercise", "translations/locales"),
    ("proof", "sphinx_proof", "translations/locales"),
    ("togglebutton", "sphinx_togglebutton", "translations/locales"),
)
# What they lack, and what they say badly: "Решение к Упражнение 5", "открытый вопрос" for "open issue".
OWN = {
    "ru": {
        "Back to top": "Наверх",
        "By": "Написали",
        "The facelab authors": "авторы facelab",
        "Color mode": "Светлая или тёмная тема",
        "Light": "Светлая тема",
        "Dark": "Тёмная тема",
        "System Settings": "Как в системе",
        "© Copyright %(copyright)s.": "© %(copyright)s.",
        "Download notebook file": "Скачать ноутбук",
        "Download source file": "Скачать исходный текст",
        "Download this page": "Скачать эту страницу",
        "Print to PDF": "Печать в PDF",
        "Fullscreen mode": "На весь экран",
        "Exercise %s": "Упражнение %s",
        "Language": "Язык",
        "Launch": "Запустить",
        "Listing %s": "Листинг %s",
        "On this page": "На этой странице",
        "Open an issue": "Сообщить об ошибке",
        "open issue": "сообщить об ошибке",
        "Search": "Поиск",
        "Search this book...": "Поиск по книге...",
        "Skip to main content": "Перейти к тексту",
        "Solution to": "Решение:",
        "Source repository": "Репозиторий",
        "repository": "репозиторий",
        "suggest edit": "предложить правку",
        "Text and code: MIT licence. ORL photographs: AT&amp;T Laboratories Cambridge.": "Тексты и код: лицензия MIT. "
        "Фотографии ORL: AT&amp;T Laboratories Cambridge.",
        "Version warning": "О версии",
        "JavaScript is switched off.": "JavaScript отключён.",
        "Without it formulas are shown as TeX; the search and the figures that can be moved do not work.": "Без него "
        "формулы показаны в виде TeX, а поиск и рисунки, которые можно двигать, не работают.",
        "Texts, figures, quizzes and solutions are all here.": "Тексты, рисунки, вопросы и решения — все на месте.",
    }
}


class Catalog(gettext.NullTranslations):
    """Words of our own first, then those of the packages, then English."""

    def __init__(self, own: dict[str, str]) -> None:
        super().__init__()
        self.own = own

    def gettext(self, message: str) -> str:
        return self.own.get(message) or super().gettext(message)


@cache
def catalogs(language: str) -> dict[str, Catalog]:
    """Return the catalogs of a language by name."""
    found = {name: Catalog(OWN.get(language, {})) for name, _, _ in CATALOGS}
    for name, package, folder in CATALOGS:
        spec = find_spec(package)
        if spec and spec.origin:
            place = Path(spec.origin).parent / folder
            found[name].add_fallback(gettext.translation(name, place, [language], fallback=True))
    return found


def speak(language: str) -> None:
    """Let all words that are looked up from now on be of a language."""
    for name, catalog in catalogs(language).items():
        sphinx.locale.translators["general", name] = catalog


def say(language: str, english: str) -> str:
    """Return what Sphinx and its theme say in a language."""
    return catalogs(language)["sphinx"].gettext(english)
