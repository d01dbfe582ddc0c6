"""Embeddings on disk: chips in, one NumPy archive out."""

from pathlib import Path

import numpy as np

from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.files import atomic_write
from facelab.models.embedder import Embedder
from facelab.progress import progress_bar

BLOCK = 1024  # chips in memory at a time


def embed_faces(embedder: Embedder, chips: FaceSet, *, show_progress: bool = False) -> np.ndarray:
    """Return the embeddings of chips of any size, shape (n, D), float32, not normalised.

    Chips are brought to the size of the network as in training (:meth:`facelab.data.FaceSet.resized`), block by block,
    so that memory does not grow with their number.
    """
    parts = []
    with progress_bar(f"embed {chips.name}", len(chips), show_progress=show_progress) as bar:
        for start in range(0, len(chips), BLOCK):
            block = chips.select(range(start, min(start + BLOCK, len(chips)))).resized(embedder.size)
            parts.append(embedder(block, normalize=False))
            bar.update(len(block))
    if not parts:
        raise FacelabError(f"FaceSet {chips.name!r} is empty: there are no chips to embed.")
    return np.concatenate(parts)


def write_embeddings(path: Path | str, embeddings: np.ndarray, chips: FaceSet) -> None:
    """Write embeddings and who they are of; ``np.load(path, allow_pickle=False)`` reads the arrays back:

    - ``embeddings``: (n, D), float32, as given: not normalised, as the length tells of a picture's quality. The cosine
      of two is their dot product over their lengths.
    - ``labels``: (n,), int64, the position in ``identities``; -1 where it is not known who is on the picture.
    - ``identities``: (k,), the names, sorted.
    - ``files``: (n,), the names of the pictures, see :attr:`facelab.data.FaceSet.files`.
    """
    known = [identity for identity in chips.identities if identity]
    labels = chips.labels - (len(chips.identities) - len(known))  # the empty name is the first of all
    with atomic_write(path) as temporary, temporary.open("wb") as file:  # a name would get the ending .npz
        np.savez(
            file,
            embeddings=embeddings.astype(np.float32),
            labels=labels,
            identities=np.array(known, dtype=str),
            files=np.array(chips.files, dtype=str),
        )
