"""Millions of pictures in a few large files: each is read from its place when it is asked for, and none is kept."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from facelab.errors import FacelabError, shown


class LargeFile:
    """A file that is read at any place by many threads and processes; a forked or spawned one opens it anew.

    Args:
        path: of the file.
        begin: where it begins, in bytes, if it lies in another one, such as an archive.
        size: of it, in bytes; to the end if not given.
        title: what to call it in messages; its path if not given.

    Raises:
        FacelabError: it cannot be read.
    """

    def __init__(self, path: Path | str, begin: int = 0, size: int | None = None, title: str = ""):
        self.path, self.begin, self.title = Path(path), begin, title or str(path)
        self._file = -1
        self._process = 0
        if self.path.exists() and not self.path.is_file():
            raise FacelabError(f"cannot read {self.path}: it is no file. Check the path.")
        self.size = os.fstat(self._handle()).st_size - begin if size is None else size

    def _handle(self) -> int:
        if self._process != os.getpid():
            self.close()
            try:
                self._file, self._process = os.open(self.path, os.O_RDONLY), os.getpid()
            except OSError as error:
                raise FacelabError(f"cannot read {self.path}: {error.strerror}. Check the path.") from error
        return self._file

    def close(self) -> None:
        """Close it in this process; it is opened again when it is read."""
        if self._file >= 0:
            os.close(self._file)
        self._file, self._process = -1, 0

    def __del__(self) -> None:
        try:  # noqa: SIM105 # contextlib may be gone
            self.close()
        except Exception:  # a half-made one, or the end of Python
            pass

    def read(self, start: int, length: int) -> bytes:
        """Return ``length`` bytes from position ``start`` on; fewer where the file ends.

        Raises:
            FacelabError: the disk cannot be read.
        """
        start, length = self.begin + start, min(length, self.size - start)
        if length <= 0:
            return b""
        try:
            if hasattr(os, "pread"):
                return os.pread(self._handle(), length, start)
            with self.path.open("rb") as file:  # Windows: a position of one's own
                file.seek(start)
                return file.read(length)
        except OSError as error:
            raise FacelabError(f"cannot read {self.path}: {error.strerror}. Check the disk.") from error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": -1, "_process": 0}


def number_columns(data: bytes, where: str, columns: int, separator: str, *, header: bool = False) -> list[np.ndarray]:
    """Return the first columns of a list of millions of lines: whole numbers, not negative, each (lines,), int64.

    Args:
        data: what the file holds.
        where: it is, for messages.
        columns: how many; a line without a header has no others.
        separator: between the words of a line.
        header: whether the first line names the columns; then there may be more of them.

    Raises:
        FacelabError: a line is something else; the message has its number.
    """
    import pyarrow as pa
    from pyarrow import csv

    names = [str(k) for k in range(columns)]
    if header:
        names += [str(k) for k in range(columns, data.partition(b"\n")[0].count(separator.encode()) + 1)]
    try:
        table = csv.read_csv(
            pa.BufferReader(data),
            csv.ReadOptions(column_names=names, skip_rows=int(header)),
            csv.ParseOptions(delimiter=separator, quote_char=False),
            csv.ConvertOptions(
                column_types=dict.fromkeys(names[:columns], pa.int64()), null_values=[], include_columns=names[:columns]
            ),
        )
        values = [table[name].to_numpy() for name in names[:columns]]
        if any(column.min() < 0 for column in values):
            raise ValueError
        return values
    except (ValueError, pa.ArrowException) as error:
        raise FacelabError(_bad_line(data, where, columns, separator, header)) from error


def _bad_line(data: bytes, where: str, columns: int, separator: str, header: bool) -> str:
    for number, line in enumerate(data.decode("latin1").splitlines(), start=1):
        words = [word.strip() if header else word for word in line.split(separator)]
        whole = len(words) >= columns if header else len(words) == columns
        if (header and number == 1) or not line:
            continue
        if not (whole and all(word.isascii() and word.isdigit() for word in words[:columns])):
            kind = {"\t": "a tab", " ": "a space", ",": "a comma"}[separator]
            return (
                f"{where} line {number} is {shown(line)}; expected {columns} numbers with {kind} between. Get it again."
            )
    return f"{where} holds no lines of numbers, or too large ones. Get it again."
