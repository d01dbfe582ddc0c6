"""Lists of pairs that others published: LFW's ``pairs.txt``, and the ``.bin`` verification sets of InsightFace."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.faceset import EncodedImages, FaceSet
from facelab.data.unpickle import unpickle_lists
from facelab.errors import FacelabError
from facelab.files import read_bytes


@dataclass(frozen=True, eq=False)
class PairList:
    """Pairs of images, by their positions in a FaceSet.

    Attributes:
        first, second: positions of the two images of each pair, shape (p,).
        fold: to which fold each pair belongs, shape (p,).
    """

    first: np.ndarray
    second: np.ndarray
    fold: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def read_pairs(path: Path | str, faces: FaceSet) -> PairList:
    """Read a list of pairs as LFW publishes them, for images called ``NAME/NAME_0001.jpg``.

    The first line holds the number of folds (one if left out) and of pairs of each kind in a fold; then, fold by fold,
    the genuine pairs ``NAME 1 2`` and the impostor pairs ``NAME 1 OTHER 3``. Source: G. B. Huang et al., "Labeled Faces
    in the Wild", UMass Amherst TR 07-49, 2007.

    Args:
        path: the list.
        faces: a set with the columns ``identity`` and ``file``, as :func:`facelab.data.load_folder` gives it.

    Raises:
        FacelabError: the file cannot be read, a line is not a pair (named by number), or an image of it is not in
            ``faces``.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FacelabError(f"cannot read the list of pairs {path}: {error}. Check the path.") from error
    if "file" not in faces.table.columns:
        raise FacelabError(f"FaceSet {faces.name!r} has no file names to look up the pairs of {path.name} by.")
    rows = {Path(file).stem: row for row, file in enumerate(faces.table["file"])}
    try:
        *folds, each = (int(word) for word in lines[0].split())
        (number,) = folds or [1]
    except (IndexError, ValueError) as error:
        raise FacelabError(f"{path} line 1: expected the number of folds and of pairs, such as '10 300'.") from error
    first: list[int] = []
    second: list[int] = []
    for at, line in enumerate(lines[1:], start=2):
        words = line.split("\t") if "\t" in line else line.split()
        if not line.strip():
            continue
        match words:
            case [name, one, two] if one.isdigit() and two.isdigit():
                images = (name, one), (name, two)
            case [name, one, other, two] if one.isdigit() and two.isdigit():
                images = (name, one), (other, two)
            case _:
                raise FacelabError(f"{path} line {at} is no pair: {line!r}; expected 'NAME 1 2' or 'NAME 1 OTHER 2'.")
        for (name, position), side in zip(images, (first, second), strict=True):
            stem = f"{name}_{int(position):04d}"
            if stem not in rows:
                raise FacelabError(f"{path} line {at} names {stem}, which is not among the images of {faces.name!r}.")
            side.append(rows[stem])
    if len(first) != 2 * number * each:
        raise FacelabError(f"{path} holds {len(first)} pairs; line 1 promises {2 * number * each}. Get the whole file.")
    return PairList(np.array(first), np.array(second), np.arange(len(first)) // (2 * each))


def load_bin(path: Path | str, folds: int = 10) -> tuple[FaceSet, PairList]:
    """Load a verification set as InsightFace packs them (``lfw.bin``, ``cfp_fp.bin``, ``agedb_30.bin``).

    Such a file is a pickle of ``(images, same)``: the encoded chips, two in a row for each pair, and whether a pair is
    genuine. It is read without running any code it may name. It does not say who is on the images: a genuine pair gets
    one identity and an impostor pair two, and no identity is known to be in two pairs. So intervals over identities
    would be intervals over pairs here, which are too narrow; use the folds.

    Args:
        path: the file.
        folds: into how many folds the list is cut, in order.

    Raises:
        FacelabError: the file is missing, damaged, not of this layout, or asks for code to be run.
    """
    path = Path(path)
    data = read_bytes(path)
    try:
        images, labels = unpickle_lists(data)
        files, same = _encoded(images), np.array([_is_genuine(label) for label in labels], bool)
    except Exception as error:  # what a damaged pickle raises is without end: EOFError, KeyError, ...
        reason = str(error).rstrip(".") or type(error).__name__
        raise FacelabError(f"{path} is no verification set of InsightFace: {reason}.") from error
    if len(files) != 2 * len(same) or not len(same):
        raise FacelabError(f"{path} holds {len(files)} images for {len(same)} pairs; each pair needs two.")
    first = 2 * np.arange(len(same))
    identity = np.repeat([f"pair {k}" for k in range(len(same))], 2).astype(object)
    identity[first[~same] + 1] += ", second"
    faces = FaceSet(path.stem, EncodedImages(files, str(path)), pd.DataFrame({"identity": identity}))
    return faces, PairList(first, first + 1, np.arange(len(same)) * folds // len(same))


def _encoded(images: list[Any]) -> list[bytes]:
    """Return the bytes of each picture. One that is listed more than once is one object, and is not copied."""
    seen: dict[int, bytes] = {}
    for image in images:
        if id(image) not in seen:
            if isinstance(image, np.ndarray) and image.ndim == 1:
                image_bytes = image.tobytes() if image.itemsize == 1 else bytes(image.tolist())
            elif isinstance(image, bytes | bytearray | list):  # not a number: bytes(n) are n zeros
                image_bytes = image if isinstance(image, bytes) else bytes(image)
            else:
                raise FacelabError("a picture is neither bytes nor a row of them")
            seen[id(image)] = image_bytes
    return [seen[id(image)] for image in images]


def _is_genuine(label: Any) -> bool:
    if not isinstance(label, bool | int | float | np.number | np.bool_) or label not in (0, 1):
        raise FacelabError("a label is neither true nor false")
    return bool(label)
