"""WebDataset: tar files in which the files of one sample stand together, and share the beginning of their names."""

import json
import re
from collections.abc import Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.archives import Archive, open_archive
from facelab.data.cache import remembered
from facelab.data.faceset import FaceSet
from facelab.data.images import decode_named, is_picture
from facelab.data.pieces import LargeFile
from facelab.data.tables import IDENTITIES, as_identities, split_of, text_of
from facelab.errors import FacelabError, ImageError, cut, shown
from facelab.progress import progress_bar

_KEY = re.compile(r"((?:.*/)?[^/.]+)\.([^/]+)", re.DOTALL)  # up to the first dot of the file's name
_LABELS = ("cls", "id", "json", "txt")  # what may say who it is, the likeliest first
_MOST = 1 << 20  # bytes of a label


class Pieces(Sequence[np.ndarray]):
    """Pictures that lie in large files as a sequence of RGB arrays, each read and decoded when it is asked for.

    Args:
        files: in which they lie.
        file, begin, size: of each picture the number of its file, where it begins there, and its bytes; shape (n,).
        names: of the pictures.
    """

    def __init__(
        self, files: list[LargeFile], file: np.ndarray, begin: np.ndarray, size: np.ndarray, names: Sequence[str]
    ):
        self.files, self.file, self.begin, self.size, self.names = files, file, begin, size, names

    def __len__(self) -> int:
        return len(self.begin)

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a picture as they are kept."""
        data = self.files[self.file[index]].read(int(self.begin[index]), int(self.size[index]))
        if len(data) < self.size[index]:
            raise ImageError(f"{self._name(index)} is cut short. Get the file again.")
        return data

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return decode_named(self.encoded(index), self._name(index))

    def take(self, rows: Sequence[int]) -> "Pieces":
        """Return some of the pictures, by position."""
        names = [self.names[row] for row in rows]
        return Pieces(self.files, self.file[rows], self.begin[rows], self.size[rows], names)

    def _name(self, index: int) -> str:
        return f"{self.files[self.file[index]].title}: {cut(self.names[index])}"


def shards_in(path: Path | str) -> list[Path]:
    """Return the tar files of a folder, sorted, or the one that a path is."""
    path = Path(path)
    if not path.is_dir():
        return [path]
    return sorted(one for one in path.rglob("*") if re.search(r"\.(tar|tgz|tar\.\w+)$", one.name) and one.is_file())


def of_webdataset(path: str) -> bool:
    """Whether a path is of this layout: a picture of the first tar has a file beside it that may say who is on it."""
    shards = shards_in(path)
    try:
        names = set(open_archive(shards[0]).names) if shards else set()
    except FacelabError:
        return False
    return any(_picture(name) and any(f"{_picture(name)}.{label}" in names for label in _LABELS) for name in names)


def _picture(name: str) -> str:
    """Return the key of a picture, or ``""`` for another file."""
    match = _KEY.fullmatch(name)
    return match[1] if match and is_picture(match[2]) else ""


def load_webdataset(path: Path | str, *, show_progress: bool = False) -> FaceSet:
    """Load a tar file of the layout of WebDataset, or a folder of them.

    Who is on ``KEY.jpg`` is what ``KEY.cls`` or ``KEY.id`` holds, or ``KEY.json`` under one of
    :data:`facelab.data.tables.IDENTITIES`, or ``KEY.txt``. Where each picture lies and who is on it is found once for
    each tar, and remembered in facelab's cache. The table has the columns ``identity``, ``file`` (in the tar) and,
    where the names of folders or tars begin with one, ``split``.

    Args:
        path: the tar file, or the folder.
        show_progress: show a bar while tars are looked through.

    Raises:
        FacelabError: a tar is damaged or would harm, a picture has no label, or a sample two pictures.
    """
    path, shards = Path(path), shards_in(path)
    if not shards:
        raise FacelabError(f"{path} holds no tar file.")
    files, parts = [], []
    with progress_bar(f"look through {path.name}", len(shards), show_progress=show_progress and len(shards) > 1) as bar:
        for shard in shards:
            found = remembered("pictures in a tar, 1", [shard], partial(_look_through, shard))
            inside = Path(found["inside"].tobytes().decode("utf-8", "surrogateescape"))
            files.append(LargeFile(inside if inside.exists() else open_archive(shard).file, title=str(shard)))
            parts.append(found)
            bar.update()
    whole = {name: np.concatenate([part[name] for part in parts]) for name in ("begin", "size", "key", "who")}
    if not len(whole["begin"]):
        raise FacelabError(f"{path} holds no picture.")
    number = np.repeat(np.arange(len(shards), dtype=np.int32), [len(part["begin"]) for part in parts])
    names: Any = _texts(whole["key"])
    who = _texts(whole["who"])
    if all(re.fullmatch(r"-?\d{1,15}", one) for one in set(who)):
        who = np.array([int(one) for one in who])  # so that their order is that of the numbers
    about: dict[str, Any] = {"identity": as_identities(who), "file": pd.Series(names, dtype=object)}
    folder = path if path.is_dir() else path.parent
    splits = [next(filter(None, map(split_of, shard.relative_to(folder).parts)), "") for shard in shards]
    if all(splits):
        about["split"] = pd.Categorical(np.array(splits, object)[number])
    images = Pieces(files, number, whole["begin"], whole["size"], names)
    return FaceSet(path.name.partition(".")[0], images, pd.DataFrame(about))


def _texts(values: np.ndarray) -> np.ndarray:
    return np.array([value.decode("utf-8", "surrogateescape") for value in values.tolist()], object)


def _look_through(shard: Path) -> dict[str, np.ndarray]:
    """Return of each picture of a tar where it lies, its name, and who is on it."""
    archive = open_archive(shard)
    pictures: dict[str, str] = {}
    for name in archive.names:
        if (key := _picture(name)) and pictures.setdefault(key, name) != name:
            raise FacelabError(f"{shard}: {cut(pictures[key])} and {cut(name)} are one sample; which picture counts?")
    spans = [archive.span(name) for name in pictures.values()]
    if any(span is None for span in spans):
        raise FacelabError(f"{shard} is no tar file.")
    with ThreadPool(4) as pool:
        who = pool.map(lambda item: _label(archive, *item), pictures.items())
    inside = str(archive.file).encode("utf-8", "surrogateescape")
    return {
        "inside": np.frombuffer(inside, np.uint8),
        "begin": np.array([span[1] for span in spans if span], np.int64),
        "size": np.array([span[2] for span in spans if span], np.int64),
        "key": np.array([name.encode("utf-8", "surrogateescape") for name in pictures.values()], bytes),
        "who": np.array(who, bytes),
    }


def _label(archive: Archive, key: str, picture: str) -> bytes:
    """Return who is on a picture."""
    kind = next((kind for kind in _LABELS if f"{key}.{kind}" in archive), None)
    if kind is None:
        raise FacelabError(f"{archive.path}: nothing says who is on {cut(picture)}: there is no {cut(key)}.cls.")
    data = archive.read(f"{key}.{kind}", most=_MOST)
    if kind == "json":
        try:
            told = json.loads(data)
            value = next(told[name] for name in IDENTITIES if name in told)
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                raise ValueError(value)
        except (ValueError, TypeError, RecursionError, StopIteration) as error:
            raise FacelabError(
                f"{archive.path}: {cut(key)}.json says nothing under {', '.join(IDENTITIES)}: {shown(data[:80])}."
            ) from error
        data = text_of(value).encode("utf-8", "surrogatepass")
    word = data.strip()
    if not word or b"\0" in word or b"\n" in word:
        raise FacelabError(f"{archive.path}: {cut(key)}.{kind} is no name of an identity: {shown(data[:80])}.")
    return word
