"""``facelab data``."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from facelab.cli.program import (
    LARGEST_SEED,
    OF_WORKERS,
    Address,
    Backend,
    Verb,
    Workers,
    console,
    finish,
    refuse,
    say,
)

Name = Annotated[str, typer.Argument(help="A source that facelab data lists, or a path.")]
Where = Annotated[
    str | None, typer.Argument(metavar="[PATH]", help="Of a source that is read from disk: its folder or archive.")
]


class _Data(TyperGroup):
    """Takes the name of a data set where the name of a verb is expected: ``facelab data orl``."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        return super().resolve_command(ctx, args if args[0] in self.commands else ["card", *args])


data = typer.Typer(
    cls=_Data,
    invoke_without_command=True,
    help="The sources of faces: facelab data lists them, facelab data NAME shows the card of one (source, licence, "
    "consent, withdrawal).",
)


def _called(name: str, path: str | None) -> str:
    """Return what opens a source, whether name and path stand apart or not."""
    return name if path is None else f"{name}:{path}"


@data.callback()
def list_sources(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_all()


@data.command("list")
def list_all() -> None:
    """List the sources: what a package brings or facelab renders, and what is read from disk as NAME:PATH."""
    from facelab.sources import SOURCES

    for source in SOURCES:
        console.print(f"{source.name}: {source.title}", soft_wrap=True)


@data.command()
def info(name: Name, path: Where = None) -> None:
    """Show what a source is; with a path what lies there: images, identities, splits, pairs, published checksums."""
    from rich.table import Table
    from rich.text import Text

    from facelab.data.checksums import check_published
    from facelab.reports.check import survey
    from facelab.sources import SOURCES, locate, open_faces

    known = next((source for source in SOURCES if source.name == name), None)
    if known and known.fits and path is None:
        say(f"{name}: {known.title}. Read from disk: facelab data info {name} PATH.")
        if known.card:
            card(name)
        return
    called = _called(name, path)
    source, where = locate(called)
    opened = open_faces(called, pairs=True, show_progress=True)
    table = Table("", "", title=Text(f"{source.name}: {source.title}"), show_header=False)
    for row in survey(opened.faces, opened.pairs):
        table.add_row(*map(Text, row))
    for file, verdict in check_published(where).items() if where else ():
        table.add_row(
            Text(file), Text(f"published checksum {verdict}" if verdict != "unknown" else "no checksum known")
        )
    console.print(table)
    if opened.source.card:
        say(f"Licence, consent, withdrawal: facelab data card {opened.source.card}")
    finish(opened.errors, opened.source.credit or repr(opened.faces))


@data.command(cls=Verb)
def check(
    name: Name,
    path: Where = None,
    out: Annotated[
        str, typer.Option(help="Folder or fsspec address for check.json and what is kept of each image.")
    ] = ("runs/check"),
    least: Annotated[int, typer.Option(min=1, help="List the identities with fewer images.")] = 2,
    detector: Annotated[str, typer.Option(help="Finds faces: one of {detectors}; none leaves that out.")] = "mtcnn",
    workers: Workers = None,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Look at every image: unreadable, twice, without a face, in two splits, red and blue swapped. A run goes on where
    it was stopped."""
    from rich.table import Table
    from rich.text import Text

    from facelab.data.checksums import check_published
    from facelab.reports.check import check_faces
    from facelab.sources import locate, open_faces

    called = _called(name, path)
    where = locate(called)[1]
    opened = open_faces(called, pairs=True, show_progress=True)
    found = check_faces(
        opened.faces,
        out,
        least=least,
        detector=None if detector == "none" else detector,
        workers=workers,
        backend=backend,
        address=address,
        show_progress=True,
    )
    found.left_out = [str(error) for error in opened.errors]
    found.checksums = check_published(where) if where else {}
    found.write(out)
    table = Table("", "found", "the first", title=Text(f"check of {opened.faces.name}"))
    for row in found.table():
        table.add_row(*map(Text, row))
    console.print(table)
    finish(opened.errors, f"All of it: {out.rstrip('/')}/check.json")


@data.command()
def card(name: Annotated[str, typer.Argument(help="A data set that facelab data lists.")]) -> None:
    """Show the card of a data set: source, licence, consent, withdrawal."""
    from rich.markdown import Markdown

    from facelab.sources import source_card

    console.print(Markdown(source_card(name)))


@data.command()
def pairs(
    folder: Annotated[Path, typer.Argument(help="Faces in one sub-folder per identity, called NAME/NAME_0001.jpg.")],
    out: Annotated[Path, typer.Option(help="The list, to be written.")] = Path("pairs.txt"),
    folds: Annotated[int, typer.Option(min=2, help="Parts of the list; no identity is in two of them.")] = 10,
    each: Annotated[int, typer.Option(min=1, help="At most so many genuine, and impostor, pairs in a fold.")] = 300,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed draws other pairs.")] = 0,
) -> None:
    """Draw a list of pairs from faces of your own, in LFW's format: for facelab evaluate --protocol 10fold --pairs."""
    import numpy as np

    from facelab.data import PairList, load_folder
    from facelab.data.lfw import write_pairs
    from facelab.evaluate import draw_pairs
    from facelab.files import check_claim

    check_claim(out.parent, [out.name])
    faces, errors = load_folder(folder, show_progress=True)
    first, second, fold = draw_pairs(faces.labels, np.random.default_rng(seed), folds=folds, each=each)
    drawn = PairList(first, second, fold, faces.labels[first] == faces.labels[second])
    write_pairs(out, faces, drawn)
    kind = len(drawn) // 2 // folds
    finish(
        errors,
        f"{len(drawn)} pairs of {faces}: {folds} folds without a common identity, of {kind} genuine and {kind} "
        f"impostor pairs each, drawn with seed {seed}; written to {out}",
    )


@data.command()
def convert(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="NAME", help="A source that facelab data lists, or a path.")],
    path: Where = None,
    out: Annotated[
        str, typer.Option(help="Folder, or of shards also an fsspec address; with files of facelab's own alone.")
    ] = ...,  # type: ignore[assignment] # typer: it must be given
    form: Annotated[
        Literal["shards", "folder"] | None,
        typer.Option(
            help="shards: Parquet, each picture as it is kept: the form where NAME and PATH are given. folder: "
            "NAME/NAME_0001.png as LFW names its files, and the pairs of a .bin (pairs.txt): the form of NAME alone."
        ),
    ] = None,
    per_shard: Annotated[int, typer.Option(min=1, help="Images of a shard.")] = 1024,
    workers: Workers = None,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Write a set as Parquet shards, which open as any other source, or to a folder under the names of LFW."""
    from facelab.convert import write_faces_as_shards
    from facelab.sources import open_faces

    called = _called(source, path)
    if (form or ("folder" if path is None else "shards")) == "shards":
        opened = open_faces(called, pairs=True, show_progress=True)
        report = write_faces_as_shards(
            opened.faces,
            out,
            per_shard=per_shard,
            workers=workers,
            backend=backend,
            address=address,
            show_progress=True,
        )
        finish(opened.errors, f"{report}: {out}")
        return
    refuse(context, {"per_shard", *OF_WORKERS}, "a folder is written by one process")
    _to_folder(called, Path(out))


def _to_folder(source: str, out: Path) -> None:
    from facelab.data.lfw import write_faces, write_pairs
    from facelab.files import check_claim
    from facelab.sources import open_faces

    opened = open_faces(source, pairs=True, show_progress=True)
    check_claim(out, ["pairs.txt"] if opened.pairs else [])
    faces = write_faces(opened.faces, out, opened.names[0], show_progress=True)
    said = f"{len(faces)} images of {len(faces.identities)} identities written to {out}"
    if opened.pairs is not None:
        form = write_pairs(out / "pairs.txt", faces, opened.pairs)
        said += f"; {len(opened.pairs)} pairs in {out / 'pairs.txt'} ({form})"
    finish(opened.errors, said)
