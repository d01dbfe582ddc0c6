"""Your own photographs: one sub-folder per identity, or files that do not say who is on them."""

import csv
import io
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Archive, StoredImages, is_archive, open_archive
from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.foreign import foreign
from facelab.data.images import SUFFIXES
from facelab.errors import FacelabError, ImageError, count
from facelab.files import RECORD, outputs_in, read_bytes
from facelab.progress import progress_bar

CHIPS = "chips.csv"  # what facelab align writes beside its chips: one row for each
_CHUNK = 64  # files that a thread takes at a time
_MANY = 2000  # files: a bar is shown for so many or more, which take seconds
# Of files that come with pictures and are none: they are counted together. Any other file that is not read is named.
_COMPANIONS = frozenset((
    ".bib", ".cfg", ".conf", ".csv", ".dat", ".db", ".doc", ".docx", ".h5", ".html", ".idx", ".ini", ".json", ".jsonl",
    ".log", ".lst", ".mat", ".md", ".md5", ".npy", ".npz", ".pdf", ".pkl", ".property", ".pts", ".py", ".rst",
    ".sha256", ".toml", ".tsv", ".txt", ".url", ".xls", ".xlsx", ".xml", ".yaml", ".yml",
))  # fmt: skip


@dataclass
class Found:
    """What lies below a folder.

    Attributes:
        pictures: files, relative to the folder: a short string each, as there may be millions.
        errors: one for each file and folder that is left out though it might hold a picture.
        others: how many files are no pictures, by their suffix.
        own: what facelab made there and is no input, see :func:`facelab.files.outputs_in`; nothing is said of it.
    """

    pictures: list[str] = field(default_factory=list)
    errors: list[ImageError] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)
    own: set[str] = field(default_factory=set)

    def warn(self, folder: Path) -> None:
        """Say, in a UserWarning, how many files were no pictures."""
        if kinds := ", ".join(f"{suffix} ({number})" for suffix, number in sorted(self.others.items()) if number):
            warnings.warn(f"{folder}: files that are no pictures by their suffix were not read: {kinds}.", stacklevel=3)


def find_images(folder: Path | str) -> list[Path]:
    """Return the picture files below a folder, sorted; hidden files and folders are left out.

    A file is taken for a picture by its suffix, one of :data:`facelab.data.images.SUFFIXES`.

    Raises:
        FacelabError: the folder does not exist.
    """
    return [Path(folder, file) for file in search(Path(folder)).pictures]


def search(folder: Path) -> Found:
    """Look at every file below a folder, in order; links to folders are followed, hidden files are left out.

    Of chips, only those are taken that their record lists, see :data:`CHIPS`.

    Raises:
        FacelabError: the folder does not exist.
    """
    if not folder.is_dir():
        raise FacelabError(f"{folder} is not a folder. Check the path.")
    found, listed = Found(), recorded_chips(folder)
    _walk(str(folder), "", (os.path.realpath(folder),), listed or set(), found)
    if listed is not None:
        for file in found.pictures:
            if file not in listed:
                found.errors.append(
                    ImageError(
                        f"{folder / file} is not in {CHIPS}: a chip of a photograph that is gone, or put there by "
                        "hand; left out. Delete it, or align again to an empty folder."
                    )
                )
        found.pictures = [file for file in found.pictures if file in listed]
    return found


def recorded_chips(folder: Path) -> set[str] | None:
    """Return the chips that :func:`facelab.align.files.align_files` made in a folder; None if it made none there.

    Raises:
        FacelabError: the record is no table.
    """
    path = folder / CHIPS
    if not path.is_file():
        return None
    text = read_bytes(path).decode("utf-8-sig", errors="surrogateescape")  # as names of files are
    rows = csv.DictReader(io.StringIO(text, newline=""))
    try:
        if not {"chip", "landmarks"} <= set(rows.fieldnames or ()):
            return None  # somebody else's table
        return {row["chip"] for row in rows}
    except csv.Error as error:
        raise FacelabError(f"{path} is damaged: {error}. Align the photographs again to an empty folder.") from error


def _walk(folder: str, within: str, above: tuple[str, ...], chips: set[str], found: Found) -> None:
    """Add what lies in a folder.

    Args:
        folder: its path.
        within: its path in the folder that is searched.
        above: the real paths of that one and of all that links led to on the way.
        chips: which files are chips, by the record of the folder that is searched.
        found: gets it.
    """
    try:
        with os.scandir(folder) as listed:
            entries = sorted(listed, key=lambda entry: entry.name)
    except OSError as error:  # such as lost+found, where the folder is a whole disk
        found.errors.append(ImageError(f"cannot read the folder {folder}: {error.strerror}; it was left out."))
        return
    if any(entry.name == RECORD for entry in entries):
        found.own |= {within + name for name in outputs_in(folder, above[0])} - chips
    for entry in entries:
        if entry.name.startswith(".") or within + entry.name in found.own:
            continue
        suffix = os.path.splitext(entry.name)[1].lower()
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError as error:
            found.errors.append(ImageError(f"cannot read {entry.path}: {error.strerror}; it was left out."))
            continue
        if is_folder and entry.is_symlink():
            target, here = os.path.realpath(entry.path), os.path.realpath(folder)
            if any(f"{one}/".startswith(f"{target}/") for one in (*above, here)):
                found.errors.append(ImageError(f"{entry.path} is a link to a folder that it lies in; left out."))
            else:
                _walk(entry.path, f"{within}{entry.name}/", (*above, target), chips, found)
        elif is_folder:
            _walk(entry.path, f"{within}{entry.name}/", above, chips, found)
        elif not is_file:
            found.errors.append(ImageError(f"{entry.path} is no file but a broken link, a pipe or a device; left out."))
        elif suffix in SUFFIXES:
            found.pictures.append(within + entry.name)
        elif suffix in _COMPANIONS:
            found.others[suffix] += within + entry.name != CHIPS
        else:
            why = f"facelab reads no {suffix} files" if suffix else "its name has no suffix, such as .jpg"
            found.errors.append(ImageError(f"{entry.path} was left out: {why}; convert it to JPEG or PNG."))


def load_folder(folder: Path | str, *, show_progress: bool = False) -> tuple[FaceSet, list[ImageError]]:
    """Load a folder with one sub-folder per identity, its name the identity; files of the picture formats are read.

    It may be packed, as a zip or tar archive, see :func:`facelab.data.archives.open_archive`.

    Where folders lie in folders (``train/ADA/1.jpg``), an identity is the folder that holds the pictures; see
    :func:`identities_of`.

    Every file is decoded once, by a pool of threads, so that a bad one is known now and not in the middle of a long
    job. A bad file is left out and reported, never fatal, and so is every other file that might be a picture and is not
    read; a UserWarning counts the rest. No pixel is kept: an image is decoded again when it is asked for. The table has
    the columns ``identity``, ``file`` (relative to ``folder``), ``height`` and ``width`` (pixels).

    Args:
        folder: of the sub-folders, or an archive of it.
        show_progress: show a bar where there are many files.

    Returns:
        The FaceSet of the good files, and one :class:`ImageError` for each that was left out.

    Raises:
        FacelabError: the folder does not exist, holds no readable picture in a sub-folder, or it is not clear which
            sub-folders are identities.
    """
    folder = Path(folder)
    packed = open_archive(folder) if is_archive(folder) else None
    found = _pictures_in(packed) if packed else search(folder)
    files = [file for file in found.pictures if "/" in file]
    errors = found.errors + [
        ImageError(f"{folder / file} lies in no sub-folder, so nobody is on it; left out.")
        for file in found.pictures
        if "/" not in file
    ]
    if not packed and (other := foreign(folder)) and len({file.partition("/")[0] for file in files}) < 2:
        raise FacelabError(other)
    identities = identities_of(files, folder)
    faces, bad = _load(folder.name, files, identities, files, packed or folder, show_progress)
    if not len(faces):
        left = count(len(errors) + len(bad), "file")
        first = f" Left out, {left}: {(errors + bad)[0]}" if errors or bad else ""
        raise FacelabError(
            f"{folder} holds no readable picture in a sub-folder; expected {folder}/IDENTITY/PHOTO.jpg.{first}"
        )
    if faces.table["file"][0].count("/") > 1:
        warnings.warn(
            f"{folder}: {len(faces.identities)} identities are named by the folders that hold pictures, such as "
            f"{faces.table['file'][0].rpartition('/')[0]}/.",
            stacklevel=2,
        )
    found.warn(folder)
    return faces, errors + bad


def _pictures_in(archive: Archive) -> Found:
    """Return what :func:`search` says of a folder."""
    found = Found()
    for name in archive.names:
        suffix = os.path.splitext(name)[1].lower()
        if suffix in SUFFIXES:
            found.pictures.append(name)
        elif suffix in _COMPANIONS:
            found.others[suffix] += 1
        else:
            why = f"facelab reads no {suffix} files" if suffix else "its name has no suffix, such as .jpg"
            found.errors.append(ImageError(f"{archive.path}: {name} was left out: {why}."))
    return found


def identities_of(files: Sequence[str], folder: Path | str = "") -> list[str]:
    """Return who is on each picture: the name of the folder that it lies in; empty where it lies in none.

    Args:
        files: paths relative to a folder, of pictures.
        folder: for the message.

    Raises:
        FacelabError: that is not clear, as pictures lie at several depths or two folders with pictures have one name;
            the message shows what was seen.

    Example:
        >>> identities_of(["train/ada/1.jpg", "val/bob/1.jpg"])
        ['ada', 'bob']
    """
    parents = [file.rpartition("/")[0] for file in files]
    by_depth, by_name = defaultdict(list), defaultdict(list)
    for parent in dict.fromkeys(parent for parent in parents if parent):
        by_depth[parent.count("/")].append(parent)
        by_name[parent.rpartition("/")[2]].append(parent)
    remedy = "Make a folder with one sub-folder per identity (links will do)"
    if len(by_depth) > 1:
        (_, high), (_, low) = sorted(by_depth.items())[:2]
        raise FacelabError(
            f"{folder}: pictures lie at {len(by_depth)} depths, in {high[0]}/ and in {low[0]}/, so it is not clear "
            f"which folders are identities. {remedy}."
        )
    if twice := [(name, same) for name, same in by_name.items() if len(same) > 1]:
        name, same = twice[0]
        others = f" (of {len(twice)} names that stand twice)" if len(twice) > 1 else ""
        raise FacelabError(
            f"{folder}: pictures lie in {same[0]}/ and in {same[1]}/{others}, so it is not clear whether {name!r} is "
            f"one identity, two, or none. {remedy}, or give one part of it: {Path(folder, same[0]).parent}."
        )
    return [parent.rpartition("/")[2] for parent in parents]


def load_photographs(photos: Sequence[Path | str], *, show_progress: bool = False) -> tuple[FaceSet, list[ImageError]]:
    """Load picture files and folders of them, whether they lie in identity folders or not; see :func:`name_pictures`.

    Like :func:`load_folder`, but a picture that lies in no sub-folder is taken too. Its identity is empty: it is not
    known who is on it. Nor is it where folders do not tell (:func:`identities_of`); a UserWarning says why.

    Raises:
        FacelabError: there is no readable picture, or see :func:`name_pictures`.
    """
    named, errors = name_pictures(photos)
    name = Path(photos[0]).name if len(photos) == 1 else "photographs"
    try:
        identities = identities_of(list(named), photos[0] if len(photos) == 1 else "")
    except FacelabError as error:
        warnings.warn(f"{error} Until then nobody has a name.", stacklevel=2)
        identities = [""] * len(named)
    faces, bad = _load(name, list(named), identities, list(named.values()), "", show_progress)
    if not len(faces):
        raise FacelabError(f"there is no readable picture in {', '.join(map(str, photos))}: {bad[0]}")
    return faces, errors + bad


def name_pictures(photos: Sequence[Path | str]) -> tuple[dict[str, Path], list[ImageError]]:
    """Return picture files by name: for files their own, for folders the path from the folder to each picture below.

    So the names of a folder with one sub-folder per identity are ``IDENTITY/PHOTO.jpg``.

    Returns:
        The files by name, and an error for each file in a folder that might be a picture and is not taken.

    Raises:
        FacelabError: there is none, two have one name, or a path is neither a file nor a folder.
    """
    named: dict[str, Path] = {}
    errors: list[ImageError] = []
    given: dict[str, Path] = {}  # real path of each picture -> as it was given
    for photo in map(Path, photos):
        one = photo.is_file() or (photo.suffix.lower() in SUFFIXES and not photo.is_dir())
        found = Found([photo.name]) if one else search(photo)
        if found.pictures:
            found.warn(photo)
        errors += found.errors
        for name in found.pictures:
            path = photo if one else photo / name
            if named.setdefault(name, path) != path:
                raise FacelabError(f"{named[name]} and {path} are both called {name} here; rename one.")
            if len(photos) > 1 and given.setdefault(os.path.realpath(path), photo) != photo:
                raise FacelabError(f"{path} is in {given[os.path.realpath(path)]} and in {photo}: give one of them.")
    if not named:
        where = f"in {', '.join(map(str, photos))}" if photos else "given"
        left = f" Left out, {count(len(errors), 'file')}: {errors[0]}" if errors else ""
        raise FacelabError(f"no photograph {where}. Give picture files or folders of them.{left}")
    return named, errors


def _load(
    name: str,
    files: list[str],
    identities: list[str],
    paths: Sequence[Path | str],
    place: Path | str | Archive,
    show_progress: bool,
) -> tuple[FaceSet, list[ImageError]]:
    """Decode each file once; return the FaceSet of the good ones, and an error for each bad one."""
    good, sizes, bad = [], [], []
    shown = show_progress and len(paths) >= _MANY
    images = _images(paths, place)
    with ThreadPool() as pool, progress_bar(f"read {name}", len(files), show_progress=shown) as bar:
        for row, found in enumerate(pool.imap(partial(_size, images), range(len(paths)), _CHUNK)):
            bar.update()
            if isinstance(found, ImageError):
                bad.append(found)
            else:
                good.append(row)
                sizes.append(found)
    files, identities = ([values[row] for row in good] for values in (files, identities))
    paths = [paths[row] for row in good]
    height, width = np.array(sizes, np.int32).reshape(-1, 2).T
    # Objects, as a name need not be UTF-8, which pandas' own strings must be.
    names = {"identity": pd.Series(identities, dtype=object), "file": pd.Series(files, dtype=object)}
    table = pd.DataFrame(names | {"height": height, "width": width})
    return FaceSet(name, _images(paths, place), table), bad


def _images(paths: Sequence[Path | str], place: Path | str | Archive) -> ImageFiles | StoredImages:
    return StoredImages(place, list(map(str, paths))) if isinstance(place, Archive) else ImageFiles(paths, place)


def _size(images: ImageFiles | StoredImages, row: int) -> tuple[int, int] | ImageError:
    """Return height and width of a picture, or what is wrong with it."""
    try:
        return images[row].shape[:2]
    except ImageError as error:
        return error
