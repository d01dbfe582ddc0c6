"""A study that is killed with its processes in the middle of their runs goes on, and finds the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plans import ALIGNMENT

from facelab.study.folder import StudyFolder
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.runner import run_plan

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "tiny.toml"
    path.write_text(ALIGNMENT)
    return path


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds child processes in /proc")
def test_killed_and_gone_on_with_gives_the_same_table(plan, tmp_path):
    straight = run_plan(Plan.load(plan), tmp_path / "straight", device="cpu")
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "facelab", "study", "run", str(plan), "--out", str(out), "--jobs", "2"]
    process = subprocess.Popen([*command, "--device", "cpu"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: len(list(out.glob("runs/orl-*-*.json"))) >= 1)  # in the middle of the trainings
        children = [int(n) for n in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    until(lambda: not any(alive(child) for child in children))  # nothing works on where nobody waits for it
    assert len(children) >= 2

    killed = StudyFolder(straight.plan, out)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("runs/*.json")}
    assert 2 <= len(kept) < len(killed.runs)
    run_plan(killed.plan, out, device="cpu")
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert make_report(killed).values == make_report(straight).values
    assert not any((out / "scratch").iterdir())


def until(condition, seconds: float = 1800) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
