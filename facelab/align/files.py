"""Alignment on folders: photographs in, chips out."""

from collections import Counter
from pathlib import Path
from typing import Literal

from facelab.align.chips import ChipReport, make_chips
from facelab.data.folder import load_folder
from facelab.data.images import write_image
from facelab.detect.mtcnn import MTCNN
from facelab.errors import ImageError
from facelab.files import atomic_write


def align_folder(
    folder: Path,
    out: Path,
    *,
    size: int = 112,
    missing: Literal["raise", "skip", "default"] = "skip",
    device: str = "auto",
    show_progress: bool = False,
) -> tuple[ChipReport, list[ImageError]]:
    """Make a chip of each photograph in ``folder/IDENTITY/`` and write it as PNG to ``out/IDENTITY/``.

    Also written: ``out/chips.csv``, one row per chip with file, identity, score, box and landmarks.

    Returns:
        What was found, and an error for each file that could not be read; those are skipped.
    """
    faces, errors = load_folder(folder)
    chips, report = make_chips(faces, MTCNN(device=device), size=size, missing=missing, show_progress=show_progress)
    names = [Path(file).with_suffix(".png") for file in chips.table["file"]]
    twice = Counter(names)  # a.jpg and a.png of one identity keep their full names
    names = [
        Path(f"{file}.png") if twice[name] > 1 else name for file, name in zip(chips.table["file"], names, strict=True)
    ]
    for (chip, _), name in zip(chips, names, strict=True):
        write_image(out / name, chip)
    with atomic_write(out / "chips.csv") as path:
        chips.table.assign(chip=[name.as_posix() for name in names]).to_csv(path, index=False)
    return report, errors
