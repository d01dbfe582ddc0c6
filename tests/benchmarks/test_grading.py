"""Twenty submissions of assignment 3 on two cores: ``pytest --benchmark-only tests/benchmarks/test_grading.py``.

The aim is 10 minutes. No peer is timed beside it: otter-grader 7.0 took 24 to 36 s for one small submission where this
was designed, and closes nothing.
"""

import json
import shutil
from pathlib import Path

import pytest

import facelab
from facelab.coursework.grading import grade
from facelab.coursework.source import Assignment

SOURCE = Path(facelab.__file__).parents[1] / "notebooks" / "coursework" / "3_softmax_to_arcface.ipynb"


@pytest.mark.benchmark(group="grading")
def test_twenty_submissions(benchmark, tmp_path):
    assignment = Assignment.load(SOURCE)
    grader, folder = tmp_path / "dist" / "grader", tmp_path / "in"
    grader.mkdir(parents=True)
    folder.mkdir()
    shutil.copy(SOURCE, grader)
    for number in range(20):  # no two alike: each takes other variants
        chosen = [
            (question.name, question.variants[(number + place) % len(question.variants)].code)
            for place, question in enumerate(assignment.questions)
            if question.variants
        ]
        cells = [*assignment.cells({name: [code] for name, code in chosen}), f"number = {number}"]
        held = [
            {"cell_type": "code", "source": cell, "metadata": {}, "outputs": [], "execution_count": None}
            for cell in cells
        ]
        notebook = {"cells": held, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        (folder / f"student {number}.ipynb").write_text(json.dumps(notebook))
    grades = benchmark.pedantic(
        grade, (tmp_path / "dist", folder, tmp_path / "out" / "grades.csv"), {"jobs": 2}, rounds=1, iterations=1
    )
    assert all(row.status == "ok" for row in grades.rows)
