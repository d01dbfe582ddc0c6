"""What a sandbox closes, limits and ends; each layer that starts here."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from facelab.coursework import jail, sandbox
from facelab.coursework.sandbox import LAYERS, Limits, Sandbox, Stopped, find_layer, probe
from facelab.errors import FacelabError

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")

SHORT = Limits(submission=4, memory=300 << 20, disk=5 << 20, processes=20, output=1000)


@pytest.fixture(scope="module", params=LAYERS)
def layer(request):
    if reason := probe(request.param):
        if request.param == "landlock" and jail.landlock_version() >= 3:
            pytest.fail(reason)
        pytest.skip(reason)
    return request.param


def stopped(layer, cell, limits=SHORT, seconds=5.0) -> Stopped:
    with Sandbox(layer, limits) as one, pytest.raises(Stopped) as end:
        one.run(cell, 1, seconds)
    return end.value


def test_values_come_and_the_folder_goes(layer, tmp_path):
    (tmp_path / "scores.csv").write_text("1,2")
    with Sandbox(layer, SHORT, {"data/scores.csv": tmp_path / "scores.csv"}) as one:
        assert (
            one.run("text = open('data/scores.csv').read()\nopen('data/mine', 'w').write(text)\nprint('hello')", 1, 5)
            == ""
        )
        assert one.ask({"value": "text"}, 5) == {"value": "1,2"}
        assert one.output == "hello\n"
        work = one._work
        assert (work / "data/mine").read_text() == "1,2"
    assert not work.parent.exists()


def test_time_ends(layer):
    assert stopped(layer, "while True: pass", seconds=0.5).kind == "time-out"


def test_waiting_ends_too(layer):
    start = time.monotonic()
    assert stopped(layer, "import time\ntime.sleep(60)", seconds=0.3).kind == "time-out"
    assert time.monotonic() - start < 20


def test_waiting_for_nothing_ends_before_the_time_does(monkeypatch):
    monkeypatch.setattr(sandbox, "_IDLE", 0.5)
    end = stopped(find_layer(), "import time\ntime.sleep(60)", seconds=50)
    assert "computed nothing" in str(end)


def test_memory_of_one_process_ends_in_an_error_and_of_many_with_them(layer):
    with Sandbox(layer, SHORT) as one:
        assert one.run("x = bytearray(400 << 20)", 1, 5).startswith("MemoryError")
        assert one.run("x = bytearray(1 << 20)", 2, 5) == ""
    many = "import os, time\nfor _ in range(4):\n    if os.fork() == 0:\n        x = b'x' * (120 << 20)\n"
    assert stopped(layer, many + "        time.sleep(60)\ntime.sleep(60)").kind == "memory"


def test_disk_is_bounded_in_one_file_in_many_and_in_files_without_a_name(layer):
    with Sandbox(layer, SHORT) as one:
        assert one.run("open('a', 'wb').write(bytes(6 << 20))", 1, 5).startswith("OSError")
    for after in ("", "; os.remove(str(n))"):
        cell = (
            "import os, time\nheld = []\nfor n in range(5):\n    held.append(open(str(n), 'wb'))\n"
            f"    held[-1].write(os.urandom(2 << 20)); held[-1].flush(){after}\ntime.sleep(60)"
        )
        end = stopped(layer, cell)
        assert end.kind == "crash"
        assert "5 MB of files" in str(end)


def test_processes_are_bounded(layer):
    """Eighty at most, each of which ends by itself."""
    cell = "import os, time\nfor _ in range(80):\n    if os.fork() == 0:\n        time.sleep(20)\n"
    cell += "        os._exit(0)\ntime.sleep(20)"
    with Sandbox(layer, SHORT) as one:
        try:
            said = one.run(cell, 1, 5)  # an ordinary user's limit
        except Stopped as stop:
            said = str(stop)
        assert said.startswith("BlockingIOError") or "more than 20 processes" in said
        pid = one._process.pid
    end = time.monotonic() + 5
    while jail.descendants(pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert not jail.descendants(pid)


def test_what_is_printed_is_kept_to_its_beginning(layer):
    with Sandbox(layer, SHORT) as one:
        assert one.run("import os\nfor _ in range(50): print('y' * 100_000)\nos.write(2, b'end')", 1, 5) == ""
        assert one.output.startswith("yyyy")
        assert len(one.output) < 1100
        assert "more was printed" in one.output


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        ("import os; os._exit(3)", "crash", "exit code 3"),
        ("import ctypes; ctypes.string_at(0)", "crash", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "memory", "killed"),
        ("import os; os.closerange(0, 100)", "crash", "ended Python"),
    ],
)
def test_every_end_has_its_reason(cell, kind, said):
    layer = find_layer()
    end = stopped(layer, cell)
    assert (end.kind, said in str(end)) == (kind, True), str(end)


def test_the_environment_is_not_the_graders(layer, monkeypatch):
    monkeypatch.setenv("FACELAB_SECRET", "key")
    with Sandbox(layer, SHORT) as one:
        one.run("import os\nnames = sorted(os.environ)\nfiles = sorted(os.listdir())", 1, 5)
        assert "FACELAB_SECRET" not in one.ask({"value": "names"}, 5)["value"]
        assert one.ask({"value": "files"}, 5)["value"] == [".tmp"]


def test_a_folder_that_resists_is_deleted():
    with Sandbox("none", SHORT) as one:
        cell = (
            "import os\nos.mkdir('locked')\nopen('locked/x', 'w').close()\nos.chmod('locked', 0)\n"
            "for _ in range(1500):\n    os.mkdir('d')\n    os.chdir('d')\nos.symlink('/', 'root')"
        )
        assert one.run(cell, 1, 10) == ""
        base = one._base
    assert not base.exists()


GRADER = """
import sys, time
from facelab.coursework.sandbox import Limits, Sandbox
one = Sandbox(sys.argv[1], Limits())
one.run("import os\\nif os.fork() == 0:\\n    os.setsid()\\n    os.execv('/bin/sleep', ['sleep', '86398'])", 1, 20)
print(one._process.pid, flush=True)
time.sleep(60)
"""


def seen(number: int) -> bool:
    """Wait until so many processes sleep, or none."""
    end = time.monotonic() + 10
    while len(sleepers()) != number and time.monotonic() < end:
        time.sleep(0.02)
    return len(sleepers()) == number


def sleepers() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"86398" in path.read_bytes() and b"sleep\0" in path.read_bytes():
                found.append(path.parent.name)
        except OSError:
            continue
    return found


def test_all_ends_with_a_grader_that_is_killed(layer):
    with subprocess.Popen([sys.executable, "-c", GRADER, layer], stdout=subprocess.PIPE) as grader:
        grader.stdout.readline()
        begun = seen(1)
        grader.send_signal(signal.SIGKILL)
    assert begun
    assert seen(0)
    left = list(Path(tempfile.gettempdir()).glob(f"facelab-sandbox-{grader.pid}-*"))
    assert len(left) == 1
    sandbox.sweep()
    assert not left[0].exists()


def test_without_namespaces_nothing_is_left_either(monkeypatch):
    """Where the system allows no namespaces, a process that hides is found all the same, and signals are closed."""
    if jail.landlock_version() < 3:
        pytest.skip("no Landlock here")
    code = f"import sys\nsys.path.insert(0, {str(Path(jail.__file__).parent)!r})\nimport jail, json\n"
    code += "jail._namespaces = lambda: False\njail.main(json.loads(sys.argv[1]), int(sys.argv[2]))"
    with tempfile.NamedTemporaryFile("w", suffix=".py") as script:
        script.write(code)
        script.flush()
        real = subprocess.Popen

        def popen(command, **rest):
            return real([script.name if str(part).endswith("jail.py") else part for part in command], **rest)

        monkeypatch.setattr(sandbox.subprocess, "Popen", popen)
        assert probe("landlock") == ""
        with Sandbox("landlock", SHORT) as one:
            cell = "import os\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
            cell += "        os.execv('/bin/sleep', ['sleep', '86398'])\n    os._exit(0)"
            assert one.run(cell, 1, 5) == ""
            cell = (
                f"import os\ntry:\n    os.kill({os.getpid()}, 0)\n    open_ = True\nexcept OSError:\n    open_ = False"
            )
            assert one.run(cell, 2, 5) == ""
            assert one.ask({"value": "open_"}, 5) == {"value": False}
            assert seen(1)
        assert seen(0)


def test_where_nothing_starts_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(sandbox, "probe", lambda layer: f"no {layer} today.")
    with pytest.raises(
        FacelabError, match=r"bwrap \(no bwrap today\); landlock \(no landlock today\).*apt-get install"
    ):
        find_layer()


def test_a_layer_that_leaves_something_open_is_not_used(tmp_path):
    assert "files can be read, files can be written" in probe("none")
