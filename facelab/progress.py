"""What a long job shows while it works: one progress bar, and lines beside it."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Protocol


class Bar(Protocol):
    """What a long job tells its progress bar."""

    def update(self, advance: float = 1, note: str = "") -> None: ...


class _Silent:
    def update(self, advance: float = 1, note: str = "") -> None:
        pass


class _Rich:
    def __init__(self, progress, task):
        self._progress, self._task = progress, task

    def update(self, advance: float = 1, note: str = "") -> None:
        self._progress.update(self._task, advance=advance, note=note)


class _Notebook:
    """Tells JupyterLab, where book/jupyterlab/facelab.js shows one line below the cell while it runs.

    A message beside the cell's output, not a part of it: so nothing is stored, and what the cell printed stays.
    """

    SECONDS = 0.2  # between two messages

    def __init__(self, description: str, total: float, completed: int):
        from comm import create_comm  # every kernel has it

        self._description, self._total, self._completed, self._done = description, total, completed, float(completed)
        self._start = self._said = time.monotonic()
        self.comm = create_comm(target_name="facelab-progress", data=self._line(""))

    def update(self, advance: float = 1, note: str = "") -> None:
        self._done += advance
        if time.monotonic() - self._said >= self.SECONDS:
            self._said = time.monotonic()
            self.comm.send(self._line(note))

    def _line(self, note: str) -> dict[str, float | str]:
        done = self._done - self._completed
        left = (time.monotonic() - self._start) * (self._total - self._done) / done if done else None
        said = [f"{self._description}: {self._done:.0f} of {self._total:.0f}", note]
        said += [f"{timedelta(seconds=round(left))} left"] if left is not None else []
        return {"share": self._done / self._total if self._total else 1.0, "text": ", ".join(filter(None, said))}


def _in_kernel() -> bool:
    """Whether a Jupyter kernel runs this, as for every notebook."""
    ipython = sys.modules.get("IPython")
    return getattr(ipython and ipython.get_ipython(), "kernel", None) is not None


def say(text: str, *, show_progress: bool = True) -> None:
    """Print one line to standard error, where progress is shown: what a long job has found out on its way."""
    if show_progress:
        from rich.console import Console
        from rich.markup import escape

        Console(stderr=True).print(escape(text), soft_wrap=True, highlight=False)


_SHORTEST_BAR = 8


def _one_line(width: int):
    from rich.table import Column

    return Column(max_width=width, no_wrap=True, overflow="ellipsis")


@contextmanager
def progress_bar(description: str, total: float, *, show_progress: bool = True, completed: int = 0) -> Iterator[Bar]:
    """Show a bar with rate, elapsed time and time left while the block runs.

    In a terminal it stands on standard error. In JupyterLab it is one line below the cell, gone when the block ends,
    and no part of the cell's output; other programs that show notebooks show none.

    Args:
        description: what the job does, in a few words.
        total: the number of steps; ``bar.update(n)`` counts n of them as done.
        show_progress: False gives a bar that stays silent (libraries).
        completed: steps that an earlier run has already done.
    """
    if not show_progress:
        yield _Silent()
        return
    if _in_kernel():
        bar = _Notebook(description, total, completed)
        try:
            yield bar
        finally:
            bar.comm.close()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    numbers = 2 * len(f"{total:.0f}") + 1 + len("0:00:00 left 0:00:00") + 6  # what must not be cut, with the gaps
    words = min(28, console.width - numbers - _SHORTEST_BAR) if console.width < 100 else 28
    note = max(0, console.width - numbers - min(words, len(description)) - _SHORTEST_BAR)
    columns = (
        # Names of data sets and files may look like markup.
        TextColumn("{task.description}", markup=False, table_column=_one_line(words)),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False, table_column=_one_line(note)),
    )
    with Progress(*columns, console=console) as progress:
        yield _Rich(progress, progress.add_task(description, total=total, completed=completed, note=""))
