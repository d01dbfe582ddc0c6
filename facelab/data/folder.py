"""Your own photographs: one sub-folder per identity."""

from pathlib import Path

import pandas as pd

from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.images import SUFFIXES, read_image
from facelab.errors import FacelabError, ImageError


def find_images(folder: Path | str) -> list[Path]:
    """Return the picture files below a folder, sorted; hidden files and folders are left out.

    A file is taken for a picture by its suffix, one of :data:`facelab.data.images.SUFFIXES`.

    Raises:
        FacelabError: the folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FacelabError(f"{folder} is not a folder. Check the path.")
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES
        and path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def load_folder(folder: Path | str) -> tuple[FaceSet, list[ImageError]]:
    """Load a folder with one sub-folder per identity, its name the identity; files of the picture formats are read.

    Every file is decoded once, so that a bad one is known now and not in the middle of a long job. A bad file is left
    out and reported, never fatal. The table has the columns ``identity`` and ``file`` (relative to ``folder``).

    Returns:
        The FaceSet of the good files, and one :class:`ImageError` for each bad one.

    Raises:
        FacelabError: the folder does not exist or holds no readable picture in a sub-folder.
    """
    folder = Path(folder)
    good, bad = [], []
    for path in find_images(folder):
        if path.parent == folder:
            continue  # a picture beside the identity folders belongs to nobody
        try:
            read_image(path)
            good.append(path)
        except ImageError as error:
            bad.append(error)
    if not good:
        raise FacelabError(f"{folder} holds no readable picture in a sub-folder; expected {folder}/IDENTITY/PHOTO.jpg.")
    files = [path.relative_to(folder) for path in good]
    table = pd.DataFrame({"identity": [file.parts[0] for file in files], "file": [file.as_posix() for file in files]})
    return FaceSet(folder.name, ImageFiles(good), table), bad
