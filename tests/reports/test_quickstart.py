"""The main job: the command that the README names first. Its networks are smaller than a reader's and see smaller
pictures; chapter 00 trains a real one."""

import functools
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from facelab.errors import FacelabError
from facelab.files import RECORD, claim
from facelab.reports import run_quickstart

pytestmark = pytest.mark.slow

SHORT = """
from facelab.__main__ import main
from facelab.reports import quickstart
quickstart.SHARED |= {"backbone": "resnet18", "size": 32, "epochs": 16}
"""
# Detection is over soon, and training is not.
FEW = """
photographs = quickstart.load_orl().select(range(80))
quickstart.load_orl, quickstart.UNSEEN_IDENTITIES = lambda: photographs, 2
quickstart.SHARED["epochs"] = 1000
"""


def command(folder: Path, changes: str = SHORT) -> list[str]:
    return [sys.executable, "-c", f"{changes}\nmain()", "quickstart", "--out", str(folder)]


def run(folder: Path) -> str:
    result = subprocess.run(command(folder), capture_output=True, text=True, timeout=1500)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "quickstart"
    table = run(folder)
    for word in ("rendered faces alone", "cross entropy", "ArcFace", "raw pixels", "AUC", "EER", "report.html"):
        assert word in table
    return folder


@pytest.fixture(scope="module")
def results(folder) -> dict:
    return json.loads((folder / "results.json").read_text())


@pytest.mark.parametrize("model", ["cross_entropy", "arcface"])
def test_both_models_learn_to_name_and_to_verify(results, model):
    measured = results["models"][model]
    estimates = {"closed_set_accuracy": measured["closed_set_accuracy"], **measured["verification"]}
    assert set(estimates) == {"closed_set_accuracy", "auc", "eer", "tar_at_far_0.01"}
    for estimate in estimates.values():
        assert set(estimate) == {"value", "low", "high", "n", "identities"}
        assert 0 <= estimate["low"] <= estimate["value"] <= estimate["high"] <= 1
    assert estimates["closed_set_accuracy"]["value"] > 0.7
    assert estimates["closed_set_accuracy"]["n"] == 90
    assert estimates["auc"]["value"] > results["baselines"]["pixels"]["verification"]["auc"]["value"]
    assert estimates["auc"]["n"] == 100 * 99 // 2
    ready = results["baselines"]["synthfaces-arcface"]["verification"]["auc"]
    assert ready["value"] > 0.9  # no photograph was needed
    assert estimates["tar_at_far_0.01"]["n"] == 10 * 45


def test_results_say_how_they_were_made(results):
    data = results["data"]
    assert (data["photographs"], data["faces_found"], data["default_crops"]) == (400, 400, 0)
    assert (data["closed_set_identities"], data["train_images"], data["test_images"]) == (30, 210, 90)
    assert data["unseen_identities"] == 10
    assert results["seed"] == 0
    assert results["seconds"] > 0
    assert {"python", "torch", "facelab"} <= set(results["versions"])
    recipes = [model["recipe"] for model in results["models"].values()]
    assert [{**recipe, "loss": None} for recipe in recipes[:1]] == [{**recipe, "loss": None} for recipe in recipes[1:]]


def test_report_is_one_page_with_its_figures_inside(folder):
    html = (folder / "report.html").read_text()
    figures = list((folder / "figures").glob("*.png"))
    assert {figure.stem for figure in figures} == {"chips", "training", "scores", "roc", "projection"}
    assert all(0 < figure.stat().st_size < 400_000 for figure in figures)
    assert html.count('<img src="data:image/svg+xml;base64,') == len(figures)
    assert len(re.findall(r'alt="[^"]{20,}"', html)) == len(figures)
    assert not re.findall(r'(?:src|href)="http', html)
    assert "AT&amp;T Laboratories Cambridge" in html


def test_a_second_run_trains_nothing_and_agrees(folder, results):
    files = [path for path in (folder / "checkpoints").iterdir() if path.name != RECORD]
    checkpoints = {path: path.stat().st_mtime_ns for path in files}
    assert [path.suffix for path in sorted(checkpoints)] == [".csv", ".pt"] * 2
    run(folder)
    assert {path: path.stat().st_mtime_ns for path in checkpoints} == checkpoints
    again = json.loads((folder / "results.json").read_text())
    assert again["models"] == results["models"]


def test_ctrl_c_leaves_no_half_written_file(tmp_path):
    log = tmp_path / "log.txt"
    # A shell starts what it sends to the background deaf to Ctrl-C, and the tests may have been started so.
    hears = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    few = command(tmp_path / "q", SHORT + FEW)
    with log.open("w") as stderr, subprocess.Popen(few, stderr=stderr, preexec_fn=hears) as process:
        deadline = time.monotonic() + 300
        while "80/80" not in log.read_text() and time.monotonic() < deadline:  # detection has ended, training begins
            assert process.poll() is None
            time.sleep(0.1)
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    assert "interrupted. What was finished is kept" in log.read_text()
    assert "Traceback" not in log.read_text()
    assert not [path for path in (tmp_path / "q").rglob("*") if path.name.startswith(".") and path.name != RECORD]


class Stop(Exception):
    pass


@pytest.fixture
def started(monkeypatch):
    """Run the command's function until the real work would begin."""

    def stop(*args, **kwargs):
        raise Stop

    monkeypatch.setattr("facelab.reports.quickstart.load_orl", stop)
    return functools.partial(run_quickstart, fresh=True)


def test_fresh_forgets_what_facelab_made_and_nothing_else(tmp_path, started):
    ours = ("checkpoints/arcface-seed0.pt", "checkpoints/arcface-seed1.pt", "results.json", "figures/roc.png")
    theirs = ("notes.txt", "checkpoints/best.pt", "figures/mine.png")
    for name in (*ours, *theirs):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("old")
    claim(tmp_path, ["results.json", "figures/roc.png"], known=lambda path: True)
    claim(tmp_path / "checkpoints", ["arcface-seed0.pt", "arcface-seed1.pt"], known=lambda path: True)
    with pytest.raises(Stop):
        started(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {*theirs, RECORD, f"checkpoints/{RECORD}"}


@pytest.mark.parametrize("name", ["report.html", "results.json", "figures/chips.png", "checkpoints/arcface-seed0.pt"])
def test_the_users_own_file_is_an_error_and_stays(tmp_path, started, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    with pytest.raises(FacelabError, match="is there already, and facelab did not make it"):
        started(tmp_path)
    assert (tmp_path / name).read_text() == "mine"
