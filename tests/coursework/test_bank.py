"""The question bank: every number in it is computed here, every section exists, and sheets are what they say."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from facelab.cli import app
from facelab.course.printing import find_chromium
from facelab.coursework.bank import BANK, Question, draw, load_bank, print_sheet, sheets, write
from facelab.errors import FacelabError

ROOT = Path(__file__).parents[2]
AREAS = load_bank()
QUESTIONS = [question for area in AREAS.values() for question in area.question]
MATHEMATICS = {
    name: getattr(np, name) for name in ("exp", "log", "sin", "cos", "arccos", "arctan2", "degrees", "hypot")
}
by_name = pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)


def literals(text):
    """The numbers of a text as they are written; not those in names such as A1, nor single digits."""
    found = re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?!\w)", text.replace("{,}", ","))
    return {number.rstrip(",") for number in found if len(number.rstrip(",")) > 1}


def sections(chapter):
    path = ROOT / (f"{chapter}.md" if chapter.startswith("book/") else f"notebooks/{chapter}.ipynb")
    text = path.read_text("utf8")
    if path.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    return set(re.findall(r"^##+ (.+)$", text, re.MULTILINE))


def test_ten_questions_for_each_area_and_every_objective_is_asked():
    assert len(AREAS) == 6
    for area in AREAS.values():
        assert len(area.question) == 10
        assert {question.objective for question in area.question} == set(area.objectives)
        assert {question.kind for question in area.question} == {"choice", "number", "short"}
    assert len({key for area in AREAS.values() for key in area.objectives} | set(AREAS)) == sum(
        len(area.objectives) + 1 for area in AREAS.values()
    )  # so that --objectives is not ambiguous


@by_name
def test_the_section_is_there(question):
    assert question.section in sections(question.chapter)


@pytest.mark.parametrize("question", [q for q in QUESTIONS if q.kind == "number"], ids=lambda question: question.name)
def test_the_answer_is_computed_again(question):
    names = {"np": np}
    exec(question.compute, names)
    assert abs(names["answer"] - question.answer) <= question.tolerance / 3  # the tolerance is for rounding on the way
    assert isinstance(names["answer"], int) or question.tolerance > 0


@by_name
def test_every_further_number_is_computed(question):
    """A number that the question does not give, and the answer states, has an expression; it is rounded as written."""
    given = literals(question.text) | {f"{abs(question.answer):g}" if isinstance(question.answer, float) else ""}
    gist = question.answer if question.kind == "short" else ""
    stated = literals("\n".join([question.why, question.right, str(gist), *question.key_points]))
    assert stated - given <= set(question.numbers)
    for written, expression in question.numbers.items():
        digits = len(written.partition(".")[2])
        value = eval(expression, {**MATHEMATICS, "math": math})
        assert round(float(value), digits) == pytest.approx(float(written.replace(",", "")), abs=1e-9), written


@by_name
def test_wrong_choices_have_their_reason(question):
    if question.kind != "choice":
        return
    texts = [question.right, *(text for text, _ in question.wrong)]
    assert len(set(texts)) == len(texts)
    assert all(len(why) > 20 for _, why in question.wrong)


def test_the_length_of_a_choice_gives_nothing_away():
    """Whoever always ticks the longest, or the shortest, is not much better than chance (one in four)."""
    choices = [(len(q.right), [len(text) for text, _ in q.wrong]) for q in QUESTIONS if q.kind == "choice"]
    assert sum(right > max(wrong) for right, wrong in choices) <= len(choices) / 3
    assert sum(right < min(wrong) for right, wrong in choices) <= len(choices) / 3


@pytest.mark.parametrize("wanted", [6, 12, 24, 60])
def test_a_draw_is_spread_over_the_areas(wanted):
    drawn = draw(AREAS, wanted, seed=3)
    assert len({question.name for question in drawn}) == wanted
    for area in AREAS.values():
        assert sum(question in area.question for question in drawn) == wanted // 6
        objectives = [question.objective for question in drawn if question in area.question]
        assert len(set(objectives)) == min(len(objectives), len(area.objectives))


def test_the_same_seed_draws_the_same_and_minutes_hold():
    assert draw(AREAS, 12, seed=3) == draw(AREAS, 12, seed=3)
    assert draw(AREAS, 12, seed=3) != draw(AREAS, 12, seed=4)
    assert sum(question.minutes for question in draw(AREAS, 12, seed=3, minutes=38)) <= 38
    with pytest.raises(FacelabError, match=r"minutes=5: no draw of 12 questions fits \(the shortest take 2\d\)"):
        draw(AREAS, 12, seed=3, minutes=5)


def test_objectives_are_areas_or_their_keys():
    assert {q.objective for q in draw(AREAS, 4, objectives=["losses"])} == set(AREAS["losses"].objectives)
    assert {q.objective for q in draw(AREAS, 3, objectives=["law"])} == {"law"}
    with pytest.raises(FacelabError, match="objective 'magic' is unknown; choose areas or objectives of: data, "):
        draw(AREAS, 3, objectives=["magic"])
    with pytest.raises(FacelabError, match="the bank holds 3 of these objectives; give 1 to 3"):
        draw(AREAS, 4, objectives=["law"])


def test_versions_hold_the_same_questions_in_another_order_and_every_key_is_right():
    drawn = draw(AREAS, 24, seed=1)
    exam = sheets(drawn, 3, seed=1)
    assert [sheet.version for sheet in exam] == ["A", "B", "C"]
    assert len({tuple(sheet.short_answers()) for sheet in exam}) == 3
    for sheet in exam:
        assert set(question.name for question in sheet.questions) == {question.name for question in drawn}
        text = sheet.markdown()
        for number, (question, key) in enumerate(zip(sheet.questions, sheet.short_answers(), strict=True), 1):
            block = re.search(rf"^## {number}\. .*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[0]
            assert question.text.strip() in block
            if question.kind == "choice":
                assert re.search(rf"^- ☐ \*\*{key}\*\* (.*)$", block, re.MULTILINE)[1] == question.right


def test_a_sheet_does_not_give_its_answers_away():
    for sheet in sheets(draw(AREAS, 60, seed=0), 2):
        text = sheet.markdown()
        for question in sheet.questions:
            assert question.name not in text
            hidden = [question.why, *question.key_points, *(why for _, why in question.wrong)]
            assert not [one for one in hidden if one and one in text]
            assert question.kind != "short" or question.answer not in text
            for part in hidden:
                assert part in sheet.answers()


def test_files_are_written_and_those_of_others_kept(tmp_path):
    exam = sheets(draw(AREAS, 6), 2)
    files = write(exam, tmp_path / "exam", pdf=False)
    assert [path.name for path in files] == ["exam-A.md", "answers-A.md", "exam-B.md", "answers-B.md"]
    assert files[0].read_text("utf8") == exam[0].markdown()
    write(exam, tmp_path / "exam", pdf=False)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "exam-A.md").write_text("mine")
    with pytest.raises(FacelabError, match="facelab did not make it"):
        write(exam, tmp_path / "mine", pdf=False)


def test_a_bank_of_ones_own_is_checked(tmp_path):
    with pytest.raises(FacelabError, match=r"holds no \*\.toml"):
        load_bank(tmp_path)
    text = (BANK / "data.toml").read_text("utf8")
    (tmp_path / "data.toml").write_text(text)
    assert list(load_bank(tmp_path)) == ["data"]
    (tmp_path / "other.toml").write_text(text)
    with pytest.raises(FacelabError, match="two questions are called"):
        load_bank(tmp_path)
    (tmp_path / "other.toml").write_text(text.replace('objective = "card"', 'objective = "cards"'))
    with pytest.raises(FacelabError, match="objective 'cards' is none of split, strangers, card, rendered"):
        load_bank(tmp_path)
    with pytest.raises(FacelabError, match="question x: kind 'number' needs answer"):
        Question.parse(
            {"name": "x", "objective": "o", "kind": "number", "minutes": 1, "points": 1, "chapter": "c", "section": "s"}
            | {"text": "t", "answer": "7"}
        )


@pytest.mark.slow
def test_every_formula_of_the_bank_is_printed(tmp_path):
    pytest.importorskip("playwright", reason="playwright is not installed: uv sync --extra test")
    pytest.importorskip("mdit_py_plugins", reason="the book's tools are not installed: uv sync --extra book")
    if find_chromium() is None:
        pytest.skip("no Chromium found; on Debian: apt-get install chromium")
    (sheet,) = sheets(draw(AREAS, 60, seed=0), 1)
    print_sheet(sheet.answers(), tmp_path / "answers.pdf")  # holds the questions as well; raises if a formula is wrong
    content = (tmp_path / "answers.pdf").read_bytes()
    assert content.startswith(b"%PDF")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) > 10
    with pytest.raises(FacelabError, match="a formula is wrong"):
        print_sheet("$\\frac{1}$", tmp_path / "wrong.pdf")
    assert not (tmp_path / "wrong.pdf").exists()


def test_the_command_draws_what_it_is_asked_for(tmp_path, capsys):
    arguments = ["coursework", "exam", "--questions", "6", "--seed", "3", "--objectives", "losses, law", "--no-pdf"]
    with pytest.raises(SystemExit) as stopped:
        app([*arguments, "--versions", "2", "--minutes", "40", "--out", str(tmp_path / "exam")])
    assert stopped.value.code == 0
    assert [Path(line).name for line in capsys.readouterr().out.split()][::2] == ["exam-A.md", "exam-B.md"]
    assert "6 questions" in (tmp_path / "exam" / "exam-B.md").read_text("utf8")
    assert ", 40 minutes" in (tmp_path / "exam" / "exam-B.md").read_text("utf8")
