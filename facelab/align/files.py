"""Alignment on files: photographs in, chips out."""

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Literal

import numpy as np
import pandas as pd

from facelab.align.chips import ChipReport, make_chips
from facelab.align.warp import Method
from facelab.data.faceset import FaceSet, ImageFiles
from facelab.data.images import write_image
from facelab.detect.detection import Detection, Which
from facelab.detect.files import detections_file, read_detections
from facelab.detect.registry import Detector
from facelab.errors import FacelabError, FileNameError, count
from facelab.files import atomic_write, check_apart, check_claim, claim


def align_files(
    faces: FaceSet,
    out: Path,
    detector: Detector | Path,
    *,
    size: int = 112,
    method: Method = "five-point",
    missing: Literal["raise", "skip", "default"] = "skip",
    which: Which = "largest",
    show_progress: bool = False,
) -> tuple[ChipReport, list[FacelabError]]:
    """Make a chip of each photograph and write it to ``out`` under the photograph's name, as PNG.

    With ``which="all"``, a photograph that shows several faces gives one chip of each, from left to right:
    ``NAME.face1.png`` and so on. A UserWarning tells where these lie in the folder of one identity.

    Also written: ``out/chips.csv``, one row per chip with its file (``chip``), the photograph's (``file``), identity,
    score, box and landmarks. A UserWarning tells of detections that belong to no photograph.

    Args:
        faces: photographs; for their names see :attr:`facelab.data.FaceSet.files`.
        out: folder for the chips.
        detector: finds the faces; or the folder in which ``facelab detect`` has written them.
        size, method, missing, which: see :func:`facelab.align.make_chips`.
        show_progress: show a progress bar.

    Returns:
        What was found, and an error for each photograph whose detections are missing or cannot be read; those are left
        out.

    Raises:
        FacelabError: see :func:`facelab.align.make_chips`; no photograph has detections, or two would share them; or a
            file would be replaced that facelab did not make, see :func:`facelab.files.claim`.
    """
    errors: list[FacelabError] = []
    found: Detector | list[list[Detection]]
    if isinstance(detector, Path):
        rows, found, errors = _stored(faces, detector)
        faces = faces.select(rows)
    else:
        found = detector
    names = _names(faces.files)
    paths: list[Path | None] = [None] * len(names)
    if isinstance(faces.images, ImageFiles):
        paths = [Path(faces.images.folder, faces.images.paths[row]) for row in faces.table.index]
        photographs = {os.path.realpath(path) for path in paths if path}
        if taken := next((out / name for name in names if os.path.realpath(out / name) in photographs), None):
            raise FacelabError(f"the chip would overwrite the photograph {taken}; choose another folder than {out}.")
        check_apart(out, {file: path for file, path in zip(faces.files, paths, strict=True) if path})
    check_claim(out, [*names, "chips.csv"])
    named = FaceSet(faces.name, faces.images, faces.table.assign(chip=_column(names, faces.table.index)))
    chips, report = make_chips(
        named, found, size=size, method=method, missing=missing, which=which, show_progress=show_progress
    )
    path_of = dict(zip(names, paths, strict=True))
    shown = [path_of[name] for name in chips.table["chip"]]
    if "face" in chips.table:
        chips.table["chip"] = _column(_names(chips.files), chips.table.index)
        mixed = chips.table["chip"][chips.table["face"] > 0].tolist()
        if any("/" in chip for chip in mixed):
            warnings.warn(
                f"{len(mixed)} faces, such as {mixed[0]}, are of photographs that show several: each lies in the "
                "folder of its photograph, whoever it is of. Sort them into another folder before you train on them.",
                stacklevel=2,
            )
    claim(out, {"chips.csv": None, **dict(zip(chips.table["chip"], shown, strict=True))})
    written = []
    for row, name in enumerate(chips.table["chip"]):
        try:
            write_image(out / name, chips[row][0])
            written.append(row)
        except FileNameError as error:
            errors.append(error)
    with atomic_write(out / "chips.csv") as path:
        chips.table.iloc[written].to_csv(path, index=False, errors="surrogateescape")  # names as they are
    return report, errors


def _column(names: Sequence[str], index: pd.Index) -> pd.Series:
    return pd.Series(names, index, dtype=object)  # pandas' own kind of text takes no name that is not UTF-8


def _names(files: Sequence[str]) -> list[str]:
    """Return the name of each chip: the photograph's with the suffix ``.png``, or with both where two are alike."""
    names = [PurePath(file).with_suffix(".png").as_posix() for file in files]
    while twice := {name for name, count in Counter(names).items() if count > 1}:  # a.jpg, a.png; then a.jpg.png, too
        names = [f"{file}.png" if name in twice else name for file, name in zip(files, names, strict=True)]
    return names


def _stored(faces: FaceSet, folder: Path) -> tuple[np.ndarray, list[list[Detection]], list[FacelabError]]:
    """Return the rows of the photographs that have detections in a folder, the detections, and what went wrong."""
    if not folder.is_dir():
        raise FacelabError(f"{folder} is not a folder. Detect the faces first: facelab detect PHOTOS --out {folder}")
    rows, found, absent, errors = [], [], [], []
    by_file: dict[Path, str] = {}
    for row, name in enumerate(faces.files):
        file = detections_file(folder, name)
        if by_file.setdefault(file, name) != name:
            raise FacelabError(f"{by_file[file]} and {name} would both be cut at the faces in {file}; rename one.")
        if not file.is_file():
            absent.append(name)
            continue
        try:
            found.append(read_detections(file))
            rows.append(row)
        except FacelabError as error:
            errors.append(error)
    if absent:
        errors.append(
            FacelabError(
                f"{len(absent)} of {len(faces)} photographs have no detections in {folder}, such as {absent[0]}: "
                f"there is no {detections_file(folder, absent[0])}"
            )
        )
    if not rows:
        raise FacelabError(f"no photograph can be aligned: {errors[0]}")
    if others := sorted(set(folder.rglob("*.json")) - set(by_file)):
        warnings.warn(
            f"{folder} holds {count(len(others), 'file')} of detections that belong to none of the photographs, such "
            f"as {others[0]}.",
            stacklevel=2,
        )
    return np.array(rows), found, errors
