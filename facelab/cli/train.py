"""``facelab train``."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console

from facelab.cli.program import (
    LARGEST_SEED,
    OF_PHOTOGRAPHS,
    TAKEN_AS_THEY_ARE,
    Device,
    Kind,
    Turns,
    Which,
    finish,
    refuse,
)
from facelab.errors import count
from facelab.sources import choices, find_source


def train(
    context: typer.Context,
    recipe: Annotated[str, typer.Argument(help="quick, laptop, gpu, celeba500, or a TOML file.")],
    data: Annotated[str, typer.Option(help=f"{choices()}.")] = "synthfaces-mini",
    images: Kind = "auto",
    which: Which = "largest",
    turns: Turns = False,
    out: Annotated[
        Path, typer.Option(help="Folder for the network (training.pt) and the table (training.csv).")
    ] = Path("runs/train"),
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change the recipe: loss.margin=0.3, backbone=iresnet50. May be repeated."),
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            help="Begin a new training with the weights of a network (.pt, or one of {networks}): more epochs, other "
            "identities. Set frozen in the recipe to keep some layers as they are: --set 'frozen=[\"0.layer1\"]'."
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, max=LARGEST_SEED, help="Of weights, order and augmentation.")
    ] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of the network; losses stay in float32.")
    ] = "fp32",
    memory: Annotated[float, typer.Option(min=0, help="Hold the decoded chips in memory up to so many GB.")] = 2.0,
    workers: Annotated[int, typer.Option(min=0, help="Processes that decode chips which are not held in memory.")] = 0,
) -> None:
    """Train a network; the same command goes on where you stopped it. For many processes: torchrun -m facelab train."""
    import logging

    from rich.logging import RichHandler

    from facelab import processes
    from facelab.train import Recipe
    from facelab.train.run import run_training

    if images == "chips" or find_source(data).holds in ("chips", "pairs"):
        refuse(context, OF_PHOTOGRAPHS, TAKEN_AS_THEY_ARE)
    logging.basicConfig(format="%(message)s", handlers=[RichHandler(show_path=False, console=Console(stderr=True))])
    logging.getLogger("facelab").setLevel(logging.INFO)
    chosen = Recipe.from_toml(recipe, [*(settings or []), *([f"seed={seed}"] if seed is not None else [])])
    checkpoint, errors = run_training(
        chosen,
        data,
        out,
        start_from=start_from,
        images=images,
        which=which,
        turns=turns,
        device=device,
        precision=precision,
        memory_gb=memory,
        workers=workers,
        show_progress=True,
    )
    if processes.launched()[0] == 0:  # under torchrun, one of the processes speaks
        last = checkpoint.history[-1]
        summary = f"loss {last['loss']:.3f}, accuracy on the training images {last['accuracy']:.3f}"
        people = count(len(checkpoint.identities), "identity", "identities")
        finish(errors, f"{people}, {count(int(last['epoch']), 'epoch')}: {summary}; written to {out}")
