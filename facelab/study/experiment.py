"""What a kind of experiment says about itself: its settings, its runs, and how runs become values and tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from facelab.errors import FacelabError
from facelab.strict import Strict

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a run found: values that JSON can hold, and arrays."""

    values: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)


def told(found: Mapping[str, Any]) -> str:
    """Return what a table shows of a measure: its value, with the 95 % interval if it has one."""
    return ("{value:.3f} [{low:.3f}, {high:.3f}]" if "low" in found else "{value:.3f}").format(**found)


@dataclass(frozen=True, eq=False)
class Job:
    """What a run is given. None of it may change what the run finds, but by rounding.

    Attributes:
        device: where to compute, as ``torch.device`` reads it.
        workers: processes that it may start, for rendering.
        folder: its own, for what it keeps beside its outcome; scratch: for what it needs until it is done, such as the
            checkpoint of a training. Neither may exist yet.
        needed: the outcomes of the runs that it needs, by name.
        show_progress: show bars.
    """

    device: str
    workers: int
    folder: Path
    scratch: Path
    needed: Mapping[str, Outcome]
    show_progress: bool


class Run(Strict):
    """One run. Its fields decide what it finds, so they are kept with it: other fields, another run.

    Attributes:
        needs: names of the runs whose outcomes it is given.
    """

    needs: tuple[str, ...] = ()

    def compute(self, job: Job) -> Outcome:
        """Do the work; a run that failed is told by its error and tried again the next time.

        Raises:
            FacelabError: it cannot be done, and why.
        """
        raise NotImplementedError


class Experiment(Strict):
    """One kind of experiment; its fields are the table ``[settings]`` of a plan.

    Attributes:
        takes_data: whether it is about a set on the reader's disk, which ``--data`` gives.
    """

    takes_data: ClassVar[bool] = False

    def on(self, data: str) -> Self:
        """Return the experiment on the set that lies there.

        What the set holds belongs into the fields of runs, so that a folder of runs is not gone on with on another set;
        where it lies belongs into no record.

        Raises:
            FacelabError: the experiment takes no data, or they are not what it is about.
        """
        raise FacelabError(
            f"--data {data}: this plan makes its faces itself or has them by name; leave the option out."
        )

    def runs(self) -> dict[str, Run]:
        """Return the runs by name (of a file: letters, digits, hyphens), each after those that it needs."""
        raise NotImplementedError

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Return what is published, from the outcomes of all runs by name; JSON can hold it."""
        raise NotImplementedError

    def arrays(self, outcome: Callable[[str], Outcome]) -> dict[str, np.ndarray]:
        """Return the arrays that are published beside the values: what somebody needs to compute them again.

        Args:
            outcome: gives the outcome of a run by its name.
        """
        return {}

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        """Return the tables of a report by name, from the values."""
        return {}

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        """Return the figures of a report by name, from the values."""
        return {}

    def publish(self, values: dict[str, Any], outcome: Callable[[str], Outcome]) -> None:
        """Write where else the package quotes the values, or keeps what a run has made.

        Args:
            values: what is published.
            outcome: gives the outcome of a run by its name.
        """
