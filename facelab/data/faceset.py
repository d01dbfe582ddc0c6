"""The type that flows through the first half of the course: pictures of faces with known identities."""

from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Protocol

import numpy as np
import pandas as pd

from facelab.data.images import check_pixels, read_image, square_margins, to_rgb8
from facelab.errors import FacelabError, ImageError, count


class Images(Protocol):
    """Images by position, RGB uint8 (height, width, 3): an array, a list, or what decodes each when it is asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> np.ndarray: ...


class ImageFiles(Sequence[np.ndarray]):
    """Picture files as a sequence of RGB arrays, each decoded when it is asked for.

    Args:
        paths: of the files.
        folder: to which the paths are relative.
    """

    def __init__(self, paths: Sequence[Path | str], folder: Path | str = ""):
        self.paths, self.folder = paths, folder

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return read_image(Path(self.folder, self.paths[index]))


class EncodedImages(Sequence[np.ndarray]):
    """Encoded images (the bytes of JPEG or PNG files) as a sequence of RGB arrays, each decoded when it is asked for.

    Args:
        data: one file's bytes for each image.
        name: of the set, for the error message.
    """

    def __init__(self, data: Sequence[bytes], name: str):
        self.data, self.name = data, name

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        import cv2

        reason = "damaged"
        try:
            check_pixels(self.data[index])
            image = cv2.imdecode(np.frombuffer(self.data[index], np.uint8), cv2.IMREAD_COLOR)
        except (ImageError, cv2.error) as error:
            image, reason = None, str(error).rstrip(".") if isinstance(error, ImageError) else reason
        if image is None:
            raise ImageError(f"{self.name}: picture {index} cannot be decoded ({reason}); make or get the set again.")
        return to_rgb8(image, channels="bgr")


class FaceSet:
    """Images, who is on them, and what else is known about each.

    A FaceSet is a PyTorch map-style dataset: ``len(faces)`` and ``faces[i] -> (image, label)``.

    Args:
        name: says in error messages and figures which set this is.
        images: a sequence of RGB uint8 arrays, each (height, width, 3): an array of shape (n, height, width, 3), a
            list, or a lazy sequence such as :class:`ImageFiles`.
        table: one row per image with at least the column ``identity``, of text (of millions of images better a
            categorical one, which holds each name once). Other columns are attributes (landmarks, pose, light, ...).
            The index of the table is the position of the row's image in ``images``; a table with fewer
            rows than ``images`` is a selection.

    Raises:
        FacelabError: a column ``identity`` is missing, has gaps or holds anything but text, the table points outside
            ``images`` or to one of them twice, or ``images`` is an array of another kind.

    Example:
        >>> from facelab.data import load_orl
        >>> faces = load_orl()
        >>> faces
        FaceSet('orl', 400 images, 40 identities)
        >>> image, label = faces[0]
        >>> image.shape, faces.identities[label]
        ((112, 92, 3), 's01')
        >>> faces.select(faces.table["identity"] == "s07")
        FaceSet('orl', 10 images, 1 identity)
    """

    def __init__(self, name: str, images: Images, table: pd.DataFrame):
        if "identity" not in table.columns:
            raise FacelabError(f"FaceSet {name!r}: the table has no column 'identity', only {list(table.columns)}.")
        codes, unique = pd.factorize(table["identity"])  # -1: none
        if (codes < 0).any():
            row = table.index[codes < 0][0]
            raise FacelabError(f"FaceSet {name!r}: row {row} has no identity; give one or drop the row.")
        if others := [one for one in unique if not isinstance(one, str)]:
            raise FacelabError(
                f"FaceSet {name!r}: the identity {others[0]} is of type {type(others[0]).__name__}; identities are "
                "text: table['identity'].astype(str)."
            )
        if isinstance(images, np.ndarray) and images.dtype != object:
            _check_pixels(images, 4, f"FaceSet {name!r}: an array")
        if len(table) and (table.index.min() < 0 or table.index.max() >= len(images)):
            raise FacelabError(
                f"FaceSet {name!r}: the table's index runs from {table.index.min()} to {table.index.max()}, "
                f"but there are {len(images)} images."
            )
        if not table.index.is_unique:
            twice = table.index[table.index.duplicated()][0]
            raise FacelabError(
                f"FaceSet {name!r}: {(table.index == twice).sum()} rows of the table stand for image {twice}; "
                "a row is one image, and its index is the image's position: drop the others, or reset the index."
            )
        if isinstance(kind := table["identity"].dtype, pd.CategoricalDtype) and len(kind.categories) > len(unique):
            table = table.assign(identity=table["identity"].cat.remove_unused_categories())  # or they would be counted
        self.name = name
        self.images = images
        self.table = table
        self.identities: list[str] = sorted(unique.tolist())
        label = {identity: number for number, identity in enumerate(self.identities)}
        self.labels: np.ndarray = np.array([label[one] for one in unique], np.int64)[codes]

    @property
    def files(self) -> list[str]:
        """Return the name of each image, the column ``file`` where there is one, else ``IDENTITY/1`` and on.

        Of several faces of one photograph (column ``face``, from 1 on), ``PHOTO.face1.jpg`` and on.
        """
        if "face" in self.table:
            return [
                PurePath(file).with_suffix(f".face{face}{PurePath(file).suffix}").as_posix() if face else file
                for file, face in zip(self.table["file"], self.table["face"], strict=True)
            ]
        if "file" in self.table:
            return self.table["file"].tolist()
        numbers = self.table.groupby("identity").cumcount() + 1
        return [f"{identity}/{number}" for identity, number in zip(self.table["identity"], numbers, strict=True)]

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        """Return (image, label): RGB uint8 (height, width, 3) and the position of its identity in ``identities``.

        Raises:
            FacelabError: the image is of another kind, or see what ``images`` raises.
        """
        image = self.images[int(self.table.index[index])]
        _check_pixels(image, 3, f"FaceSet {self.name!r}: image {index}")
        return image, int(self.labels[index])

    def __repr__(self) -> str:
        identities = count(len(self.identities), "identity", "identities")
        return f"FaceSet({self.name!r}, {count(len(self), 'image')}, {identities})"

    def select(self, rows: Sequence[int] | np.ndarray | pd.Series, name: str | None = None) -> "FaceSet":
        """Return the FaceSet of some rows; no image is copied or decoded.

        Args:
            rows: positions, or one boolean per image, for example ``faces.table["yaw"].abs() < 0.5``.
            name: the name of the selection; the same name if not given.

        Raises:
            FacelabError: a position outside the set or given twice, or a boolean mask of another length.
        """
        rows = np.asarray(rows)
        if rows.dtype == bool and len(rows) != len(self):
            raise FacelabError(f"FaceSet {self.name!r}: a mask of {len(rows)} values for {len(self)} images.")
        if rows.dtype != bool:
            rows = rows.astype(np.int64)
            if len(rows) and not (-len(self) <= rows.min() and rows.max() < len(self)):
                raise FacelabError(f"FaceSet {self.name!r}: positions up to {rows.max()} asked of {len(self)} images.")
        return FaceSet(name or self.name, self.images, self.table.iloc[rows])

    def split(self, *, train: int, seed: int) -> tuple["FaceSet", "FaceSet"]:
        """Split the images of every identity; see :func:`facelab.data.split_closed_set`."""
        from facelab.data.splits import split_closed_set

        return split_closed_set(self, train=train, seed=seed)

    def resized(self, size: int) -> "FaceSet":
        """Return the same set with every image decoded once, at ``size`` x ``size`` pixels, and held in memory.

        A training at this size then reads from memory instead of decoding and shrinking every image in every epoch. An
        image that is not square gets black margins, see :func:`facelab.data.images.square_margins`.
        """
        import cv2

        images = np.empty((len(self), size, size, 3), np.uint8)
        for i in range(len(self)):
            image = self[i][0]
            if image.shape[0] != image.shape[1]:
                image = cv2.copyMakeBorder(image, *square_margins(*image.shape[:2]), cv2.BORDER_CONSTANT)
            images[i] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
        return FaceSet(self.name, images, self.table.reset_index(drop=True))

    def array(self) -> np.ndarray:
        """Return all images as one array, shape (n, height, width, 3), uint8.

        Raises:
            FacelabError: the images differ in size.
        """
        if isinstance(self.images, np.ndarray):
            return self.images[self.table.index.to_numpy(np.int64)]
        images = np.empty((0, 0, 0, 3), np.uint8)
        for i in range(len(self)):
            image = self[i][0]
            if not i:
                images = np.empty((len(self), *image.shape), image.dtype)
            elif image.shape != images.shape[1:]:
                raise FacelabError(
                    f"FaceSet {self.name!r}: images of different sizes, {images.shape[1:]} and then {image.shape} at "
                    f"position {i}; align them first."
                )
            images[i] = image
        return images


def _check_pixels(image: np.ndarray, axes: int, what: str) -> None:
    """Raise a FacelabError unless an array is RGB, uint8, channels last: other numbers would be other colours."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != axes or image.shape[-1] != 3:
        kind = f"{image.dtype} and shape {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
        raise FacelabError(
            f"{what} of {kind}; expected RGB uint8, (height, width, 3): "
            "facelab.data.images.to_rgb8 turns floating point in [0, 1], 16 bits and greyscale into it, image by image."
        )
