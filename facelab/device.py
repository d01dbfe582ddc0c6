"""Where tensors live: a user's word for a device turned into a ``torch.device``, and the way of a tensor to it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from facelab.errors import FacelabError


def resolve_device(device: str | torch.device = "auto") -> torch.device:
    """Return the device to compute on.

    Args:
        device: ``"auto"`` (a CUDA GPU if there is one, else the CPU), or anything that ``torch.device`` reads, such as
            ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Raises:
        FacelabError: the name is unknown or this machine has no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).tolist()  # it must compute and give back: "meta" does not
    except Exception as error:  # a device that is not there is told by whatever its library raises
        raise FacelabError(
            f"device {str(device)!r} cannot be used here; use 'cpu', or 'auto' to let facelab choose."
        ) from error
    return resolved


@contextmanager
def threads(number: int) -> Iterator[None]:
    """Let torch compute on so many threads while the block runs. Their number decides the last bits of sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def send(tensor: Tensor, device: torch.device) -> Tensor:
    """Return the tensor on the device. To a GPU it travels from page-locked memory, while Python goes on."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
