"""The six assignments: the solution gets all points, the stub none, and every variant what it should."""

from pathlib import Path

import pytest

from facelab.coursework.build import build, hidden_lines, sources
from facelab.coursework.source import Assignment
from facelab.coursework.trial import try_out

FOLDER = Path(__file__).parents[2] / "notebooks" / "coursework"


@pytest.mark.slow
@pytest.mark.parametrize("source", sources(FOLDER), ids=lambda path: path.stem)
def test_every_answer_gets_what_it_should(source):
    found = {trial.question.name: trial.problems for trial in try_out(Assignment.load(source), quick=True)}
    assert {name: problems for name, problems in found.items() if problems} == {}


@pytest.mark.slow
@pytest.mark.parametrize("source", sources(FOLDER), ids=lambda path: path.stem)
def test_students_get_no_line_of_what_is_hidden(source, tmp_path, read_through):
    assignment = Assignment.load(source)
    folder = build(assignment, tmp_path)
    hidden = hidden_lines(assignment)
    given, kept = read_through(folder / "student"), read_through(folder / "grader")
    assert len(hidden) > 100
    assert [line for line in hidden if line in given] == []
    assert [line for line in hidden if line not in kept] == []
