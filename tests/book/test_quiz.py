"""Tasks inside the chapters: what to predict, to answer, to do. Their form, and what could be guessed from it."""

import json
import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
BANK = sorted((ROOT / "facelab" / "coursework" / "bank").glob("*.toml"))

PREDICT = re.compile(r"```\{admonition\} Predict, then run\n:class: tip\n(.+?)\n```", re.S)
HAPPENED = re.compile(r"```\{admonition\} What happened\n:class: dropdown\n(.+?)\n```", re.S)
QUESTION = re.compile(r"\*\*Question (\d+)\.\*\* (.+?)\n\n(?=```\{dropdown\})", re.S)
CHOICE = re.compile(r"```\{dropdown\} ([^\n]+)\n(.*?)\n```", re.S)
EXERCISE = re.compile(r"```\{exercise-start\} ([^\n]*)\n:label: (\S+)")
DIFFICULTY = ("★ easy", "★★ medium", "★★★ hard")  # the word is for those who do not see the stars
per_chapter = pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)


@dataclass(frozen=True)
class Question:
    """One question of a quiz: where it stands, what it asks, and each choice with what the reader is told."""

    where: str
    text: str
    choices: tuple[tuple[str, str], ...]

    @property
    def right(self) -> list[int]:
        return [place for place, (_, said) in enumerate(self.choices) if said.startswith("**Right.**")]


def cells_of(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text("utf8"))["cells"]
    return [cell | {"source": "".join(cell["source"])} for cell in cells]


def section(cells: list[dict[str, Any]], title: str) -> list[dict[str, Any]]:
    """Return the cells of a section, its heading included."""
    heads = [k for k, cell in enumerate(cells) if cell["cell_type"] == "markdown" and re.match("## ", cell["source"])]
    begin = next((k for k in heads if cells[k]["source"].startswith(f"## {title}")), len(cells))
    return cells[begin : min((k for k in heads if k > begin), default=len(cells))]


def quiz(chapter: str, cells: list[dict[str, Any]]) -> tuple[list[Question], list[str]]:
    """Return a chapter's questions, and a line for each that has not the form."""
    questions, faults = [], []
    for number, cell in enumerate(section(cells, "Quiz")[1:], start=1):
        where, head = f"{chapter}, question {number}", QUESTION.match(cell["source"])
        if cell["cell_type"] != "markdown" or not head or int(head[1]) != number:
            faults.append(
                f"{where}: a markdown cell begins with **Question {number}.**, and choices follow the question"
            )
            continue
        rest = cell["source"][head.end() :]
        questions.append(Question(where, head[2], tuple(CHOICE.findall(rest))))
        if CHOICE.sub("", rest).strip():
            faults.append(f"{where}: something stands between the choices: {CHOICE.sub('', rest).strip()[:60]}")
    return questions, faults + [fault for question in questions for fault in faults_of(question)]


def faults_of(question: Question) -> list[str]:
    names = [name.strip() for name, _ in question.choices]
    said = [text.partition("**")[2].partition("**")[2].strip() for _, text in question.choices]
    rules = {
        "three or four choices": len(names) in (3, 4),
        "exactly one choice is right": len(question.right) == 1,
        "a choice is answered with **Right.** or **No.**, and why": all(
            text.startswith(("**Right.** ", "**No.** ")) for _, text in question.choices
        ),
        "each choice has its own feedback, a sentence or more": min(map(len, said), default=0) >= 25
        and len(set(said)) == len(said),
        "the choices differ": len({name.casefold() for name in names}) == len(names),
    }
    return [f"{question.where}: {rule}" for rule, kept in rules.items() if not kept]


def prompts(chapter: str, cells: list[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the number of a chapter's prompts, and a line for each without code and what happened below it."""
    number, faults, open_since = 0, [], None
    cells = [cell for cell in cells if not cell["source"].startswith('<div class="alive"')]
    for place, cell in enumerate(cells):
        if cell["cell_type"] == "code":
            continue
        if PREDICT.search(cell["source"]):
            number += 1
            if open_since is not None:
                faults.append(f"{chapter}, prompt {number - 1}: what happened is not said")
            open_since = place
            if cells[place + 1]["cell_type"] != "code":
                faults.append(f"{chapter}, prompt {number}: the cell that answers stands below it")
        if (answer := HAPPENED.search(cell["source"])) is not None:
            if open_since is None or answer.start() > 0 or cells[place - 1]["cell_type"] != "code":
                faults.append(f"{chapter}, prompt {number}: what happened stands right below the cell that answers")
            open_since = None
            said = re.sub("<!--.*?-->", "", answer[1])  # the mark of a published number
            if not 2 <= len(re.findall(r"[.?!:](?=\s|$)", said)) <= 6:
                faults.append(f"{chapter}, prompt {number}: what happened is said in two to four sentences")
    return number, faults + (
        [f"{chapter}, prompt {number}: what happened is not said"] if open_since is not None else []
    )


def exercises(chapter: str, cells: list[dict[str, Any]]) -> list[str]:
    """Return a line for each fault in a chapter's exercises."""
    part = section(cells, "Exercises")
    text = "\n".join(cell["source"] for cell in part if cell["cell_type"] == "markdown")
    titles = [title for title, _ in EXERCISE.findall(text)]
    grades = [next((k for k, grade in enumerate(DIFFICULTY) if t.endswith(f", {grade}")), None) for t in titles]
    code = [cell for cell in part if cell["cell_type"] == "code"]
    faults = []
    if not 4 <= len(titles) <= 8:
        faults.append(f"{len(titles)} exercises, not four to eight")
    if None in grades:
        faults.append(f"a title ends with its difficulty, one of {DIFFICULTY}: {titles[grades.index(None)]}")
    elif grades != sorted(grades) or len(set(grades)) < 2:
        faults.append("the difficulty rises")
    for cell in code:
        hidden = {"hide-input", "hide-cell"} & {*cell["metadata"].get("tags", [])}
        if not hidden or not cell["metadata"].get("jupyter", {}).get("source_hidden"):
            faults.append(f"a solution's code is hidden on the page and in JupyterLab: {cell['source'][:50]}")
    shown = [c for c in code if "hide-input" in c["metadata"].get("tags", []) and 20 <= lines(c) <= 40 and picture(c)]
    if not shown:
        faults.append("one exercise of 20 to 40 lines shows the figure that its solution draws")
    if re.search(r"^(?:~~~|```)python", text, re.M):
        faults.append("a solution's code is a code cell, which is run, not a part of its text")
    return [f"{chapter}, exercises: {fault}" for fault in faults]


def lines(cell: dict[str, Any]) -> int:
    return sum(bool(line.strip()) for line in cell["source"].splitlines())


def picture(cell: dict[str, Any]) -> bool:
    return any(kind.startswith("image/") for output in cell["outputs"] for kind in output.get("data", {}))


def all_questions() -> list[Question]:
    return [question for path in CHAPTERS for question in quiz(path.stem, cells_of(path))[0]]


@per_chapter
def test_prompts_are_followed_by_what_happened(path: Path) -> None:
    number, faults = prompts(path.stem, cells_of(path))
    assert faults == []
    assert number >= 3, f"{path.stem}: {number} prompts, at least three are wanted"


@per_chapter
def test_the_quiz_has_its_form(path: Path) -> None:
    cells = cells_of(path)
    questions, faults = quiz(path.stem, cells)
    assert faults == []
    assert 5 <= len(questions) <= 8, f"{path.stem}: {len(questions)} questions, not five to eight"
    heads = re.findall(r"^## (.+)", "\n".join(c["source"] for c in cells if c["cell_type"] == "markdown"), re.M)
    assert heads.index("Quiz") + 1 == next(k for k, head in enumerate(heads) if head.startswith("Exercises"))


@per_chapter
def test_exercises_rise_and_their_code_is_run(path: Path) -> None:
    assert exercises(path.stem, cells_of(path)) == []


def test_the_right_choice_cannot_be_guessed() -> None:
    """Its place is spread evenly over the book, and it is not the longest more often than chance would have it."""
    questions = all_questions()
    for choices in (3, 4):
        places = Counter(question.right[0] for question in questions if len(question.choices) == choices)
        even = sum(places.values()) / choices
        assert all(abs(places[k] - even) <= max(2, 0.35 * even) for k in range(choices)), (choices, places)
    longest = sum(
        len(q.choices[q.right[0]][0]) > max(len(name) for k, (name, _) in enumerate(q.choices) if k != q.right[0])
        for q in questions
    )
    assert longest <= 0.45 * len(questions), f"the right choice is the longest in {longest} of {len(questions)}"


def test_the_bank_stays_the_teachers() -> None:
    bank = {q["name"]: words(q["text"]) for path in BANK for q in tomllib.loads(path.read_text("utf8"))["question"]}
    for question in all_questions():
        mine = words(question.text)
        alike = {name: len(mine & theirs) / len(mine | theirs) for name, theirs in bank.items()}
        name = max(alike, key=alike.__getitem__)
        assert alike[name] < 0.45, f"{question.where} is like '{name}' of the bank"


def words(text: str) -> set[str]:
    return set(re.findall(r"[a-z]{4,}|\d[\d,.]*\d", text.lower()))


def test_faults_are_named_with_chapter_and_question() -> None:
    def asked(*choices: tuple[str, str], number: int = 1) -> dict[str, Any]:
        body = "\n\n".join(f"```{{dropdown}} {name}\n{said}\n```" for name, said in choices)
        return {"cell_type": "markdown", "source": f"**Question {number}.** Why?\n\n{body}"}

    head = {"cell_type": "markdown", "source": "## Quiz"}
    why = "Because of this and of that."
    good = asked(
        ("one", f"**No.** {why} No one."), ("two", f"**Right.** {why}"), ("three", f"**No.** {why} Not three.")
    )
    assert quiz("05", [head, good]) == ([Question("05, question 1", "Why?", tuple(CHOICE.findall(good["source"])))], [])
    wrong = {
        "exactly one choice is right": asked(
            ("one", f"**No.** {why}"), ("two", f"**No.** 2 {why}"), ("3", f"**No.** 3 {why}")
        ),
        "three or four choices": asked(("one", f"**Right.** {why}"), ("two", f"**No.** {why} Two.")),
        "own feedback": asked(("one", f"**Right.** {why}"), ("two", f"**No.** {why}"), ("three", f"**No.** 3 {why}")),
        "**Right.** or **No.**": asked(
            ("one", f"**Right.** {why}"), ("two", f"No. {why} 2"), ("3", f"**No.** 3 {why}")
        ),
        "begins with **Question 2.**": good,
    }
    for rule, cell in wrong.items():
        number = 2 if "Question 2" in rule else 1
        found = quiz("05", [head, *([good] if number == 2 else []), cell])[1]
        assert any(f"05, question {number}" in fault and rule in fault for fault in found), (rule, found)
    prompt = {"cell_type": "markdown", "source": "```{admonition} Predict, then run\n:class: tip\nWhy?\n```"}
    assert prompts("05", [prompt, {"cell_type": "code", "source": "1"}]) == (
        1,
        ["05, prompt 1: what happened is not said"],
    )
