"""``facelab align``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facelab.cli.program import Device, finish


def align(
    folder: Annotated[Path, typer.Argument(help="One sub-folder of photographs per identity.")],
    out: Annotated[Path, typer.Option(help="Folder for the chips, one sub-folder per identity.")],
    size: Annotated[int, typer.Option(min=1, help="Width and height of a chip, in pixels.")] = 112,
    missing: Annotated[
        Literal["skip", "default"],
        typer.Option(help="Where no face is found: skip the photograph, or take its central square (default)."),
    ] = "skip",
    device: Device = "auto",
) -> None:
    """Turn a folder of photographs into aligned chips."""
    from facelab.align.files import align_folder

    report, errors = align_folder(folder, out, size=size, missing=missing, device=device, show_progress=True)
    finish(errors, f"{report}; chips written to {out}")
