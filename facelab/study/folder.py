"""The runs of a plan in a folder: one small JSON file for each, with its arrays beside it::

runs/NAME.json    settings, values, seconds, device, versions, date of the run NAME
runs/NAME.npz     its arrays, if it has any
runs/NAME/        what else it keeps
"""

import contextlib
import datetime
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from pydantic import ValidationError

from facelab import __version__
from facelab.errors import FacelabError
from facelab.files import atomic_write, check_sha256, claim, read_json, write_json
from facelab.strict import Strict
from facelab.study.experiment import Outcome, Run
from facelab.study.plan import Plan


class Record(Strict):
    """What the file of a run holds.

    Attributes:
        settings: all fields of the run.
        values: what it found.
        arrays: SHA-256 of the file of arrays.
        error: why it failed.
        seconds: it took; device: in words; facelab, torch: their versions; date: of its end, UTC.
    """

    settings: dict[str, Any]
    values: dict[str, Any] | None = None
    arrays: str | None = None
    error: str | None = None
    seconds: float
    device: str
    facelab: str
    torch: str
    date: str


@dataclass(frozen=True)
class State:
    """How it stands with a run: done or failed (with its record), damaged (with a note what), or to do."""

    name: Literal["done", "failed", "damaged", "to do"]
    record: Record | None = None
    note: str = ""

    @property
    def done(self) -> Record:
        """The record of a run that is done."""
        assert self.record is not None
        return self.record


class StudyFolder:
    """Where the runs of a plan lie.

    Args:
        plan: which runs there should be.
        path: the folder; by default ``runs/study/`` and the plan's name.
    """

    def __init__(self, plan: Plan, path: Path | str | None = None):
        self.plan = plan
        self.path = Path("runs/study") / plan.name if path is None else Path(path)
        self.runs = plan.settings.runs()
        _check(self.runs)

    def states(self) -> dict[str, State]:
        """Return the state of each run, in the plan's order.

        Raises:
            FacelabError: a run was made with other settings than the plan's; the message names the field.
        """
        return {name: self.state(name) for name in self.runs}

    def state(self, name: str) -> State:
        """Return the state of one run; raises as :meth:`states`."""
        path = self._file(name, ".json")
        if not path.exists():
            return State("to do")
        try:
            record = _read(path)
        except ValueError as error:
            return State("damaged", note=f"{path} is damaged ({str(error).splitlines()[0]})")
        if record.error is not None:
            return State("failed", record, record.error)
        self._check_settings(name, record)
        if record.arrays is not None:
            try:
                check_sha256(self._file(name, ".npz"), record.arrays)
            except FacelabError as error:
                return State("damaged", note=str(error))
        return State("done", record)

    def claim(self) -> None:
        """Say that these runs write here; see :func:`facelab.files.claim`.

        Raises:
            FacelabError: a file is there that no study has made.
        """

        def known(path: Path) -> bool:
            try:
                return bool(_read(path.with_suffix(".json")))  # what lies beside the file of a run is the run's
            except ValueError:
                return False

        ends = (("runs", ".json"), ("runs", ".npz"), ("runs", ""), ("scratch", ""))
        claim(self.path, [f"{part}/{name}{suffix}" for name in self.runs for part, suffix in ends], known=known)

    def outcome(self, name: str) -> Outcome:
        """Return what a run found.

        Raises:
            FacelabError: it is not done.
        """
        state = self.state(name)
        if state.name != "done":
            raise FacelabError(
                f"{self.path}: the run {name} is {state.name}; go on with facelab study run, the same plan and folder."
            )
        values = state.done.values or {}
        if state.done.arrays is None:
            return Outcome(values)
        with np.load(self._file(name, ".npz")) as arrays:
            return Outcome(values, dict(arrays))

    def own_folder(self, name: str) -> Path:
        """Return the folder for what a run keeps beside its outcome; it may not exist."""
        return self.path / "runs" / name

    def write(self, name: str, outcome: Outcome, *, seconds: float, device: str) -> None:
        """Keep what a run found. The JSON file comes last: where it is, the run is whole."""
        digest = None
        if outcome.arrays:
            with atomic_write(self._file(name, ".npz")) as temporary:
                np.savez_compressed(temporary, **outcome.arrays)  # type: ignore[arg-type]
                digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
        self._write(name, values=outcome.values, arrays=digest, seconds=seconds, device=device)

    def write_failure(self, name: str, error: str, *, seconds: float, device: str) -> None:
        """Keep why a run failed."""
        self._write(name, error=error, seconds=seconds, device=device)

    def _write(self, name: str, **fields: Any) -> None:
        record = Record(
            settings=self.runs[name].model_dump(mode="json"),
            facelab=__version__,
            torch=str(torch.__version__),
            date=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **fields,
        )
        write_json(self._file(name, ".json"), record.model_dump(), indent=1)

    def _file(self, name: str, suffix: str) -> Path:
        return self.path / "runs" / f"{name}{suffix}"

    def _check_settings(self, name: str, record: Record) -> None:
        run, found = self.runs[name], record.settings
        with contextlib.suppress(ValidationError):  # of a field that is gone; it will be named
            found = type(run).model_validate(found).model_dump(mode="json")  # a field that is new has its default
        for field, old, new in differences(found, run.model_dump(mode="json")):
            raise FacelabError(
                f"{self.path}: the run {name} was made with {field} = {old}, the plan {self.plan.name} now says {new}. "
                "Runs of two plans do not mix: choose another --out, or delete the folder."
            )


def _read(path: Path) -> Record:
    """Read the file of a run; raises ValueError, as FacelabError and ValidationError are."""
    return Record.model_validate(read_json(path))


ABSENT = "nothing"


def differences(old: Any, new: Any, field: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield where two nested values differ: the field (``a.b.c``), the old and the new value, or ABSENT."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys([*old, *new]):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), f"{field}.{key}" if field else str(key))
    elif old != new and not (old != old and new != new):  # NaN is NaN
        yield field, old, new


def _check(runs: dict[str, Run]) -> None:
    """Check names and order, which are the experiment's."""
    seen: set[str] = set()
    for name, run in runs.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", name) or not seen.issuperset(run.needs):
            raise ValueError(f"run {name!r} needs {run.needs}: a name for a file, and the runs that it needs before it")
        seen.add(name)
