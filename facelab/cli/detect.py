"""``facelab detect``."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.program import Device, Turns, finish, say


def detect(
    photos: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for one JSON file and one marked picture per photograph.")],
    detector: Annotated[str, typer.Option(help="One of {detectors}.")] = "mtcnn",
    min_face: Annotated[int | None, typer.Option(help="Smallest face to look for, in pixels.")] = None,
    max_faces: Annotated[int | None, typer.Option(help="At most so many faces of a photograph, the best.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file, for a detector that reads one.")] = None,
    turns: Turns = False,
    device: Device = "auto",
) -> None:
    """Find faces and five landmarks in photographs."""
    from facelab.detect.files import detect_files

    options = {"min_face": min_face, "max_faces": max_faces, "model": model, "turns": turns, "device": device}
    faces, errors = detect_files(photos, out, detector=detector, show_progress=True, **options)
    for photo, count in faces.items():
        say(f"{photo}: {count} face{'' if count == 1 else 's'}")
    finish(errors, f"{sum(faces.values())} faces in {len(faces)} photographs, written to {out}")
