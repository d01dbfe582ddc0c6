"""Published benchmarks of verification with their own lists of pairs: LFW and what is built on it, CFP, AgeDB, RFW.

Each reader returns who is on each picture and, where its list is found, the pairs to compare with their folds. The list
may lie in the set or beside it, as the archives of pictures do not hold it. Other lists (``pairsDevTest.txt``) are
given to ``facelab evaluate --pairs``.
"""

import re
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Folder, Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.lists import called, in_folder, numbers, pictures_by_folder, read_rows
from facelab.data.pairs import NamedPairs, PairList, read_names
from facelab.errors import FacelabError, cut
from facelab.files import decode_text

Loaded = FaceSet | tuple[FaceSet, PairList]

_AGEDB = re.compile(r"\d+_(?P<name>.+)_(?P<age>\d+)_[a-z]+", re.IGNORECASE)


def load_lfw(path: Path | str, name: str = "lfw", pairs: str = "pairs.txt") -> Loaded:
    """Load LFW (original, funneled or deep-funneled), or XQLFW, which has its layout: ``NAME/NAME_0001.jpg``.

    The folder of the people, the archive it came in, and the folders in which scikit-learn (``lfw_home``) and
    torchvision (``lfw-py``) keep them are read alike. Source: G. B. Huang et al., UMass Amherst TR 07-49, 2007; M.
    Knoche et al., "Cross-Quality LFW", 2021.

    Args:
        path: of the set.
        name: ``lfw`` or ``xqlfw``.
        pairs: what its list is called.

    Returns:
        The set (columns ``identity``, ``file``); and its pairs, if the list is in the place or beside it. A UserWarning
        says that it is not.

    Raises:
        FacelabError: there is no such picture, several versions of the set lie in one place, or the list names a
            picture that is missing.
    """
    place = open_place(path)
    roots: dict[str, list[str]] = defaultdict(list)
    left = 0
    for folder, files in pictures_by_folder(place).items():
        root, _, person = folder.rpartition("/")
        named = [file for file in files if re.fullmatch(rf"{re.escape(person)}_\d+", _stem(file))]
        left += len(files) - len(named)
        if named:
            roots[root] += named
    if not roots:
        raise FacelabError(f"{path} holds no picture called NAME/NAME_0001.jpg, as {name.upper()} has them.")
    if len(roots) > 1:
        one, two, *_ = sorted(roots)
        raise FacelabError(f"{path} holds {name.upper()} in {one}/ and in {two}/: give one: {Path(path, two)}.")
    if left:
        warnings.warn(f"{path}: {left} pictures are not called NAME/NAME_0001.jpg and were left out.", stacklevel=2)
    (files,) = roots.values()
    return _with_pairs(_set(name, place, files, [file.split("/")[-2] for file in files]), place, path, pairs)


def load_flat_lfw(path: Path | str, name: str, pairs: str) -> Loaded:
    """Load CALFW or CPLFW, whose pictures lie in one folder, ``NAME_0001.jpg`` or ``NAME_1.jpg``.

    Where the same pictures lie there twice, as found and aligned by their authors, the former are taken. Sources: T.
    Zheng et al., "Cross-Age LFW", 2017; T. Zheng and W. Deng, "Cross-Pose LFW", 2018.

    Args:
        path: of the set.
        name: ``calfw`` or ``cplfw``.
        pairs: what its list is called; it must be there, as it tells which pictures are meant.

    Raises:
        FacelabError: the list is missing or damaged, or a picture of it is missing.
    """
    place = open_place(path)
    named = _list(place, path, pairs)
    if named is None:
        raise FacelabError(f"{path} has no {pairs}, in it or beside it. Get the list too.")
    wanted = named.names[0][0][0]
    folders = {f: files for f, files in pictures_by_folder(place).items() if wanted in map(_file, files)}
    if len(folders) > 1:
        folders = {f: files for f, files in folders.items() if "align" not in f.lower()} or folders
    if len(folders) != 1:
        seen = " and ".join(sorted(folders)[:2]) or "no folder"
        raise FacelabError(f"{path} holds {cut(wanted)}, which {pairs} names, in {seen}; expected one. Check the path.")
    (files,) = folders.values()
    faces = _set(name, place, files, [_stem(file).rpartition("_")[0] for file in files])
    return faces, named.among(faces)


def load_cfp(path: Path | str, protocol: str) -> tuple[FaceSet, PairList]:
    """Load CFP with the pairs of one protocol: ``FF``, frontal with frontal, or ``FP``, frontal with profile.

    ``Protocol/Pair_list_F.txt`` and ``Pair_list_P.txt`` number the pictures (``1 ../Data/Images/001/frontal/01.jpg``);
    ``Protocol/Split/FP/01/same.txt`` and ``diff.txt`` hold pairs of these numbers, ``i,j``, fold by fold. File names
    repeat in the folder of every person, so they are looked up by their whole path. Source: S. Sengupta et al.,
    "Frontal to profile face verification in the wild", WACV 2016.

    Returns:
        The set (columns ``identity``, the number of the person, ``file``, ``pose``: frontal or profile); its pairs.

    Raises:
        FacelabError: a list or picture is missing, a line is wrong, or a list says other than the folders who is who.
    """
    place = open_place(path)
    files: list[str] = []
    positions: dict[str, dict[str, int]] = {}  # of a list -> of a number in it, where its picture stands in files
    for kind in "FP":
        listed = called(place, f"Pair_list_{kind}.txt")
        if listed is None:
            raise FacelabError(f"{path} holds no Pair_list_{kind}.txt, as CFP does. Get the whole set.")
        at, rows = read_rows(place, listed, 2)
        top = listed.rpartition("/")[0].rpartition("/")[0]  # the list lies in Protocol/
        for number, row in zip(at, rows, strict=True):
            if not row[1].startswith("../Data/Images/"):
                raise FacelabError(f"{listed} line {number} names {cut(row[1])}, not ../Data/Images/PERSON/POSE/FILE.")
        there = [[row[1].removeprefix("../"), row[0]] for row in rows]
        numbers(place, listed, at, [row[::-1] for row in rows])
        positions[kind] = {row[0]: len(files) + k for k, row in enumerate(rows)}
        files += in_folder(place, f"{top}/" if top else "", listed, at, there)
    who = np.array([file.split("/")[-3] for file in files])
    first, second, fold, genuine = [], [], [], []
    sides_of = [positions[kind] for kind in protocol]
    splits = sorted(file for file in place.names if re.search(rf"(^|/)Split/{protocol}/\d+/(same|diff)\.txt$", file))
    if len(splits) != 20:
        raise FacelabError(f"{path} holds {len(splits)} lists in Protocol/Split/{protocol}/; expected 20. Get all.")
    for file in splits:
        same = file.endswith("same.txt")
        text = decode_text(place.read(file), Path(path, file))
        for number, line in enumerate(text.splitlines(), start=1):
            if not line.strip():
                continue
            words = [word.strip() for word in line.split(",")]
            sides = [rows_of[word] for rows_of, word in zip(sides_of, words, strict=False) if word in rows_of]
            if len(words) != 2 or len(sides) != 2:
                raise FacelabError(f"{Path(path, file)} line {number} is no pair of listed numbers: {cut(line)}.")
            i, j = sides
            if (who[i] == who[j]) != same:
                said = "one person" if same else "two people"
                raise FacelabError(f"{Path(path, file)} line {number} says that {files[i]} and {files[j]} show {said}.")
            first.append(i)
            second.append(j)
            fold.append(int(file.split("/")[-2]) - 1)
            genuine.append(same)
    faces = _set(f"cfp-{protocol.lower()}", place, files, who.tolist(), pose=[file.split("/")[-2] for file in files])
    return faces, PairList(np.array(first), np.array(second), np.array(fold), np.array(genuine))


def load_agedb(path: Path | str) -> Loaded:
    """Load the pictures of AgeDB: ``NUMBER_NAME_AGE_GENDER.jpg``, in one folder or several.

    The field's AgeDB-30 is a list of pairs that is given out as ``agedb_30.bin``; see
    :func:`facelab.data.load_bin`. Source: S. Moschoglou et al., "AgeDB: the first manually collected, in-the-wild age
    database", CVPRW 2017.

    Returns:
        The set with the columns ``identity``, ``file`` and ``age`` (years, as the file's name says). The last part of
        the name, an annotator's word for the person's gender, is not read: the course does not need it.

    Raises:
        FacelabError: no picture is called so.
    """
    place = open_place(path)
    files = [file for some in pictures_by_folder(place).values() for file in some]
    parts = [(file, match) for file in files if (match := _AGEDB.fullmatch(_stem(file)))]
    if not parts:
        raise FacelabError(f"{path} holds no picture called NUMBER_NAME_AGE_GENDER.jpg, as AgeDB has them.")
    if left := len(files) - len(parts):
        warnings.warn(f"{path}: {left} pictures are not called as AgeDB's are, and were left out.", stacklevel=2)
    names, ages = [match["name"] for _, match in parts], [int(match["age"]) for _, match in parts]
    return _set("agedb", place, [file for file, _ in parts], names, age=ages)


def load_rfw(path: Path | str, race: str) -> tuple[FaceSet, PairList]:
    """Load one of the four parts of RFW with its list: ``data/RACE/MID/MID_0001.jpg``, ``txts/RACE/RACE_pairs.txt``.

    The parts are called as the authors call them. Source: M. Wang et al., "Racial Faces in the Wild", ICCV 2019.

    Raises:
        FacelabError: the part or its list is missing, or the list names a picture that is missing.
    """
    place = open_place(path)
    files = [
        file
        for folder, some in pictures_by_folder(place).items()
        if folder.split("/")[-2:-1] == [race]
        for file in some
    ]
    named = _list(place, path, f"{race}_pairs.txt")
    if not files or named is None:
        what = f"data/{race}/MID/MID_0001.jpg" if not files else f"{race}_pairs.txt"
        raise FacelabError(f"{path} holds no {what}, as RFW does. Check the path, or get the whole set.")
    faces = _set(f"rfw-{race.lower()}", place, files, [file.split("/")[-2] for file in files])
    return faces, named.among(faces)


def _set(name: str, place: Place, files: list[str], identity: list[str], **columns: object) -> FaceSet:
    # Objects, as a name need not be UTF-8, which pandas' own strings must be.
    text = {"identity": pd.Series(identity, dtype=object), "file": pd.Series(files, dtype=object)}
    return FaceSet(name, StoredImages(place, files), pd.DataFrame(text | columns))


def _list(place: Place, path: Path | str, name: str) -> NamedPairs | None:
    """Return the list of pairs of this name in a place or beside it; None if there is none."""
    beside = Folder(Path(path).resolve().parent)
    if file := called(place, name):
        return read_names(Path(path, file), decode_text(place.read(file), Path(path, file)))
    if name in beside:
        return read_names(beside.path / name, decode_text(beside.read(name), beside.path / name))
    return None


def _with_pairs(faces: FaceSet, place: Place, path: Path | str, pairs: str) -> Loaded:
    named = _list(place, path, pairs)
    if named is None:
        warnings.warn(
            f"{path} has no {pairs}, in it or beside it: the pairs of {faces.name.upper()}'s protocol are not known.",
            stacklevel=3,
        )
        return faces
    return faces, named.among(faces)


def _file(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    return _file(path).rpartition(".")[0]
