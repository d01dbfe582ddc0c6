"""Lists that come with pictures: a name and some values on each line; what is wrong is named by its line."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from facelab.data.archives import Archive, Folder, Place, is_archive, open_archive
from facelab.data.images import is_picture
from facelab.errors import FacelabError, count, cut, shown
from facelab.files import decode_text


def called(place: Place, *names: str) -> str | None:
    """Return the file in a place that has one of these names, in whichever folder; None if there is none.

    Raises:
        FacelabError: there are several, so it is not clear which one counts.
    """
    for name in names:
        low = name.lower()
        ends = [file for file in place.names if file[-len(low) :].lower() == low]
        found = [file for file in ends if len(file) == len(low) or file[-len(low) - 1] == "/"]
        if len(found) > 1:
            raise FacelabError(f"{place.path} holds {len(found)} files {name}: {found[0]} and {found[1]}. Keep one.")
        if found:
            return found[0]
    return None


def pictures_by_folder(place: Place) -> dict[str, list[str]]:
    """Return the picture files of a place, by the path of the folder that they lie in."""
    found = defaultdict(list)
    for file in place.names:
        folder, _, name = file.rpartition("/")
        if is_picture(name):
            found[folder].append(file)
    return found


def packed(place: Place, *names: str) -> Archive | None:
    """Return the archive in a folder that has one of these names; None if there is none."""
    if isinstance(place, Folder) and (file := called(place, *names)) and is_archive(place.path / file):
        return open_archive(place.path / file)
    return None


def read_rows(
    place: Place, file: str, words: int, *, header: int = 0, titles: Sequence[str] = ()
) -> tuple[list[int], list[list[str]]]:
    """Read the lines of a list, split at spaces or commas.

    Args:
        place: where it lies.
        file: its name there.
        words: how many a line must have.
        header: how many lines come before; the first of them, if there are any, is the number of lines that follow.
        titles: what a first line may hold that is no data: names of columns, as copies of lists have them.

    Returns:
        The number of each line in the file, and its words. Empty lines are left out.

    Raises:
        FacelabError: the file is no text, a line has another number of words, one image is listed twice, or there are
            fewer lines than the first one promises.
    """
    path = Path(place.path, file)
    lines = decode_text(place.read(file), path).splitlines()
    split = "," if lines and lines[-1].count(",") >= words - 1 > 0 else None
    at = [number for number, line in enumerate(lines, start=1) if number > header and line.strip()]
    rows = [[word.strip() for word in lines[number - 1].split(split)] for number in at]
    if not header and rows and rows[0][0].lower() in {"image", "image_id", "img", "file", "filename", *titles}:
        at, rows = at[1:], rows[1:]
    for number, row in zip(at, rows, strict=True):
        if len(row) != words:
            raise FacelabError(
                f"{path} line {number} holds {shown(lines[number - 1])}: {count(len(row), 'word')}, expected {words}."
            )
    if header:
        promised = lines[0].strip() if lines else ""
        if not promised.isdecimal() or int(promised) != len(rows):
            raise FacelabError(
                f"{path} holds {count(len(rows), 'image')}; line 1 promises {shown(promised)}. Get the whole file."
            )
    names = [row[0] for row in rows]
    if len(set(names)) < len(names):
        seen: dict[str, int] = {}
        for number, name in zip(at, names, strict=True):
            if name in seen:
                raise FacelabError(f"{path} lists {cut(name)} in line {seen[name]} and again in line {number}.")
            seen[name] = number
    if not rows:
        raise FacelabError(f"{path} lists no image.")
    return at, rows


def numbers(place: Place, file: str, at: Iterable[int], rows: list[list[str]], *, whole: bool = True) -> np.ndarray:
    """Return the words after the name of each line as numbers, shape (lines, words - 1).

    Raises:
        FacelabError: a word is no number, or not a whole one; the message names its line.
    """
    try:
        found = np.array([row[1:] for row in rows], dtype=np.str_).astype(np.int64 if whole else np.float32)
        if not whole and not np.isfinite(found).all():
            raise ValueError
        return found
    except (ValueError, OverflowError):
        for number, row in zip(at, rows, strict=True):
            for word in row[1:]:
                try:
                    if not whole and not np.isfinite(float(word)):
                        raise ValueError
                    int(word) if whole else float(word)
                except ValueError as error:
                    kind = "whole number" if whole else "number"
                    raise FacelabError(
                        f"{Path(place.path, file)} line {number}: {shown(word)} is no {kind}."
                    ) from error
        raise FacelabError(f"{Path(place.path, file)} holds numbers that are too large.") from None


def splits(place: Place, file: str) -> dict[str, str]:
    """Read a partition as CelebA has it, ``FILE 0|1|2``: return of each image ``train``, ``validation`` or ``test``.

    Raises:
        FacelabError: see :func:`read_rows`; or another number stands there.
    """
    at, rows = read_rows(place, file, 2)
    kinds = {"0": "train", "1": "validation", "2": "test"}
    for number, row in zip(at, rows, strict=True):
        if row[1] not in kinds:
            raise FacelabError(f"{Path(place.path, file)} line {number}: split {shown(row[1])}; expected 0, 1 or 2.")
    return {row[0]: kinds[row[1]] for row in rows}


def in_folder(place: Place, folder: str, file: str, at: Sequence[int], rows: list[list[str]]) -> list[str]:
    """Return the path of the picture that each line names, in a folder of a place.

    Args:
        place: where the pictures lie.
        folder: with ``/`` at its end, or empty.
        file: the list, for messages.
        at, rows: from :func:`read_rows`.

    Raises:
        FacelabError: a picture is not there; the message names the line.
    """
    there = set(place.names)
    paths = [folder + row[0] for row in rows]
    missing = [k for k, path in enumerate(paths) if path not in there]
    if missing:
        more = f"; so are {len(missing) - 1:,} others" if len(missing) > 1 else ""
        raise FacelabError(
            f"{file} line {at[missing[0]]} names {cut(rows[missing[0]][0])}, which is not in "
            f"{place.path / folder if folder else place.path}{more}. Get the whole set."
        )
    return paths


def among(rows: dict[str, str], names: Sequence[str], file: str) -> list[str]:
    """Return the value of each image.

    Raises:
        FacelabError: one has none.
    """
    if missing := next((name for name in names if name not in rows), None):
        raise FacelabError(f"{file} does not list {cut(missing)}. It belongs to another set, or is not whole.")
    return [rows[name] for name in names]
