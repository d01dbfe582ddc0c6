"""``facelab evaluate``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Column, Table
from rich.text import Text

from facelab.cli.program import (
    LARGEST_SEED,
    OF_PHOTOGRAPHS,
    OF_WORKERS,
    TAKEN_AS_THEY_ARE,
    Address,
    Backend,
    Device,
    Flip,
    Kind,
    Turns,
    Which,
    Workers,
    console,
    given,
    refuse,
    say,
)
from facelab.errors import FacelabError
from facelab.sources import choices, find_source

if TYPE_CHECKING:
    from facelab.reports.outcome import Outcome


def evaluate(
    context: typer.Context,
    checkpoint: Annotated[
        str,
        typer.Argument(
            metavar="NETWORK|EMBEDDINGS",
            help="A network that a training saved (.pt), or one of facelab's own: {networks}. Or, without --data, a "
            "folder or fsspec address of embeddings that facelab embed wrote.",
        ),
    ],
    data: Annotated[str | None, typer.Option(help=f"{choices(pairs=True)} (for 10fold).")] = None,
    protocol: Annotated[
        Literal["verification", "identification", "10fold", "templates"],
        typer.Option(help="What to measure; templates: by the lists of IJB-B, IJB-C or TinyFace."),
    ] = "verification",
    report: Annotated[Path, typer.Option(help="Folder for report.html, results.json and figures.")] = Path(
        "runs/evaluate"
    ),
    images: Kind = "auto",
    which: Which = "largest",
    turns: Turns = False,
    flip: Flip = False,
    strangers_only: Annotated[
        bool, typer.Option("--strangers-only", help="Leave out the identities that the network was trained on.")
    ] = False,
    split: Annotated[
        str | None, typer.Option(help="Only the images that the source marks so: train, validation, test, ...")
    ] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="10fold: a list of pairs, as LFW, CALFW, CPLFW, RFW or XQLFW publish it.")
    ] = None,
    threshold_from: Annotated[
        Path | None, typer.Option(help="verification: use the threshold of another run's results.json.")
    ] = None,
    far: Annotated[
        float | None,
        typer.Option(help="verification: false accept rate at which a threshold is chosen; by default 0.01."),
    ] = None,
    impostors: Annotated[
        int | None,
        typer.Option(help="verification: draw so many impostor pairs instead of measuring all; the report says so."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Of whatever is drawn at random.")] = 0,
    replicates: Annotated[int, typer.Option(min=2, max=100_000, help="Draws of identities for the intervals.")] = 1000,
    device: Device = "auto",
    workers: Workers = None,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Measure a trained network, with intervals and pictures of its failures."""
    if data is None:
        idle = OF_PHOTOGRAPHS | {"images", "flip", "split", "device"}
        refuse(context, idle, "without --data, what is measured are embeddings, which are made already")
        from facelab.models import shipped_networks
        from facelab.reports.evaluation import evaluate_embeddings, make_protocol

        if Path(checkpoint).is_file() or checkpoint in shipped_networks():
            raise FacelabError(f"{checkpoint} is a network: say with --data on what to measure it.")
        outcome = evaluate_embeddings(
            checkpoint,
            make_protocol(protocol, pairs=pairs, threshold_from=threshold_from, far=far, impostors=impostors),
            report=report,
            strangers_only=strangers_only,
            seed=seed,
            replicates=replicates,
            workers=workers,
            backend=backend,
            address=address,
            show_progress=True,
        )
        _show(outcome, protocol, report)
        return
    refuse(context, OF_WORKERS, "a network runs in one process; facelab embed --out DIR embeds with many")
    if given(context) & OF_PHOTOGRAPHS and (images == "chips" or find_source(data).holds in ("chips", "pairs")):
        refuse(context, OF_PHOTOGRAPHS, TAKEN_AS_THEY_ARE)
    from facelab.detect import make_detector
    from facelab.reports.evaluation import evaluate as run
    from facelab.reports.evaluation import make_protocol

    outcome = run(
        checkpoint,
        data,
        make_protocol(protocol, pairs=pairs, threshold_from=threshold_from, far=far, impostors=impostors),
        report=report,
        images=images,
        detector=make_detector("mtcnn", device=device, turns=True) if turns else None,
        which=which,
        flip=flip,
        strangers_only=strangers_only,
        split=split,
        seed=seed,
        replicates=replicates,
        device=device,
        show_progress=True,
    )
    _show(outcome, protocol, report)


def _show(outcome: "Outcome", protocol: str, report: Path) -> None:
    columns, rows = outcome.table()
    table = Table(
        *(Column(Text(name)) for name in columns), title=Text(f"{protocol} on {outcome.results['data']['name']}")
    )
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for note in outcome.notes:
        say(note, style="dim")
    say(f"Report: {report / 'report.html'}")
