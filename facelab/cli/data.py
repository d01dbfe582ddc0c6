"""``facelab data``."""

from typing import Annotated

import typer

from facelab.cli.program import console


def data(name: Annotated[str | None, typer.Argument(help="A data set; leave it out to list them.")] = None) -> None:
    """List the data sets, or show the card of one: source, licence, consent, withdrawal."""
    from rich.markdown import Markdown

    from facelab.data import card, cards

    if name is None:
        for known in cards():
            console.print(f"{known}: {card(known).splitlines()[0].removeprefix('# ')}")
    else:
        console.print(Markdown(card(name)))
