"""Several processes, one training: ``torchrun`` starts them, ``torch.distributed`` connects them.

Alone, every function here gives back what it was given; so code that uses them reads the same for one process and many.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch import distributed as dist

T = TypeVar("T")


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
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    finally:
        dist.destroy_process_group()


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
