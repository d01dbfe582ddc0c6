"""The plain notebooks: nothing is left that only this book understands, and nothing is lost."""

import importlib
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pandas as pd
import pytest

pybtex = pytest.importorskip("pybtex.database", reason="the book's tools are not installed: uv sync --extra book")

ROOT = Path(__file__).parents[2]
ADDRESS = "https://github.com/somebody/course"
CHAPTERS = sorted(path.name for path in (ROOT / "notebooks").glob("*.ipynb"))
RAW = re.compile(r"\{[a-z][\w:-]*\}(`|\s*$)|^\s*:(class|label|alt|name): |(`{3,}|:{3,})\{|\$\$ *\(eq|\.\./book/", re.M)


@pytest.fixture(scope="module")
def module() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "book" / "_ext")
        yield importlib.import_module("plain_notebooks")


@pytest.fixture(scope="module")
def plain(module: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The folders that the build writes, without and with a repository."""
    letters = importlib.import_module("citation_letters")
    entries = pybtex.parse_file(ROOT / "book/references.bib").entries
    known = {key: letters.cited_as(entry) for key, entry in entries.items()}
    folders = {address: tmp_path_factory.mktemp("plain") for address in ("", ADDRESS)}
    for address, folder in folders.items():
        module.write_plain(ROOT, folder, known, address, "main")
    return folders


@pytest.mark.parametrize("address", ["", ADDRESS], ids=["no repository", "repository"])
@pytest.mark.parametrize("name", CHAPTERS)
def test_no_directive_is_left_and_nothing_is_lost(plain: dict[str, Path], name: str, address: str) -> None:
    made, source = (nbformat.read(path / name, 4) for path in (plain[address], ROOT / "notebooks"))
    nbformat.validate(made)
    for cell in made.cells:
        if cell.cell_type == "markdown":
            code = re.sub(r"^```\w*\n.*?^```$|\$\$.*?\$\$", "", cell.source, flags=re.M | re.S)
            assert not (raw := RAW.search(re.sub(r"\$[^$]*\$", "", code))), cell.source[max(0, raw.start() - 80) :][
                :200
            ]
            assert cell.source.count("<details>") == cell.source.count("</details>")
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    install = [f"%pip install --quiet git+{ADDRESS}@main"] if address else []
    assert code == install + [cell.source for cell in source.cells if cell.cell_type == "code"]
    text = "\n".join(cell.source for cell in made.cells)
    captions = [cell.metadata.get("mystnb", {}).get("figure", {}).get("caption") for cell in source.cells]
    assert all(caption[:25] in text for caption in captions if caption and "{" not in caption[:25])
    assert (f"({ADDRESS}/blob/main/book/glossary.md#term-" in text) == bool(address)
    assert "../book/" not in json.dumps(made)
    folded = [cell.metadata.get("jupyter", {}).get("source_hidden", False) for cell in made.cells]
    assert folded == [cell.metadata.get("cellView") == "form" for cell in made.cells]  # in JupyterLab and on Colab


def test_all_are_in_the_zip(module: Any, plain: dict[str, Path]) -> None:
    with zipfile.ZipFile(plain[""] / module.ZIP) as archive:
        assert archive.namelist() == CHAPTERS
        assert json.loads(archive.read(CHAPTERS[0])) == json.loads((plain[""] / CHAPTERS[0]).read_text("utf8"))


def test_forms(module: Any) -> None:
    form = module.Plain({"a2019": ("Abel et al.", "2019a"), "b": ("Bo", "2020")})
    form.equations = {"eq-one": 1}
    assert form.markdown("By {cite:t}`a2019` and {eq}`eq-one` {cite:p}`a2019, b`.") == (
        "By Abel et al. (2019a) and (1) (Abel et al., 2019a; Bo, 2020)."
    )
    assert form.markdown("```{admonition} Mind\n:class: tip\nA\n\nB\n```") == "> **Mind**\n>\n> A\n>\n> B"
    folded = "<details><summary><b>Yes</b></summary>\n\n**Right.**\n\n</details>"
    assert form.markdown("```{dropdown} Yes\n**Right.**\n```") == folded
    assert form.markdown("::::{admonition} Yes\n:class: dropdown\n**Right.**\n::::") == folded
    with pytest.raises(module.FacelabError, match=r"\{frobnicate\} has no plain form"):
        form.markdown("```{frobnicate}\n```")


@pytest.mark.parametrize("address", ["", ADDRESS])
def test_one_setting_shows_all_buttons_that_need_a_repository(module: Any, address: str) -> None:
    book = importlib.import_module("facelab_book")
    theme = {"repository_url": address, "use_repository_button": True, "use_issues_button": True}
    theme["launch_buttons"] = {"colab_url": "https://colab.research.google.com"}
    config = SimpleNamespace(html_theme_options=theme, myst_substitutions={}, mathjax_path="")
    module.leave_out_launching(None, config)
    book.configure(None, config)
    shown = [bool(theme[name]) for name in ("use_repository_button", "use_issues_button", "launch_buttons")]
    assert shown == [bool(address)] * 3
    assert address in config.myst_substitutions["repository"]
    assert "[]" not in config.myst_substitutions["repository"]

    downloads: list[dict[str, str]] = []
    launch = [{"url": "https://colab.research.google.com/github/x"}] if address else []
    buttons = [{"label": "download-buttons", "buttons": downloads}, {"label": "launch-buttons", "buttons": launch}]
    context = {"header_buttons": buttons, "pathto": lambda path, _: f"../{path}"}
    module.lead_to_downloads(SimpleNamespace(config=config), "notebooks/00_quickstart", "", context, None)
    urls = ["../_static/downloads/00_quickstart.ipynb", f"../_static/downloads/{module.ZIP}"]
    assert [button["url"] for button in downloads] == urls
    where = "github/somebody/course/blob/gh-pages/_static/downloads/00_quickstart.ipynb"
    assert all(button["url"].endswith(where) for button in launch)


def test_the_names_of_rows_stand_beside_those_of_columns() -> None:
    """Rows of a table's head that say nothing against each other become one; no name is lost, others stay."""
    joined = importlib.import_module("book_tables").joined
    table = pd.DataFrame({"a": [1], "b": [2]}, index=pd.MultiIndex.from_tuples([("x", "y")], names=["one", "two"]))
    parts = pd.DataFrame({("train", "a"): [1], ("train", "b"): [2]})

    def rows(table: pd.DataFrame, change: Callable[[str], str]) -> list[list[str]]:
        head = table.to_html().partition("</thead>")[0] + "</thead>"
        return [re.findall("<th[^>]*>(.*?)</th>", row) for row in change(head).split("</tr>")[:-1]]

    assert rows(table, joined) == [["one", "two", "a", "b"]]
    assert rows(parts.rename_axis("row"), joined) == [["", "train"], ["row", "a", "b"]]
    for kept in (table.reset_index(drop=True), parts, table.rename_axis(columns="c")):
        assert rows(kept, joined) == rows(kept, str)
    sphinx = '<thead>\n<tr class="row-odd"><th class="head"><p>a</p></th></tr>\n</thead>'
    assert joined(sphinx) == sphinx


def test_an_interval_in_a_table_is_kept_together() -> None:
    mark = importlib.import_module("book_tables").marked
    for told in ("[0.992, 1.000]", "[−0.9, +0.6]", "[98.3%, 99.6%]"):
        assert mark(f"<td>0.99 {told}</td>") == f'<td>0.99 <span class="interval">{told}</span></td>'
    for other in ("<td>[0.1, 0.3, 0.5]</td>", "<td>[2, a]</td>", '<td title="x">0.5</td>'):
        assert mark(other) == other
