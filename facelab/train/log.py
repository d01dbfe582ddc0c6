"""The log of a training: a CSV table beside the checkpoint, and TensorBoard's files if asked."""

import csv
import importlib.util
from pathlib import Path
from typing import Self

from facelab import processes
from facelab.files import atomic_write
from facelab.train.checkpoint import Checkpoint


class Log:
    """Writes one row per finished epoch.

    The table is written anew from the checkpoint's history each time: whatever happened before, it has every finished
    epoch once.

    Args:
        checkpoint: of the training; the table is ``NAME.csv`` beside it. None: there is no log.
        tensorboard: also write to the folder ``NAME-tensorboard``, if the package ``tensorboard`` is installed.
        state: where the training goes on from; later rows of an earlier run are forgotten.
    """

    def __init__(self, checkpoint: Path | str | None, tensorboard: bool, state: Checkpoint):
        self._table = Path(checkpoint).with_suffix(".csv") if checkpoint and processes.rank() == 0 else None
        self._board = None
        if tensorboard and self._table and importlib.util.find_spec("tensorboard"):
            from torch.utils.tensorboard import SummaryWriter

            folder = self._table.with_name(f"{self._table.stem}-tensorboard")
            self._board = SummaryWriter(folder, purge_step=state.step // state.steps_per_epoch + 1)
        self.write(state)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._board:
            self._board.close()

    def write(self, state: Checkpoint) -> None:
        """Write the finished epochs."""
        done = state.step // state.steps_per_epoch
        if self._table is None or not done:
            return
        rows = [{**row, "images_per_second": round(row["images"] / row["seconds"], 1)} for row in state.history[:done]]
        with atomic_write(self._table) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        if self._board:
            for name in ("loss", "accuracy", "learning_rate", "images_per_second"):
                self._board.add_scalar(name, rows[-1][name], global_step=done)
            self._board.flush()
