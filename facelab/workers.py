"""Worker processes, whoever starts them: they end with their parent, and a worker that is killed is said in a line."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from facelab.errors import FacelabError

_CHECK = 0.5  # seconds between two looks at the parent

_serving: set[int] = set()  # this process, once it serves


def serve(parent: int) -> None:
    """Make this process a worker of another one: it ends soon after that one, however that ended, and leaves Ctrl-C,
    which reaches all processes of a terminal, to it.

    Args:
        parent: its process id, as it told it itself.
    """
    if os.getpid() in _serving:
        return
    _serving.add(os.getpid())
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:  # another process adopts orphans
        time.sleep(_CHECK)
    os._exit(1)


def check_workers(number: int, *, least: int = 1, name: str = "workers") -> None:
    """Raise a :class:`FacelabError` if so many processes make no sense on this machine."""
    cores = os.cpu_count() or 1
    most = max(64, 4 * cores)
    if not least <= number <= most:
        raise FacelabError(f"{name}={number}: this machine has {cores} cores; give {least} to {most}.")


@contextmanager
def deaths_said() -> Iterator[None]:
    """Say that a worker was killed, and what a worker said when it failed, in a line.

    Raises:
        FacelabError: a worker of joblib or of PyTorch's DataLoader was killed, or met an error of the user's.
    """
    try:
        yield
    except BrokenProcessPool as error:
        raise FacelabError(_KILLED) from error
    except FacelabError as error:
        if not str(error).startswith("Caught "):  # so DataLoader hands on a worker's traceback
            raise
        raise FacelabError(str(error).strip().splitlines()[-1].partition(": ")[2]) from error
    except RuntimeError as error:
        if "DataLoader worker (pid" not in str(error):
            raise
        raise FacelabError(_KILLED) from error


_KILLED = (
    "a worker process was killed; is there enough memory? Give fewer workers. What was finished is kept; run the same "
    "again to go on."
)
