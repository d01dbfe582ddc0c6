"""``facelab synth``."""

from pathlib import Path
from typing import Annotated

import typer

from facelab.cli.program import LARGEST_SEED, given, say


def synth(
    context: typer.Context,
    preset: Annotated[
        str | None, typer.Argument(help="synthfaces-mini or synthfaces-500; or give --identities and --images.")
    ] = None,
    identities: Annotated[int | None, typer.Option(help="How many people.")] = None,
    images: Annotated[int | None, typer.Option(help="Pictures of each person.")] = None,
    photographs: Annotated[
        int | None, typer.Option(help="Instead of chips: so many 640x480 photographs of one to four people.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Another seed gives other people.")] = 0,
    held_out: Annotated[int, typer.Option(help="Mark so many identities as held out.")] = 0,
    size: Annotated[int, typer.Option(help="Side of a chip in pixels.")] = 112,
    margin: Annotated[
        int, typer.Option(help="Store upright crops with so many pixels around the face, for your own detector.")
    ] = 0,
    relatives: Annotated[
        str, typer.Option(help="none, siblings or look-alikes: every second person is a relative of the one before.")
    ] = "none",
    workers: Annotated[int | None, typer.Option(help="Processes on this machine; by default one per core.")] = None,
    device: Annotated[str, typer.Option(help="Where to render: cpu, or cuda:0, which all processes share.")] = "cpu",
    backend: Annotated[str, typer.Option(help="local, dask or ray.")] = "local",
    address: Annotated[
        str | None, typer.Option(help="dask and ray: of the scheduler, such as tcp://10.0.0.7:8786, or of the head.")
    ] = None,
    out: Annotated[
        str | None, typer.Option(help="Folder or fsspec address; by default under facelab's cache folder.")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="Write a contact sheet to this file.")] = None,
) -> None:
    """Render faces of people who do not exist, everything about each picture known."""
    from facelab.synth import SynthRecipe, make
    from facelab.synth.preview import write_preview
    from facelab.synth.recipe import choose

    # An option that is called as a field of the recipe goes there by itself.
    asked = given(context) & SynthRecipe.__dataclass_fields__.keys()
    settings = {name: context.params[name] for name in asked}
    recipe, name = choose(preset, photographs=photographs, **settings)
    where = out or name
    report = make(
        recipe,
        where,
        workers=workers,
        device=device,
        backend=backend,  # type: ignore[arg-type] # make says which there are
        address=address,
        show_progress=True,
    )
    say(f"{report}: {where}")
    if preview is not None:
        say(f"contact sheet: {write_preview(where, preview)}")
