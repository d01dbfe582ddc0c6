"""Where tensors live. The one place that turns a user's word into a ``torch.device``."""

import torch

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
        torch.empty(0, device=resolved)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise FacelabError(
            f"device {str(device)!r} cannot be used here; use 'cpu', or 'auto' to let facelab choose."
        ) from error
    return resolved
