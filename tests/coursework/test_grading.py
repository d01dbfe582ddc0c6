"""Grades of honest submissions: who counts, what is late, what is kept; hostile ones are in test_attacks.py."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from facelab.coursework import grading, sandbox
from facelab.coursework.grading import find_source, grade
from facelab.coursework.submissions import LARGEST, code_cells, csv_cell, find_submissions, safe_names
from facelab.errors import FacelabError

linux = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

SCALED = "best = 0.75\ndef scaled(x, by):\n    return middle(x) * by\n"
RIGHT = f"{SCALED}def middle(values):\n    return sum(values) / len(values)"
MEDIAN = f"{SCALED}middle = np.median"
GIVEN = ["import numpy as np", "scores = np.loadtxt('data/scores.csv')\ndef twice(x):\n    return scaled(x, 2)"]


@pytest.fixture
def dist(small) -> Path:
    """What build makes, without what is for students."""
    folder = small.parent.parent / "dist" / "small"
    folder.mkdir(parents=True)
    small.parent.rename(folder / "grader")
    return folder


def hand_in(path: Path, *cells: str, when: str = "2027-03-01T12:00+00:00") -> Path:
    code = [
        {"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None}
        for source in [*GIVEN, *cells]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": code, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    seconds = datetime.fromisoformat(when).timestamp()
    os.utime(path, (seconds, seconds))
    return path


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@linux
@pytest.mark.slow
def test_a_class_is_graded(dist, tmp_path):
    folder = tmp_path / "in"
    hand_in(folder / "ann.ipynb", RIGHT)
    hand_in(folder / "ben.ipynb", MEDIAN, when="2027-03-03T11:00+00:00")
    hand_in(folder / "cho" / "old.ipynb", MEDIAN, when="2027-02-01T12:00+00:00")
    hand_in(folder / "cho" / "new.ipynb", RIGHT, when="2027-02-02T12:00+00:00")
    out = tmp_path / "out" / "grades.csv"
    grades = grade(dist, folder, out, deadline="2027-03-01T13:00+01:00", late=10)
    rows = table(out)
    assert [row["student"] for row in rows] == ["ann", "ben", "cho", "cho"]
    assert [row["status"] for row in rows] == ["ok", "ok", "superseded", "ok"]
    assert [row["q1"] for row in rows] == ["60", "20", "", "60"]
    assert [row["q3"] for row in rows] == ["", "", "", ""]  # a person marks it
    assert [row["points"] for row in rows] == ["90", "20", "", "90"]
    assert [row["late_days"] for row in rows] == ["0", "1.958", "", "0"]
    assert [row["total"] for row in rows] == ["90", "16", "", "90"]  # two days have begun
    assert "the same file as cho" in rows[0]["note"]
    assert "1 other file of this student" in rows[3]["note"]
    page = (out.parent / rows[1]["feedback"]).read_text()
    assert "That is the median." in page
    assert "Mark" not in page
    assert "4711" not in page
    assert "outlier-only" not in page
    assert grades.summary.exists()

    first = out.read_bytes()
    (out.parent / "grades" / "summary.html").unlink()
    hand_in(folder / "ben.ipynb", RIGHT, when="2027-03-03T11:00+00:00")
    grade(dist, folder, out, deadline="2027-03-01T13:00+01:00", late=10)
    assert [row["total"] for row in table(out)] == ["90", "72", "", "90"]
    hand_in(folder / "ben.ipynb", MEDIAN, when="2027-03-03T11:00+00:00")
    grade(dist, folder, out, deadline="2027-03-01T13:00+01:00", late=10)
    assert out.read_bytes() == first


@linux
def test_a_solution_without_full_marks_stops_it(dist, tmp_path):
    source = find_source(dist)
    source.write_text(
        source.read_text().replace("secret_values, 4.0", "'none', 4.0").replace("secret_values), 4.0", "'x'), 4.0")
    )
    hand_in(tmp_path / "in" / "ann.ipynb", RIGHT)
    with pytest.raises(
        FacelabError, match=r"the solution itself does not get full marks here: q1, the mean: .*No submission"
    ):
        grade(dist, tmp_path / "in", tmp_path / "grades.csv")
    assert not (tmp_path / "grades.csv").exists()


@linux
@pytest.mark.slow
def test_a_run_that_was_killed_goes_on(dist, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out" / "grades.csv"
    for number in range(3):
        hand_in(folder / f"s{number}.ipynb", RIGHT, f"number = {number}")
    hand_in(folder / "s3.ipynb", RIGHT, "import time\ntime.sleep(30)")
    command = [sys.executable, "-m", "facelab", "coursework", "grade", str(dist), str(folder), "--out", str(out)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
        marks = out.parent / "grades" / "marks"
        end = time.monotonic() + 60
        while len(list(marks.glob("*.json"))) < 3 and time.monotonic() < end:
            time.sleep(0.05)
        run.send_signal(signal.SIGKILL)
    kept = {path.name: path.stat().st_mtime_ns for path in marks.glob("[!.]*.json")}
    assert len(kept) == 3
    assert not out.exists()
    hand_in(folder / "s3.ipynb", MEDIAN)
    grade(dist, folder, out)
    assert [row["total"] for row in table(out)] == ["90", "90", "90", "20"]
    assert {name: (marks / name).stat().st_mtime_ns for name in kept} == kept


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deadline": "tomorrow"}, "'tomorrow' is no date"),
        ({"deadline": "2027-03-01T12:00"}, "has no time zone"),
        ({"late": 101}, "late=101"),
        ({"jobs": 0}, "jobs=0"),
        ({"out": "grades.xlsx"}, "ends in .csv"),
        ({"submissions": "nowhere"}, "cannot read nowhere"),
    ],
)
def test_a_wrong_option_is_one_line(options, said, dist, tmp_path):
    hand_in(tmp_path / "in" / "ann.ipynb", RIGHT)
    options = {"submissions": tmp_path / "in", "out": tmp_path / "grades.csv"} | options
    with pytest.raises(FacelabError, match=said):
        grade(dist, options.pop("submissions"), options.pop("out"), **options)


def test_the_table_does_not_go_among_the_submissions(dist, tmp_path):
    hand_in(tmp_path / "in" / "ann.ipynb", RIGHT)
    with pytest.raises(FacelabError, match="among the submissions"):
        grade(dist, tmp_path / "in", tmp_path / "in" / "grades.csv")
    with pytest.raises(FacelabError, match="would lie among the submissions"):  # the pages' folder, not the table
        grade(dist, tmp_path / "in", tmp_path / "in.csv")


@linux
def test_submissions_do_not_lie_where_each_can_read_the_others(dist, tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path / "home"))
    hand_in(tmp_path / "home" / "in" / "ann.ipynb", RIGHT)
    with pytest.raises(FacelabError, match="which submissions can read"):
        grade(dist, tmp_path / "home" / "in", tmp_path / "grades.csv")


def test_a_table_of_the_instructors_own_is_not_replaced(dist, tmp_path):
    hand_in(tmp_path / "in" / "ann.ipynb", RIGHT)
    (tmp_path / "grades.csv").write_text("mine")
    with pytest.raises(FacelabError, match="facelab did not make it"):
        grade(dist, tmp_path / "in", tmp_path / "grades.csv")
    assert (tmp_path / "grades.csv").read_text() == "mine"


def test_a_folder_of_several_assignments_is_said(dist):
    with pytest.raises(FacelabError, match="give one of its folders: small"):
        find_source(dist.parent)


LAYOUTS = {
    "ann.ipynb": ("ann", ""),
    "ben/homework.ipynb": ("ben", ""),
    "Cho Lee_123456_assignsubmission_file_/a.ipynb": ("Cho Lee", "123456"),
    "Dana O_77_assignsubmission_file_a.ipynb": ("Dana O", "77"),
    "Cho Lee_99_assignsubmission_file/a.ipynb": ("Cho Lee", "99"),
    "leeeva_4_901_a.ipynb": ("leeeva", "4"),
    "foxfay_LATE_5_902_a-1.ipynb": ("foxfay", "5"),
}


def test_layouts_of_moodle_and_canvas_are_known(tmp_path):
    for name in LAYOUTS:
        hand_in(tmp_path / name)
    for name in ("ben/.ipynb_checkpoints/homework-checkpoint.ipynb", "__MACOSX/x.ipynb", "._ann.ipynb"):
        hand_in(tmp_path / name)
    (tmp_path / ".DS_Store").write_bytes(b"x")
    found = find_submissions(tmp_path)
    assert {(one.student, one.identity) for one in found} == set(LAYOUTS.values())
    assert len(found) == len(LAYOUTS)
    assert not any(one.reason or one.superseded for one in found)


def test_of_canvas_the_later_number_counts_and_a_stamp_says_when(tmp_path):
    hand_in(tmp_path / "leeeva_4_901_a-1.ipynb", when="2027-03-05T00:00+00:00")
    hand_in(tmp_path / "leeeva_4_1002_a.ipynb", when="2027-03-01T00:00+00:00")
    assert [one.number for one in find_submissions(tmp_path) if not one.superseded] == [1002]
    path = hand_in(tmp_path / "ann" / "a.ipynb")
    (path.parent / "timestamp.txt").write_text("2026-01-02 03:04:05.6 UTC")
    (ann,) = (one for one in find_submissions(tmp_path) if one.student == "ann")
    assert ann.submitted.astimezone(UTC).isoformat().startswith("2026-01-02T03:04:05")


def test_a_file_that_can_be_read_counts_before_one_that_cannot(tmp_path):
    hand_in(tmp_path / "ann.ipynb", when="2027-01-01T00:00+00:00")
    (tmp_path / "ann").mkdir()
    found = {one.superseded: one.path.name for one in find_submissions(tmp_path)}
    assert found == {True: "ann", False: "ann.ipynb"}


def test_sources_of_every_form_are_read(tmp_path):
    path = hand_in(tmp_path / "ann.ipynb", "x = 1\ny = 2")
    held = json.loads(path.read_text())
    held["cells"][2]["source"] = ["x = 1\n", "y = 2"]
    held["cells"] += [{"cell_type": "code", "source": 3}, {"cell_type": "raw", "source": "z"}]
    path.write_text(json.dumps(held), encoding="utf-8-sig")
    assert code_cells(path) == [*GIVEN, "x = 1\ny = 2", ""]
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)
    with pytest.raises(FacelabError, match="bytes, more than"):
        code_cells(path)


def test_code_that_is_too_long_to_be_read_here_is_refused(tmp_path):
    path = hand_in(tmp_path / "ann.ipynb", f"x = [{'a,' * 300_000}]")
    with pytest.raises(FacelabError, match="at most 500,000"):
        code_cells(path)


def test_names_stay_in_their_folder_and_apart():
    names = safe_names(["../../etc/x", "a/b", "a\\b", "A_B", "", "..", "é", "e\u0301", "n" * 300, "=1+1", "CON\n"])
    assert len({name.casefold() for name in names.values()}) == len(names)
    for name in names.values():
        assert Path(name).name == name
        assert not name.startswith(".")
        assert len(name) < 100
        assert "\n" not in name


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-1", "@SUM(1)", "\t=1", " =1", "\r\n=1"])
def test_no_cell_of_the_table_is_a_formula(text):
    assert csv_cell(text)[0] == "'"
    assert csv_cell("ann = 1") == "ann = 1"
    assert "\n" not in csv_cell("a\nb")
    assert csv_cell(-1) == "-1"


@linux
def test_the_command_says_what_came(dist, tmp_path, capsys, monkeypatch):
    from facelab.cli import app

    monkeypatch.setattr(sandbox, "LAYERS", ("landlock",))
    folder = tmp_path / "in"
    hand_in(folder / "ann.ipynb", RIGHT)
    (folder / "ben.ipynb").write_text("{}")
    with pytest.raises(SystemExit) as end:
        app(["coursework", "grade", str(dist), str(folder), "--out", str(tmp_path / "o" / "grades.csv")])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "90 ann: ok" in said
    assert "0 ben: unreadable (" in said
    assert "2 submissions graded" in said
    with pytest.raises(SystemExit):
        app(["coursework", "grade", str(dist), str(folder), "--late", "5"])
    assert "needs a --deadline" in capsys.readouterr().err


def test_without_a_sandbox_it_must_be_asked_for(dist, tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox, "probe", lambda layer: "it does not start")
    hand_in(tmp_path / "in" / "ann.ipynb", RIGHT)
    with pytest.raises(FacelabError, match="--no-sandbox"):
        grade(dist, tmp_path / "in", tmp_path / "grades.csv")
    if sys.platform == "linux":
        grades = grade(dist, tmp_path / "in", tmp_path / "grades.csv", sandbox=False)
        assert (grades.layer, grades.rows[0].total) == (sandbox.NO_SANDBOX, 90)
        assert "without a sandbox" in grades.summary.read_text()


def test_marks_come_back_as_they_were():
    answer = grading.Answer("q1", 3, results=(grading.Result("a", 1, 2, "m"), grading.Result("b", 0.1, 1)))
    mark = grading.Mark("crash", "r", (answer,), ((3, "E"),), "p")
    assert grading.Mark.of(json.loads(json.dumps(grading.asdict(mark)))) == mark
    assert mark.points == 1.1
