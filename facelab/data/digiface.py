"""DigiFace-1M: rendered faces, in zip files of 2,000 (72 pictures each) or more (5 each) invented people."""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.images import is_picture
from facelab.errors import FacelabError, cut

_PART = re.compile(r"subjects_(\d+)-(\d+)_(\d+)_imgs(\.zip)?")


class Joined(Sequence[np.ndarray]):
    """Pictures that lie in several places, one after the other."""

    def __init__(self, parts: Sequence[StoredImages]):
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a picture as they are kept."""
        images, row = self._of(index)
        return images.encoded(row)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        images, row = self._of(index)
        return images[row]

    def _of(self, index: int) -> tuple[StoredImages, int]:
        """Return the place that holds a picture, and which of its pictures that is."""
        part = int(np.searchsorted(self._ends, index, side="right"))
        return self.parts[part], index - int(self._ends[part]) + len(self.parts[part])


def load_digiface(path: Path | str) -> FaceSet:
    """Load DigiFace-1M: its zip files ``subjects_0-1999_72_imgs.zip`` and on in one folder, or one, or unpacked.

    In the part with 5 pictures of each the numbers of people go on from those with 72, so a number is one identity in
    all parts. The table has the columns ``identity`` (six digits) and ``file``. Source: G. Bae et al., "DigiFace-1M: 1
    Million Digital Face Images for Face Recognition", WACV 2023.

    Raises:
        FacelabError: there is no such part, or a picture does not lie in ``NUMBER/``, or its number is not of its part.
    """
    path = Path(path)
    inside = path.is_dir() and not _PART.fullmatch(path.name)
    found = [one for one in path.iterdir() if _PART.fullmatch(one.name)] if inside else [path]
    parts = sorted(found, key=lambda one: [int(word or 0) for word in re.findall(r"\d+", one.name)])
    if not parts:
        raise FacelabError(f"{path} holds no subjects_0-1999_72_imgs.zip or other part of DigiFace-1M.")
    rows: list[tuple[str, str]] = []
    images, seen = [], dict[str, Path]()
    for part in parts:
        place = open_place(part)
        pictures = [file for file in place.names if is_picture(file)]
        numbers = _numbers(place, part, pictures)
        for number in set(numbers):
            if seen.setdefault(number, part) != part:
                raise FacelabError(f"{seen[number]} and {part} both hold person {number}: is one there twice?")
        order = sorted(range(len(pictures)), key=lambda k: (int(numbers[k]), _count(pictures[k])))
        rows += [(f"{int(numbers[k]):06d}", pictures[k]) for k in order]
        images.append(StoredImages(place, [pictures[k] for k in order]))
    if not rows:
        raise FacelabError(f"{path} holds no picture.")
    table = pd.DataFrame(rows, columns=["identity", "file"])
    table["identity"] = table["identity"].astype("category")
    return FaceSet("digiface", Joined(images), table)


def _numbers(place: Place, part: Path, pictures: list[str]) -> list[str]:
    match = _PART.fullmatch(part.name)
    numbers = []
    for file in pictures:
        number = file.rpartition("/")[0].rpartition("/")[2]
        if not (number.isascii() and number.isdigit()):
            raise FacelabError(f"{place.path}: {cut(file)} does not lie in a folder with the number of a person.")
        if match and not int(match[1]) <= int(number) <= int(match[2]):
            raise FacelabError(f"{place.path} holds person {number}, whom its name does not promise. Get it again.")
        numbers.append(number)
    return numbers


def _count(file: str) -> tuple[int, str]:
    stem = file.rpartition("/")[2].rpartition(".")[0]
    return (int(stem) if stem.isascii() and stem.isdigit() else 1 << 30, stem)
