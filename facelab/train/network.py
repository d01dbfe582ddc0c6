"""The one door to a trained network, for every verb that takes one."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from facelab.errors import FacelabError
from facelab.models import Embedder
from facelab.models.onnx import OnnxEmbedder, OnnxFile, read_onnx
from facelab.train.checkpoint import Checkpoint, network_sha256
from facelab.train.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Network:
    """A trained network, ready to embed; :func:`open_network` makes one.

    Attributes:
        recipe: how it was trained.
        fingerprint: of networks with the same one, embeddings may be compared and thresholds exchanged; see
            :meth:`fingerprint_of`.
        trained_on: a digest of each identity's name, see :func:`digest_names`.
        step, total_steps: how far the training went.
        make: returns the embedder on a device, with or without mirrored chips.
    """

    recipe: Recipe
    fingerprint: str
    trained_on: frozenset[str]
    step: int
    total_steps: int
    make: Callable[..., Embedder]

    @property
    def complete(self) -> bool:
        """Whether the training has ended."""
        return self.step >= self.total_steps

    def embedder(self, device: str | torch.device = "auto", *, flip: bool = False) -> Embedder:
        """Return what turns chips into embeddings, see :class:`facelab.models.Embedder`."""
        return self.make(device=device, flip=flip)

    def fingerprint_of(self, *, flip: bool) -> str:
        """Return the fingerprint of its embeddings: those with the mirrored chips added are of another kind."""
        return f"{self.fingerprint}+flip" if flip else self.fingerprint

    def knows(self, identities: Sequence[str], source: str = "") -> np.ndarray:
        """Say of each identity of a set whether the network was trained on one of this name; shape (n,), bool.

        Args:
            identities: names.
            source: name of the set. The networks in the package were trained on one whose names others bear too: they
                know these names in that set alone.
        """
        known = [digest_names([name, f"{source}/{name}"]) & self.trained_on for name in identities]
        return np.array([bool(of_one) for of_one in known], dtype=bool)


def open_network(network: Path | str) -> Network:
    """Open a checkpoint or an ONNX file of ``facelab export`` by its path, or a network of the package by its name.

    Args:
        network: a path, of an ONNX file if it ends in ``.onnx``; or a key of
            :func:`facelab.models.shipped_networks`.

    Raises:
        FacelabError: it is missing, damaged, or another kind of file.

    Example:
        >>> network = open_network("synthfaces-arcface")
        >>> network.recipe.backbone, network.knows(["p00000", "Ada"], "synthfaces-500").tolist()
        ('mobilefacenet', [True, False])
    """
    if Path(network).suffix.lower() == ".onnx":
        return _of_onnx(read_onnx(network))
    state = Checkpoint.open(network)
    return Network(
        state.recipe,
        network_sha256(network),
        digest_names(state.identities),
        state.step,
        state.total_steps,
        state.embedder,
    )


def _of_onnx(file: OnnxFile) -> Network:
    known = file.metadata
    recipe, fingerprint, people = (known.get(name) for name in ("recipe", "fingerprint", "trained_on"))
    steps = known.get("step"), known.get("total_steps")
    if not (
        isinstance(recipe, dict)
        and isinstance(fingerprint, str)
        and isinstance(people, list)
        and all(isinstance(one, str) for one in people)
        and all(isinstance(number, int) for number in steps)
    ):
        raise FacelabError(f"{file.path} has other metadata than facelab export writes. Export the network again.")
    return Network(
        Recipe.parse(recipe, source=f"the recipe in {file.path}"),
        fingerprint,
        frozenset(people),
        *steps,  # type: ignore[arg-type]
        make=partial(OnnxEmbedder, file),
    )


def digest_names(names: Iterable[str]) -> frozenset[str]:
    """Return the first 64 bits of the SHA-256 of each name: enough to know a name again, and not a list of people."""
    return frozenset(hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16] for name in names)
