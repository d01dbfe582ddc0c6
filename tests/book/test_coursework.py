"""The pages on coursework say what stands: hours and points of the sources, commands and options that exist."""

import json
import re
import runpy
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from facelab.cli.program import typer_app

ROOT = Path(__file__).parents[2]
TABLE = runpy.run_path(str(ROOT / "book/_ext/coursework_table.py"))
SOURCES = sorted((ROOT / "notebooks/coursework").glob("[0-9]*.ipynb"))
PAGES = [*sorted((ROOT / "book/coursework").glob("*.md")), ROOT / "README.md", ROOT / "book/how_to_use.md"]


def config(path):
    """What a source says at its top, read apart from the package."""
    cells = json.loads(path.read_text("utf8"))["cells"]
    return yaml.safe_load("".join(cells[0]["source"]))


@pytest.fixture(scope="module")
def assignments():
    return TABLE["assignments"](ROOT / "notebooks/coursework")


def test_the_table_of_assignments_is_what_the_sources_say(assignments):
    assert [assignment.source for assignment in assignments] == SOURCES
    for path, assignment in zip(SOURCES, assignments, strict=True):
        row, said = TABLE["overview"](assignment), config(path)
        assert row["assignment"].partition(". ")[2].lower() in said["title"].lower()
        assert float(row["hours"]) == pytest.approx(said["minutes"] / 60, abs=0.05)
        assert re.findall(r"^- (.+)$", TABLE["objectives"](assignment), re.MULTILINE) == said["objectives"]
        assert row["points"].split(",")[0] == "100"
        for chapter in re.findall(r"\(/(.+?)\)", row["chapters"]):
            assert (ROOT / chapter).exists()


def test_honest_notebooks_are_less_alike_than_a_copy(assignments):
    for assignment in assignments:
        row = TABLE["base_rates"](assignment)
        assert int(row["pairs that differ everywhere"]) >= 6
        apart, largest, drawn, high = (int(value.split()[0]) for value in list(row.values())[2:])
        assert apart <= largest < 40
        assert apart < drawn < high < 90


def test_the_plan_gives_the_hours_of_the_sources():
    text = (ROOT / "book/coursework/instructor.md").read_text("utf8")
    told = dict(re.findall(r"\| (\d) \(([\d.]+) h\) \|$", text, re.MULTILINE))
    assert {path.stem[0]: f"{round(config(path)['minutes'] / 60, 1):g}" for path in SOURCES}.items() <= told.items()


COMMANDS = [
    pytest.param(shlex.split(line)[2:], id=f"{path.stem}: {line[19:50]}")
    for path in PAGES
    for line in re.findall(r"uv run (facelab coursework [^`\n]+)", path.read_text("utf8"))
]


@pytest.mark.parametrize("words", COMMANDS)
def test_commands_on_the_pages_exist_with_their_options(words):
    verbs = typer.main.get_command(typer_app).commands["coursework"].commands
    assert words[0] in verbs
    options = {
        option for parameter in verbs[words[0]].params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    assert {word for word in words[1:] if word.startswith("--")} <= options
