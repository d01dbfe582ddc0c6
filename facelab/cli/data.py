"""``facelab data``."""

from typing import Annotated

import typer

from facelab.cli.program import console


def data(name: Annotated[str | None, typer.Argument(help="A data set; leave it out to list them.")] = None) -> None:
    """List the sources of faces, or show the card of one: source, licence, consent, withdrawal."""
    from rich.markdown import Markdown

    from facelab.sources import SOURCES, source_card

    if name is not None:
        console.print(Markdown(source_card(name)))
        return
    for source in SOURCES:
        console.print(f"{source.name}: {source.title}", soft_wrap=True)
