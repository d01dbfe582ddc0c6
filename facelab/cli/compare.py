"""``facelab compare``."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.panel import Panel

from facelab.cli.program import (
    OF_PHOTOGRAPHS,
    TAKEN_AS_THEY_ARE,
    Device,
    Flip,
    Kind,
    Network,
    Turns,
    Which,
    console,
    refuse,
    say,
)


def compare(
    context: typer.Context,
    checkpoint: Network,
    first: Annotated[Path, typer.Argument(help="A photograph.")],
    second: Annotated[Path, typer.Argument(help="Another one.")],
    picture: Annotated[Path, typer.Option(help="Picture of the two chips and of their score, to be written.")] = Path(
        "runs/compare.png"
    ),
    far: Annotated[float, typer.Option(help="False accept rate at which the threshold is chosen.")] = 0.01,
    calibrate_on: Annotated[
        str | None,
        typer.Option(
            help="Faces to choose the threshold on: the name of a source (see facelab data) or a folder. By default "
            "people who do not exist (strangers), or orl if the network was trained on them."
        ),
    ] = None,
    threshold_from: Annotated[
        Path | None, typer.Option(help="Use the threshold of a results.json that facelab evaluate wrote.")
    ] = None,
    images: Kind = "auto",
    detector: Annotated[str, typer.Option(help="One of {detectors}.")] = "mtcnn",
    method: Annotated[
        Literal["five-point", "eyes", "crop"], typer.Option(help="How to align, see facelab align.")
    ] = "five-point",
    which: Which = "largest",
    turns: Turns = False,
    flip: Flip = False,
    device: Device = "auto",
) -> None:
    """Compare two photographs: the same person, or not, and how sure is that?"""
    if threshold_from is not None:
        refuse(context, {"far", "calibrate_on"}, "--threshold-from gives the threshold")
        if images == "chips":
            refuse(context, OF_PHOTOGRAPHS, TAKEN_AS_THEY_ARE)
    from facelab.files import atomic_write, check_claim, claim
    from facelab.reports.compare import compare as run

    check_claim(picture.parent, [picture.name])
    outcome = run(
        checkpoint,
        first,
        second,
        detector=detector,
        method=method,
        images=images,
        which=which,
        turns=turns,
        flip=flip,
        threshold_from=threshold_from,
        calibrate_on=calibrate_on,
        far=far,
        device=device,
        show_progress=True,
    )
    claim(picture.parent, [picture.name])
    with atomic_write(picture) as path:
        outcome.picture().savefig(path)
    colour = "green" if outcome.same else "red"
    title = escape(f"{first.name}, {second.name}")
    console.print(Panel(f"[bold {colour}]{escape(outcome.decision())}", title=title, expand=False))
    for sentence in outcome.sentences():
        console.print(escape(sentence))
    say(f"Picture: {picture}")
