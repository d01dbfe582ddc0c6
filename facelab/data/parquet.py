"""Pictures in Parquet files: one row group at a time is read, and none is kept for long."""

import os
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facelab.data.images import decode_named
from facelab.errors import FacelabError, ImageError
from facelab.files import read_bytes

_GROUPS, _FILES = 4, 16  # row groups and files that a process keeps open
LARGE = 256 << 20  # bytes of a row group of which a reader should know


def open_parquet(path: Path | str) -> Any:
    """Return the ``pyarrow.parquet.ParquetFile`` of a path or fsspec address.

    Raises:
        FacelabError: it cannot be read, or is no whole Parquet file.
    """
    import pyarrow.parquet as pq

    try:
        if "://" in str(path):
            import fsspec

            files, where = fsspec.core.url_to_fs(str(path))
            return pq.ParquetFile(files.open(where, "rb"))
        return pq.ParquetFile(path, memory_map=False, pre_buffer=False)
    except Exception as error:  # file systems and Arrow raise what they like
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise FacelabError(f"{path} is no whole Parquet file ({reason}). Get it again.") from error


class ParquetImages(Sequence[np.ndarray]):
    """Encoded pictures in a column of Parquet files as a sequence of RGB arrays, each decoded when it is asked for.

    For one picture its row group is read, so small row groups make it fast. Threads and processes may share it.

    Args:
        files: paths or fsspec addresses, in order.
        column: of bytes, or of a struct with the fields ``bytes`` and ``path``, as the package datasets writes it;
            where there are no bytes, the file at the path is read, relative to the folder of the Parquet file.
        groups: rows in each row group of each file; read from the files if not given.

    Raises:
        FacelabError: a file is no Parquet file.
    """

    def __init__(
        self, files: Sequence[Path | str], column: str = "image", groups: Sequence[Sequence[int]] | None = None
    ):
        self.files, self.column = [str(file) for file in files], column
        rows = [rows_of_groups(open_parquet(file)) for file in self.files] if groups is None else groups
        self._file = np.repeat(np.arange(len(rows)), [len(one) for one in rows])
        self._group = np.concatenate([np.arange(len(one)) for one in rows]) if rows else np.empty(0, int)
        self._starts = np.cumsum([0, *(number for one in rows for number in one)])
        self._reset()

    def _reset(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()
        self._open: OrderedDict[int, Any] = OrderedDict()
        self._read: OrderedDict[int, Any] = OrderedDict()

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_lock", "_open", "_read")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ = state
        self._reset()

    def __len__(self) -> int:
        return int(self._starts[-1])

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a picture as they are kept.

        Raises:
            ImageError: it is missing, or its row group is damaged.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        index %= len(self)
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        if self._process != os.getpid():
            self._reset()
        with self._lock:
            group = self._take(number)
        data = group[int(index - self._starts[number])].as_py()
        if isinstance(data, dict):
            path = data.get("path")
            data = data.get("bytes") or (path and self._beside(int(self._file[number]), path))
        if not data:
            raise ImageError(f"{self._name(index)} has no bytes in the column {self.column!r}.")
        return data

    def _beside(self, file: int, path: str) -> bytes:
        try:
            return read_bytes(Path(self.files[file]).parent / path)
        except FacelabError as error:
            raise ImageError(f"{self.files[file]}: {error}") from error

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return decode_named(self.encoded(index), self._name(index))

    def _name(self, index: int) -> str:
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        first = self._starts[int(np.searchsorted(self._file, self._file[number]))]
        return f"{self.files[self._file[number]]} row {index - first}"

    def _take(self, number: int) -> Any:
        """Return the bytes of a row group, as an array of Arrow."""
        if number not in self._read:
            file = int(self._file[number])
            if file not in self._open:
                self._open[file] = open_parquet(self.files[file])
                if len(self._open) > _FILES:
                    self._open.popitem(last=False)
            try:
                table = self._open[file].read_row_group(
                    int(self._group[number]), columns=[self.column], use_threads=False
                )
            except (OSError, ValueError) as error:
                raise ImageError(
                    f"{self.files[file]}: row group {self._group[number]} is damaged ({error})."
                ) from error
            self._read[number] = table.column(0)
            if len(self._read) > _GROUPS:
                self._read.popitem(last=False)
        self._read.move_to_end(number)
        return self._read[number]


def rows_of_groups(file: Any) -> list[int]:
    """Return how many rows each row group of a Parquet file has."""
    return [file.metadata.row_group(k).num_rows for k in range(file.metadata.num_row_groups)]
