"""What was found out about a large file at some cost, once: kept in facelab's cache until the file changes."""

import contextlib
import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from facelab.errors import FacelabError
from facelab.files import atomic_write, facelab_home

Arrays = dict[str, np.ndarray]


def remembered(what: str, files: Sequence[Path], make: Callable[[], Arrays]) -> Arrays:
    """Return arrays that were made of files: from the cache, if path, size and time of change of each are the same.

    Args:
        what: is made, with the version of how: another word, another entry.
        files: that it depends on.
        make: gives the arrays, of numbers or text.
    """
    digest = hashlib.sha256(what.encode())
    for path in files:
        about = os.stat(path)
        digest.update(
            f"\0{os.path.realpath(path)}\0{about.st_size}\0{about.st_mtime_ns}".encode(errors="surrogateescape")
        )
    kept = facelab_home() / "indexes" / f"{digest.hexdigest()[:32]}.npz"
    with contextlib.suppress(Exception), np.load(kept) as arrays:  # missing, or damaged: it is made again
        return dict(arrays)
    made = make()
    with contextlib.suppress(FacelabError), atomic_write(kept) as temporary:  # a full disk only costs the next one time
        np.savez(temporary, **made)  # type: ignore[arg-type]
    return made
