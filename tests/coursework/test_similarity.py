"""Similar submissions: what a disguise changes does not count, what everybody wrote counts nothing, nothing crashes."""

import csv
import json
import math

import pytest

from facelab.cli import app
from facelab.coursework.similarity import COLUMNS, SOLUTION, compare, rarity, words, write
from facelab.errors import FacelabError

STUB = ["import numpy as np", "def iou(a, b):\n    ...", "def nms(boxes, scores, limit):\n    ..."]
IOU = """def iou(a, b):
    left, top = max(a[0], b[0]), max(a[1], b[1])
    right, bottom = min(a[2], b[2]), min(a[3], b[3])
    inter = max(right - left, 0) * max(bottom - top, 0)
    area_a = (a[2] - a[0]) * (a[3] - a[1])
    area_b = (b[2] - b[0]) * (b[3] - b[1])
    return inter / (area_a + area_b - inter)
"""
NMS = """def nms(boxes, scores, limit):
    order = list(np.argsort(-scores))
    kept = []
    while order:
        best = order.pop(0)
        kept.append(best)
        order = [other for other in order if iou(boxes[best], boxes[other]) <= limit]
    return kept
"""
ARRAYS = """def iou(a, b):
    lower = np.maximum(a[:2], b[:2])
    upper = np.minimum(a[2:], b[2:])
    common = np.prod(np.clip(upper - lower, 0, None))
    return common / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - common)
"""
SORTED = """def nms(boxes, scores, limit):
    picked = []
    for i in sorted(range(len(scores)), key=lambda i: -scores[i]):
        if all(iou(boxes[i], boxes[j]) <= limit for j in picked):
            picked.append(i)
    return picked
"""


def disguised(source):
    """New names, comments, docstrings, other layout, numbers and texts: what a copier changes without thinking."""
    for old, new in {"order": "rest", "kept": "k", "best": "top1", "inter": "q", "left": "x1", "area_a": "u"}.items():
        source = source.replace(old, new)
    head, body = source.split("\n", 1)
    body = body.replace(", ", " ,  ").replace("\n", "  # mine\n\n")
    return f'{head}\n    """My own: {{word}}."""\n{body}'


@pytest.fixture
def room(tmp_path):
    """A function that writes a notebook of code cells into a folder."""

    def notebook(path, *cells):
        path = tmp_path / path
        path.parent.mkdir(parents=True, exist_ok=True)
        kinds = ["raw" if cell.startswith(("# BEGIN", "# END")) else "code" for cell in cells]
        entries = [
            {"cell_type": kind, "metadata": {}, "source": cell, "outputs": []}
            for kind, cell in zip(kinds, cells, strict=True)
        ]
        path.write_text(json.dumps({"cells": entries, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return path

    notebook("dist/student/boxes.ipynb", *STUB)
    return notebook


def seen(tmp_path):
    comparison = compare(tmp_path / "dist", tmp_path / "handed")
    return comparison, {frozenset((pair.first.name, pair.second.name)): pair for pair in comparison.pairs}


def test_a_disguised_copy_is_found_and_an_independent_solution_is_not(room, tmp_path):
    room("handed/ana.ipynb", STUB[0], IOU, NMS)
    room("handed/bob.ipynb", STUB[0], "# a cell more", disguised(NMS), disguised(IOU))
    room("handed/cho.ipynb", STUB[0], ARRAYS, SORTED)
    comparison, pairs = seen(tmp_path)
    assert pairs[frozenset(("ana", "bob"))].similarity == pytest.approx(1)
    assert pairs[frozenset(("ana", "cho"))].similarity < 0.1
    assert comparison.pairs[0] is pairs[frozenset(("ana", "bob"))]
    passages = comparison.passages(comparison.pairs[0])
    lines = {comparison.codes[0].lines[number][2].strip() for one in passages for number in one.first}
    assert lines == {line.strip() for line in (IOU + NMS).splitlines()}
    for one in passages:  # beside each other stands the same
        beside = comparison.codes[1].lines[one.second.start][2]
        assert beside.split("(")[0] == comparison.codes[0].lines[one.first.start][2].split("(")[0]


def test_one_copied_question_is_a_part_of_both(room, tmp_path):
    room("handed/ana.ipynb", IOU, NMS)
    room("handed/bob.ipynb", ARRAYS, NMS)
    comparison, pairs = seen(tmp_path)
    (pair,) = pairs.values()
    assert 0.3 < pair.of_first < 0.7
    assert 0.3 < pair.of_second < 0.7
    (passage,) = comparison.passages(pair)
    assert pair.first.lines[passage.first.start][2].startswith("def nms")


def test_what_was_given_and_what_everybody_wrote_counts_nothing(room, tmp_path):
    for name in "abcdef":
        room(f"handed/{name}.ipynb", *STUB, IOU, "def f(x):\n" + f"    x = x.{name}(1)\n" * 12)
    comparison, _ = seen(tmp_path)
    assert all(pair.shared == pytest.approx(0) and not comparison.passages(pair) for pair in comparison.pairs)


def test_untouched_notebooks_are_no_pair(room, tmp_path):
    for name in "ab":
        room(f"handed/{name}.ipynb", *STUB)
    comparison, pairs = seen(tmp_path)
    assert [bool(pair.note) for pair in pairs.values()] == [True]
    assert not comparison.passages(comparison.pairs[0])


def test_rarity_is_one_for_nobody_zero_for_everybody_and_falls():
    values = [rarity(wrote, 19) for wrote in range(20)]
    assert values[0] == 1
    assert values[19] == 0
    assert values == sorted(values, reverse=True)
    assert values[4] == pytest.approx(1 - math.log(5) / math.log(20))
    assert rarity(0, 0) == 1  # two students: nobody is there to ask


def test_similarity_is_the_definition_written_out(room, tmp_path):
    """Against a loop over all pieces that asks each of the others."""
    texts = {"a": IOU + NMS, "b": ARRAYS + NMS, "c": IOU + SORTED, "d": NMS + ARRAYS + "x = [i for i in range(len(y))]"}
    for name, text in texts.items():
        room(f"handed/{name}.ipynb", text)
    comparison, pairs = seen(tmp_path)
    own = {code.name: set(code.pieces) - comparison.given for code in comparison.codes}
    for (one, two), pair in ((sorted(names), pair) for names, pair in pairs.items()):
        others = [own[name] for name in own if name not in (one, two)]
        count = {piece: rarity(sum(piece in o for o in others), len(others)) for piece in own[one] | own[two]}
        shared = sum(count[piece] for piece in own[one] & own[two])
        dice = 2 * shared / (sum(count[p] for p in own[one]) + sum(count[p] for p in own[two]))
        assert pair.similarity == pytest.approx(dice)


def test_the_reference_solution_takes_part_and_is_no_student(room, tmp_path):
    answer = ["# BEGIN SOLUTION", IOU, NMS, "# END SOLUTION", "# BEGIN GRADING", SORTED + ARRAYS, "# END GRADING"]
    room("dist/grader/boxes.ipynb", *STUB[:1], "# BEGIN QUESTION\nname: q1", *answer, "# END QUESTION")
    room("handed/ana.ipynb", disguised(IOU), disguised(NMS))
    room("handed/cho.ipynb", ARRAYS, SORTED)
    comparison, pairs = seen(tmp_path)
    assert pairs[frozenset(("ana", SOLUTION))].similarity == pytest.approx(1)
    assert pairs[frozenset(("cho", SOLUTION))].similarity < 0.1
    ana, cho, _ = map(comparison.own, comparison.codes)
    assert {comparison.wrote[piece] for piece in ana - cho} == {1}


def test_the_name_of_an_import_does_not_count():
    one = [word for word, _ in words(["import numpy as np", "y = np.exp(x)"])]
    two = [word for word, _ in words(["import numpy as hidden", "z = hidden.exp(w)"])]
    assert one[-8:] == two[-8:] == ["N", "=", "numpy", ".", "exp", "(", "N", ")"]


HOSTILE = {
    "text": b"hello",
    "empty": b"",
    "deep": b"[" * 200_000,
    "binary": bytes(range(256)) * 10,
    "list": b"[1, 2]",
    "cells": b'{"cells": {"a": 1}}',
    "odd": b'{"cells": [7, null, {"cell_type": "code", "source": {"a": 1}}, {"cell_type": "code", "source": [1]}]}',
    "huge": json.dumps({"cells": [{"cell_type": "code", "source": "x = 1\n" * 40_000}]}).encode(),
    "nest": json.dumps({"cells": [{"cell_type": "code", "source": "(" * 9_000 + "f(" * 900}]}).encode(),
    "blank": json.dumps({"cells": [{"cell_type": "code", "source": "\n" * 90_000 + " " * 90_000}]}).encode(),
    "quotes": json.dumps({"cells": [{"cell_type": "code", "source": '"""\n' * 9000 + "f'{" * 3000}]}).encode(),
    "same": json.dumps({"cells": [{"cell_type": "code", "source": "x = f(1, 2) + 3\n" * 800}]}).encode(),
    "same2": json.dumps({"cells": [{"cell_type": "code", "source": "y = f(1, 2) + 3\n" * 800}]}).encode(),
    "lone": b'{"cells": [{"cell_type": "code", "source": "\\ud800 = 1 + f(x, y)[z] * \\ud800"}]}',
    "=cmd": json.dumps({"cells": [{"cell_type": "code", "source": "def f(:\n" + IOU}]}).encode(),
    "<img src=x onerror=alert(1)>": json.dumps(
        {"cells": [{"cell_type": "code", "source": "# </pre><script>alert(1)</script>\u202e\0\n" + IOU}]}
    ).encode(),
}


def test_hostile_submissions_are_rows_and_run_nothing(room, tmp_path):
    room("handed/ana.ipynb", IOU, NMS)
    for name, content in HOSTILE.items():
        (tmp_path / "handed" / f"{name}.ipynb").write_bytes(content)
    marker = tmp_path / "executed"
    room("handed/runs.ipynb", f"open({str(marker)!r}, 'w')", IOU)
    comparison, pairs = seen(tmp_path)
    table = write(comparison, tmp_path / "out" / "similar.html")
    assert not marker.exists()
    page = (tmp_path / "out" / "similar.html").read_text("utf8")
    assert "<script" not in page
    assert "<img" not in page
    assert "\u202e" not in page
    assert "\0" not in page
    with table.open(newline="", encoding="utf8") as file:
        head, *rows = csv.reader(file)
    assert tuple(head) == COLUMNS
    assert {name for row in rows for name in row[:2]} == {"'=cmd", "ana", "runs", "", *HOSTILE} - {"=cmd"}
    assert {code.name for code in comparison.codes if not code.note} >= {"ana", "runs", "nest", "same", "lone", "=cmd"}
    assert pairs[frozenset(("ana", "=cmd"))].similarity > 0.2  # code with a mistake in it is compared all the same


def test_wrong_folders_are_one_clear_line(room, tmp_path):
    (tmp_path / "none").mkdir()
    with pytest.raises(FacelabError, match=r"holds no student/\*.ipynb"):
        compare(tmp_path / "none", tmp_path)
    with pytest.raises(FacelabError, match="holds no submission"):
        compare(tmp_path / "dist", tmp_path / "none")


def test_the_command_writes_the_page_and_keeps_files_of_others(room, tmp_path, capsys):
    room("handed/ana.ipynb", IOU, NMS)
    room("handed/bob.ipynb", disguised(IOU), disguised(NMS))
    arguments = ["coursework", "similar", str(tmp_path / "dist"), str(tmp_path / "handed")]
    with pytest.raises(SystemExit) as stopped:
        app([*arguments, "--out", str(tmp_path / "out" / "s.html")])
    assert stopped.value.code == 0
    assert "100 %  ana and bob" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "out").glob("s.*")} == {"s.html", "s.csv"}
    with pytest.raises(SystemExit) as stopped:
        app([*arguments, "--out", str(tmp_path / "handed" / "s.html")])
    assert stopped.value.code == 2
    assert "would lie among the submissions" in capsys.readouterr().err
    (tmp_path / "mine.csv").write_text("mine")
    with pytest.raises(SystemExit) as stopped:
        app([*arguments, "--out", str(tmp_path / "mine.html")])
    assert stopped.value.code == 2
    assert "facelab did not make it" in capsys.readouterr().err


def test_a_student_who_is_called_like_the_solution_is_a_student(room, tmp_path):
    room("dist/grader/boxes.ipynb", "# BEGIN SOLUTION", IOU, NMS, "# END SOLUTION")
    room(f"handed/{SOLUTION}.ipynb", ARRAYS, SORTED)
    comparison = compare(tmp_path / "dist", tmp_path / "handed")
    assert [code.student for code in comparison.codes] == [True, False]
    assert len(comparison.wrote) == len(comparison.own(comparison.codes[0]))
    assert comparison.pairs[0].similarity < 0.1


def test_of_one_student_the_last_notebook_counts(room, tmp_path):
    room("handed/Ann Lee_7_assignsubmission_file_/first.ipynb", IOU, NMS)
    room("handed/lee_1234_1_x.ipynb", IOU, NMS)
    room("handed/lee_1234_2_x.ipynb", ARRAYS, SORTED)
    comparison = compare(tmp_path / "dist", tmp_path / "handed")
    assert [code.name for code in comparison.codes] == ["Ann Lee 7", "lee 1234"]
    assert comparison.pairs[0].similarity < 0.1
