"""Sets of pairs as AdaFace and face.evoLVe pack them: one array of chips, already normalised, in a file of its own."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.faceset import FaceSet
from facelab.data.pairs import PairList, consecutive_folds, names_of_listed
from facelab.data.pieces import LargeFile
from facelab.errors import FacelabError, ImageError, count, shown
from facelab.files import read_bytes, read_json

_SAMPLE = 64  # chips that are looked at when a set is opened


class NormalisedImages(Sequence[np.ndarray]):
    """Chips that a file holds as (x - 127.5) / 127.5, blue first, as RGB arrays; each is read when it is asked for.

    Args:
        file: of the array.
        shape: (n, 3, height, width).
        dtype: of its numbers.
    """

    def __init__(self, file: LargeFile, shape: tuple[int, int, int, int], dtype: np.dtype):
        self.file, self.shape, self.dtype = file, shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        if not -len(self) <= index < len(self):
            raise IndexError(index)
        size = math.prod(self.shape[1:]) * self.dtype.itemsize
        data = self.file.read((index % len(self)) * size, size)
        if len(data) < size:
            raise ImageError(f"{self.file.title} is cut short at picture {index}. Get it again.")
        chip = np.frombuffer(data, self.dtype).reshape(self.shape[1:]).astype(np.float32)
        if not (np.abs(chip) <= 1.001).all():  # false for NaN too
            raise ImageError(
                f"{self.file.title}: picture {index} has numbers outside [-1, 1], so it is not normalised."
            )
        colours = np.round((chip[::-1] * 127.5 + 127.5).clip(0, 255)).astype(np.uint8)
        return np.ascontiguousarray(colours.transpose(1, 2, 0))


def load_memfile(path: Path | str) -> tuple[FaceSet, PairList]:
    """Load such a set, two chips in a row for each pair; cut into ten folds in order, as its scripts do.

    It does not say who is on the images, as :func:`facelab.data.load_bin`.

    Args:
        path: the folder ``NAME``, or the one above it if it holds one set only.

    Raises:
        FacelabError: a file is missing or damaged, there are several sets, or the numbers are not normalised.
    """
    path = Path(path)
    found = sorted(path.glob("memfile/mem_file.conf")) or sorted(path.glob("*/memfile/mem_file.conf"))
    if len(found) != 1:
        several = f", such as {found[0].parent.parent} and {found[1].parent.parent}; give one" if found else ""
        raise FacelabError(f"{path} holds {count(len(found), 'set')} with memfile/mem_file.conf{several}.")
    conf, folder = found[0], found[0].parent.parent
    about = read_json(conf)
    shape, dtype = _described(about, conf)
    file = LargeFile(conf.with_suffix(".dat"))
    if file.size != math.prod(shape) * dtype.itemsize:
        raise FacelabError(
            f"{file.title} has {file.size:,} bytes, {conf.name} describes {math.prod(shape) * dtype.itemsize:,}: it is "
            "cut short, or of another set. Get both again."
        )
    listed = folder.parent / f"{folder.name}_list.npy"
    same = _flags(listed)
    if 2 * len(same) != shape[0]:
        raise FacelabError(f"{listed} lists {count(len(same), 'pair')}, for {shape[0]} pictures; each pair needs two.")
    images = NormalisedImages(file, shape, dtype)
    for row in np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype(int)).tolist():
        _ = images[row]
    first = 2 * np.arange(len(same))
    faces = FaceSet(folder.name, images, pd.DataFrame({"identity": names_of_listed(same)}))
    return faces, PairList(first, first + 1, consecutive_folds(len(same)), same)


def _described(about: Any, conf: Path) -> tuple[tuple[int, int, int, int], np.dtype]:
    try:
        n, channels, height, width = (int(size) for size in about["shape"])
        dtype = np.dtype({"float32": "<f4", "float16": "<f2", "float64": "<f8"}[about["dtype"]])
        if channels != 3 or min(n, height, width) < 1:
            raise ValueError
        return (n, channels, height, width), dtype
    except (KeyError, TypeError, ValueError) as error:
        raise FacelabError(
            f"{conf} describes no chips: {shown(about)}; expected a shape (pictures, 3, height, width) and a dtype, "
            "such as float32."
        ) from error


def _flags(path: Path) -> np.ndarray:
    import io

    data = read_bytes(path)
    try:
        same = np.load(io.BytesIO(data), allow_pickle=False)
    except Exception as error:  # what NumPy raises of a damaged header is without end
        raise FacelabError(
            f"{path} is no array of NumPy that can be read without running code. Get it again."
        ) from error
    if same.ndim != 1 or same.dtype.kind not in "biu" or not np.isin(same, (0, 1)).all():
        raise FacelabError(f"{path} holds something else than true and false for each pair. Get it again.")
    return same.astype(bool)
