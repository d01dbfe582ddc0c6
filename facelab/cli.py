"""One verb per stage; no logic of its own. Heavy imports wait until a verb needs them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
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
    from facelab.study import run_quickstart
    from facelab.study.report import COLUMNS, table_rows

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
        console.print(f"{photo}: {count} face{'' if count == 1 else 's'}", soft_wrap=True)
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
    device: Annotated[str, typer.Option(help="Where to render: cpu, or cuda:0.")] = "cpu",
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


def _finish(errors: Sequence[FacelabError], summary: str) -> None:
    """Report files that were skipped; the exit code says whether there were any."""
    for error in errors:
        console.print(f"[yellow]skipped:[/] {error}", soft_wrap=True)
    console.print(summary, soft_wrap=True)
    if errors:
        raise typer.Exit(1)


def app(arguments: Sequence[str] | None = None) -> None:
    """Run the command line: a mistake that the user can mend is one line, not a traceback."""
    try:
        typer_app(arguments)
    except FacelabError as error:
        Console(stderr=True).print(f"[bold red]facelab:[/] {error}", soft_wrap=True, highlight=False)
        sys.exit(2)
    except SystemExit as stop:
        if stop.code == 130:  # so typer ends after Ctrl-C
            Console(stderr=True).print(
                "\nfacelab: interrupted. What was finished is kept; run the same command to go on."
            )
        raise
