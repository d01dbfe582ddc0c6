"""CelebA-500, a piece of CelebA as a coursework ships it: to train a classifier, and to search strangers."""

import warnings
from pathlib import Path

import pandas as pd

from facelab.data.archives import StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.lists import among, called, in_folder, numbers, pictures_by_folder, read_rows, splits
from facelab.errors import FacelabError

_TRAIN, _SPLIT, _QUERY = "celebA_anno.txt", "celebA_train_split.txt", "celebA_anno_query.csv"


def load_celeba500(path: Path | str) -> FaceSet:
    """Load CelebA-500 from its folder or archive.

    - ``celeba_train_500/``: pictures in ``celebA_imgs/``, the identity of each in ``celebA_anno.txt`` (``FILE ID``),
      and ``celebA_train_split.txt`` (``FILE 0|1|2``: train, validation, test).
    - ``celeba_ir/``: pictures in ``celebA_query/``, their identities in ``celebA_anno_query.csv`` (header ``img,id``),
      and ``celebA_distractors/``, of which nobody says who they are. One of both folders is enough.

    Returns:
        The set with the columns ``identity``, ``file`` and ``split``: ``train``, ``validation``, ``test``, ``query`` or
        ``distractor``. The two lists count their identities each by itself, so those of the queries are called
        ``query ID``; the identity of a distractor is empty. No picture is read.

    Raises:
        FacelabError: the layout is another one, a line of a list is wrong, or a picture is missing; the message names
            the line.
    """
    place = open_place(path)
    train, query = called(place, _TRAIN), called(place, _QUERY)
    if train is None and query is None:
        raise FacelabError(f"{path} holds neither {_TRAIN} nor {_QUERY}, the lists of CelebA-500. Check the path.")
    files: list[str] = []
    identity: list[str] = []
    split: list[str] = []
    pictures = pictures_by_folder(place)
    if train is not None:
        at, rows = read_rows(place, train, 2)
        people = numbers(place, train, at, rows)[:, 0].tolist()
        folder = _folder(pictures, train, "celebA_imgs", path)
        listed = called(place, _SPLIT)
        if listed is None:
            raise FacelabError(f"{path} holds {train}, but no {_SPLIT}. Get the whole set.")
        files += in_folder(place, folder, train, at, rows)
        identity += map(str, people)
        split += among(splits(place, listed), [row[0] for row in rows], listed)
    if query is not None:
        at, rows = read_rows(place, query, 2)
        people = numbers(place, query, at, rows)[:, 0].tolist()
        folder = _folder(pictures, query, "celebA_query", path)
        others = pictures.get(_folder(pictures, query, "celebA_distractors", path).rstrip("/"), [])
        files += [*in_folder(place, folder, query, at, rows), *others]
        identity += [*(f"query {one}" for one in people), *[""] * len(others)]
        split += [*["query"] * len(rows), *["distractor"] * len(others)]
    if left := sum(map(len, pictures.values())) - len(files):
        warnings.warn(f"{path}: {left} pictures are in no list of CelebA-500 and were left out.", stacklevel=2)
    # Objects, as the name of a distractor need not be UTF-8, which pandas' own strings must be.
    table = pd.DataFrame({"identity": identity, "file": pd.Series(files, dtype=object), "split": split})
    return FaceSet("celeba500", StoredImages(place, files), table)


def _folder(pictures: dict[str, list[str]], beside: str, name: str, path: Path | str) -> str:
    """Return the folder of pictures of this name beside a list, with ``/`` at its end."""
    within = beside.rpartition("/")[0]
    folder = f"{within}/{name}" if within else name
    if folder not in pictures:
        raise FacelabError(f"{path}: {beside} needs the pictures in {folder}/, which is missing or empty.")
    return f"{folder}/"
