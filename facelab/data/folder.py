"""Your own photographs: one sub-folder per identity."""

import os
from collections.abc import Iterator
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
        show_progress: show a bar.

    Returns:
        The FaceSet of the good files, and one :class:`ImageError` for each bad one.

    Raises:
        FacelabError: the folder does not exist or holds no readable picture in a sub-folder.
    """
    folder = Path(folder)
    files = [file for file in _files(folder) if "/" in file]  # one beside the identity folders belongs to nobody
    good, sizes, bad = [], [], []
    with ThreadPool() as pool, progress_bar(f"read {folder.name}", len(files), show_progress=show_progress) as bar:
        for file, found in zip(files, pool.imap(partial(_size, folder), files, _CHUNK), strict=True):
            bar.update()
            if isinstance(found, ImageError):
                bad.append(found)
            else:
                good.append(file)
                sizes.append(found)
    if not good:
        raise FacelabError(f"{folder} holds no readable picture in a sub-folder; expected {folder}/IDENTITY/PHOTO.jpg.")
    height, width = np.array(sizes, np.int32).T
    identity = [file.partition("/")[0] for file in good]
    table = pd.DataFrame({"identity": identity, "file": good, "height": height, "width": width})
    return FaceSet(folder.name, ImageFiles(good, folder), table), bad


def _size(folder: Path, file: str) -> tuple[int, int] | ImageError:
    """Return height and width of a picture, or what is wrong with it."""
    try:
        return read_image(folder / file).shape[:2]
    except ImageError as error:
        return error
