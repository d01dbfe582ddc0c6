"""Your own photographs: one sub-folder per identity, or files that do not say who is on them."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.images import SUFFIXES, read_image
from facelab.errors import FacelabError, ImageError
from facelab.progress import progress_bar

_CHUNK = 64  # files that a thread takes at a time
_MANY = 2000  # files: a bar is shown for so many or more, which take seconds


def find_images(folder: Path | str) -> list[Path]:
    """Return the picture files below a folder, sorted; hidden files and folders are left out.

    A file is taken for a picture by its suffix, one of :data:`facelab.data.images.SUFFIXES`.

    Raises:
        FacelabError: the folder does not exist.
    """
    return [Path(folder, file) for file in _files(Path(folder))]


def _files(folder: Path) -> list[str]:
    """Return what :func:`find_images` finds, relative to the folder: a short string each, as there may be millions."""
    if not folder.is_dir():
        raise FacelabError(f"{folder} is not a folder. Check the path.")
    return list(_walk(folder, ""))


def _walk(folder: Path | str, within: str) -> Iterator[str]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except PermissionError:  # such as lost+found, where the folder is a whole disk
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(entry.path, f"{within}{entry.name}/")
        elif os.path.splitext(entry.name)[1].lower() in SUFFIXES and entry.is_file():
            yield within + entry.name


def load_folder(folder: Path | str, *, show_progress: bool = False) -> tuple[FaceSet, list[ImageError]]:
    """Load a folder with one sub-folder per identity, its name the identity; files of the picture formats are read.

    Every file is decoded once, by a pool of threads, so that a bad one is known now and not in the middle of a long
    job. A bad file is left out and reported, never fatal. No pixel is kept: an image is decoded again when it is asked
    for. The table has the columns ``identity``, ``file`` (relative to ``folder``), ``height`` and ``width`` (pixels).

    Args:
        folder: of the sub-folders.
        show_progress: show a bar where there are many files.

    Returns:
        The FaceSet of the good files, and one :class:`ImageError` for each bad one.

    Raises:
        FacelabError: the folder does not exist or holds no readable picture in a sub-folder.
    """
    folder = Path(folder)
    files = [file for file in _files(folder) if "/" in file]  # one beside the identity folders belongs to nobody
    faces, bad = _load(folder.name, files, files, folder, show_progress)
    if not len(faces):
        raise FacelabError(f"{folder} holds no readable picture in a sub-folder; expected {folder}/IDENTITY/PHOTO.jpg.")
    return faces, bad


def load_photographs(photos: Sequence[Path | str], *, show_progress: bool = False) -> tuple[FaceSet, list[ImageError]]:
    """Load picture files and folders of them, whether they lie in identity folders or not; see :func:`name_pictures`.

    Like :func:`load_folder`, but a picture that lies in no sub-folder is taken too. Its identity is empty: it is not
    known who is on it.

    Raises:
        FacelabError: there is no readable picture, or see :func:`name_pictures`.
    """
    named = name_pictures(photos)
    name = Path(photos[0]).name if len(photos) == 1 else "photographs"
    faces, bad = _load(name, list(named), list(named.values()), "", show_progress)
    if not len(faces):
        raise FacelabError(f"there is no readable picture in {', '.join(map(str, photos))}: {bad[0]}")
    return faces, bad


def name_pictures(photos: Sequence[Path | str]) -> dict[str, Path]:
    """Return picture files by name: for files their own, for folders the path from the folder to each picture below.

    So the names of a folder with one sub-folder per identity are ``IDENTITY/PHOTO.jpg``.

    Raises:
        FacelabError: there is none, two have one name, or a path is neither a file nor a folder.
    """
    named: dict[str, Path] = {}
    for photo in map(Path, photos):
        one = photo.is_file() or (photo.suffix.lower() in SUFFIXES and not photo.is_dir())
        for name in [photo.name] if one else _files(photo):
            path = photo if one else photo / name
            if named.setdefault(name, path) != path:
                raise FacelabError(f"{named[name]} and {path} are both called {name} here; rename one.")
    if not named:
        where = f"in {', '.join(map(str, photos))}" if photos else "given"
        raise FacelabError(f"no photograph {where}. Give picture files or folders of them.")
    return named


def _load(
    name: str, files: list[str], paths: Sequence[Path | str], folder: Path | str, show_progress: bool
) -> tuple[FaceSet, list[ImageError]]:
    """Decode each file once; return the FaceSet of the good ones, and an error for each bad one."""
    good, sizes, bad = [], [], []
    shown = show_progress and len(paths) >= _MANY
    with ThreadPool() as pool, progress_bar(f"read {name}", len(files), show_progress=shown) as bar:
        for row, found in enumerate(pool.imap(partial(_size, folder), paths, _CHUNK)):
            bar.update()
            if isinstance(found, ImageError):
                bad.append(found)
            else:
                good.append(row)
                sizes.append(found)
    files, paths = [files[row] for row in good], [paths[row] for row in good]
    height, width = np.array(sizes, np.int32).reshape(-1, 2).T
    identity = [file.partition("/")[0] if "/" in file else "" for file in files]
    table = pd.DataFrame({"identity": identity, "file": files, "height": height, "width": width})
    return FaceSet(name, ImageFiles(paths, folder), table), bad


def _size(folder: Path | str, path: Path | str) -> tuple[int, int] | ImageError:
    """Return height and width of a picture, or what is wrong with it."""
    try:
        return read_image(Path(folder, path)).shape[:2]
    except ImageError as error:
        return error
