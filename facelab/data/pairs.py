"""Lists of pairs that others published: LFW's ``pairs.txt``, and the ``.bin`` verification sets of InsightFace."""

import io
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.faceset import EncodedImages, FaceSet
from facelab.errors import FacelabError


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


class _Plain(pickle.Unpickler):
    """Reads lists, numbers, bytes and arrays of numbers; a pickle that names anything else to be called is refused."""

    _ALLOWED = frozenset(
        {("_codecs", "encode"), ("numpy", "ndarray"), ("numpy", "dtype")}
        | {(f"numpy.{core}.{name[0]}", name[1]) for core in ("core", "_core")
           for name in (("multiarray", "_reconstruct"), ("multiarray", "scalar"), ("numeric", "_frombuffer"))}
    )  # fmt: skip

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self._ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


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
    try:
        images, same = _Plain(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        files = [image if isinstance(image, bytes) else np.asarray(image, np.uint8).tobytes() for image in images]
        same = np.array([bool(value) for value in same])
    except OSError as error:
        raise FacelabError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    except Exception as error:  # what a damaged pickle raises is without end: EOFError, KeyError, ...
        raise FacelabError(f"{path} is no verification set of InsightFace: {error}.") from error
    if len(files) != 2 * len(same) or not len(same):
        raise FacelabError(f"{path} holds {len(files)} images for {len(same)} pairs; each pair needs two.")
    first = 2 * np.arange(len(same))
    identity = np.repeat([f"pair {k}" for k in range(len(same))], 2).astype(object)
    identity[first[~same] + 1] += ", second"
    faces = FaceSet(path.stem, EncodedImages(files, str(path)), pd.DataFrame({"identity": identity}))
    return faces, PairList(first, first + 1, np.arange(len(same)) * folds // len(same))
