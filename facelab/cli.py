"""One verb per stage; no logic of its own. Heavy imports wait until a verb needs them."""

import os
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from facelab import __version__
from facelab.errors import FacelabError

typer_app = typer.Typer(
    help="Face recognition, step by step: detect, align, embed, match. Start with: facelab quickstart",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
console = Console()

Device = Annotated[str, typer.Option(help="Where to compute: auto, cpu, cuda, cuda:1, mps.")]


@typer_app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    if version:
        console.print(f"facelab {__version__}")
        raise typer.Exit


@typer_app.command()
def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for report, results and figures.")] = Path("runs/quickstart"),
    seed: Annotated[int, typer.Option(min=0, help="Of splits, networks and training.")] = 0,
    device: Device = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Start over instead of reusing what is there.")] = False,
) -> None:
    """Run the whole chain on real photographs (about 3 minutes on two cores)."""
    from facelab.reports import run_quickstart
    from facelab.reports.report import COLUMNS, table_rows

    outcome = run_quickstart(out, seed=seed, device=device, fresh=fresh, show_progress=True)
    console.print(f"\nMTCNN: {outcome.chips}.")
    table = Table(title="Closed set: 30 identities. Verification: 10 identities never seen in training.")
    table.add_column("model")
    for column in COLUMNS.values():
        table.add_column(column, justify="right")
    for row in table_rows(outcome.estimates):
        table.add_row(*(cell.replace(" [", "\n[") for cell in row), end_section=True)
    console.print(table)
    console.print(
        "[dim]Below each value: its 95 % interval. One seed on a small, easy data set; the course compares fairly."
    )
    console.print(f"Report: {outcome.folder / 'report.html'} ({outcome.seconds:.0f} s)", soft_wrap=True)


@typer_app.command()
def data(name: Annotated[str | None, typer.Argument(help="A data set; leave it out to list them.")] = None) -> None:
    """List the data sets, or show the card of one: source, licence, consent, withdrawal."""
    from rich.markdown import Markdown

    from facelab.data import card, cards

    if name is None:
        for known in cards():
            console.print(f"{known}: {card(known).splitlines()[0].removeprefix('# ')}")
    else:
        console.print(Markdown(card(name)))


@typer_app.command()
def detect(
    photos: Annotated[list[Path], typer.Argument(help="Photographs, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for one JSON file and one marked picture per photograph.")],
    detector: Annotated[str, typer.Option(help="mtcnn, centerface, yunet or cascade.")] = "mtcnn",
    min_face: Annotated[int | None, typer.Option(help="Smallest face to look for, in pixels.")] = None,
    max_faces: Annotated[int | None, typer.Option(help="At most so many faces of a photograph, the best.")] = None,
    model: Annotated[Path | None, typer.Option(help="Model file of centerface or yunet.")] = None,
    device: Annotated[str | None, typer.Option(help="For mtcnn: auto (the default), cpu, cuda, mps.")] = None,
) -> None:
    """Find faces and five landmarks in photographs."""
    from facelab.detect.files import detect_files

    if detector == "mtcnn":
        device = device or "auto"
    options = {"min_face": min_face, "max_faces": max_faces, "model": model, "device": device}
    faces, errors = detect_files(photos, out, detector=detector, show_progress=True, **options)
    for photo, count in faces.items():
        console.print(f"{escape(str(photo))}: {count} face{'' if count == 1 else 's'}", soft_wrap=True)
    _finish(errors, f"{sum(faces.values())} faces in {len(faces)} photographs, written to {out}")


@typer_app.command()
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
    _finish(errors, f"{report}; chips written to {out}")


@typer_app.command()
def synth(
    preset: Annotated[
        str | None, typer.Argument(help="synthfaces-mini or synthfaces-500; or give --identities and --images.")
    ] = None,
    identities: Annotated[int | None, typer.Option(help="How many people.")] = None,
    images: Annotated[int | None, typer.Option(help="Pictures of each person.")] = None,
    photographs: Annotated[
        int | None, typer.Option(help="Instead of chips: so many 640x480 photographs of one to four people.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other people.")] = 0,
    held_out: Annotated[int, typer.Option(help="Mark so many identities as held out.")] = 0,
    size: Annotated[int, typer.Option(help="Side of a chip in pixels.")] = 112,
    margin: Annotated[
        int, typer.Option(help="Store upright crops with so many pixels around the face, for your own detector.")
    ] = 0,
    relatives: Annotated[
        str, typer.Option(help="none, siblings or look-alikes: every second person is a relative of the one before.")
    ] = "none",
    workers: Annotated[int | None, typer.Option(help="Processes; by default one per core.")] = None,
    device: Annotated[str, typer.Option(help="Where to render: cpu, or cuda:0, which all processes share.")] = "cpu",
    backend: Annotated[str, typer.Option(help="local, dask or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of the Dask scheduler or the Ray head.")] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder or fsspec address; by default under facelab's cache folder.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Write a contact sheet to this file.")] = None,
) -> None:
    """Render faces of people who do not exist, everything about each picture known."""
    from facelab.synth.dataset import choose, make
    from facelab.synth.preview import write_preview

    recipe, name = choose(
        preset,
        identities=identities,
        images=images,
        photographs=photographs,
        seed=seed,
        held_out=held_out,
        size=size,
        margin=margin,
        relatives=relatives,
    )
    where = out or name
    report = make(recipe, where, workers=workers, device=device, backend=backend, address=address, show=True)
    console.print(f"{report}: {where}", soft_wrap=True)
    if preview is not None:
        console.print(f"contact sheet: {write_preview(where, preview)}", soft_wrap=True)


@typer_app.command()
def train(
    recipe: Annotated[str, typer.Argument(help="quick, laptop, gpu, celeba500, or a TOML file.")],
    data: Annotated[
        str, typer.Option(help="synthfaces-mini, synthfaces-500, orl, or a folder of chips.")
    ] = "synthfaces-mini",
    out: Annotated[
        Path, typer.Option(help="Folder for the network (training.pt) and the table (training.csv).")
    ] = Path("runs/train"),
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="Change the recipe: loss.margin=0.3. May be repeated.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Of weights, order and augmentation.")] = None,
    device: Device = "auto",
    precision: Annotated[
        Literal["fp32", "bf16"], typer.Option(help="Of the network; losses stay in float32.")
    ] = "fp32",
    memory: Annotated[float, typer.Option(help="Hold the decoded chips in memory up to so many GB.")] = 2.0,
    workers: Annotated[int, typer.Option(help="Processes that decode chips which are not held in memory.")] = 0,
) -> None:
    """Train a network; a training that you stop goes on where it was. For many processes: torchrun -m facelab train."""
    import logging

    from rich.logging import RichHandler

    from facelab.train import Recipe
    from facelab.train.run import run_training

    logging.basicConfig(format="%(message)s", handlers=[RichHandler(show_path=False, console=Console(stderr=True))])
    logging.getLogger("facelab").setLevel(logging.INFO)
    chosen = Recipe.from_toml(recipe, [*(settings or []), *([f"seed={seed}"] if seed is not None else [])])
    checkpoint, errors = run_training(
        chosen, data, out, device=device, precision=precision, memory_gb=memory, workers=workers, show_progress=True
    )
    if os.environ.get("RANK", "0") == "0":  # under torchrun, one of the processes speaks
        last = checkpoint.history[-1]
        summary = f"loss {last['loss']:.3f}, accuracy on the training images {last['accuracy']:.3f}"
        _finish(errors, f"{len(checkpoint.identities)} identities, {last['epoch']} epochs: {summary}; written to {out}")


@typer_app.command()
def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="A network that a training saved (.pt).")],
    data: Annotated[
        str,
        typer.Option(
            help="orl, strangers, synthfaces-mini, synthfaces-500, a folder with one sub-folder per identity, or an "
            "InsightFace .bin file (for 10fold)."
        ),
    ],
    protocol: Annotated[
        Literal["verification", "identification", "10fold"], typer.Option(help="What to measure.")
    ] = "verification",
    report: Annotated[Path, typer.Option(help="Folder for report.html, results.json and figures.")] = Path(
        "runs/evaluate"
    ),
    images: Annotated[
        Literal["auto", "chips", "photographs"],
        typer.Option(help="What a folder holds: aligned chips, or photographs, which are then detected and aligned."),
    ] = "auto",
    strangers_only: Annotated[
        bool, typer.Option("--strangers-only", help="Leave out the identities that the network was trained on.")
    ] = False,
    pairs: Annotated[Path | None, typer.Option(help="10fold: a list of pairs in LFW's format.")] = None,
    threshold_from: Annotated[
        Path | None, typer.Option(help="verification: use the threshold of another run's results.json.")
    ] = None,
    far: Annotated[float, typer.Option(help="verification: false accept rate at which a threshold is chosen.")] = 0.01,
    seed: Annotated[int, typer.Option(min=0, help="Of whatever is drawn at random.")] = 0,
    replicates: Annotated[int, typer.Option(min=1, help="Draws of identities for the intervals.")] = 1000,
    device: Device = "auto",
) -> None:
    """Measure a trained network, with intervals and pictures of its failures."""
    from facelab.reports.evaluation import evaluate as run

    outcome = run(
        checkpoint,
        data,
        protocol=protocol,
        report=report,
        images=images,
        strangers_only=strangers_only,
        pairs=pairs,
        threshold_from=threshold_from,
        far=far,
        seed=seed,
        replicates=replicates,
        device=device,
        show_progress=True,
    )
    columns, rows = outcome.table()
    table = Table(*columns, title=f"{protocol} on {outcome.results['data']['name']}")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for note in outcome.notes:
        console.print(f"[dim]{note}", soft_wrap=True)
    console.print(f"Report: {report / 'report.html'}", soft_wrap=True)


def _finish(errors: Sequence[FacelabError], summary: str) -> None:
    """Report files that were skipped; the exit code says whether there were any."""
    for error in errors:
        console.print(f"[yellow]skipped:[/] {escape(str(error))}", soft_wrap=True)
    console.print(escape(summary), soft_wrap=True)
    if errors:
        raise typer.Exit(1)


def app(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: a mistake that the user can mend is one line, not a traceback, and so is a warning."""

    said = set()

    def say(message: Warning | str, *_: object) -> None:
        if str(message) in said:  # a file may be read more than once
            return
        said.add(str(message))
        Console(stderr=True).print(f"[yellow]facelab:[/] {escape(str(message))}", soft_wrap=True, highlight=False)

    try:
        with warnings.catch_warnings():
            warnings.showwarning = say
            typer_app(arguments)
    except FacelabError as error:
        message = escape(str(error))
        Console(stderr=True).print(f"[bold red]facelab:[/] {message}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == 130:  # so typer ends after Ctrl-C
            Console(stderr=True).print(
                "\nfacelab: interrupted. What was finished is kept; run the same command to go on."
            )
        raise
