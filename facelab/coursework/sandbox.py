"""A closed place for the code of a submission: it is started, asked, watched and ended from here.

What runs inside (:mod:`facelab.coursework.worker`) is asked for plain values and gives plain values; no object, no
pickle and no text to evaluate comes out. So a submission that changes NumPy, the builtins or the worker itself changes
what it says, and nothing else: what is right is only known out here.

Layers, in this order (see :mod:`facelab.coursework.jail`): ``bwrap`` (bubblewrap), ``landlock`` (the kernel's own, for
which nothing is installed and no right is needed); ``none`` only where the instructor asks for it.

What the sandbox does **not** promise. It is made for homework, where a student gains points or none; not for strangers'
programs on a server. It shares the kernel with everything else, so a fault of the kernel is a way out; it hides no
time, and processor caches are shared. A submission can read the Python installation, facelab and ``$FACELAB_HOME``,
and sees the inputs of hidden checks when it is called with them. With ``landlock`` it can see that a file exists and of
what size, though not what is in it; shared memory of several processes (workers of a DataLoader) is closed.
Memory, disk and the number of processes of a whole submission are looked at several times a second, not counted by the
kernel: for a moment more may be used than the limit. As root the kernel does not limit processes at all, and they are
only counted from here; so grade as an ordinary user. ``none`` closes nothing: files, network, other processes.
"""

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Self

import facelab
from facelab.coursework import worker
from facelab.coursework.jail import descendants
from facelab.errors import FacelabError
from facelab.files import facelab_home

LAYERS = ("bwrap", "landlock")
NO_SANDBOX = "none"

_HERE = Path(__file__).parent
_SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc/ld.so.cache", "/etc/ld.so.conf",
    "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/localtime", "/etc/fonts",
)  # fmt: skip
_KERNEL = ("/proc/self", "/proc/cpuinfo", "/proc/meminfo", "/proc/stat", "/sys/devices/system")
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_OF_PYTHON = ("bin", "lib", "lib64", "libexec", "share", "pyvenv.cfg")  # in a prefix

_PREFIX = "facelab-sandbox-"  # of folders; the number of the grader's process follows
_MOST = 4_000_000  # commas and brackets in an answer
_LOOK = 0.1  # seconds between two looks at what a submission uses
_LOOK_AT_DISK = 0.5
_PATIENCE = 3  # times as much time as CPU time may pass, as the machine may be busy,
_SLACK = 120  # and at most so many seconds more
_IDLE = 30  # seconds that a submission may wait and compute nothing


@dataclass(frozen=True)
class Limits:
    """What a submission may use.

    Attributes:
        submission: seconds of CPU for all cells and calls of a submission.
        memory: bytes, of all its processes.
        disk: bytes in its folder.
        processes: processes and threads.
        output: bytes of what it prints that are kept.
    """

    submission: float = 900
    memory: int = 4 << 30
    disk: int = 512 << 20
    processes: int = 64
    output: int = 32 << 10

    def of_process(self) -> dict[str, int]:
        """Return the limits that the kernel holds for each process."""
        return {
            "RLIMIT_AS": max(8 << 30, 2 * self.memory),  # torch reserves much that it never uses
            "RLIMIT_DATA": self.memory,
            "RLIMIT_CPU": int(self.submission) + 5,
            "RLIMIT_FSIZE": self.disk,
            "RLIMIT_NOFILE": 256,
            "RLIMIT_NPROC": self.processes,
            "RLIMIT_CORE": 0,
            "RLIMIT_MSGQUEUE": 0,
        }


class Stopped(Exception):
    """A submission came to an end where it should not have.

    Attributes:
        kind: ``"time-out"``, ``"memory"``, ``"crash"``.
    """

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind


class Sandbox:
    """One worker and its folder, which is made and deleted here.

    Args:
        layer: one of ``LAYERS``, or ``NO_SANDBOX``.
        limits: what it may use.
        files: what lies in the folder of the submission: name in it -> file that is copied.

    Attributes:
        output: what the submission printed, its beginning.
        cpu: seconds of CPU so far.
    """

    def __init__(self, layer: str, limits: Limits = Limits(), files: Mapping[str, Path] | None = None):
        self.layer, self.limits = layer, limits
        self.output, self.cpu, self._printed = "", 0.0, 0
        self._base = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-")).resolve()
        self._work = self._base / "work"
        try:
            (self._work / ".tmp").mkdir(parents=True)
            for name, file in (files or {}).items():
                (self._work / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, self._work / name)
            self._start()
        except BaseException:
            self._delete()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        out, self._out = None, None
        try:
            self._out, out = os.pipe()
            read, python_path = _readable(self._base)
            settings = {
                "layer": "inner" if self.layer == "bwrap" else self.layer,
                "parent": os.getpid(),
                "worker": str(_HERE / "worker.py"),
                "read": [*_KERNEL, *read],
                "write": [str(self._work), *_DEVICES],
                "limits": self.limits.of_process(),
            }
            command = [sys.executable, "-s", "-P", "-B", str(_HERE / "jail.py"), json.dumps(settings)]
            command.append(str(theirs.fileno()))
            if self.layer == "bwrap":
                command = [*_bubblewrap(read, str(self._work)), "--", *command]
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=_environment(self._work, python_path),
                cwd=self._work,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            if self._out is not None:
                os.close(self._out)
                self._out = None
            raise
        finally:
            theirs.close()
            if out is not None:
                os.close(out)
        self._channel, self._received = ours, bytearray()
        ours.setblocking(False)
        os.set_blocking(self._out, False)
        self._select = selectors.DefaultSelector()
        self._select.register(ours, selectors.EVENT_READ)
        self._select.register(self._out, selectors.EVENT_READ)

    def run(self, cell: str, number: int, seconds: float, *, skipped: str = "") -> str:
        """Execute a cell and return the error that ended it, or ``""``; see :meth:`ask` for what is raised.

        Args:
            cell: the code.
            number: of the cell, for messages.
            seconds: see :meth:`ask`.
            skipped: why it is not executed after all.
        """
        reply = self._exchange({"cell": cell, "number": number, "skipped": skipped}, seconds)
        error = reply.get("value")
        return error[:1000] if isinstance(error, str) else ""

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the reply of the submission to a request, see ``facelab.coursework.wire``. It is JSON, and not yet
        looked at.

        Args:
            request: the grader's.
            seconds: of CPU it may take; three times as much, or two minutes more, may pass by the clock.

        Raises:
            Stopped: the worker was ended here, or ended itself. Nothing more can be asked then.
        """
        return self._exchange({"request": request}, seconds)

    def _exchange(self, message: dict[str, Any], seconds: float) -> dict[str, Any]:
        token = secrets.token_hex(8)  # an answer that was written before it was asked for does not count
        sending = memoryview(worker.frame({"id": token, **message}))
        start, looked, looked_at_disk = time.monotonic(), time.monotonic(), time.monotonic()
        until, worked, cpu = self.cpu + seconds, time.monotonic(), self.cpu
        self._select.modify(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
        while True:
            for key, events in self._select.select(_LOOK):
                if key.fileobj is not self._channel:
                    self._drain()
                    continue
                if events & selectors.EVENT_WRITE:
                    sending = self._send(sending)
                    if not sending:
                        self._select.modify(self._channel, selectors.EVENT_READ)
                if events & selectors.EVENT_READ:
                    self._receive()
            if (frame := self._frame()) is not None:
                return self._answer(frame, token)
            now = time.monotonic()
            if now - looked >= _LOOK:
                looked = now
                self._watch(disk=now - looked_at_disk >= _LOOK_AT_DISK)
                looked_at_disk = now if now - looked_at_disk >= _LOOK_AT_DISK else looked_at_disk
                if self.cpu > cpu + 0.01:
                    worked, cpu = now, self.cpu
                if self.cpu > until or now - start > min(_PATIENCE * seconds, seconds + _SLACK):
                    self._stop("time-out", f"It took longer than {seconds:g} seconds.")
                if now - worked > _IDLE:
                    self._stop("time-out", f"It waited for {_IDLE} seconds and computed nothing.")

    def _send(self, data: memoryview) -> memoryview:
        try:
            return data[self._channel.send(data[: 1 << 18]) :]
        except BlockingIOError:
            return data
        except OSError:
            self._ended()

    def _receive(self) -> None:
        try:
            data = self._channel.recv(1 << 18)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._ended()
        self._received += data

    def _frame(self) -> bytes | None:
        """Return the first whole frame that came, if one did."""
        if len(self._received) < 4:
            return None
        (size,) = struct.unpack(">I", self._received[:4])
        if size > worker.LARGEST:
            self._stop("crash", _INTRUDED)
        if len(self._received) < 4 + size:
            return None
        frame = bytes(self._received[4 : 4 + size])
        del self._received[: 4 + size]
        return frame

    def _answer(self, frame: bytes, token: str) -> dict[str, Any]:
        """Return what an answer holds; whoever wrote it, it is JSON of a bounded number of values."""
        while self._drain():
            pass
        if sum(map(frame.count, (b",", b"[", b"{"))) > _MOST:  # before it takes memory here
            return {"raised": f"ValueError: more than {_MOST:,} values; that is too much to look at", "kinds": []}
        try:
            answer = json.loads(frame)
        except (ValueError, RecursionError):
            answer = None
        if isinstance(answer, dict) and answer.get("id") == token and isinstance(answer.get("reply"), dict):
            return answer["reply"]
        self._stop("crash", _INTRUDED)

    def _drain(self) -> bool:
        """Read what was printed; keep the beginning. False if there is nothing more at present."""
        assert self._out is not None
        try:
            data = os.read(self._out, 1 << 18)
        except BlockingIOError:
            return False
        if not data:
            with contextlib.suppress(KeyError):
                self._select.unregister(self._out)
            return False
        if self._printed < self.limits.output:
            self.output += data[: self.limits.output - self._printed].decode("utf-8", "replace")
            if self._printed + len(data) > self.limits.output:
                self.output += "\n... (more was printed; it is left out)"
        self._printed += len(data)
        return True

    def _watch(self, disk: bool) -> None:
        """Look at what all processes of the submission use, and end them if it is too much."""
        processes = descendants(self._process.pid)
        usage = [use for process in processes if (use := _usage(process)) is not None]
        self.cpu = max(self.cpu, sum(seconds for seconds, _ in usage))  # of a process that has ended nothing is known
        if len(processes) > self.limits.processes:
            self._stop("crash", f"It started more than {self.limits.processes} processes.")
        if sum(memory for _, memory in usage) > self.limits.memory:
            shared = sum(_own_memory(process) for process in processes)  # what several share is counted once
            if shared > self.limits.memory:
                self._stop("memory", f"It used more than {self.limits.memory / 2**30:g} GiB of memory.")
        if disk and _disk(self._work, processes, self.limits.disk) > self.limits.disk:
            self._stop("crash", f"It wrote more than {self.limits.disk >> 20} MB of files.")

    def _ended(self) -> NoReturn:
        """Say how the worker ended, as it was not asked to."""
        try:
            code = self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:  # it closed the channel and runs on
            self._stop("crash", _INTRUDED)
        while self._drain():
            pass
        number = code - 128 if code > 128 else -code if code < 0 else 0
        if number == signal.SIGXCPU:
            self._stop("time-out", f"It used more than {self.limits.submission:g} seconds.")
        if number == signal.SIGKILL:
            self._stop("memory", "It was killed by the system; memory may have come to an end.")
        if number:
            name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
            self._stop("crash", f"Python itself crashed (signal {name}).")
        self._stop("crash", f"It ended Python (exit code {code}).")

    def _stop(self, kind: str, message: str) -> NoReturn:
        self.close()
        raise Stopped(kind, message)

    def close(self) -> None:
        """End all processes of the submission, and delete its folder."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL if self.layer == "bwrap" else signal.SIGTERM)
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                for process in descendants(self._process.pid):
                    with contextlib.suppress(OSError):
                        os.kill(process, signal.SIGKILL)
                self._process.kill()
                self._process.wait()
        if self._out is not None:
            self._select.close()
            self._channel.close()
            os.close(self._out)
            self._out = None
        self._delete()

    def _delete(self) -> None:
        _delete(self._base)


def _delete(folder: Path) -> None:
    """Delete a folder, whatever a submission made of it: no rights, a thousand folders in each other, links."""
    for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
        subprocess.run([*command, str(folder)], stderr=subprocess.DEVNULL, check=False)


def sweep() -> None:
    """Delete the folders that graders of this user left when they were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        number = folder.name.removeprefix(_PREFIX).partition("-")[0]
        with contextlib.suppress(OSError):
            if number.isdecimal() and not Path("/proc", number).exists() and folder.lstat().st_uid == os.getuid():
                _delete(folder)


_INTRUDED = "It wrote to the grader's own channel, or closed it."


def find_layer() -> str:
    """Return the first layer that starts here, and that closes what it should.

    Raises:
        FacelabError: none does; the message says why, and what to install.
    """
    if sys.platform != "linux":
        raise FacelabError(f"grading needs Linux (this is {sys.platform}): a virtual machine or WSL 2 will do.")
    reasons = []
    for layer in LAYERS:
        reason = probe(layer)
        if not reason:
            return layer
        reasons.append(f"{layer} ({reason.rstrip('.')})")
    raise FacelabError(
        f"no sandbox starts here: {'; '.join(reasons)}. Install bubblewrap (Debian, Ubuntu: apt-get install "
        "bubblewrap; Fedora: dnf install bubblewrap) or use Linux 6.2 or newer. With --no-sandbox the code of students "
        "runs with all your rights: it can read and change your files, grades too, and use the network."
    )


_PROBE = """
import os, socket
found = []
for name, attempt in {
    "files can be read": lambda: open(%(secret)r).read(),
    "files can be written": lambda: open(%(secret)r, "a").close(),
    "the network is open": lambda: socket.create_connection(("127.0.0.1", %(port)d), 1).close(),
    "other processes get signals": lambda: os.kill(%(process)d, 0),
}.items():
    try:
        attempt()
        found.append(name)
    except OSError:
        pass
"""


def probe(layer: str) -> str:
    """Return why a layer is of no use here, or ``""``: it is started, and what must be closed is tried."""
    if layer == "bwrap" and shutil.which("bwrap") is None:
        return "it is not installed"
    with tempfile.NamedTemporaryFile() as secret, socket.create_server(("127.0.0.1", 0)) as server:
        told = {"secret": secret.name, "port": server.getsockname()[1], "process": os.getpid()}
        try:
            sandbox = Sandbox(layer, Limits())
        except OSError as error:
            return str(error.strerror or error)
        with sandbox:
            try:
                failed = sandbox.run(_PROBE % told, 0, 30)
                return failed or ", ".join(sandbox.ask({"value": "found"}, 30)["value"])
            except Stopped as error:
                said = sandbox.output.strip().splitlines()
                return said[-1] if said else str(error)


def check_hidden(paths: Iterable[Path | str]) -> None:
    """Raise a :class:`FacelabError` if one of these lies where every submission may read."""
    with tempfile.TemporaryDirectory() as folder:
        read, _ = _readable(Path(folder))
    for path in paths:
        for place in read:
            if Path(path).resolve().is_relative_to(Path(place).resolve()):
                raise FacelabError(f"{path} lies in {place}, which submissions can read. Move it to another folder.")


def _readable(base: Path) -> tuple[list[str], list[str]]:
    """Return what a submission may read, and where its Python looks for packages beside its own.

    Of a folder that packages are developed in, only facelab itself can be read: the sources of the assignments, with
    their answers, may lie beside it.
    """
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    step = sys.executable
    for _ in range(10):  # a link to a link to the interpreter
        prefixes.add(str(Path(step).parent.parent))
        if not os.path.islink(step):
            break
        step = os.path.join(os.path.dirname(step), os.readlink(step))
    prefixes = {os.path.abspath(path) for path in prefixes} | {os.path.realpath(path) for path in prefixes}
    found = [str(Path(prefix, name)) for prefix in sorted(prefixes - {"/", "/usr"}) for name in _OF_PYTHON]
    found = [*_SYSTEM, *(path for path in found if os.path.exists(path))]

    def held(path: str) -> bool:
        return any(Path(path).is_relative_to(one) for one in found)

    sites = [path for path in map(os.path.abspath, sys.path) if Path(path).name in ("site-packages", "dist-packages")]
    packages = [path for path in sites if not held(path)]
    found += packages
    package = str(Path(facelab.__file__).resolve().parent)
    if not held(package):
        library = base / "lib"
        library.mkdir(exist_ok=True)
        (library / "facelab").symlink_to(package)
        found += [package, str(library)]
        packages.append(str(library))
    home = facelab_home()
    if home.is_dir():
        found.append(str(home.resolve()))
    return [path for path in dict.fromkeys(found) if os.path.exists(path)], packages


def _bubblewrap(read: list[str], work: str) -> list[str]:
    """Return the beginning of the command that encloses with bubblewrap."""
    binds = [part for path in read for part in ("--ro-bind", path, path)]
    closed = ["--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL"]
    views = ["--proc", "/proc", "--dev", "/dev", *binds, "--bind", work, work, "--chdir", work]
    return ["bwrap", *closed, *views, "--remount-ro", "/dev", "--remount-ro", "/"]


def _environment(work: Path, python_path: list[str]) -> dict[str, str]:
    """Return the environment of a submission: nothing of the grader's; one thread, so that sums come out the same."""
    scratch = str(work / ".tmp")
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
    caches = ("TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR", "TORCH_HOME")
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(work),
        "USER": "student",
        "LOGNAME": "student",
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join(python_path),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "Agg",
        "CUDA_VISIBLE_DEVICES": "",
        "FACELAB_HOME": str(facelab_home().resolve()),
        **dict.fromkeys(threads, "1"),
        **dict.fromkeys(caches, scratch),
    }


def _usage(process: int) -> tuple[float, int] | None:
    """Return the seconds of CPU and the bytes of memory that a process uses; None if it has ended."""
    try:
        values = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return sum(map(int, values[11:15])) / os.sysconf("SC_CLK_TCK"), int(values[21]) * os.sysconf("SC_PAGE_SIZE")


def _own_memory(process: int) -> int:
    """Return the bytes of memory of a process, what it shares with others divided by their number."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text()
        return 1024 * int(next(line for line in text.splitlines() if line.startswith("Pss:")).split()[1])
    except (OSError, StopIteration):
        usage = _usage(process)
        return usage[1] if usage else 0


def _disk(folder: Path, processes: list[int], most: int) -> int:
    """Return how many bytes of disk a folder takes, and files without a name that processes hold open."""
    total, seen = 0, 0
    for size in (*_sizes(folder), *_nameless(processes, folder.stat().st_dev)):
        total, seen = total + size, seen + 1
        if total > most or seen > 100_000:
            return most + 1
    return total


def _sizes(folder: Path) -> Iterator[int]:
    waiting = [str(folder)]
    while waiting:
        with contextlib.suppress(OSError), os.scandir(waiting.pop()) as entries:  # a path may be too long to open
            for entry in entries:
                with contextlib.suppress(OSError):
                    yield 512 * entry.stat(follow_symlinks=False).st_blocks
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)


def _nameless(processes: list[int], device: int) -> Iterator[int]:
    seen = set()
    for process in processes:
        with contextlib.suppress(OSError):
            for name in os.listdir(f"/proc/{process}/fd"):
                with contextlib.suppress(OSError):
                    about = os.stat(f"/proc/{process}/fd/{name}")
                    gone = stat.S_ISREG(about.st_mode) and not about.st_nlink and about.st_dev == device
                    if gone and about.st_ino not in seen:
                        seen.add(about.st_ino)
                        yield 512 * about.st_blocks
