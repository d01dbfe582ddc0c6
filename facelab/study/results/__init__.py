"""What studies found: one JSON file for each that is published, read by the book and the tests; with some, arrays."""

import io
from pathlib import Path
from typing import Any, Self

import numpy as np

from facelab.errors import FacelabError
from facelab.files import check_sha256, read_json, write_json
from facelab.strict import Strict

STORE = Path(__file__).parent


class Provenance(Strict):
    """Where values come from.

    Attributes:
        command: makes them again.
        date: when the last run ended, UTC.
        device: in words; more than one if the runs were done on several.
        facelab, torch: versions.
        runs: how many; seconds: how long they took together; None where nobody kept it.
        note: what else should be known.
    """

    command: str
    date: str
    device: str
    facelab: str
    torch: str
    runs: int | None = None
    seconds: float | None = None
    note: str = ""


class Results(Strict):
    """The plan of a study as it was run, the values that it found, and where they come from.

    Attributes:
        arrays: SHA-256 of the file of arrays beside the results' file, if there is one; :func:`published_arrays`.
    """

    plan: dict[str, Any]
    values: dict[str, Any]
    provenance: Provenance
    arrays: str | None = None

    @classmethod
    def load(cls, results: Path | str) -> Self:
        """Read the results of a study: published ones by their name, or a JSON file.

        Raises:
            FacelabError: there is no such file, or it does not hold results.
        """
        known = STORE / f"{results}.json"
        path = known if known.is_file() else Path(results)
        if not path.exists():
            raise FacelabError(
                f"there are no results {str(results)!r}: give a file, or one of: {', '.join(published())}."
            )
        return cls.parse(read_json(path, "Give a file with the results of a study."), path.name)

    def save(self, path: Path | str) -> None:
        """Write the results to a JSON file, whole or not at all."""
        write_json(path, self.model_dump(), indent=1, ensure_ascii=False)


def holds_results(path: Path) -> bool:
    """Say whether a file holds the results of a study."""
    try:
        return bool(Results.load(path))
    except FacelabError:
        return False


def published() -> list[str]:
    """Return the names of the studies whose results come with facelab."""
    return sorted(path.stem for path in STORE.glob("*.json"))


def published_arrays(name: str) -> dict[str, np.ndarray]:
    """Return the arrays that were published with the results of a study, such as predictions and embeddings.

    Raises:
        FacelabError: there are no such results, they have no arrays, or the file of arrays is not theirs.
    """
    digest, path = Results.load(name).arrays, STORE / f"{name}.npz"
    if digest is None:
        raise FacelabError(f"the results {name} have no arrays.")
    data = check_sha256(path, digest, "Install facelab again.")
    with np.load(io.BytesIO(data)) as arrays:
        return dict(arrays)
