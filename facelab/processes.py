"""Several processes, one training: ``torchrun`` starts them, ``torch.distributed`` connects them.

Alone, every function here gives back what it was given; so code that uses them reads the same for one process and many.
"""

import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

from facelab.errors import FacelabError

T = TypeVar("T")

_PATIENCE = 10  # seconds until a process says that it waits for others


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx, tensor: Tensor) -> Tensor:
        tensor = tensor.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(tensor)
        return tensor

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return _Total.apply(gradient)


def count() -> int:
    """Return how many processes work together."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0; process 0 writes files and shows progress."""
    return dist.get_rank() if count() > 1 else 0


@contextmanager
def joined(device: torch.device) -> Iterator[torch.device]:
    """Connect the processes that ``torchrun`` started, and give each its device; without ``torchrun``, do nothing."""
    number, size = launched()
    if size == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    where = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    said = f"process {number} of {size} waits for the others at {where}; to work alone, end it and unset WORLD_SIZE."
    waiting = threading.Timer(_PATIENCE, warnings.warn, [said])
    waiting.daemon = True
    waiting.start()
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise FacelabError(
            f"process {number} of {size} cannot reach the others at {where}: {str(error).splitlines()[0]}. Start them "
            "with torchrun; to work alone, unset WORLD_SIZE."
        ) from error
    finally:
        waiting.cancel()
    try:
        yield device
    finally:
        dist.destroy_process_group()


def launched() -> tuple[int, int]:
    """Return the number of this process and how many ``torchrun`` started, from the environment: (0, 1) without it.

    Raises:
        FacelabError: the environment tells of several processes, but not all that connects them; so does a variable
            that is left of something else.
    """
    told = {name: os.environ.get(name) for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")}
    if told["WORLD_SIZE"] in (None, "", "1"):
        return 0, 1
    numbers = {name: str(told[name]) for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "MASTER_PORT")}
    if told["MASTER_ADDR"] and all(text.isdecimal() for text in numbers.values()):
        number, size = int(numbers["RANK"]), int(numbers["WORLD_SIZE"])
        if number < size:
            return number, size
    said = ", ".join(f"{name}={value}" for name, value in told.items() if value is not None)
    raise FacelabError(
        f"the environment has {said}: no group of processes that torchrun would start. To work alone, unset "
        "WORLD_SIZE; for several processes: torchrun -m facelab train."
    )


def total(tensor: Tensor) -> Tensor:
    """Return the sum over the processes, which each of them gets. Its gradient is summed over them, too."""
    return _Total.apply(tensor) if count() > 1 else tensor


def largest(tensor: Tensor) -> Tensor:
    """Return the element-wise maximum over the processes, without gradient."""
    tensor = tensor.detach().clone()
    if count() > 1:
        dist.all_reduce(tensor, dist.ReduceOp.MAX)
    return tensor


def gather(part: Tensor) -> Tensor:
    """Return the rows of all processes, in the order of the processes; each holds equally many. It has a gradient."""
    if count() == 1:
        return part
    whole = part.new_zeros(len(part) * count(), *part.shape[1:])
    first = len(part) * rank()
    whole[first : first + len(part)] = part
    return total(whole)


def from_first(make: Callable[[], T]) -> T:
    """Return what ``make`` gives in process 0; only there it is called."""
    if count() == 1:
        return make()
    values: list[Any] = [make() if rank() == 0 else None]
    dist.broadcast_object_list(values)
    return values[0]


def first_before_others(make: Callable[[], T]) -> T:
    """Return what ``make`` gives in each process; the others wait for process 0, which may fill a cache."""
    if count() == 1:
        return make()
    if rank() == 0:
        value = make()
    dist.barrier()
    return value if rank() == 0 else make()
