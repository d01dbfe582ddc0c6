"""Source notebooks: what is read, every mistake as one clear line, and an author's trial."""

import json
import re

import pytest

from facelab.cli import app
from facelab.coursework.checks import LocalStudent
from facelab.coursework.source import Assignment
from facelab.coursework.trial import try_out
from facelab.errors import FacelabError


def test_an_assignment_is_read(small):
    read = Assignment.load(small)
    assert (read.name, read.title, read.minutes, read.objectives) == (
        "small",
        "Two small questions",
        5,
        ("mean and scale",),
    )
    assert (read.chapters, read.files, read.seconds, read.memory) == (
        ("06_cross_entropy",),
        ("data/scores.csv",),
        300,
        8,
    )
    first, second, third = read.questions
    assert [question.points for question in read.questions] == [60, 30, 10]
    assert [(one.name, one.points, one.about) for one in first.checks] == [
        ("mean", 40, "the mean"),
        ("largest", 20, "the largest of the scores"),
    ]
    assert first.prompt.startswith("## Question 1")
    assert len(first.solution) == len(first.tests) == 2
    assert [variant.right for variant in first.variants] == [True] * 3 + [False] * 3
    assert (first.variants[3].note, first.variants[3].says) == ("the median is the mean", ("the median",))
    assert second.objective == "use an earlier answer"
    assert (third.manual, third.rubric, third.checks) == (True, "10 for the word outlier-only", ())


def test_the_cells_of_a_notebook_stand_in_their_order(small):
    cells = Assignment.load(small).cells({"q1": ["middle, best = len, 7"]})
    assert cells[0] == "import numpy as np"
    assert cells[2] == "middle, best = len, 7"
    assert cells[3].startswith("print(")
    assert "by  # SOLUTION" in cells[4]
    assert LocalStudent(cells, folder=small.parent).call("scaled", [1, 1], 4) == 8


def test_the_stub_is_what_otter_leaves(small):
    function, value = Assignment.load(small).questions[0].stub
    assert function == 'def middle(values):\n    """Return the mean."""\n    ...'
    assert value == "best = ..."


def cell_with(cells, text):
    """The number of the first cell that begins with a text, or else holds it."""
    found = [number for number, (_, source) in enumerate(cells) if text in source]
    return next((number for number in found if cells[number][1].startswith(text)), found[0])


def change(text, old, new):
    """Replace something in the cell that holds a text."""

    def mend(cells):
        number = cell_with(cells, text)
        assert old in cells[number][1]
        cells[number] = (cells[number][0], cells[number][1].replace(old, new))

    return mend


def leave_out(*texts):
    def mend(cells):
        for text in texts:
            del cells[cell_with(cells, text)]

    return mend


def put(before, kind, source):
    return lambda cells: cells.insert(cell_with(cells, before), (kind, source))


MISTAKES = [
    (leave_out("# ASSIGNMENT CONFIG"), "no raw cell begins with # ASSIGNMENT CONFIG"),
    (put("# BEGIN QUESTION", "raw", "# ASSIGNMENT CONFIG\ntitle: x\nminutes: 1\nobjectives: [y]"), "cell 5: a second"),
    (change("title:", "minutes: 5", "minutes: soon"), "cell 1: minutes = 'soon'"),
    (change("title:", "chapters:", "chapter:"), "cell 1: chapter = .*perhaps chapters is meant"),
    (change("title:", "title: Two", "title: Two: the"), "cell 1: this is not valid YAML in line 2"),
    (change("title:", "minutes: 5", "name: other\nminutes: 5"), "name: other is not the file's name"),
    (change("title:", "data/scores", "data/others"), "files: data/others.csv is not in"),
    (change("title:", "data/scores", "../scores"), "leads out of the source's folder"),
    (change("name: q2", "name: q2", "name: q1"), "cell 29: a second question is called q1"),
    (change("name: q2", "name: q2", "name: 2 b"), "cell 29: name = '2 b'"),
    (change("name: q2", "objective", "goal"), "cell 29: goal"),
    (leave_out("# END QUESTION"), "BEGIN QUESTION does not belong into question q1, which begins in cell 5"),
    (leave_out("# BEGIN QUESTION"), "cell 6: # BEGIN SOLUTION is outside of a question"),
    (lambda cells: cells.pop(), "question q3, which begins in cell 46, has no # END QUESTION"),
    (leave_out("# END SOLUTION"), "# BEGIN SOLUTION of question q1, in cell 7, has no # END SOLUTION"),
    (leave_out("# BEGIN GRADING"), "does not belong into question q1"),
    (put("# BEGIN TESTS", "raw", "# BEGIN SOLUTION"), "a second # BEGIN SOLUTION in question q1"),
    (put("# BEGIN TESTS", "raw", "remember this"), "a raw cell begins with 'remember this'"),
    (put("# BEGIN TESTS", "code", " \n"), "cell 11: the cell is empty"),
    (put("# BEGIN TESTS", "markdown", "```otter\n# BEGIN TESTS\n```"), "Mark it by a raw cell"),
    (put("# BEGIN TESTS", "code", "x = 3  # SOLUTION"), "'# SOLUTION' stands outside of a solution"),
    (change("best = scores.max", "  # SOLUTION", ""), "cell 9: nothing in this cell is marked as solution"),
    (put("# END SOLUTION", "code", "x = 3 # IGNORE\ny = 1 # SOLUTION"), "'# IGNORE' of otter is not used here"),
    (put("# END SOLUTION", "code", "x = ( # SOLUTION"), "cell 10: this is not valid Python"),
    (change("text = ", "text = ", "# HIDDEN\ntext = "), "cell 12: a hidden test is not hidden well enough"),
    (change("text = ", "assert len(text) == 5", "len(text) == 5"), "line 4 computes a value that nobody looks at"),
    (change("assert best", "assert best > 0, 'a score is positive'", "x = best > 0"), "cell 13: nothing is tested"),
    (put("# END TESTS", "markdown", "a note"), "Markdown in # BEGIN TESTS"),
    (change("secret_values = ", "secret_values", "numpy.x"), "cell 17: its code stops in line 1: NameError"),
    (change('about="the mean"', ', about="the mean"', ""), "cell 18: its code stops in line 1: TypeError"),
    (change('about="the mean"', "points=40", "points=0"), "a check needs points above 0"),
    (change('about="the mean"', "points=40", "points=41"), r"sum to 101, not 100 \(q1 61, q2 30, q3 10\)"),
    (change('about="the mean"', "def largest", "def mean"), "question q1 has two checks called mean"),
    (change("# right: a loop", "# right: a loop", "x = 1"), "cell 22: a variant begins with # right"),
    (change("# says: the median", "# says: the median\n", ""), "the second line of a wrong variant"),
    (change("# right: a loop", "# right: a loop", "# right: a loop\n# says: nothing"), "of no right one"),
    (leave_out("# right: a loop"), "question q1 has 2 right variants and 3 wrong ones; it needs 3 of each"),
    (leave_out("# wrong: adds"), "question q2 has 3 right variants and 2 wrong ones"),
    (leave_out("Write `scaled`"), "question q2 has no text"),
    (leave_out("# BEGIN SOLUTION", "def middle", "best = scores.max", "# END SOLUTION"), "q1 has no # BEGIN SOLUTION"),
    (change("manual: true", "points: 10\n", ""), "question q3 is marked by a person, so it has points: and rubric:"),
    (change("name: q2", "name: q2", "name: q2\npoints: 3"), "the points of question q2 are those of its checks"),
    (change("manual: true", "manual: true\npoints: 10\nrubric: 10 for the word outlier-only", ""), "q3 has no check"),
]  # fmt: skip


@pytest.mark.parametrize(("mend", "said"), MISTAKES, ids=[said for _, said in MISTAKES])
def test_a_mistake_is_one_line_that_names_the_cell(mend, said, small_cells, write_source):
    mend(small_cells)
    with pytest.raises(FacelabError, match=said) as error:
        Assignment.load(write_source(small_cells))
    assert "small.ipynb" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda notebook: notebook.pop("cells"), "is not a notebook"),
        (lambda notebook: notebook.update(nbformat=3), "format 3; save it as format 4"),
        (lambda notebook: notebook["cells"][2]["outputs"].append({"text": "5"}), "cell 3: the cell has outputs"),
        (lambda notebook: notebook["cells"][1].update(attachments={"a.png": {}}), "cell 2: the cell has an attachment"),
    ],
)
def test_what_may_show_the_solution_is_refused(spoil, said, small):
    notebook = json.loads(small.read_text())
    spoil(notebook)
    small.write_text(json.dumps(notebook))
    with pytest.raises(FacelabError, match=said):
        Assignment.load(small)


BAD_STUBS = [
    (change("best = ", "best = scores.max()  # SOLUTION", "best = max(  # SOLUTION\n    scores)"), "not valid Python"),
    (change("def middle", "    # END SOLUTION", ""), "do not match"),
]


@pytest.mark.parametrize(("mend", "said"), BAD_STUBS)
def test_a_solution_that_cannot_be_taken_out_is_said(mend, said, small_cells, write_source):
    mend(small_cells)
    question = Assignment.load(write_source(small_cells)).questions[0]
    with pytest.raises(FacelabError, match=f"a solution cell of q1: .*{said}"):
        _ = question.stub


def problems(path):
    return {trial.question.name: trial.problems for trial in try_out(Assignment.load(path))}


def test_a_good_assignment_has_no_problem(small, capsys):
    assert problems(small) == {"q1": (), "q2": (), "q3": ()}
    with pytest.raises(SystemExit) as stop:
        app(["coursework", "check", str(small)])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    assert "q1: 60 points, 6 variants, 0 problems" in said
    assert "Two small questions: 3 questions, no problem." in said


@pytest.mark.parametrize(
    ("mend", "said"),
    [
        (change("best = scores", "scores.max()", "scores.min()"), "solution: largest: The result is not right"),
        (change("def middle", "len(values)", "unknown"), "NameError: name 'unknown' is not defined"),
        (change("def middle", "whole_sum = ", "raise IOError\n    whole_sum = "), "a test that students run fails"),
        (change("# right: a loop", "total / len", "1 + total / len"), r"right variant \(a loop\): mean: The result"),
        (change("text = ", "- 2", "- 3"), "solution: a test that students run fails: AssertionError: the mean"),
        (change("assert best", "assert best", "assert len(text) and best"), "test that students run fails: NameError"),
        (change("# wrong: the median", "np.median", "np.mean"), r"wrong variant \(the median is the mean\): gets full"),
        (change("# wrong: the median", "# says: the", "# says: my"), "no message says 'my median' .*That is the"),
        (change("# wrong: the median", "median\nmiddle", "median\n# says: more\nmiddle"), "no message says 'more'"),
        (change('about="the mean"', "    helper(student, 0.75)", "    pass"), "stub: largest gives it 20 points"),
        (change('about="the mean"', "call('middle', secret_values)", "value('best')['x']"), "solution: .*TypeError"),
    ],
)  # fmt: skip
def test_a_trial_finds_what_is_unfair(mend, said, small_cells, write_source):
    mend(small_cells)
    found = "\n".join(problems(write_source(small_cells))["q1"])
    assert re.search(said, found), found


def test_problems_end_the_command_with_an_error(small_cells, write_source, capsys):
    change("# wrong: the median", "np.median", "np.mean")(small_cells)
    with pytest.raises(SystemExit) as stop:
        app(["coursework", "check", str(write_source(small_cells))])
    assert stop.value.code == 2
    assert "1 problem. Mend the checks or the variants." in capsys.readouterr().err
