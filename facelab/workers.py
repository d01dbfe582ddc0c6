"""Worker processes, whoever starts them: they end with their parent, and a worker that is killed is said in a line.

Jobs run on processes of this machine, or on a cluster of Dask or Ray.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit

from facelab.errors import FacelabError

T = TypeVar("T")
R = TypeVar("R")

_CHECK = 0.5  # seconds between two looks at the parent
_PATIENCE = 10  # seconds, for a scheduler to answer

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


def check_backend(workers: int | None, backend: str, address: str | None) -> int:
    """Return how many processes jobs run on: as many as asked for, or one for each core.

    Raises:
        FacelabError: there is no such backend, or workers or an address do not go with it.
    """
    if backend not in ("local", "dask", "ray"):
        raise FacelabError(f"backend {backend!r}: choose 'local', 'dask' or 'ray'.")
    if backend == "local" and address is not None:
        raise FacelabError(f"address={address!r} is of a cluster: choose backend 'dask' or 'ray', or leave it out.")
    if backend != "local" and workers not in (None, 1):
        raise FacelabError(f"workers={workers} are of this machine: the cluster at the address has its own.")
    workers = os.cpu_count() or 1 if workers is None else workers
    check_workers(workers)
    return workers


def run_jobs(
    job: Callable[[T], R], todo: Iterable[T], number: int, *, workers: int, backend: str = "local"
) -> Iterator[R]:
    """Run a job on each item and yield what comes out, as it comes; inside of :func:`cluster`.

    Args:
        job: a function that other processes can import.
        todo: the items, each made when its turn comes.
        number: how many there are.
        workers: processes on this machine, for the backend ``local``.
        backend: ``local``, ``dask`` or ``ray``.
    """
    import joblib

    if not number or (backend == "local" and (workers == 1 or number == 1)):
        yield from map(job, todo)
        return
    local, as_they_come = backend == "local", backend != "ray"  # Ray's pool hands nothing back before all is done
    parallel = joblib.Parallel(
        n_jobs=min(workers, number) if local else -1,
        backend="loky" if local else None,
        return_as="generator_unordered" if as_they_come else "list",
        batch_size=1,
    )
    step = number if as_they_come else 4 * joblib.effective_n_jobs(-1)
    parent, items = os.getpid() if local else None, iter(todo)
    for _ in range(0, number, step):
        yield from parallel(joblib.delayed(_in_worker)(parent, job, item) for item in islice(items, step))


def _in_worker(parent: int | None, job: Callable[[T], R], item: T) -> R:
    """Do a job; for a parent on this machine, live no longer than it."""
    if parent is not None:
        serve(parent)
    return job(item)


@contextmanager
def cluster(backend: str, address: str | None) -> Iterator[None]:
    """Point joblib at a cluster while the block runs."""
    import joblib

    if backend == "local":
        yield
        return
    if backend == "dask" and address is None:
        raise FacelabError("the backend dask needs the address of a scheduler, such as tcp://10.0.0.7:8786.")
    try:
        if backend == "dask":
            from dask.distributed import Client

            _check_answers(str(address))
            client: Any = Client(address, timeout=_PATIENCE)
        else:
            import ray
            from ray.util.joblib import register_ray

            if ":" in str(address):  # not "auto", which is this machine's own cluster
                _check_answers(str(address))
            ray.init(address=address, ignore_reinit_error=True)
            register_ray()
            client = nullcontext()
    except ImportError as error:
        raise FacelabError(f"backend {backend!r} is not installed: pip install 'facelab[scale]'") from error
    except (OSError, ValueError) as error:
        raise FacelabError(f"no {backend} cluster answers at {address!r} ({error}); check the address.") from error
    with client, joblib.parallel_config(backend=backend):
        yield


def _check_answers(address: str) -> None:
    """Raise an OSError at once if nobody listens at a TCP address; Dask would try for half a minute, Ray for longer."""
    place = urlsplit(address if "://" in address else f"tcp://{address}")
    if place.scheme in ("tcp", "tls", "ray"):
        socket.create_connection((place.hostname, place.port), timeout=_PATIENCE).close()
