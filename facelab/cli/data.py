"""``facelab data``."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from facelab.cli.program import LARGEST_SEED, console, finish


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


@data.callback()
def list_sources(context: typer.Context) -> None:
    from facelab.sources import SOURCES

    if context.invoked_subcommand is None:
        for source in SOURCES:
            console.print(f"{source.name}: {source.title}", soft_wrap=True)


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
    source: Annotated[str, typer.Argument(help="A .bin file of InsightFace, a folder, or the name of a source.")],
    out: Annotated[Path, typer.Option(help="Folder for NAME/NAME_0001.png, and for the pairs of a .bin (pairs.txt).")],
) -> None:
    """Write faces to a folder under the names of LFW, as PNG; of a .bin file its pairs too."""
    from facelab.data.lfw import write_faces, write_pairs
    from facelab.files import check_claim
    from facelab.sources import open_faces

    opened = open_faces(source, pairs=True, show_progress=True)
    check_claim(out, ["pairs.txt"] if opened.pairs else [])
    faces = write_faces(opened.faces, out, source, show_progress=True)
    said = f"{len(faces)} images of {len(faces.identities)} identities written to {out}"
    if opened.pairs is not None:
        form = write_pairs(out / "pairs.txt", faces, opened.pairs)
        said += f"; {len(opened.pairs)} pairs in {out / 'pairs.txt'} ({form})"
    finish(opened.errors, said)
