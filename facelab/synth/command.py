"""The verb ``facelab synth``: thin, the work is in :mod:`facelab.synth.dataset`."""

import os
from pathlib import Path
from typing import Annotated

import typer


def synth(
    preset: Annotated[
        str | None, typer.Argument(help="synthfaces-mini or synthfaces-500; or give --identities and --images")
    ] = None,
    identities: Annotated[int | None, typer.Option(help="how many people")] = None,
    images: Annotated[int | None, typer.Option(help="pictures of each person")] = None,
    seed: Annotated[int, typer.Option(help="another seed gives other people")] = 0,
    held_out: Annotated[int, typer.Option(help="mark so many identities as held out")] = 0,
    size: Annotated[int, typer.Option(help="side of a chip in pixels")] = 112,
    margin: Annotated[
        int, typer.Option(help="store upright full crops with so many pixels around the face, for your own detector")
    ] = 0,
    relatives: Annotated[
        str, typer.Option(help="none, siblings or look-alikes: every second person is a relative of the one before")
    ] = "none",
    photographs: Annotated[
        int | None, typer.Option(help="instead of chips, make so many 640x480 photographs of one to four people")
    ] = None,
    workers: Annotated[int | None, typer.Option(help="processes; the number of cores if not given")] = None,
    device: Annotated[str, typer.Option(help="cpu, or cuda:0")] = "cpu",
    backend: Annotated[str, typer.Option(help="local, dask or ray")] = "local",
    address: Annotated[str | None, typer.Option(help="address of the Dask scheduler or Ray head")] = None,
    out: Annotated[
        str | None, typer.Option(help="folder or fsspec address; under facelab's cache if not given")
    ] = None,
    preview: Annotated[Path | None, typer.Option(help="write a contact sheet to this file")] = None,
) -> None:
    """Render faces of people who do not exist, with everything about each picture known."""
    from facelab.errors import FacelabError
    from facelab.synth.dataset import PRESETS, SynthRecipe, folder_of, load_synthfaces, make
    from facelab.synth.preview import preview as write_preview

    if photographs is not None:
        from facelab.synth.photographs import PhotographRecipe

        recipe, name = PhotographRecipe(photographs=photographs, seed=seed), f"photographs-{photographs}-{seed}"
    elif preset is not None:
        if preset not in PRESETS:
            raise FacelabError(
                f"there is no preset {preset!r}; there are: {', '.join(PRESETS)}. Or give --identities and --images."
            )
        if identities is not None or images is not None:
            raise FacelabError(f"give the preset {preset!r} or --identities and --images, not both.")
        recipe, name = PRESETS[preset], preset
    elif identities is None or images is None:
        raise FacelabError("give a preset (synthfaces-mini, synthfaces-500), or --identities N --images K.")
    else:
        recipe = SynthRecipe(
            identities, images, seed=seed, held_out=held_out, size=size, margin=margin, relatives=relatives
        )
        name = (
            f"{identities}x{images}-{seed}"
            + (f"-{margin}" if margin else "")
            + (f"-{relatives}" if relatives != "none" else "")
        )
    where = out or str(folder_of(name))
    report = make(
        recipe,
        where,
        workers=workers or os.cpu_count() or 1,
        device=device,
        backend=backend,
        address=address,
        show=True,
    )
    typer.echo(f"{report}: {where}")
    if preview is not None:
        typer.echo(f"contact sheet: {write_preview(load_synthfaces(where), preview)}")
