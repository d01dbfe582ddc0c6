"""Lists of pairs that others published (LFW, CALFW, CPLFW, RFW, XQLFW), and the ``.bin`` sets of InsightFace."""

import pickle
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.data.faceset import EncodedImages, FaceSet
from facelab.data.images import SUFFIXES
from facelab.data.unpickle import unpickle_lists
from facelab.errors import FacelabError, count, cut, shown
from facelab.files import read_bytes, read_text

FOLDS = 10  # of a list that does not say
_MOST = 9  # digits of a number in a list
_LONGEST = 8192  # letters of a line


@dataclass(frozen=True, eq=False)
class PairList:
    """Pairs of images, by their positions in a FaceSet.

    Attributes:
        first, second: positions of the two images of each pair, shape (p,).
        fold: to which fold each pair belongs, shape (p,).
        genuine: which pairs show one identity twice, as the list says; shape (p,), bool.
    """

    first: np.ndarray
    second: np.ndarray
    fold: np.ndarray
    genuine: np.ndarray

    def __len__(self) -> int:
        return len(self.first)


def consecutive_folds(pairs: int, folds: int = FOLDS) -> np.ndarray:
    """Return the fold of each pair of a list that is cut in order; shape (pairs,).

    As scikit-learn's ``KFold`` cuts it, and with it the code of the field: of n pairs in k folds, the first n mod k
    folds have one pair more.
    """
    return np.repeat(np.arange(folds), [len(part) for part in np.array_split(np.arange(pairs), folds)])


@dataclass(frozen=True, eq=False)
class NamedPairs:
    """A list of pairs as it stands in its file: images by name. :func:`read_names` makes it.

    Attributes:
        path: of the list.
        names: of the images, (first, second) of each pair; of each, what it may be called, the likeliest first.
        lines: where each pair stands.
        fold, genuine: see :class:`PairList`.
    """

    path: Path
    names: list[tuple[tuple[str, ...], tuple[str, ...]]]
    lines: list[int]
    fold: np.ndarray
    genuine: np.ndarray

    def among(self, faces: FaceSet) -> PairList:
        """Look the images up in a set that has the column ``file``.

        Raises:
            FacelabError: an image is not there, its name stands for several, or the set says other than the list who is
                on a pair; the message names the line.
        """
        if "file" not in faces.table.columns:
            raise FacelabError(f"FaceSet {faces.name!r} has no file names to look up the pairs of {self.path.name} by.")
        rows = defaultdict(set)
        for row, file in enumerate(faces.table["file"]):
            for tail in _tails(file):
                rows[tail].add(row)
        found = np.empty((len(self.names), 2), np.int64)
        for k, pair in enumerate(self.names):
            for side, called in enumerate(pair):
                hits = next((rows[name] for name in called if name in rows), set())
                if len(hits) != 1:
                    raise FacelabError(
                        f"{self.path} line {self.lines[k]} names {cut(called[0])}, which is not among the images of "
                        f"{faces.name!r}."
                        if not hits
                        else f"{self.path} line {self.lines[k]} names {cut(called[0])}, of which {faces.name!r} has "
                        f"{len(hits)}: {' and '.join(faces.table['file'].iloc[sorted(hits)[:2]])}."
                    )
                (found[k, side],) = hits
        who = faces.table["identity"].to_numpy()[found]
        wrong = (who != "").all(axis=1) & ((who[:, 0] == who[:, 1]) != self.genuine)
        if wrong.any():
            k = int(wrong.argmax())
            one, two = (cut(called[0]) for called in self.names[k])
            said = "one person" if self.genuine[k] else "two people"
            raise FacelabError(
                f"{self.path} line {self.lines[k]} says that {one} and {two} show {said}, but {faces.name!r} has them "
                f"in {who[k, 0]!r} and {who[k, 1]!r} (so do {int(wrong.sum())} of {len(wrong)} pairs): give the folder "
                "whose sub-folders are the identities of the list."
            )
        return PairList(found[:, 0], found[:, 1], self.fold, self.genuine)


def read_pairs(path: Path | str, faces: FaceSet) -> PairList:
    """Read a list of pairs, and look its images up in a set; see :func:`read_names` for what can be read.

    Args:
        path: the list.
        faces: a set with the columns ``identity`` and ``file``, as :func:`facelab.data.load_folder` gives it.

    Raises:
        FacelabError: see :func:`read_names`; or a picture is not in the set, or the set says otherwise who is on it.
    """
    return read_names(path).among(faces)


def read_names(path: Path | str, text: str | None = None) -> NamedPairs:
    """Read a list of pairs in one of the forms that are published.

    - LFW and XQLFW: the first line holds the number of folds (one if left out) and of pairs of each kind in a fold;
      then, fold by fold, the genuine pairs ``NAME 1 2`` and the impostor pairs ``NAME 1 OTHER 3``, for images called
      ``NAME_0001.jpg``. Source: G. B. Huang et al., "Labeled Faces in the Wild", UMass Amherst TR 07-49, 2007.
    - RFW: the same without the first line.
    - CALFW and CPLFW: two lines for each pair, ``NAME_0001.jpg K``. K is 0 for an impostor pair; for a genuine one it
      is the fold, 1 to 10 (CALFW), or always 1 (CPLFW).
    - ``FILE FILE 1``, and 0 for an impostor pair.

    Words stand between tabs, commas or spaces. A list that does not name the folds is cut into ten, in order; each kind
    of pairs by itself where all pairs of one kind come first.

    Args:
        path: of the list.
        text: what it holds, where it is read already, as from an archive.

    Raises:
        FacelabError: the file cannot be read, or a line is not a pair; the message names it.
    """
    path = Path(path)
    lines = [
        (at, line)
        for at, line in enumerate((read_text(path) if text is None else text).splitlines(), start=1)
        if line.strip()
    ]
    if not lines:
        raise FacelabError(f"{path} line 1: the list is empty.")
    first, promised = _words(lines[0][1]), None
    if len(first) < 3 and all(map(_is_number, first)):
        *folds, each = map(int, first)
        promised, lines = ((folds[0] if folds else 1), each), lines[1:]
        if min(promised) < 1:
            raise FacelabError(f"{path} line 1: expected the number of folds and of pairs, such as '10 300'.")
    names, kinds, at = [], [], []
    for line_number, pair, k in _pairs(path, lines):
        names.append(pair)
        kinds.append(k)
        at.append(line_number)
    kind = np.array(kinds, np.int64)
    genuine, total = kind > 0, len(names)
    if promised:
        number, each = promised
        if total != 2 * number * each:
            raise FacelabError(f"{path} holds {total} pairs; line 1 promises {2 * number * each}. Get the whole file.")
        kept = genuine.reshape(number, 2 * each).sum(axis=1)
        if (wrong := np.flatnonzero(kept != each)).size:
            k = int(wrong[0])
            have = count(int(kept[k]), "genuine pair")
            raise FacelabError(
                f"{path}: fold {k + 1}, from line {at[2 * each * k]} on, holds {have} of {2 * each}; line 1 "
                f"promises {each}. The list is sorted, or no list of LFW's format: get it again."
            )
        return NamedPairs(path, names, at, np.arange(total) // (2 * each), genuine)
    fold = consecutive_folds(total)
    if kind.max(initial=0) > 1 or np.count_nonzero(np.diff(genuine)) < 2:
        fold[~genuine] = consecutive_folds(int((~genuine).sum()))
        fold[genuine] = kind[genuine] - 1 if kind.max(initial=0) > 1 else consecutive_folds(int(genuine.sum()))
    return NamedPairs(path, names, at, fold, genuine)


def _pairs(
    path: Path, lines: list[tuple[int, str]]
) -> Iterator[tuple[int, tuple[tuple[str, ...], tuple[str, ...]], int]]:
    """Yield line, names of both images, and kind of each pair: 0 for impostors, else 1 or the fold, from 1."""
    rest = iter(lines)
    for at, line in rest:
        if len(line) > _LONGEST:
            raise FacelabError(f"{path} line {at} is no pair: it has {len(line):,} letters.")
        match _words(line):
            case [name, one, two] if _is_number(one) and _is_number(two):
                yield at, (_numbered(name, one), _numbered(name, two)), 1
            case [one, two, same] if same in ("0", "1", "-1"):
                yield at, (_file(one), _file(two)), int(same == "1")
            case [name, one, other, two] if _is_number(one) and _is_number(two):
                yield at, (_numbered(name, one), _numbered(other, two)), int(name == other)
            case [one, kind] if _is_number(kind) and int(kind) <= FOLDS:
                _, other = next(rest, (at, ""))
                match _words(other):
                    case [second, again] if again == kind:
                        yield at, (_file(one), _file(second)), int(kind)
                    case _:
                        raise FacelabError(
                            f"{path} line {at}: {cut(one)} has no next line that ends in {kind}, its pair's."
                        )
            case _:
                raise FacelabError(
                    f"{path} line {at} is no pair: {shown(line)}; expected 'NAME 1 2' or 'NAME 1 OTHER 2' (LFW, RFW), "
                    "'FILE K' on two lines (CALFW, CPLFW), or 'FILE FILE 1'; LFW's have a first line such as '10 300'."
                )


def _words(line: str) -> list[str]:
    """Return the words of a line: between tabs or commas, where names may hold spaces, else between spaces."""
    separator = next((mark for mark in "\t," if mark in line), None)
    return [word.strip() for word in line.strip().split(separator)]


def _is_number(word: str) -> bool:
    return word.isascii() and word.isdigit() and len(word) <= _MOST


def _numbered(name: str, number: str) -> tuple[str, ...]:
    """Return what the picture of this number may be called: LFW writes four digits."""
    stems = dict.fromkeys((f"{name}_{int(number):04d}", f"{name}_{number}"))
    return (*stems, *(f"{name}/{stem}" for stem in stems))


def _file(name: str) -> tuple[str, ...]:
    """Return what a file may be called in a folder that may lie higher or lower than the one that the list means."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    return tuple("/".join(parts[start:]) for start in range(max(1, len(parts) - 1)))


def _tails(file: str) -> Iterator[str]:
    """Yield the ends of a path, with and without the suffix: ``ann/1.jpg``, ``ann/1``, ``1.jpg``, ``1``."""
    stem, dot, suffix = file.rpartition(".")
    for whole in (file, stem) if f"{dot}{suffix}".lower() in SUFFIXES else (file,):
        for start in [0, *(match.end() for match in re.finditer("/", whole))]:
            yield whole[start:]


def identities_of_pairs(faces: FaceSet, pairs: PairList) -> FaceSet:
    """Name people by a list, where nobody has said who they are: those whom a genuine pair joins are one.

    Returns:
        The set, each identity called as the first of its files.

    Raises:
        FacelabError: the list contradicts itself: it says two people of whom its genuine pairs make one.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    joined = pairs.first[pairs.genuine], pairs.second[pairs.genuine]
    _, group = connected_components(coo_array((np.ones(len(joined[0])), joined), shape=(len(faces),) * 2))
    wrong = ~pairs.genuine & (group[pairs.first] == group[pairs.second])
    if wrong.any():
        k = int(wrong.argmax())
        one, two = (faces.table["file"].iloc[row] for row in (pairs.first[k], pairs.second[k]))
        raise FacelabError(
            f"the list of pairs contradicts itself: {one} and {two} are two people in one line, and one in others."
        )
    named = faces.table.groupby(group)["file"].transform("first")
    return FaceSet(faces.name, faces.images, faces.table.assign(identity=named))


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
        known = isinstance(error, pickle.UnpicklingError | FacelabError) and str(error)
        reason = str(error).rstrip(".") if known else f"it is damaged, or no pickle ({type(error).__name__})"
        raise FacelabError(f"{path} is no verification set of InsightFace: {reason}.") from error
    if len(files) != 2 * len(same) or not len(same):
        raise FacelabError(f"{path} holds {len(files)} images for {len(same)} pairs; each pair needs two.")
    first = 2 * np.arange(len(same))
    faces = FaceSet(path.stem, EncodedImages(files, str(path)), pd.DataFrame({"identity": names_of_listed(same)}))
    return faces, PairList(first, first + 1, consecutive_folds(len(same), folds), same)


def names_of_listed(same: np.ndarray) -> np.ndarray:
    """Return names for two images in a row for each pair, nobody having said who they are; shape (2 * pairs,)."""
    identity = np.repeat([f"pair {k}" for k in range(len(same))], 2).astype(object)
    identity[2 * np.flatnonzero(~same) + 1] += ", second"
    return identity


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
