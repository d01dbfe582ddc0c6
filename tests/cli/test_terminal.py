"""What a terminal of 80 columns shows: nothing that counts is cut or broken."""

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from facelab import progress
from facelab.cli.quickstart import results_table
from facelab.evaluate import wilson
from facelab.progress import progress_bar
from facelab.reports.page import COLUMNS


@pytest.mark.parametrize(
    ("description", "total", "note"),
    [
        ("train cross_entropy", 4500, "loss 12.35, 1412 images/s"),
        ("detect and align a folder whose name is very long", 123_456, ""),
        ("submissions", 30, "a student whose key is as long as a key can be"),
    ],
)
@pytest.mark.parametrize("columns", ["80", "120"])
def test_a_progress_bar_shows_its_bar_the_count_and_the_time_left(description, total, note, columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr", shown := io.StringIO())
    with progress_bar(description, total) as bar:
        bar.update(total / 2, note)
        bar.update(total / 2, note)
    last = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.getvalue()).strip().splitlines()[-1]
    assert re.search(rf"[━╸╺]{{8,}} +{total}/{total} 0:00:\d\d left 0:00:00", last), last
    assert len(last) <= int(columns)
    assert last.startswith(description[:18])
    assert last.endswith(note) or note[:8] in last


def test_a_notebook_is_told_beside_its_output_and_the_line_goes_also_after_an_error(monkeypatch, capsys):
    said, ended = [], []

    def work(bar):
        bar.update(2, "loss 3.21, 90 images/s")
        raise KeyboardInterrupt

    class Comm:
        def __init__(self, target_name, data):
            assert target_name in (Path(__file__).parents[2] / "book/jupyterlab/facelab.js").read_text("utf8")
            said.append(data)

        def send(self, data):
            said.append(data)

        def close(self):
            ended.append(True)

    monkeypatch.setattr(progress, "_in_kernel", lambda: True)
    monkeypatch.setattr(progress._Notebook, "SECONDS", 0)
    monkeypatch.setattr("comm.create_comm", Comm)
    with pytest.raises(KeyboardInterrupt), progress_bar("train arcface", 8, completed=4) as bar:
        work(bar)
    assert [line["share"] for line in said] == [0.5, 0.75]
    assert said[0]["text"] == "train arcface: 4 of 8"
    assert re.fullmatch(r"train arcface: 6 of 8, loss 3\.21, 90 images/s, 0:00:0\d left", said[1]["text"])
    assert ended == [True]
    assert "".join(capsys.readouterr()) == ""


def test_intervals_of_the_quickstart_stand_on_one_line(monkeypatch):
    estimates = {name: {key: wilson(95, 150) for key in COLUMNS} for name in ("cross_entropy", "arcface")}
    console = Console(width=80, file=(shown := io.StringIO()))
    console.print(results_table(estimates))
    assert shown.getvalue().count(f"{wilson(95, 150)}".partition(" ")[2]) == 8


def test_help_is_asked_for_in_both_ways(capsys):
    from facelab.cli.program import app

    texts = []
    for words in (["-h"], ["--help"], ["train", "-h"], ["train", "--help"]):
        with pytest.raises(SystemExit) as end:
            app(words)
        assert end.value.code == 0
        texts.append(capsys.readouterr().out)
    assert texts[0] == texts[1] != texts[2] == texts[3]
