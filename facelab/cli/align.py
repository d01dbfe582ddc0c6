"""``facelab align``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facelab.cli.program import Device, Turns, Which, finish, refuse


def align(
    context: typer.Context,
    photos: Annotated[
        list[str],
        typer.Argument(
            help="Photographs, or a folder of them (of one sub-folder per identity, or of none), or the name of a "
            "source of photographs: see facelab data."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the chips, in the sub-folders of their photographs.")],
    images: Annotated[
        Literal["auto", "photographs"],
        typer.Option(help="auto looks at some of the pictures, and refuses chips, which are aligned already."),
    ] = "auto",
    detector: Annotated[str, typer.Option(help="One of {detectors}.")] = "mtcnn",
    method: Annotated[
        Literal["five-point", "eyes", "crop"],
        typer.Option(help="What is brought to its place: all five landmarks, the eyes, or just the box."),
    ] = "five-point",
    detections: Annotated[
        Path | None, typer.Option(help="Do not detect again: read what facelab detect wrote to this folder.")
    ] = None,
    size: Annotated[int, typer.Option(min=1, max=1024, help="Width and height of a chip, in pixels.")] = 112,
    missing: Annotated[
        Literal["skip", "default"],
        typer.Option(help="Where no face is found: skip the photograph, or take its central square (default)."),
    ] = "skip",
    which: Which = "largest",
    turns: Turns = False,
    device: Device = "auto",
) -> None:
    """Turn photographs into aligned chips."""
    from facelab.align.files import align_files
    from facelab.detect import make_detector
    from facelab.sources import open_photographs

    if detections is not None:
        because = "nothing is detected, as --detections tells where the faces are (give them to facelab detect)"
        refuse(context, {"detector", "device", "turns"}, because)
    finder = detections or make_detector(detector, device=device, turns=turns)
    opened = open_photographs(photos, images="photographs" if detections else images, show_progress=True)
    report, errors = align_files(
        opened.faces, out, finder, size=size, method=method, missing=missing, which=which, show_progress=True
    )
    credit = f"\n{opened.source.credit}" if opened.source.credit else ""
    finish([*opened.errors, *errors], f"{report}; chips written to {out}{credit}")
