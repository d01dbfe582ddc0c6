"""Networks that come with the package: small, and trained on rendered faces alone."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facelab.errors import FacelabError
from facelab.files import check_sha256
from facelab.models.embedder import Embedder
from facelab.models.registry import make_backbone

NETWORKS = Path(__file__).parent / "networks"


def shipped_networks() -> dict[str, dict[str, Any]]:
    """Return what is known of each network that comes with the package, by name: how it was trained and measured.

    ``strangers`` holds measures on rendered people whom the network has not seen, each as ``{"value", "low", "high",
    "n"}``; ``operating_point`` a threshold, the FAR ``asked`` for when it was chosen on these people, and ``far`` and
    ``frr`` at it. The file is written by ``facelab study publish gpu``. What the networks are not for:
    ``networks/card.md``.
    """
    return json.loads((NETWORKS / "networks.json").read_text(encoding="utf-8"))


def pretrained(name: str, *, device: str | torch.device = "auto", flip: bool = False) -> Embedder:
    """Return a network that comes with the package, ready to embed chips.

    It has never seen a real person, and must not be used to decide anything about one.

    Args:
        name: a key of :func:`shipped_networks`: ``"synthfaces-arcface"``, ``"synthfaces-cross-entropy"``.
        device, flip: see :class:`facelab.models.Embedder`.

    Raises:
        FacelabError: there is no such network, or its file is not the one that was published.

    Example:
        >>> embed = pretrained("synthfaces-arcface", device="cpu")
        >>> embed(np.zeros((2, 112, 112, 3), np.uint8)).shape
        (2, 128)
    """
    networks = shipped_networks()
    if name not in networks:
        raise FacelabError(f"there is no network {name!r} in the package; there are: {', '.join(networks)}.")
    about, path = networks[name], NETWORKS / f"{name}.npz"
    check_sha256(path, about["sha256"], "Install facelab again.")
    network = make_backbone(about["backbone"], about["embedding_dim"], size=about["size"])
    with np.load(path) as arrays:
        network.load_state_dict({key: torch.from_numpy(arrays[key]) for key in arrays.files})  # float16 to float32
    return Embedder(network, size=about["size"], device=device, flip=flip)
