"""The worker as the grader meets it, without a sandbox around it: one channel, and whatever the cells do."""

import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from facelab.coursework import worker


class Channel:
    def __init__(self):
        self.ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-B", str(Path(worker.__file__)), str(theirs.fileno())]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdout=subprocess.PIPE)
        self.ours.settimeout(60)

    def tell(self, **message):
        self.ours.sendall(worker.frame({"id": "7", **message}))
        (size,) = struct.unpack(">I", self._read(4))
        reply = json.loads(self._read(size))
        assert reply["id"] == "7"
        return reply["reply"]

    def _read(self, size):
        data = b""
        while len(data) < size:
            part = self.ours.recv(size - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def cell(self, source, skipped=""):
        return self.tell(cell=source, number=1, skipped=skipped)["value"]

    def value(self, name):
        return self.tell(request={"value": name})

    def close(self):
        self.ours.close()
        self.process.stdout.close()
        self.process.wait(10)


@pytest.fixture(scope="module")
def channel():
    channel = Channel()
    yield channel
    channel.close()


def test_cells_share_names_and_a_failing_one_stops_no_other(channel):
    assert channel.cell("a = 1\nb = 1 / 0") == "ZeroDivisionError: division by zero (line 2 of its cell)"
    assert channel.cell("a += 1") == ""
    assert channel.value("a") == {"value": 2}
    assert "ZeroDivisionError" in channel.value("b")["undefined"]


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("exit()", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(BaseException):\n    def __str__(self): 1 / 0\nraise E", "E"),
        ("x = (", "SyntaxError"),
        ("input()", "EOFError"),
    ],
)
def test_nothing_that_a_cell_raises_ends_the_worker(channel, source, said):
    assert channel.cell(source).startswith(said)
    assert channel.cell("c = 5") == ""


def test_a_skipped_cell_explains_what_is_missing(channel):
    assert channel.cell("never = 1", skipped="It took longer than 3 seconds.") == "It took longer than 3 seconds."
    assert channel.value("never") == {"undefined": "It took longer than 3 seconds."}


def test_what_only_a_notebook_understands_does_no_harm(channel):
    assert channel.cell("%matplotlib inline\n!pip install x\nd = 1") == ""
    assert channel.cell("text = ('%s'\n  % 3)\ndisplay(text)") == ""
    assert channel.value("text") == {"value": "3"}
    assert (
        channel.cell("import otter\ngrader = otter.Notebook('x.ipynb')\ngrader.check('q1')\ngrader.check_all()") == ""
    )


def test_classes_are_found_where_pickle_looks(channel):
    source = "import pickle, dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\n"
    source += "y = pickle.loads(pickle.dumps(P(3))).x"
    assert channel.cell(source) == ""
    assert channel.value("y") == {"value": 3}


def test_draws_without_a_seed_come_the_same():
    values = []
    for _ in range(2):
        one = Channel()
        one.cell(
            "import random, numpy as np\nx = [random.random(), np.random.rand(), np.random.default_rng().random()]"
        )
        values.append(one.value("x"))
        one.close()
    assert values[0] == values[1]


def test_too_much_is_refused_in_a_line(channel):
    channel.cell("big = 'x' * 20_000_000\ndeep = []\nfor _ in range(100_000): deep = [deep]\ndigits = 10 ** 5000")
    assert "at most 17 MB" in channel.value("big")["raised"]
    assert channel.value("deep")["raised"].startswith("RecursionError")
    assert channel.value("digits")["raised"].startswith("ValueError")


def test_a_copy_of_the_process_does_not_answer(channel):
    assert channel.cell("import os\npid = os.fork()") == ""
    assert channel.value("pid")["value"] > 0  # the parent's
    assert channel.cell("os.waitpid(pid, 0)") == ""


def test_it_ends_with_the_grader():
    one = Channel()
    one.close()
    assert one.process.returncode == 0
    assert not os.path.exists(f"/proc/{one.process.pid}")
