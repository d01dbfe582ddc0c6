"""Doing the runs of a plan: one after another or beside each other, until all are done or the time is over."""

import multiprocessing
import os
import platform
import shutil
import time
import traceback
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path
from typing import Any

import torch

from facelab.device import resolve_device, threads
from facelab.errors import FacelabError
from facelab.study.experiment import Job, Run
from facelab.study.folder import State, StudyFolder
from facelab.study.plan import Plan
from facelab.workers import check_workers, serve


def run_plan(
    plan: Plan,
    out: Path | str | None = None,
    *,
    jobs: int = 1,
    device: str = "auto",
    minutes: float | None = None,
    tell: Callable[[str], None] = lambda line: None,
    show_progress: bool = False,
) -> StudyFolder:
    """Do the runs that are not done yet: those that never were, that failed, or whose file is damaged.

    Each finished run is kept at once, so that whatever stops this process costs no more than the runs under way.

    Args:
        plan: which runs.
        out: the folder; see :class:`StudyFolder`.
        jobs: so many processes, each with one run at a time. Their number changes no result.
        device: where the runs compute.
        minutes: start no run that would not end in so many; as long as nothing tells how long a run takes, none after.
        tell: is called with a line for each run that ended, and for each damaged file.
        show_progress: let a run show its bars (with one job).

    Raises:
        FacelabError: the folder holds runs of another plan, or files that no study has made, or cannot be written, or
            there is no such device.
    """
    check_workers(jobs, name="jobs")
    if minutes is not None and not minutes >= 0:
        raise FacelabError(f"minutes={minutes}: give 0 or more.")
    folder, where = StudyFolder(plan, out), str(resolve_device(device))
    queue = _Queue(folder, jobs, minutes, tell)
    folder.claim()
    workers = max(1, (os.cpu_count() or 1) // jobs)
    if jobs == 1:
        with threads(plan.threads):
            while name := queue.next():
                queue.ended(name, _do(folder, name, where, workers, show_progress))
    else:
        _beside_each_other(folder, queue, jobs, where, workers)
    return folder


def seconds_left(folder: StudyFolder) -> tuple[float, int]:
    """Return how long the runs that are not done will take, one after another, and how many more nothing tells about.

    A run takes as long as the mean of those of its class that are done.
    """
    states = folder.states()
    seen, todo = _seconds(folder, states), [name for name, state in states.items() if state.name != "done"]
    known = [_mean(seen[type(folder.runs[name])]) for name in todo if type(folder.runs[name]) in seen]
    return sum(known), len(todo) - len(known)


def _seconds(folder: StudyFolder, states: dict[str, State]) -> dict[type[Run], list[float]]:
    """Return how long the runs that are done took, by their class."""
    seen: dict[type[Run], list[float]] = {}
    for name, state in states.items():
        if state.name == "done":
            seen.setdefault(type(folder.runs[name]), []).append(state.done.seconds)
    return seen


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


class _Queue:
    """Which run is next: the first that waits for no other and, as far as is known, will end in time."""

    def __init__(self, folder: StudyFolder, jobs: int, minutes: float | None, tell: Callable[[str], None]):
        self._folder, self._tell = folder, tell
        self._start, self._minutes = time.monotonic(), minutes
        states = folder.states()
        for state in states.values():
            if state.name == "damaged":
                tell(f"{state.note}; it is run again")
        self._done = {name for name, state in states.items() if state.name == "done"}
        self._waiting = [name for name in states if name not in self._done]
        self._seconds = _seconds(folder, states)

    def next(self) -> str | None:
        for name in self._waiting:
            if self._done.issuperset(self._folder.runs[name].needs) and self._in_time(name):
                self._waiting.remove(name)
                return name
        return None

    def ended(self, name: str, error: str | None) -> None:
        if error is not None:
            self._tell(f"{name} failed: {error.splitlines()[-1]}")
            return
        self._done.add(name)
        seconds = self._folder.state(name).done.seconds
        self._seconds.setdefault(type(self._folder.runs[name]), []).append(seconds)
        self._tell(f"{name}: {seconds:.0f} s ({len(self._done)} of {len(self._folder.runs)} done)")

    def _in_time(self, name: str) -> bool:
        if self._minutes is None:
            return True
        expected = _mean(self._seconds.get(type(self._folder.runs[name]), [0.0]))
        return time.monotonic() - self._start + expected < 60 * self._minutes


def _do(folder: StudyFolder, name: str, device: str, workers: int, show_progress: bool = False) -> str | None:
    """Compute a run and keep what it found, or why it failed, which is returned.

    Raises:
        FacelabError: the folder cannot be written.
    """
    run, start = folder.runs[name], time.monotonic()
    needed = {need: folder.outcome(need) for need in run.needs}
    scratch = folder.path / "scratch" / name
    job = Job(device, workers, folder.own_folder(name), scratch, needed, show_progress)
    try:
        outcome, error = run.compute(job), None
    except FacelabError as failure:
        error = str(failure)
    except Exception:  # whatever it is, it belongs to this run; the others go on
        error = traceback.format_exc()
    kept: dict[str, Any] = {"seconds": round(time.monotonic() - start, 3), "device": _in_words(device)}
    if error is None:
        folder.write(name, outcome, **kept)
        shutil.rmtree(scratch, ignore_errors=True)
    else:
        folder.write_failure(name, error, **kept)
    return error


def _in_words(device: str) -> str:
    if device.startswith("cuda"):
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({platform.machine()}, {os.cpu_count()} cores)"


class _Worker:
    """A process that does one run at a time, as long as this process lives."""

    def __init__(self, folder: StudyFolder, device: str, workers: int):
        context = multiprocessing.get_context("spawn")  # a fork would share CUDA and locks with this process
        self.pipe, other = context.Pipe()
        self.process = context.Process(
            target=_work, args=(other, os.getpid(), folder.plan, folder.path, device, workers)
        )
        self.process.start()
        other.close()  # so that the pipe ends with the process

    def stop(self) -> None:
        self.process.kill()
        self.process.join()


def _beside_each_other(folder: StudyFolder, queue: _Queue, jobs: int, device: str, workers: int) -> None:
    idle: list[_Worker] = []
    busy: dict[_Worker, tuple[str, float]] = {}
    try:
        while True:
            while len(busy) < jobs and (name := queue.next()):
                worker = idle.pop() if idle else _Worker(folder, device, workers)
                busy[worker] = name, time.monotonic()
                worker.pipe.send(name)
            if not busy:
                return
            ready = connection.wait([worker.pipe for worker in busy])
            for worker in [worker for worker in busy if worker.pipe in ready]:
                try:
                    answer = worker.pipe.recv()
                    idle.append(worker)
                except (EOFError, OSError):
                    worker.process.join()
                    answer = f"its process ended with exit code {worker.process.exitcode}; is there enough memory?"
                    seconds = time.monotonic() - busy[worker][1]
                    folder.write_failure(busy[worker][0], answer, seconds=seconds, device=_in_words(device))
                if isinstance(answer, FacelabError):
                    raise answer
                queue.ended(busy.pop(worker)[0], answer)
    finally:
        for worker in [*idle, *busy]:
            worker.stop()


def _work(pipe: connection.Connection, parent: int, plan: Plan, out: Path, device: str, workers: int) -> None:
    """Do the runs that the pipe names, and answer with the error of each, or None."""
    serve(parent)
    torch.set_num_threads(plan.threads)
    folder = StudyFolder(plan, out)
    while True:
        try:
            pipe.send(_do(folder, pipe.recv(), device, workers))
        except EOFError:
            return
        except FacelabError as error:
            pipe.send(error)
