"""Runs of a plan: kept one by one, gone on with, never mixed; beside each other or one after another."""

import json
import shutil

import numpy as np
import pytest
import torch
from counting import counting

from facelab.errors import FacelabError
from facelab.study.folder import StudyFolder, differences
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan, seconds_left

pytestmark = pytest.mark.slow

SEEDS = range(4)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A folder in which all runs are done."""
    return run_plan(counting(*SEEDS), tmp_path_factory.mktemp("done"))


@pytest.fixture
def folder(done, tmp_path):
    """A copy of it, to be harmed."""
    shutil.copytree(done.path, tmp_path / "study")
    return StudyFolder(done.plan, tmp_path / "study")


def names(folder: StudyFolder, state: str) -> list[str]:
    return [name for name, found in folder.states().items() if found.name == state]


def test_runs_get_what_they_need_and_are_kept_as_they_were_found(done):
    numbers = [np.random.default_rng(seed).normal(size=5) for seed in SEEDS]
    assert done.outcome("add").values["sum"] == pytest.approx(np.sum(numbers))
    for seed in SEEDS:
        np.testing.assert_array_equal(done.outcome(f"draw-{seed}").arrays["numbers"], numbers[seed])
    record = json.loads((done.path / "runs" / "draw-2.json").read_text())
    assert record["settings"]["seed"] == 2
    assert record["torch"] == torch.__version__
    assert record["device"].startswith("cpu" if not torch.cuda.is_available() else "cuda")
    assert not list((done.path / "scratch").iterdir())


def test_two_jobs_find_the_same_as_one(done, tmp_path):
    beside = run_plan(counting(*SEEDS, threads=3), tmp_path, jobs=2)
    assert make_report(beside).values == make_report(done).values
    assert {beside.outcome(f"draw-{seed}").values["threads"] for seed in SEEDS} == {3}  # the plan's, in each process


def test_what_is_done_is_not_done_again(folder):
    before = {path: path.stat().st_mtime_ns for path in (folder.path / "runs").iterdir()}
    (folder.path / "runs" / "draw-3.json").unlink()
    said = []
    run_plan(folder.plan, folder.path, tell=said.append)
    again = {path.name for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert again == {"draw-3.json", "draw-3.npz"}
    assert len(said) == 1
    assert "5 of 5" in said[0]


@pytest.mark.parametrize("harm", ["cut", "garbage", "field", "no arrays", "other arrays"])
def test_a_damaged_run_is_named_and_done_again(folder, harm):
    before = make_report(folder).values
    path = folder.path / "runs" / "draw-1.json"
    arrays = path.with_suffix(".npz")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-20])
    elif harm == "garbage":
        path.write_bytes(b"\xff\x00\xfe")
    elif harm == "field":
        path.write_text('{"seconds": 1}')
    elif harm == "no arrays":
        arrays.unlink()
    else:
        shutil.copy(folder.path / "runs" / "draw-2.npz", arrays)
    assert names(folder, "damaged") == ["draw-1"]
    with pytest.raises(FacelabError, match=r"1 of 5 runs are not done.*draw-1"):
        make_report(folder)
    said = []
    run_plan(folder.plan, folder.path, tell=said.append)
    assert "draw-1" in said[0]
    assert "run again" in said[0]
    assert make_report(folder).values == before


def test_a_changed_plan_does_not_mix_with_old_runs(folder):
    other = counting(*SEEDS, sleep=0.001)
    message = r"draw-0 was made with sleep = 0.0, the plan counting now says 0.001.*choose another --out, or delete"
    for act in (lambda: run_plan(other, folder.path), lambda: make_report(StudyFolder(other, folder.path))):
        with pytest.raises(FacelabError, match=message):
            act()
    assert make_report(folder).values  # the old ones are unharmed


def test_more_runs_and_another_way_to_count_them_need_no_run_again(folder):
    longer = counting(*SEEDS, 4, factor=2.0)
    with pytest.raises(FacelabError, match=r"the run add was made with needs"):  # it adds up what all drew
        run_plan(longer, folder.path)
    (folder.path / "runs" / "add.json").unlink()
    said = []
    run_plan(longer, folder.path, tell=said.append)
    assert [line.split(":")[0] for line in said] == ["draw-4", "add"]
    total = sum(np.random.default_rng(seed).normal(size=5).sum() for seed in range(5))
    assert make_report(StudyFolder(longer, folder.path)).values["sum"] == pytest.approx(2 * total)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_that_fails_is_told_and_the_others_go_on(tmp_path, jobs):
    fail = {1: "error", 2: "bug"} if jobs == 1 else {1: "error", 2: "bug", 3: "death"}
    said = []
    folder = run_plan(counting(*SEEDS, fail=fail), tmp_path, jobs=jobs, tell=said.append)
    assert names(folder, "failed") == [f"draw-{seed}" for seed in fail]
    assert names(folder, "to do") == ["add"]  # it needs them
    assert "draw-1 failed: seed 1 is out of luck; choose another." in said
    assert "draw-2 failed: ZeroDivisionError: division by zero" in said
    if jobs == 2:
        assert any("draw-3 failed" in line and "exit code 9" in line for line in said)
    with pytest.raises(FacelabError, match="are not done"):
        make_report(folder)
    mended = run_plan(counting(*SEEDS), tmp_path, jobs=jobs)
    assert names(mended, "done") == list(mended.runs)


def test_no_run_is_started_that_would_not_end_in_time(tmp_path):
    plan = counting(*SEEDS, sleep=0.3)
    assert not names(run_plan(plan, tmp_path, minutes=0), "done")
    first = run_plan(plan, tmp_path, minutes=0.2 / 60)  # nothing tells yet how long a run takes
    assert names(first, "done") == ["draw-0"]
    assert names(run_plan(plan, tmp_path, minutes=0.2 / 60), "done") == ["draw-0"]
    seconds, untold = seconds_left(first)
    assert seconds == pytest.approx(3 * first.state("draw-0").record.seconds)
    assert untold == 1  # nothing has been added up yet
    assert names(run_plan(plan, tmp_path, minutes=1), "done") == list(plan.settings.runs())


def test_every_run_has_the_threads_of_the_plan(tmp_path):
    before = torch.get_num_threads()
    assert run_plan(counting(0, threads=3), tmp_path).outcome("draw-0").values["threads"] == 3
    assert torch.get_num_threads() == before


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    for jobs in (1, 2):
        with pytest.raises(FacelabError, match="cannot write"):
            run_plan(counting(0, fail={0: "error"}), tmp_path / "file" / "study", jobs=jobs)


def test_differences_name_the_field():
    old = {"a": {"b": [1, 2], "c": float("nan")}, "gone": 1}
    new = {"a": {"b": [1, 3], "c": float("nan")}, "new": 2}
    assert list(differences(old, new)) == [
        ("a.b", [1, 2], [1, 3]), ("gone", 1, "nothing"), ("new", "nothing", 2)
    ]  # fmt: skip
    assert not list(differences(old, old))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('name = "a"\ntitle = "t"\nexperiment = "x"', r"experiment = 'x': give one of coverage, alignment, costs"),
        ('name = "a"\ntitle = "t"\nexperiment = "detection"\n[settings]\niuo = 3', r"\[settings\]: iuo = 3"),
        ('name = "A b"\ntitle = "t"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcnn"]\n'
         "photographs = { photographs = 2 }", r"name: 'A b' is to name files"),
        ('name = "a"\ntitle = "t"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcn"]\n'
         "photographs = { photographs = 2 }", r"detectors.0 = 'mtcn'"),
        ('name = "a"\ntitle = "t"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcnn"]\n'
         "photographs = { photographs = 2 }\n[[changes]]\ndate = 2026-11-26", r"changes.0.reason"),
        ('name = "a"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcnn"]\n'
         "photographs = { photographs = 2 }", "plan.toml: title is missing"),
        ('name = "a"\ntitle = "t"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcnn"]\n'
         "photographs = { photograph = 2 }", r"photographs.photograph = 2: unexpected"),
        ("name = ", "not valid TOML"),
    ],
)  # fmt: skip
def test_a_wrong_plan_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(FacelabError, match=message) as error:
        Plan.load(path)
    assert len(str(error.value).splitlines()) == 1
    with pytest.raises(FacelabError, match=r"cannot read .*one of: alignment"):
        Plan.load(tmp_path / "absent.toml")


def test_a_change_has_date_and_reason(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(
        'name = "a"\ntitle = "t"\nexperiment = "detection"\n[settings]\ndetectors = ["mtcnn"]\n'
        'photographs = { photographs = 2 }\n[[changes]]\ndate = 2026-11-26\nreason = "seed 4 was the pilot\'s"\n'
    )
    (change,) = Plan.load(path).changes
    assert f"{change.date}: {change.reason}" == "2026-11-26: seed 4 was the pilot's"
