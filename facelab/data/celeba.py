"""CelebA: photographs of known people, with identities, a partition, landmarks and attributes."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd

from facelab.data.archives import Place, StoredImages, open_place
from facelab.data.faceset import FaceSet
from facelab.data.lists import among, called, in_folder, numbers, packed, pictures_by_folder, read_rows, splits
from facelab.errors import FacelabError
from facelab.files import decode_text

# Of 40 attributes, those that describe the picture: what is worn, what the face does, how sharp it is. Left out are
# judgements about looks and bodies (Attractive, Big_Nose, Chubby, ...) and guesses at who somebody is (Male, Young,
# Pale_Skin): annotators saw a photograph and asked nobody. The rest (hair, beard, make-up) the course does not need.
ATTRIBUTES = ("Blurry", "Eyeglasses", "Mouth_Slightly_Open", "Smiling", "Wearing_Hat")

_IDENTITY = "identity_CelebA.txt", "identity_CelebA.csv"
_PARTITION = "list_eval_partition.txt", "list_eval_partition.csv"
_ATTRIBUTES = ("list_attr_celeba.txt",)


def load_celeba(path: Path | str) -> FaceSet:
    """Load CelebA from its folder, however its files are sorted into sub-folders; nothing needs to be unpacked.

    Read are ``identity_CelebA.txt`` (with or without a first line of names) and, where they are there,
    ``list_eval_partition.txt``, the landmarks, and of ``list_attr_celeba.txt`` the :data:`ATTRIBUTES`. The pictures are
    those of ``img_align_celeba`` (a folder, or the zip beside the lists), turned upright and cropped to 178 x 218
    pixels; or of ``img_celeba``, as they were found. Landmarks and boxes of the lists belong to one of the two:
    ``list_landmarks_align_celeba.txt`` to the first, ``list_landmarks_celeba.txt`` and ``list_bbox_celeba.txt`` to the
    second, so boxes are not read with cropped pictures.

    Returns:
        The set with the columns ``identity``, ``file``, and where it is known ``split`` (``train``, ``validation``,
        ``test``), ``landmarks`` (5, 2; pixels), ``box`` (x0, y0, x1, y1; pixels; NaN where the list has no size) and
        the attributes, in small letters, bool. No picture is read.

    Raises:
        FacelabError: the identities or the pictures are missing, a line of a list is wrong, or a picture or line is
            missing; the message names it.
    """
    place = open_place(path)
    file = called(place, *_IDENTITY)
    if file is None:
        raise FacelabError(
            f"{path} holds no {_IDENTITY[0]}, which says who is on a picture. It is not in every copy of CelebA: ask "
            "the authors for it, as their page says."
        )
    at, rows = read_rows(place, file, 2, titles=["identity"])
    people = numbers(place, file, at, rows)[:, 0].tolist()
    names = [row[0] for row in rows]
    pictures, folder, aligned = _pictures(place, path)
    files = in_folder(pictures, folder, file, at, rows)
    if left := sum(1 for name in pictures.names if name.startswith(folder)) - len(files):
        warnings.warn(f"{pictures.path}: {left} files are not in {file} and were left out.", stacklevel=2)
    columns: dict[str, object] = {"identity": list(map(str, people)), "file": files}
    if listed := called(place, *_PARTITION):
        columns["split"] = among(splits(place, listed), names, listed)
    kind = "align_" if aligned else ""
    if listed := called(place, f"list_landmarks_{kind}celeba.txt"):
        columns["landmarks"] = list(_values(place, listed, 10, names).reshape(-1, 5, 2).astype(np.float32))
    if not aligned and (listed := called(place, "list_bbox_celeba.txt")):
        x, y, width, height = _values(place, listed, 4, names).T.astype(np.float32)
        box = np.stack([x, y, x + width, y + height], axis=1)
        box[(width <= 0) | (height <= 0)] = np.nan  # 101283.jpg
        columns["box"] = list(box)
    if listed := called(place, *_ATTRIBUTES):
        titles = decode_text(place.read(listed), path).splitlines()[1:2]
        known = titles[0].split() if titles else []
        if missing := [name for name in ATTRIBUTES if name not in known]:
            raise FacelabError(f"{Path(path, listed)} line 2 names no attribute {missing[0]}. Get the file again.")
        values = _values(place, listed, len(known), names)
        if not (np.abs(values) == 1).all():
            raise FacelabError(f"{Path(path, listed)} holds values other than 1 and -1. Get the file again.")
        columns |= {name.lower(): values[:, known.index(name)] > 0 for name in ATTRIBUTES}
    return FaceSet("celeba", StoredImages(pictures, files), pd.DataFrame(columns))


def _pictures(place: Place, path: Path | str) -> tuple[Place, str, bool]:
    """Return where the pictures lie, in which folder there, and whether they are the aligned ones."""
    for name, aligned in (("img_align_celeba", True), ("img_celeba", False)):
        archive = packed(place, f"{name}.zip")
        for where in (place, archive):
            if where is None:
                continue
            folders = [folder for folder in pictures_by_folder(where) if f"/{folder}".endswith(f"/{name}")]
            if len(folders) > 1:
                raise FacelabError(f"{path} holds pictures in {folders[0]}/ and in {folders[1]}/. Keep one.")
            if folders:
                return where, f"{folders[0]}/", aligned
    flat = pictures_by_folder(place)
    if len(flat) == 1:  # the lists lie beside the pictures, in a folder of another name: nothing tells which they are
        raise FacelabError(
            f"{path} holds pictures in {next(iter(flat)) or 'its top folder'}/: call that folder img_align_celeba if "
            "they are cropped to 178 x 218 pixels, or else img_celeba."
        )
    raise FacelabError(f"{path} holds no img_align_celeba/, img_align_celeba.zip or img_celeba/. Get the pictures too.")


def _values(place: Place, file: str, width: int, names: list[str]) -> np.ndarray:
    """Return the numbers of a list with a line of its length and a line of names, in the order of the images."""
    data = place.read(file)
    first = data.partition(b"\n")[0].strip()
    try:  # the quick way, for a list that is as it should be; the other one tells what is wrong with it
        kinds = {0: str} | dict.fromkeys(range(1, width + 1), np.int32)
        table = pd.read_csv(BytesIO(data), sep=r"\s+", header=None, skiprows=2, dtype=kinds)
        if table.shape == (len(names), width + 1) and first == str(len(names)).encode() and table[0].tolist() == names:
            return table.drop(columns=0).to_numpy()
    except ValueError:
        pass
    at, rows = read_rows(place, file, width + 1, header=2)
    values = numbers(place, file, at, rows)
    where = {row[0]: k for k, row in enumerate(rows)}
    if missing := next((name for name in names if name not in where), None):
        raise FacelabError(f"{Path(place.path, file)} does not list {missing}. Get the whole file.")
    return values[[where[name] for name in names]]
