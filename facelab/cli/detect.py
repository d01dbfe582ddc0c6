"""``facelab detect``."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.program import Device, Turns, finish, say
from facelab.errors import count


def detect(
    photos: Annotated[
        list[str],
        typer.Argument(help="Photographs, or folders of them, or the name of a source: see facelab data."),
    ],
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
    from facelab.sources import named_source, open_faces

    options = {"min_face": min_face, "max_faces": max_faces, "model": model, "turns": turns, "device": device}
    source = named_source(photos)
    given = open_faces(photos[0], show_progress=True).faces if source else list(map(Path, photos))
    faces, errors = detect_files(given, out, detector=detector, show_progress=True, **options)
    for photo, number in faces.items():
        say(f"{photo}: {count(number, 'face')}")
    credit = f"\n{source.credit}" if source and source.credit else ""
    total, seen = count(sum(faces.values()), "face"), count(len(faces), "photograph")
    finish(errors, f"{total} in {seen}, written to {out}{credit}")
