"""Translated pages: what is behind is seen, and code and outputs are those of the English page."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "book" / "_ext"))

translations = pytest.importorskip("translations", reason="the book's tools are not installed: uv sync --extra book")

PAGES = translations.pages()
FENCE = re.compile(r"^(?:```bash|```python|~~~python)\n.*?^(?:```|~~~)$", re.MULTILINE | re.DOTALL)
ENGLISH = "---\nx: 1\n---\n\n# One\n\nText.\n\n## Two parts\n\n```bash\n# no heading\n```\n\n### Three\n\nEnd.\n"
RUSSIAN = "---\nsource: one.md\n---\n\n% from one {}\n# Раз\n\nТекст.\n\n% from two-parts {}\n## Два\n\n% from gone 1\n"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(translations, "ROOT", tmp_path)
    (tmp_path / "one.md").write_text(ENGLISH, "utf8")
    return tmp_path


def test_a_page_tells_which_of_its_parts_are_behind(root: Path) -> None:
    now = translations.parts_of(root / "one.md")
    assert list(now) == ["one", "two-parts", "three"]
    assert now["two-parts"].count("#") == 3
    sums = [translations.checksum(text) for text in now.values()]
    page = translations.Translation.parse(RUSSIAN.format(*sums[:2]), root / "book" / "ru.md")
    assert page.behind() == ["three", "gone"]
    assert re.search(r"# Раз\n\n+```\{admonition\}.*\n.*\n.*\(\.\./one\.md\).* 2\.", page.page())

    (root / "one.md").write_text(ENGLISH.replace("Text.", "Text.<!-- a: mark -->\n"), "utf8")
    assert page.behind() == ["three", "gone"]  # neither a line break nor a mark is a change
    (root / "one.md").write_text(ENGLISH.replace("Text.", "Another."), "utf8")
    assert page.behind() == ["one", "three", "gone"]


def test_code_and_outputs_of_a_notebook_are_the_english_ones(root: Path) -> None:
    shown = {"figure": {"name": "fig-one", "caption": "A finding."}, "image": {"alt": "A point."}}
    output: dict[str, Any] = {"output_type": "stream", "name": "stdout", "text": ["2\n"]}
    code = {"cell_type": "code", "source": ["print(1 + 1)"], "outputs": [output], "execution_count": 1}
    cells = [
        {"cell_type": "markdown", "id": "a", "source": ["# One\n", "\n", "Text."], "metadata": {}},
        code | {"id": "b", "metadata": {"mystnb": shown}},
        {"cell_type": "markdown", "id": "c", "source": ["[New](b/x.md#y)\n:label: ex"], "metadata": {}},
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (root / "one.ipynb").write_text(json.dumps(notebook), "utf8")
    sums = [translations.checksum(text) for text in translations.parts_of(root / "one.ipynb").values()]
    text = f"---\nsource: one.ipynb\n---\n\n% from a {sums[0]}\n# Раз\n\n% from b {sums[1]}\nТочка.\n\nВывод.\n"
    page = translations.Translation.parse(text, root / "book" / "ru.md")
    assert page.behind() == ["c"]
    built = translations.read_notebook(text, str(page.path))
    assert built.cells[0].source.startswith("# Раз\n\n```{admonition}")
    assert (built.cells[1].source, built.cells[1].outputs) == (code["source"][0], [output | {"text": "2\n"}])
    assert built.cells[1].metadata["mystnb"] == {
        "figure": {"name": "ru-fig-one", "caption": "Вывод."},
        "image": {"alt": "Точка."},
    }
    assert built.cells[2].source == "[New](../b/x.md#y)\n:label: ru-ex"


def test_a_page_that_cannot_be_placed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="names no source"):
        translations.Translation.parse("# Раз\n", tmp_path / "x.md")
    with pytest.raises(ValueError, match="a part stands twice: a"):
        translations.Translation.parse("---\nsource: y.md\n---\n% from a 1\n% from a 2\n", tmp_path / "x.md")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path.stem)
def test_a_part_that_is_up_to_date_has_the_same_commands(page: Any) -> None:
    """A part that is behind may differ: the page says that it is, and ``python book/_ext/translations.py`` which."""
    assert page.source.exists()
    if page.source.suffix == ".ipynb":  # JupyterLab shows its text alone
        assert f"]({translations.link(page.path, page.source)})" in page.head
    english, behind = translations.parts_of(page.source), page.behind()
    for name, text in page.parts.items():
        if name not in behind:
            assert FENCE.findall(text) == FENCE.findall(english[name]), name
