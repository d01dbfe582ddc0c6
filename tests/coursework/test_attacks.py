"""Everything that a submission may try, in one folder, graded as root and as an ordinary user.

The attacks are those that other graders were seen to fall to, and what a student with time would add. Each one is
harmless where the sandbox holds, and bounded where it does not.
"""

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

import facelab
from facelab.coursework import grading
from facelab.coursework import sandbox as sandbox_module

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
]

SECRET = "expected-value-8461"
RAW, TEXT, CODE = "raw", "markdown", "code"

VARIANTS = [
    (RAW, "# BEGIN VARIANTS"),
    *((CODE, f"# right: {n}\nx = 1") for n in range(3)),
    *((CODE, f"# wrong: {n}\n# says: x\nx = 1") for n in range(3)),
    (RAW, "# END VARIANTS"),
]

ASSIGNMENT = [
    (RAW, "# ASSIGNMENT CONFIG\ntitle: Under attack\nminutes: 5\nobjectives: [mean]\nseconds: 3\nmemory: 0.5"),
    (CODE, "import numpy as np"),
    (RAW, "# BEGIN QUESTION\nname: q1\nobjective: take a mean"),
    (TEXT, "Write `mean`."),
    (RAW, "# BEGIN SOLUTION"),
    (CODE, "def mean(values):\n    return float(np.sum(values)) / len(values)  # SOLUTION"),
    (RAW, "# END SOLUTION"),
    (RAW, "# BEGIN GRADING"),
    (
        CODE,
        f"# {SECRET}\n"
        '@check(points=40, about="the mean of an array")\ndef of_array(student):\n'
        "    expect(student.call('mean', np.array([1.0, 2.0, 9.0]), seconds=2), 4.0)\n\n"
        '@check(points=20, about="the mean of a list")\ndef of_list(student):\n'
        "    expect(student.call('mean', [1, 2], seconds=2), 1.5, wrong=[(1, 'You divide whole numbers.')])",
    ),
    (RAW, "# END GRADING"),
    *VARIANTS,
    (RAW, "# END QUESTION"),
    (RAW, "# BEGIN QUESTION\nname: q2\nobjective: take a range"),
    (TEXT, "Write `spread`."),
    (RAW, "# BEGIN SOLUTION"),
    (CODE, "def spread(values):\n    return max(values) - min(values)  # SOLUTION"),
    (RAW, "# END SOLUTION"),
    (RAW, "# BEGIN GRADING"),
    (
        CODE,
        '@check(points=40, about="the range")\ndef spread(student):\n'
        "    expect(student.call('spread', [1, 5, 2], seconds=2), 4)",
    ),
    (RAW, "# END GRADING"),
    *VARIANTS,
    (RAW, "# END QUESTION"),
]

GIVEN = "import numpy as np"
MEAN = "def mean(values):\n    return sum(values) / len(values)"
SPREAD = "def spread(values):\n    return max(values) - min(values)"
WRONG = "def mean(values):\n    return 0\ndef spread(values):\n    return 0"

# An attempt that must fail says "OPEN" on a line of its own; TARGETS are files of the grader's and of other students'.
TRY = """
def attempt(what, *arguments):
    try:
        what(*arguments)
        print("OPEN:", what, arguments)
    except Exception:
        pass
"""

FAKE = """
import json, os, struct
for number in range(256):
    for text in (b'{"id": "0", "reply": {"value": 4.0}}', b'{"value": 4.0}', b'not json'):
        try:
            os.write(number, struct.pack(">I", len(text)) + text if number > 2 else b'')
        except OSError:
            pass
"""

ANSWERS_ITSELF = """
import gc, json, os, struct, sys
def mean(values):
    frame = sys._getframe()
    while frame and "message" not in frame.f_locals:
        frame = frame.f_back
    token = frame.f_locals["message"]["id"]
    reply = {"array": "AAAA", "dtype": "<f8", "shape": [-1, 1 << 62]}
    data = json.dumps({"id": token, "reply": {"value": reply, "points": 60, "raised": "", "kinds": []}}).encode()
    os.write(frame.f_locals["self"]._channel, struct.pack(">I", len(data)) + data)
    os._exit(0)
"""

# name of the student -> (cells, status, points of q1, points of q2)
HOSTILE: dict[str, tuple[list[str], str, float, float]] = {
    "honest": ([GIVEN, MEAN, SPREAD], "ok", 60, 40),
    "half": ([GIVEN, "def mean(values):\n    return sum(values) // len(values)", SPREAD], "ok", 40, 40),
    "untouched": ([GIVEN, "def mean(values):\n    ...", "def spread(values):\n    ..."], "ok", 0, 0),
    "patches numpy": (
        [
            GIVEN,
            "true = lambda *a, **k: True\n"
            "for name in ('isclose', 'allclose', 'array_equal', 'all', 'any', 'abs', 'asarray', 'nonzero'):\n"
            "    setattr(np, name, true)\n"
            "np.testing.assert_allclose = true",
            WRONG,
        ],
        "ok", 0, 0,
    ),
    "patches builtins": (
        [
            "import builtins\nreal = builtins.isinstance\n"
            "for name in ('all', 'any', 'abs', 'bool', 'float', 'int', 'sum', 'isinstance'):\n"
            "    setattr(builtins, name, lambda *a, **k: True)",
            WRONG,
        ],
        None, 0, 0,
    ),
    "patches grader": (
        [
            "from facelab.coursework import checks, wire\n"
            "checks.expect = checks.fail = lambda *a, **k: None\nchecks.Failed = ZeroDivisionError\n"
            "checks.run_check = lambda check, student: checks.Outcome(check, check.points)\n"
            "wire.unpack = lambda value: 4.0",
            WRONG,
        ],
        "ok", 0, 0,
    ),
    "always equal": (
        [
            "class Equal:\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
            "    def __array__(self, *a, **k): return self\n    def __hash__(self): return 0\n"
            "    def __reduce__(self): return (print, ('unpickled',))",
            "class Number(float):\n    def __eq__(self, other): return True\n    def __sub__(self, other): return 0.0\n"
            "    __rsub__ = __radd__ = __add__ = __sub__\n    def __le__(self, other): return True",
            "def mean(values): return Equal()\ndef spread(values): return Number(0)",
        ],
        "ok", 0, 0,
    ),
    "reads tests": (
        [
            TRY + "import glob, os\n"
            "for path in TARGETS:\n    attempt(lambda: print(open(path, errors='replace').read()))\n"
            "    attempt(os.listdir, os.path.dirname(path))\n    attempt(os.open, path, os.O_RDONLY)\n"
            "for path in ('/', '/home', '/root', '/tmp', '/etc/passwd', '/proc/1/environ', f'/proc/{GRADER}/environ',\n"
            "             f'/proc/{os.getppid()}/environ', f'/proc/{GRADER}/cmdline', '/proc/self/root/etc/passwd'):\n"
            "    try:\n        print(open(path, errors='replace').read())\n    except OSError:\n        pass\n"
            "print([text for text in glob.glob('/proc/*/environ') for text in [] ], dict(os.environ))",
            MEAN,
        ],
        "ok", 60, 0,
    ),
    "writes elsewhere": (
        [
            TRY + "import os\n"
            "for path in [*TARGETS, *READABLE]:\n"
            "    for mode in ('w', 'a', 'r+b'):\n        attempt(open, path, mode)\n"
            "    attempt(os.truncate, path, 0)\n    attempt(os.remove, path)\n"
            "    attempt(os.rename, path, path + 'x')\n"
            "    attempt(os.link, path, 'mine')\n    attempt(os.mkdir, path + '.d')\n"
            "    try:\n        os.chmod(path, 0o777)\n        os.utime(path, (0, 0))\n"
            "    except OSError:\n        pass\n"
            "    os.symlink(path, str(abs(hash(path))))\n    attempt(open, str(abs(hash(path))), 'w')\n"
            "attempt(open, '/tmp/facelab-was-here', 'w')\nattempt(open, '/dev/shm/facelab-was-here', 'w')",
            MEAN, SPREAD,
        ],
        "ok", 60, 40,
    ),
    "network": (
        [
            TRY + "import socket\n"
            "attempt(lambda: socket.create_connection(('127.0.0.1', PORT), 2))\n"
            "def send():\n    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
            "        s.sendto(b'grades', ('127.0.0.1', PORT))\n"
            "def named(path):\n    with socket.socket(socket.AF_UNIX) as s:\n        s.connect(path)\n"
            "try:\n    send()\nexcept OSError:\n    pass\n"  # in an own network it goes nowhere; the test counts
            "attempt(named, UNIX)\nattempt(named, '\\0' + ABSTRACT)",
            MEAN, SPREAD,
        ],
        "ok", 60, 40,
    ),
    "signals": (
        [
            TRY + "import ctypes, os, resource, signal\nlibc = ctypes.CDLL(None)\n"
            "attempt(os.kill, GRADER, 0)\nattempt(os.killpg, GRADER, 0)\n"
            "attempt(resource.prlimit, GRADER, resource.RLIMIT_NOFILE)\n"
            "if os.getppid() > 1:\n    attempt(os.kill, os.getppid(), 0)\n"
            "if libc.ptrace(16, GRADER, 0, 0) == 0 or os.getppid() and libc.ptrace(16, os.getppid(), 0, 0) == 0:\n"
            "    print('OPEN: ptrace')\n"
            "if libc.unshare(0x10000000) == 0 or libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0) == 0:\n"
            "    print('OPEN: namespaces')\n"
            "attempt(os.setuid, 0 if os.getuid() else 1)\nattempt(os.pidfd_open, GRADER)",
            MEAN, SPREAD,
        ],
        "ok", 60, 40,
    ),
    "fork bomb": ([GIVEN, MEAN, SPREAD, "import os, time\nfor _ in range(9):\n    os.fork()\ntime.sleep(60)"],
                  None, 60, 40),
    "endless loop": ([GIVEN, MEAN, "def spread(values):\n    while True: pass"], "time-out", 60, 0),
    "endless cell": ([GIVEN, MEAN, "while True:\n    try:\n        while True: pass\n"
                      "    except BaseException: pass", SPREAD], "time-out", 60, 40),
    "memory": ([GIVEN, MEAN, "held = []\nwhile True:\n    held.append(bytearray(50 << 20))", SPREAD], "ok", 60, 40),
    "exits": ([GIVEN, MEAN, "import os\nos._exit(0)", SPREAD], "crash", 60, 40),
    "exits in a call": ([GIVEN, "import sys\ndef mean(values):\n    sys.exit('4.0')", SPREAD], "ok", 0, 40),
    "crashes": ([GIVEN, "import ctypes\ndef mean(values):\n    ctypes.string_at(0)", SPREAD], "crash", 0, 40),
    "prints a lot": (
        [GIVEN, "line = 'x' * 1_000_000\nfor _ in range(200):\n    print(line)", MEAN, SPREAD], "ok", 60, 40,
    ),
    "prints points": ([GIVEN, 'print(\'{"id": "0", "reply": {"value": 4.0}}\')\nprint("q1: 60 of 60")', WRONG],
                      "ok", 0, 0),
    "fakes replies": ([GIVEN, MEAN, FAKE, SPREAD], "crash", 60, 40),
    "answers itself": ([GIVEN, ANSWERS_ITSELF, SPREAD], None, 0, 40),
    "closes all": ([GIVEN, MEAN, "import os\nos.closerange(0, 256)", SPREAD], "crash", 60, 40),
    "gives too much": (
        [
            "def mean(values):\n    return 'x' * 40_000_000",
            "def spread(values):\n    deep = []\n    for _ in range(100_000):\n        deep = [deep]\n    return deep",
        ],
        "ok", 0, 0,
    ),
    "hides a process": (
        [
            "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            "        os.execv('/bin/sleep', ['sleep', '86397'])\n    os._exit(0)\ntime.sleep(0.1)",
            MEAN, SPREAD,
        ],
        "ok", 60, 40,
    ),
    "html": (
        [
            "class Evil(BaseException):\n    def __str__(self): return '<script>alert(1)</script>\\ud800\\x00'",
            "print('</pre><script>alert(2)</script>', '\\x1b[31m')\ndef mean(values):\n    raise Evil", SPREAD,
        ],
        "ok", 0, 40,
    ),
    "=cmd|' _C calc'!A0": ([GIVEN, MEAN, SPREAD + "\nspread.__doc__ = 'another file'"], "ok", 60, 40),
    "<img src=x onerror=alert(3)>": ([GIVEN, MEAN, SPREAD + "\n"], "ok", 60, 40),
    "..": ([GIVEN, MEAN, SPREAD + "\n\n"], "ok", 60, 40),
    "other assignment": (["import otter\ngrader = otter.Notebook('7_other.ipynb')", "x = 1"], "unreadable", 0, 0),
}  # fmt: skip


def notebook(cells) -> str:
    code = {"outputs": [], "execution_count": None}
    held = [
        {"cell_type": kind, "metadata": {}, "source": source, **(code if kind == CODE else {})}
        for kind, source in cells
    ]
    return json.dumps({"cells": held, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def write_unreadable(folder: Path) -> dict[str, str]:
    """Write what is no submission; return for each student a part of the reason."""
    (folder / "no json.ipynb").write_text("# my homework")
    with (folder / "huge.ipynb").open("wb") as file:
        file.truncate(200 << 20)
    (folder / "deep.ipynb").write_text('{"cells": ' + "[" * 100_000)
    (folder / "no cells.ipynb").write_text(notebook([(TEXT, "I did it on paper.")]))
    (folder / "array.ipynb").write_text("[1, 2]")
    (folder / "encoded.ipynb").write_text(notebook([(CODE, "x = 'é'")]), encoding="utf-16")
    (folder / "empty folder").mkdir()
    (folder / "linked.ipynb").symlink_to("honest.ipynb")
    os.mkfifo(folder / "pipe.ipynb")
    (folder / "report.pdf").write_bytes(b"%PDF")
    return {
        "no json": "not JSON", "huge": "bytes, more than", "deep": "nested too deeply", "no cells": "no code cells",
        "array": "no notebook", "encoded": "not UTF-8 but UTF-16", "empty folder": "without a notebook",
        "linked": "a link", "pipe": "a pipe", "report.pdf": "not a notebook",
    }  # fmt: skip


class Listener:
    """Counts who comes by TCP, UDP and sockets with names."""

    def __init__(self, folder: Path):
        self.came: list[str] = []
        self.tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self.tcp.getsockname()[1]
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(("127.0.0.1", self.port))
        self.path, self.abstract = str(folder / "socket"), f"facelab-test-{os.getpid()}"
        self.unix, self.hidden = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
        self.unix.bind(self.path)
        self.hidden.bind(f"\0{self.abstract}")
        os.chmod(self.path, 0o777)
        for one in (self.unix, self.hidden):
            one.listen()
        for one in (self.tcp, self.unix, self.hidden, self.udp):
            threading.Thread(target=self._listen, args=(one,), daemon=True).start()

    def _listen(self, one: socket.socket) -> None:
        while True:
            try:
                self.came.append(str(one.accept() if one is not self.udp else one.recv(100)))
            except OSError:
                return


@pytest.fixture(scope="module")
def place():
    """A folder that everybody may enter: dist, submissions, and a folder for the results of each grader."""
    place = Path(tempfile.mkdtemp(prefix="facelab-attacks-"))
    place.chmod(0o755)
    (place / "dist" / "grader").mkdir(parents=True)
    (place / "dist" / "grader" / "attacked.ipynb").write_text(notebook(ASSIGNMENT))
    for name in ("submissions", "home", "out", "users"):
        (place / name).mkdir()
    if os.getuid() == 0:
        os.chown(place / "users", 65534, 65534)
    yield place
    shutil.rmtree(place)


@pytest.fixture(scope="module")
def attacked(place):
    """The submissions, what the unreadable ones are, the listener, and what no one may have touched."""
    folder, listener = place / "submissions", Listener(place)
    targets = [
        str(place / "dist/grader/attacked.ipynb"), str(folder / "honest.ipynb"), str(place / "out/grades.csv"),
        str(place / "users/grades.csv"), str(place / "out/grades/feedback/honest.html"),
    ]  # fmt: skip
    (place / "home/key").write_text("data")
    readable = [str(place / "home/key"), facelab.__file__]
    known = (
        f"TARGETS, READABLE, GRADER = {targets!r}, {readable!r}, {os.getpid()}\n"
        f"PORT, UNIX, ABSTRACT = {listener.port}, {listener.path!r}, {listener.abstract!r}\n"
    )
    for name, (cells, *_) in HOSTILE.items():
        wants = [cell if TRY not in cell else known + cell for cell in cells]
        (folder / f"{name}.ipynb").write_text(notebook([(CODE, cell) for cell in wants]))
    unreadable = write_unreadable(folder)
    before = state(place / "dist", folder, place / "home")
    return folder, unreadable, listener, before


def state(*folders: Path) -> dict[str, tuple]:
    paths = [path for folder in folders for path in [folder, *folder.rglob("*")] if not path.is_symlink()]
    return {str(path): (path.lstat().st_mode, path.lstat().st_mtime_ns, path.lstat().st_size) for path in paths}


def processes(place: Path) -> list[str]:
    """The processes of submissions that were graded here: they know the folder from their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            text = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            if str(place).encode() in (path / "environ").read_bytes():
                found.append(text)
        except OSError:
            continue
    return [text for text in found if "jail.py" in text or "worker.py" in text or "86397" in text]


def check_results(place: Path, out: Path, attacked) -> None:
    folder, unreadable, listener, before = attacked
    with out.open(encoding="utf-8", newline="") as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert len(rows) == len(HOSTILE) + len(unreadable)
    got = {
        name: (rows[written]["status"], float(rows[written]["q1"]), float(rows[written]["q2"]))
        for name in HOSTILE
        for written in [f"'{name}" if name.startswith("=") else name]
    }
    wanted = {name: (status or got[name][0], q1, q2) for name, (_, status, q1, q2) in HOSTILE.items()}
    assert got == wanted
    for name, reason in unreadable.items():
        assert rows[name]["status"] == "unreadable"
        assert reason in rows[name]["note"]
        assert rows[name]["total"] == "0"
    pages = {path.name: path.read_text() for path in (out.parent / "grades").rglob("*.html")}
    assert len(pages) == len(rows) + 1  # the summary
    for name, page in pages.items():
        assert "OPEN:" not in page, name
        assert SECRET not in page, name
        assert "<script" not in page, name
        assert "<img" not in page, name
    assert sum(path.stat().st_size for path in (out.parent / "grades").rglob("*.html")) < 5e6
    assert not listener.came
    assert state(place / "dist", folder, place / "home") == before
    assert not Path("/tmp/facelab-was-here").exists()
    assert {path.name for path in out.parent.iterdir()} <= {"grades.csv", "grades", ".facelab"}


@pytest.fixture(scope="module")
def graded(place, attacked):
    """Grade the folder here, with the kernel's own means, which are everywhere."""
    if reason := sandbox_module.probe("landlock"):
        pytest.skip(f"no Landlock here: {reason}")
    layers = pytest.MonkeyPatch()
    layers.setattr(sandbox_module, "LAYERS", ("landlock",))
    layers.setenv("FACELAB_SECRET", SECRET)
    layers.setenv("FACELAB_HOME", str(place / "home"))
    try:
        grades = grading.grade(place / "dist", attacked[0], place / "out/grades.csv", jobs=2)
    finally:
        layers.undo()
    return grades


def test_every_attack_scores_what_it_should(place, attacked, graded):
    assert graded.layer == "landlock"
    check_results(place, place / "out/grades.csv", attacked)


def test_nothing_is_left_of_a_submission(place, graded):
    end = time.monotonic() + 5
    while processes(place) and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes(place)
    mine = f"facelab-sandbox-{os.getpid()}-"
    assert not [path for path in Path(tempfile.gettempdir()).iterdir() if path.name.startswith(mine)]


def test_the_same_input_gives_the_same_table(place, attacked, graded):
    """Marks are kept: the table comes again without a run; a mark that is damaged is made again."""
    table = place / "out/grades.csv"
    first, marks = table.read_bytes(), sorted((place / "out/grades/marks").iterdir())
    table.unlink()
    marks[0].write_text("{}")
    times = {path: path.stat().st_mtime_ns for path in marks[1:]}
    grading.grade(place / "dist", attacked[0], table)
    assert table.read_bytes() == first
    assert {path: path.stat().st_mtime_ns for path in marks[1:]} == times
    assert marks[0].read_text() != "{}"


def ordinary_python(place: Path) -> tuple[str, dict[str, str]]:
    """Return an interpreter that every user may start, and its environment; skip if there is none."""
    packages = [str(Path(facelab.__file__).parents[1]), *(path for path in sys.path if path.endswith("site-packages"))]
    environment = {
        "PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(packages), "HOME": str(place / "users"),
        "FACELAB_HOME": str(place / "home"), "FACELAB_SECRET": SECRET, "OMP_NUM_THREADS": "1",
    }  # fmt: skip
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in filter(None, (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin"))):
        try:
            command = [python, "-c", "import facelab.coursework.grading, numpy, jinja2, typer"]
            subprocess.run(command, user=65534, group=65534, extra_groups=[], env=environment, cwd="/", check=True)
            return python, environment
        except (OSError, subprocess.CalledProcessError):
            continue
    pytest.skip("no interpreter here that an ordinary user may start")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user; the other tests ran as one")
def test_as_an_ordinary_user_every_attack_scores_the_same(place, attacked, graded):
    python, environment = ordinary_python(place)
    out = place / "users/grades.csv"
    command = [python, "-m", "facelab", "coursework", "grade", place / "dist", attacked[0], "--out", out, "--jobs", "2"]
    done = subprocess.run(
        command, user=65534, group=65534, extra_groups=[], env=environment, cwd="/", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    check_results(place, out, attacked)
    assert not processes(place)
