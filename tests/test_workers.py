"""Worker processes end with their parent, and a killed one is said."""

import os
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from facelab.errors import FacelabError, ImageError
from facelab.workers import check_workers, deaths_said

PARENT = """
import multiprocessing, os, time
from facelab.workers import serve
def work(parent):
    serve(parent)
    print(os.getpid(), flush=True)
    time.sleep(600)
if __name__ == "__main__":
    multiprocessing.get_context("fork").Process(target=work, args=(os.getpid(),)).start()
    time.sleep(600)
"""


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="looks for processes in /proc")
def test_a_worker_does_not_outlive_a_parent_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    end = time.monotonic() + 60
    while alive(worker):
        assert time.monotonic() < end
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize(
    "error",
    [
        BrokenProcessPool("A process in the process pool was terminated abruptly"),
        RuntimeError("DataLoader worker (pid 123) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 1, 2) exited unexpectedly"),
    ],
)
def test_a_killed_worker_is_said_with_the_likely_cause(error):
    with pytest.raises(FacelabError, match="a worker process was killed; is there enough memory"), deaths_said():
        raise error


def test_what_a_worker_says_is_handed_on_and_other_errors_stay():
    text = "Caught ImageError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n  File x\n"
    with pytest.raises(FacelabError, match=r"^a\.png is not a whole image$"), deaths_said():
        raise ImageError(f"{text}facelab.errors.ImageError: a.png is not a whole image\n")
    for error in (RuntimeError("shapes differ"), FacelabError("Check the path.")):
        with pytest.raises(type(error)) as raised, deaths_said():
            raise error
        assert raised.value is error


@pytest.mark.parametrize("number", [-1, 0, 10**6])
def test_a_number_of_workers_that_makes_no_sense_is_refused(number):
    with pytest.raises(FacelabError, match=f"workers={number}: this machine has {os.cpu_count()} cores; give 1 to"):
        check_workers(number)
