"""Millions of pictures in a few large files: each is read from its place when it is asked for, and none is kept."""

import contextlib
import os
from pathlib import Path
from typing import Any

from facelab.errors import FacelabError


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
        with contextlib.suppress(Exception):  # a half-made one, or the end of Python
            self.close()

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
