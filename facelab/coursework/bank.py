"""A bank of short questions with their answers, and exam sheets drawn from it.

One TOML file for each area, beside this file. Numbers are never only written: ``compute`` and ``numbers`` hold the code
that a test runs to find each again.
"""

import itertools
import re
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, model_validator

from facelab.errors import FacelabError, count
from facelab.files import atomic_write, claim
from facelab.strict import Strict, read_toml

BANK = Path(__file__).parent / "bank"
DRAWS = 500  # how many sheets are tried until one fits into the minutes
LINES = {"choice": 0, "number": 2, "short": 6}  # to write on, in the sheet


class Question(Strict):
    """One question with its answer. Texts are Markdown with formulas between ``$``.

    Attributes:
        name: of the question, its own in the bank.
        objective: key of one of the area's objectives.
        kind: ``choice`` (one of several), ``number`` or ``short`` (some sentences).
        minutes: for a student who knows the answer.
        points: for the whole answer.
        chapter: where it is taught; a notebook, or ``book/`` and a page.
        section: the heading there.
        text: the question.
        why: how the answer comes about.
        right: of a choice, the right one.
        wrong: of a choice, the others, each with what is wrong in it.
        answer: a number, or for a short answer the gist.
        tolerance: of a number, how far it may be away.
        unit: of a number.
        compute: of a number, code that leaves it in ``answer``.
        key_points: of a short answer; each is worth its share of the points.
        numbers: further numbers of the answer as they are written, each with the expression that gives it.
    """

    name: str = Field(pattern=r"^[a-z0-9-]+$")
    objective: str
    kind: Literal["choice", "number", "short"]
    minutes: int = Field(ge=1, le=30)
    points: int = Field(ge=1, le=20)
    chapter: str
    section: str
    text: str = Field(min_length=1)
    why: str = ""
    right: str = ""
    wrong: tuple[tuple[str, str], ...] = ()
    answer: float | str = ""
    tolerance: float = Field(default=0.0, ge=0)
    unit: str = ""
    compute: str = ""
    key_points: tuple[str, ...] = ()
    numbers: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        needed = {
            "choice": bool(self.right and self.why) and len(self.wrong) >= 2,
            "number": isinstance(self.answer, float) and bool(self.compute and self.why),
            "short": isinstance(self.answer, str) and bool(self.answer) and len(self.key_points) >= 2,
        }
        if not needed[self.kind]:
            asks = {
                "choice": "right, why and two or more wrong",
                "number": "answer (a number), compute and why",
                "short": "answer and two or more key_points",
            }
            raise ValueError(f"question {self.name}: kind {self.kind!r} needs {asks[self.kind]}")
        return self


class Area(Strict):
    """One file of the bank.

    Attributes:
        title: of the area.
        objectives: what a student can do after it, by key.
        question: the questions.
    """

    title: str
    objectives: dict[str, str]
    question: tuple[Question, ...]

    @model_validator(mode="after")
    def _known(self) -> Self:
        for question in self.question:
            if question.objective not in self.objectives:
                known = ", ".join(self.objectives)
                raise ValueError(f"question {question.name}: objective {question.objective!r} is none of {known}")
        return self


def load_bank(folder: Path | str = BANK) -> dict[str, Area]:
    """Return the areas of a bank by the names of their files.

    Args:
        folder: of the TOML files; by default the bank of the course.

    Raises:
        FacelabError: a file is wrong, or two questions have one name.
    """
    paths = sorted(Path(folder).glob("*.toml"))
    if not paths:
        raise FacelabError(f"{folder} holds no *.toml: give a folder with the files of a question bank.")
    areas = {path.stem: Area.parse(read_toml(path, "Check the path."), str(path)) for path in paths}
    names = [question.name for area in areas.values() for question in area.question]
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise FacelabError(f"{folder}: two questions are called {double[0]}; give each its own name.")
    return areas


def draw(
    bank: Mapping[str, Area],
    questions: int,
    *,
    seed: int = 0,
    objectives: Sequence[str] = (),
    minutes: int | None = None,
) -> list[Question]:
    """Draw questions: the same number of each area, as far as it goes, and in an area of many objectives.

    Args:
        bank: the areas.
        questions: how many.
        seed: the same seed draws the same questions.
        objectives: names of areas, or keys of objectives; all if empty.
        minutes: the questions take no longer together.

    Raises:
        FacelabError: an objective is unknown, or the bank holds too few questions for what is asked.
    """
    known = [*bank, *(key for area in bank.values() for key in area.objectives)]
    if unknown := [name for name in objectives if name not in known]:
        raise FacelabError(f"objective {unknown[0]!r} is unknown; choose areas or objectives of: {', '.join(known)}.")
    pools = [
        [each for each in area.question if not objectives or name in objectives or each.objective in objectives]
        for name, area in bank.items()
    ]
    pools = [pool for pool in pools if pool]
    there = sum(map(len, pools))
    if not 1 <= questions <= there:
        raise FacelabError(f"questions={questions}: the bank holds {there} of these objectives; give 1 to {there}.")
    generator = np.random.default_rng(seed)
    shortest = sum(sorted(each.minutes for pool in pools for each in pool)[:questions])
    for _ in range(DRAWS):
        drawn = _one_draw(pools, questions, generator)
        if minutes is None or sum(question.minutes for question in drawn) <= minutes:
            return drawn
    raise FacelabError(
        f"minutes={minutes}: no draw of {count(questions, 'question')} fits (the shortest take {shortest}); ask for "
        "fewer questions or more minutes."
    )


def _one_draw(pools: Sequence[Sequence[Question]], questions: int, generator: np.random.Generator) -> list[Question]:
    """Deal from the areas in turn; in each, objectives take turns as well."""
    decks = []
    for pool in (pools[number] for number in generator.permutation(len(pools))):
        seen: dict[str, int] = {}
        dealt: list[tuple[int, int, Question]] = []
        for question in (pool[number] for number in generator.permutation(len(pool))):
            seen[question.objective] = seen.get(question.objective, 0) + 1
            dealt.append((seen[question.objective], len(dealt), question))
        decks.append([question for _, _, question in sorted(dealt, key=lambda entry: entry[:2])])
    turns = [deck[turn] for turn in range(max(map(len, decks))) for deck in decks if turn < len(deck)]
    return turns[:questions]


@dataclass(frozen=True)
class Sheet:
    """One version of an exam.

    Attributes:
        title: of the exam.
        version: A, B, ...
        questions: in their order.
        choices: for each question its choices in their order, as (text, why it is wrong or empty); none if it has none.
        minutes: the time allowed.
    """

    title: str
    version: str
    questions: Sequence[Question]
    choices: Sequence[Sequence[tuple[str, str]]]
    minutes: int

    @property
    def points(self) -> int:
        """The points of all questions."""
        return sum(question.points for question in self.questions)

    def short_answers(self) -> list[str]:
        """Return what the key at the top of the answers says of each question."""
        return [
            _letter([why for _, why in choices].index(""))
            if question.kind == "choice"
            else _number(question)
            if question.kind == "number"
            else "see below"
            for question, choices in zip(self.questions, self.choices, strict=True)
        ]

    def markdown(self) -> str:
        """Return the sheet that students get."""
        total = f"{count(len(self.questions), 'question')}, {count(self.points, 'point')}, {self.minutes} minutes"
        parts = [
            f"# {self.title}, version {self.version}",
            f"{total}. One choice is right in each list. Give numbers to three digits, and say how you found them.",
            '<p class="fields">Name: <span></span> Number: <span></span></p>',
        ]
        for number, (question, choices) in enumerate(zip(self.questions, self.choices, strict=True), 1):
            parts += [f"## {number}. ({count(question.points, 'point')})", question.text.strip()]
            parts += [f"- ☐ **{_letter(place)}** {text}" for place, (text, _) in enumerate(choices)]
            if question.kind == "number" and question.unit:
                parts.append(f"Unit of the answer: {question.unit}.")
            parts += ['<div class="line"></div>' * LINES[question.kind]] * (not choices)
        return _joined(parts)

    def answers(self) -> str:
        """Return the answer sheet: a key, then for each question what is right, why, and what it is worth."""
        parts = [
            f"# {self.title}, version {self.version}: answers",
            "| question | answer | points |\n|---|---|---|\n"
            + "\n".join(
                f"| {number} | {answer} | {question.points} |"
                for number, (answer, question) in enumerate(zip(self.short_answers(), self.questions, strict=True), 1)
            ),
        ]
        for number, (question, choices) in enumerate(zip(self.questions, self.choices, strict=True), 1):
            parts += [f"## {number}. ({count(question.points, 'point')}, {question.name})", question.text.strip()]
            for place, (text, why) in enumerate(choices):
                mark, reason = ("☐", why) if why else ("☑", f"**Right.** {question.why}")
                parts.append(f"- {mark} **{_letter(place)}** {text}\n\n  {reason}")
            if question.kind == "number":
                parts.append(f"**{_number(question)}.** {question.why}")
            if question.kind == "short":
                parts.append(f"**{question.answer}**")
                each = question.points / len(question.key_points)
                parts += [f"{place}. {point}" for place, point in enumerate(question.key_points, 1)]
                parts.append(f"Each point named is worth {each:.2g} of {question.points}.")
            parts.append(f"*Taught in {question.chapter}, section “{question.section}”.*")
        return _joined(parts)


def _joined(parts: Sequence[str]) -> str:
    """Blocks of Markdown with an empty line between; items of one list stand together."""
    item = re.compile(r"- |\d+\. ")
    text = parts[0]
    for before, part in itertools.pairwise(parts):
        text += ("\n" if item.match(before) and item.match(part) else "\n\n") + part
    return text + "\n"


def _letter(place: int) -> str:
    return string.ascii_uppercase[place]


def _number(question: Question) -> str:
    within = f" (±{question.tolerance:g})" if question.tolerance else ""
    unit = f" {question.unit}" if question.unit else ""
    return f"{question.answer:.10g}{unit}{within}"


def sheets(
    questions: Sequence[Question], versions: int, *, seed: int = 0, title: str = "Exam", minutes: int | None = None
) -> list[Sheet]:
    """Return versions of one exam: the same questions in another order, with their choices shuffled.

    Args:
        questions: that were drawn.
        versions: how many, at most 26.
        seed: the same seed gives the same sheets.
        title: of the exam.
        minutes: the time allowed; by default what the questions take.
    """
    result = []
    for version in range(versions):
        generator = np.random.default_rng([seed, version])
        order = [questions[number] for number in generator.permutation(len(questions))] if version else list(questions)
        choices = []
        for question in order:
            options = [(question.right, ""), *question.wrong] if question.kind == "choice" else []
            choices.append([options[number] for number in generator.permutation(len(options))])
        allowed = minutes if minutes is not None else sum(question.minutes for question in questions)
        result.append(Sheet(title, _letter(version), order, choices, allowed))
    return result


def write(exam: Sequence[Sheet], out: Path | str, *, pdf: bool = True) -> list[Path]:
    """Write each version and its answers as Markdown, and as PDF.

    Args:
        exam: the versions.
        out: the folder.
        pdf: also print them; needs ``facelab[book]`` and Chromium.

    Returns:
        The files.

    Raises:
        FacelabError: a file of somebody else is in the way, or what prints is not installed; Markdown is then there.
    """
    out = Path(out)
    texts = {}
    for sheet in exam:
        texts[f"exam-{sheet.version}"] = sheet.markdown()
        texts[f"answers-{sheet.version}"] = sheet.answers()
    suffixes = (".md", ".pdf") if pdf else (".md",)
    claim(out, [f"{name}{suffix}" for name in texts for suffix in suffixes])
    for name, text in texts.items():
        with atomic_write(out / f"{name}.md") as temporary:
            temporary.write_text(text, encoding="utf-8")
    if pdf:
        for name, text in texts.items():
            print_sheet(text, out / f"{name}.pdf")
    return [out / f"{name}{suffix}" for name in texts for suffix in suffixes]


def print_sheet(text: str, output: Path) -> None:
    """Print a sheet or its answers.

    Args:
        text: Markdown with formulas between ``$``.
        output: the PDF.

    Raises:
        FacelabError: what prints is not installed, or a formula is wrong.
    """
    import tempfile

    from facelab.course.printing import print_pdf

    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder, f"{output.stem}.html")
        page.write_text(_html(text, output.stem), encoding="utf-8")
        print_pdf(page, output)


def _html(text: str, title: str) -> str:
    """The page that is printed; formulas are left to MathJax."""
    import html

    from markdown_it import MarkdownIt

    from facelab.course.printing import mathjax_source

    try:
        from mdit_py_plugins.dollarmath import dollarmath_plugin
    except ImportError as error:
        raise FacelabError(
            "formulas are read by mdit-py-plugins, which is not installed: uv sync --extra book"
        ) from error
    reader = MarkdownIt("commonmark").enable("table")
    reader.use(dollarmath_plugin, renderer=lambda content, options: f"\\({html.escape(content)}\\)")
    page = BANK.with_name("exam.html")
    return (
        page.read_text(encoding="utf-8")
        .replace("TITLE", html.escape(title))
        .replace("MATHJAX", mathjax_source().as_uri())
        .replace("BODY", re.sub(r"(?<=\d) %", "\N{NO-BREAK SPACE}%", reader.render(text)))
    )
