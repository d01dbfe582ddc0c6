"""Sets and lists of pairs written as LFW has them: ``NAME/NAME_0001.png`` and ``pairs.txt``."""

from collections.abc import Sequence
from pathlib import Path, PurePath

import numpy as np

from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.images import write_image
from facelab.data.pairs import PairList
from facelab.errors import FacelabError, count
from facelab.files import atomic_write, check_apart, claim, facelab_home, made
from facelab.progress import progress_bar


def lfw_files(identities: Sequence[str]) -> list[str]:
    """Return LFW's name for each image, ``NAME/NAME_0001.png``: those of an identity are counted as they come.

    Raises:
        FacelabError: an identity's name is no name of a folder.
    """
    counts: dict[str, int] = {}
    files = []
    for name in identities:
        if not name or name in (".", "..") or any(sign in name for sign in "/\\\t\n\r\0"):
            raise FacelabError(f"the identity {name!r} cannot be the name of a folder; rename it.")
        counts[name] = counts.get(name, 0) + 1
        files.append(f"{name}/{name}_{counts[name]:04d}.png")
    return files


def write_faces(faces: FaceSet, folder: Path | str, source: Path | str, *, show_progress: bool = False) -> FaceSet:
    """Write the images of a set, as PNG, under LFW's names.

    Args:
        faces: the set.
        folder: to write to; it is made if it does not exist.
        source: where the set is from, for the record of the folder, see :func:`facelab.files.made`: a path, or a name.
        show_progress: show a bar.

    Returns:
        The set with the column ``file``, relative to the folder.

    Raises:
        FacelabError: an identity's name is no name of a folder, an image cannot be read, the images are read from the
            folder itself, a file of it is not facelab's own, see :func:`facelab.files.claim`, or it holds pictures of
            an earlier call that are not in this set.
    """
    folder, files = Path(folder), lfw_files(faces.table["identity"].tolist())
    source = Path(source) if Path(source).exists() else facelab_home() / source
    if isinstance(faces.images, ImageFiles):
        paths = [Path(faces.images.folder, faces.images.paths[row]) for row in faces.table.index]
        check_apart(folder, dict(zip(faces.files, paths, strict=True)))
    new = set(files)
    listed = made(folder).items()
    if old := [name for name, origin in listed if origin and name not in new and (folder / name).exists()]:
        raise FacelabError(
            f"{folder} holds {count(len(old), 'picture')} of an earlier run that {faces.name} has not, such as "
            f"{old[0]}: both would be read as one set. Delete that folder, or choose another one."
        )
    claim(folder, dict.fromkeys(files, source))
    with progress_bar(f"write {faces.name}", len(faces), show_progress=show_progress) as bar:
        for row, file in enumerate(files):
            write_image(folder / file, faces[row][0])
            bar.update()
    return FaceSet(faces.name, faces.images, faces.table.assign(file=files))


def write_pairs(path: Path | str, faces: FaceSet, pairs: PairList) -> str:
    """Write a list of pairs, as :func:`facelab.data.read_pairs` reads it.

    Where each fold has as many genuine as impostor pairs, genuine ones first, it is LFW's own format: the number of
    folds and of pairs of each kind, then ``NAME 1 2`` or ``NAME 1 OTHER 3``. Other lists get a line ``FILE FILE 1`` (or
    0) for each pair, and the folds that :func:`facelab.data.pairs.read_names` gives them. Names are separated by tabs.

    Args:
        path: to write to.
        faces: a set whose files have LFW's names, see :func:`lfw_files`.
        pairs: of its images; the pairs of a fold stand together, in the order of the folds.

    Returns:
        Which of the two formats it is, in words.

    Raises:
        FacelabError: a file has another name, or ``path`` is there and not facelab's own.
    """
    path, identity, files = Path(path), faces.table["identity"].tolist(), faces.files
    number = [_number(file, name) for file, name in zip(files, identity, strict=True)]
    folds = len(np.unique(pairs.fold))
    each = len(pairs) // (2 * folds)
    own = np.array_equal(pairs.fold, np.repeat(np.arange(folds), 2 * each)) and np.array_equal(
        pairs.genuine, np.tile(np.repeat([True, False], each), folds)
    )
    lines = [f"{folds}\t{each}"] if own else []
    for i, j, same in zip(pairs.first, pairs.second, pairs.genuine, strict=True):
        if not own:
            lines.append(f"{files[i]}\t{files[j]}\t{int(same)}")
        elif same:
            lines.append(f"{identity[i]}\t{number[i]}\t{number[j]}")
        else:
            lines.append(f"{identity[i]}\t{number[i]}\t{identity[j]}\t{number[j]}")
    claim(path.parent, [path.name])
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return "LFW's format" if own else "lines FILE FILE 1, as the folds are not LFW's"


def _number(file: str, identity: str) -> int:
    """Return the number of an image in its identity, by its file's name."""
    name, _, number = PurePath(file).stem.rpartition("_")
    if name != identity or not number.isdecimal() or len(number) < 4:
        raise FacelabError(
            f"{file} is not called as LFW calls its files, {identity}/{identity}_0001.jpg, by which a list of pairs "
            "names them. Copy the set under such names: facelab data convert FOLDER --out OTHER."
        )
    return int(number)
