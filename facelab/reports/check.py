"""A set of faces looked at, image by image: what cannot be read, stands twice, shows no face, or leaks."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pandas as pd

from facelab.convert import FaceShards, describe_rows, fill_shards
from facelab.data import FaceSet, PairList
from facelab.detect import Detector, make_detector
from facelab.errors import ImageError
from facelab.synth.shards import Store, read_shards, write_shard

KIND = "check"
BLOCK = 256  # images of a part that is kept
SIDE = 16  # pixels of the thumbnail by which near duplicates are found
# Correlation of the thumbnails of two images that are one. JPEG at quality 30 and half the size keep 0.998 or more for
# 95 of 100 images of ORL and SynthFaces; the most alike of two different photographs of ORL reach 0.993.
NEAR = 0.997
# Pixels of the larger thumbnail, which is laid over that of a neighbour. Found so of copies 10 % darker, at quality 60:
# shifted by 1 pixel 99 % of ORL and 94 % of synthfaces-mini, by 2 pixels 93 and 97 %, by 4 pixels 36 and 88 %; cropped
# by 3 % at each side 92 and 99 %, by 8 % 6 and 22 %; mirrored none. Of synthfaces-mini itself no pair is found, of ORL
# eleven: three show one photograph cut out twice (s16/3 and s16/10), the others one person within a moment.
LOOK = 64
_NEIGHBOURS = 3  # to which a second look is given: those whose thumbnails are the most alike, and at least so alike
_ALIKE = 0.6
_HOPELESS = 0.85  # correlation after a shift alone, below which no stretching helps
_MOST = 100_000  # images of which every two are compared; of more, those of each identity, and without a second look
_COLOURED = 4.0  # of 255: mean distance of the red and the blue channel, from which on a picture is not grey
_FEW = 20  # coloured pictures: fewer tell nothing of their channels
_SHOWN = 1000  # entries of a list in the JSON file


@dataclass
class Check:
    """What was found.

    Attributes:
        name: of the set.
        images, identities: how many.
        bad: files that cannot be read, and why; ``left_out``: those of which the reader of the set says so.
        exact, near: groups of files that show the same picture: pixel by pixel, or nearly.
        crossing: of these groups, those that join two identities, and two splits.
        faceless: files in which no face is found; None where it was not looked for.
        few: identities with fewer than ``least`` images.
        shared: for each two splits how many identities stand in both.
        channels: what the colours say of the order of the channels, for the set and for each of its folders that is
            swapped.
        checksums: see :func:`facelab.data.checksums.check_published`.
    """

    name: str
    images: int
    identities: int
    least: int
    bad: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    exact: list[list[str]] = field(default_factory=list)
    near: list[list[str]] = field(default_factory=list)
    crossing: dict[str, list[list[str]]] = field(default_factory=dict)
    faceless: list[str] | None = None
    few: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)
    channels: dict[str, str] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def table(self) -> list[tuple[str, str, str]]:
        """Return a row for each question: what, how many, the first example."""
        first = lambda groups: " = ".join(groups[0][:2]) if groups else ""  # noqa: E731
        rows = [
            ("images", f"{self.images:,}", self.note),
            ("identities", f"{self.identities:,}", ""),
            ("cannot be read", f"{len(self.bad) + len(self.left_out):,}", [*self.bad.values(), *self.left_out, ""][0]),
            ("the same picture, pixel by pixel", f"{len(self.exact):,} groups", first(self.exact)),
            ("nearly the same picture", f"{len(self.near):,} groups", first(self.near)),
            *((f"the same picture in two {k}", f"{len(g):,} groups", first(g)) for k, g in self.crossing.items()),
            (
                "no face found",
                "not looked for" if self.faceless is None else f"{len(self.faceless):,}",
                (self.faceless or [""])[0],
            ),
            (f"identities with fewer than {self.least} images", f"{len(self.few):,}", next(iter(self.few), "")),
            *((f"identities in {pair}", f"{number:,}", "") for pair, number in self.shared.items()),
            *((f"channels of {where}", "", said) for where, said in self.channels.items()),
            *(
                ("published checksum", verdict, file)
                for file, verdict in self.checksums.items()
                if verdict != "unknown"
            ),
        ]
        return rows

    def write(self, out: Path | str) -> None:
        """Write all that was found to ``check.json``; of long lists the first thousand, with the number of all."""

        def short(value: Any) -> Any:
            if isinstance(value, list) and len(value) > _SHOWN:
                return {"number": len(value), "first": value[:_SHOWN]}
            if isinstance(value, dict):
                values = {key: short(one) for key, one in list(value.items())[:_SHOWN]}
                return values if len(value) <= _SHOWN else {"number": len(value), "first": values}
            return value

        text = json.dumps({key: short(value) for key, value in vars(self).items()}, indent=2)
        Store(out).write("check.json", text.encode())


def survey(faces: FaceSet, pairs: PairList | None = None) -> list[tuple[str, str]]:
    """Return what a set holds, in rows of two words; no picture is decoded."""
    counts = np.array(list(_images_of(faces).values()), np.int64)
    rows = [("images", f"{len(faces):,}"), ("identities", f"{len(counts):,}")]
    if len(counts):
        rows.append(("images of an identity", f"{counts.min()} to {counts.max()}, median {np.median(counts):g}"))
        rows.append(("identities with one image", f"{int((counts == 1).sum()):,}"))
    if nobody := len(faces) - int(counts.sum()):
        rows.append(("images of nobody known", f"{nobody:,}"))
    if "split" in faces.table:
        kinds = faces.table["split"].astype(str).value_counts()
        rows.append(("splits", ", ".join(f"{kind} {number:,}" for kind, number in kinds.items())))
    if others := [str(name) for name in faces.table.columns if name not in ("identity", "file", "split")]:
        rows.append(("also known", ", ".join(others)))
    if pairs is not None:
        genuine, folds = int(pairs.genuine.sum()), len(np.unique(pairs.fold))
        rows.append(("pairs", f"{genuine:,} genuine, {len(pairs) - genuine:,} impostor, in {folds} folds"))
    return rows


def _images_of(faces: FaceSet) -> dict[str, int]:
    """Return how many images each identity has; nobody known is none."""
    numbers = np.bincount(faces.labels, minlength=len(faces.identities)).tolist()
    return {name: number for name, number in zip(faces.identities, numbers, strict=True) if name}


def check_faces(
    faces: FaceSet,
    out: Path | str,
    *,
    least: int = 2,
    detector: str | None = "mtcnn",
    workers: int | None = 1,
    backend: str = "local",
    address: str | None = None,
    show_progress: bool = False,
) -> Check:
    """Look at every image of a set.

    What is found out about each is kept in ``out``, block by block, so that a run that was stopped goes on.

    Args:
        faces: the set.
        out: a folder or an fsspec address.
        least: identities with fewer images are listed.
        detector: finds faces; None leaves that out, which is some fifty times faster.
        workers, backend, address: see :func:`facelab.synth.make`.
        show_progress: show a bar.

    Raises:
        FacelabError: ``out`` holds the check of another set, or cannot be written.
    """
    about = _CheckShards(**vars(describe_rows(faces, BLOCK)), detector=detector or "")
    fill_shards(
        faces,
        about,
        out,
        partial(_look, str(out), detector, len(faces) <= _MOST),
        title=f"check {faces.name}",
        workers=workers,
        backend=backend,
        address=address,
        show_progress=show_progress,
    )
    seen = read_shards(out, KIND, lambda settings: _CheckShards(**settings))  # type: ignore[arg-type,return-value]
    return _judge(faces, seen, least, looked=detector is not None)


@dataclass(frozen=True)
class _CheckShards(FaceShards):
    detector: str = ""
    look: int = LOOK

    def to_json(self) -> dict[str, Any]:
        return super().to_json() | {"kind": KIND}


@lru_cache(maxsize=1)
def _detector(name: str) -> Detector:
    return make_detector(name)


def _look(out: str, detector: str | None, again: bool, job: tuple[int, FaceSet]) -> int:
    """Look at one block and keep what is found, with what a second look needs; what a worker runs."""
    block, faces = job
    rows = []
    for k in range(len(faces)):
        row = {
            "error": "",
            "pixels": "",
            "thumbnail": [0.0] * SIDE**2,
            "look": b"",
            "faces": -1,
            "red": 0.0,
            "blue": 0.0,
        }
        try:
            image = faces[k][0]
        except ImageError as error:
            row["error"] = str(error)
        else:
            found = _detector(detector).detect([image])[0] if detector else []
            box = max(found, key=lambda one: one.score).box if found else None
            red, blue = _skin(image, box)
            row |= {
                "pixels": hashlib.blake2b(repr(image.shape).encode() + image.tobytes(), digest_size=16).hexdigest(),
                "thumbnail": thumbnail(image).tolist(),
                "look": look(image).tobytes() if again else b"",
                "faces": len(found) if detector else -1,
                "red": red,
                "blue": blue,
            }
        rows.append(row)
    write_shard(Store(out), block, rows)
    return len(rows)


def thumbnail(image: np.ndarray) -> np.ndarray:
    """Return the grey values of a picture at 16 x 16 pixels, with mean 0 and length 1, shape (256,), float32.

    The product of two thumbnails is their correlation; brightness and contrast do not change it. A picture of one
    colour gives zeros.
    """
    values = _grey(image, SIDE).astype(np.float32).ravel()
    values -= values.mean()
    length = float(np.linalg.norm(values))
    return values / length if length > 1 else np.zeros_like(values)


def look(image: np.ndarray) -> np.ndarray:
    """Return the grey values of a picture at 64 x 64 pixels, uint8: what a second look compares."""
    return _grey(image, LOOK)


def _grey(image: np.ndarray, side: int) -> np.ndarray:
    return cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (side, side), interpolation=cv2.INTER_AREA)


def overlap(one: np.ndarray, two: np.ndarray) -> float:
    """Return the correlation of two pictures when the second is laid over the first as well as it can be.

    The second is shifted, and if that is not enough also stretched, which undoes a crop. Only the middle of the first
    counts, as its edge may lie outside the second. The search is that of Evangelidis and Psarakis, "Parametric image
    alignment using enhanced correlation coefficient maximization", 2008.

    Args:
        one, two: from :func:`look`, shape (64, 64), uint8.
    """
    middle, edge = np.zeros_like(one), LOOK // 8
    middle[edge:-edge, edge:-edge] = 1
    found, stop = -1.0, (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_COUNT, 30, 1e-4)
    try:
        for motion in (cv2.MOTION_TRANSLATION, cv2.MOTION_AFFINE):
            warp = np.eye(2, 3, dtype=np.float32)
            found = max(found, cv2.findTransformECC(one, two, warp, motion, stop, middle, 5)[0])
            if not _HOPELESS <= found < NEAR:
                break
    except cv2.error:  # nothing to hold on to, or it ran away
        pass
    return found


def _skin(image: np.ndarray, box: np.ndarray | None) -> tuple[float, float]:
    """Return the mean of red and blue in the middle of the face, or of the picture where none is known."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = (0, 0, width, height) if box is None else box
    x, y, dx, dy = (x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / 5, (y1 - y0) / 5
    middle = image[max(0, int(y - dy)) : max(1, int(y + dy)), max(0, int(x - dx)) : max(1, int(x + dx))]
    middle = middle if middle.size else image
    return float(middle[:, :, 0].mean()), float(middle[:, :, 2].mean())


def _judge(faces: FaceSet, seen: pd.DataFrame, least: int, *, looked: bool) -> Check:
    files, table = np.array(faces.files, dtype=object), faces.table
    good = (seen["error"] == "").to_numpy()
    found = Check(faces.name, len(faces), len(faces.identities), least)
    found.bad = dict(zip(files[~good].tolist(), seen["error"][~good].tolist(), strict=True))
    identity = np.array(faces.identities, dtype=object)[faces.labels]
    exact = _groups(seen["pixels"].to_numpy()[good], np.flatnonzero(good))
    copies = {row for rows in exact for row in rows[1:]}  # the first of each group stands for it
    alone = np.array([row for row in np.flatnonzero(good) if row not in copies], np.int64)
    thumbnails = np.stack(list(seen["thumbnail"])).astype(np.float32) if len(seen) else np.empty((0, SIDE**2))
    looks, within = None, identity[alone]
    if len(faces) <= _MOST:
        looks, within = np.frombuffer(b"".join(seen["look"].iloc[alone]), np.uint8).reshape(-1, LOOK, LOOK), None
    near = near_duplicates(thumbnails[alone], looks, within)
    near = [[int(alone[k]) for k in group] for group in near]
    if looks is None:
        found.note = (
            f"near duplicates were looked for within each identity, and not with a shift, as there are more than "
            f"{_MOST:,} images"
        )
    named = lambda groups: [[files[row] for row in rows] for rows in groups]  # noqa: E731
    found.exact, found.near = named(exact), named(near)
    split = table["split"].astype(str).to_numpy() if "split" in table else None
    for what, values in (("identities", identity), ("splits", split)):
        if values is not None:
            crossing = [rows for rows in (*exact, *near) if len({values[row] for row in rows}) > 1]
            found.crossing[what] = named(crossing)
    if looked:
        found.faceless = files[good & (seen["faces"] == 0).to_numpy()].tolist()
    found.few = {name: number for name, number in _images_of(faces).items() if number < least}
    if split is not None:
        people = {kind: set(identity[(split == kind) & (identity != "")]) for kind in sorted(set(split))}
        for one in people:
            for two in people:
                if one < two and (both := len(people[one] & people[two])):
                    found.shared[f"{one} and {two}"] = both
    found.channels = channels(files[good], seen["red"].to_numpy()[good], seen["blue"].to_numpy()[good])
    return found


def _groups(keys: np.ndarray, rows: np.ndarray) -> list[list[int]]:
    """Return the rows of each key that stands more than once."""
    by_key = defaultdict(list)
    for key, row in zip(keys, rows, strict=True):
        by_key[key].append(int(row))
    return [group for group in by_key.values() if len(group) > 1]


def near_duplicates(
    thumbnails: np.ndarray, looks: np.ndarray | None = None, within: Sequence[str] | np.ndarray | None = None
) -> list[list[int]]:
    """Return groups of images that show nearly the same picture, joined to chains.

    They are those whose thumbnails correlate with :data:`NEAR` or more, and those that do so when the larger thumbnail
    of one is laid over that of another (:func:`overlap`); that is tried with the three most alike of the images that
    follow it. So copies that were saved again, made smaller, shifted by a few pixels or cropped by a few per cent are
    found, and pictures of the same moment. Mirrored copies are not, nor larger crops.

    Args:
        thumbnails: from :func:`thumbnail`, shape (n, 256).
        looks: from :func:`look`, shape (n, 64, 64), uint8; without them there is no second look.
        within: compare only images that share this value; all if not given.
    """
    import torch
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    parts = [np.arange(len(thumbnails))]
    if within is not None:
        code = np.unique(np.asarray(within), return_inverse=True)[1]
        parts = np.split(np.argsort(code, kind="stable"), np.bincount(code).cumsum()[:-1])
    ones, twos = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows in parts:
        for start in range(0, len(rows), 2048):
            block, others = rows[start : start + 2048], rows[start:]
            alike = thumbnails[block] @ thumbnails[others].T
            alike[np.tril_indices(len(block))] = -1  # with itself and with those before it
            one, two = np.nonzero(alike >= NEAR)
            ones.append(block[one])
            twos.append(others[two])
            if looks is not None:
                best, where = (x.numpy() for x in torch.from_numpy(alike).topk(min(_NEIGHBOURS, len(others))))
                again = (best >= _ALIKE) & (best < NEAR)
                pairs = [(block[k], others[where[k, n]]) for k, n in zip(*np.nonzero(again), strict=True)]
                seen = np.array([pair for pair in pairs if overlap(*looks[list(pair)]) >= NEAR], np.int64).reshape(
                    -1, 2
                )
                ones.append(seen[:, 0])
                twos.append(seen[:, 1])
    first, second = np.concatenate(ones), np.concatenate(twos)
    if not len(first):
        return []
    joined = coo_array((np.ones(len(first), np.int8), (first, second)), shape=(len(thumbnails),) * 2)
    _, group = connected_components(joined, directed=False)
    return [rows.tolist() for rows in _rows_by(group) if len(rows) > 1]


def _rows_by(group: np.ndarray) -> list[np.ndarray]:
    order = np.argsort(group, kind="stable")
    return np.split(order, np.bincount(group).cumsum()[:-1])


def channels(files: Sequence[str] | np.ndarray, red: np.ndarray, blue: np.ndarray) -> dict[str, str]:
    """Say by the colour of skin whether channels are swapped, of a set and of each of its top folders.

    In the light that people are photographed in, skin of every tone gives back more red than blue. So where the middle
    of nearly every coloured face is bluer than red, red and blue were swapped when the pictures were written, as OpenCV
    does with pictures that are given to it as RGB. Single pictures may have blue light; a folder of them has not.

    Args:
        files: their names, with ``/`` between folders.
        red, blue: mean in the middle of each face, 0 to 255.
    """
    folders = defaultdict(list)
    for row, file in enumerate(files):
        folders["the set"].append(row)
        parts = str(file).split("/")
        for depth in (1, 2):
            if len(parts) > depth:
                folders["/".join(parts[:depth]) + "/"].append(row)
    said = {}
    for folder, rows in folders.items():
        apart = (red - blue)[rows]
        coloured = np.abs(apart) >= _COLOURED
        number, bluer = int(coloured.sum()), int((apart[coloured] < 0).sum())
        seen = f"of {number} coloured pictures, {bluer} have a face that is bluer than red"
        if number < _FEW:
            if folder == "the set":
                said[folder] = f"not known: {seen}; at least {_FEW} are needed"
        elif bluer >= 0.9 * number:
            said[folder] = f"red and blue are swapped: {seen}"
        elif folder == "the set":
            said[folder] = f"red, green, blue: {seen}" if bluer <= 0.1 * number else f"mixed: {seen}"
    return said
