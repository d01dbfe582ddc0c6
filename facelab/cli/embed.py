"""``facelab embed``."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from facelab.cli.program import (
    OF_PHOTOGRAPHS,
    TAKEN_AS_THEY_ARE,
    Device,
    Flip,
    Kind,
    Network,
    Turns,
    Which,
    finish,
    refuse,
)
from facelab.errors import count


def embed(
    context: typer.Context,
    checkpoint: Network,
    chips: Annotated[
        list[str],
        typer.Argument(help="Chips or photographs, or a folder of them, or the name of a source: see facelab data."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="NumPy archive for the arrays embeddings (not normalised), labels (-1: not known), identities, files."
        ),
    ] = Path("embeddings.npz"),
    images: Kind = "auto",
    detector: Annotated[str, typer.Option(help="For photographs: one of {detectors}.")] = "mtcnn",
    method: Annotated[
        Literal["five-point", "eyes", "crop"], typer.Option(help="For photographs: how to align, see facelab align.")
    ] = "five-point",
    which: Which = "largest",
    turns: Turns = False,
    flip: Flip = False,
    device: Device = "auto",
) -> None:
    """Turn chips into embeddings with a trained network."""
    from facelab.detect import make_detector
    from facelab.files import check_claim, claim
    from facelab.models.files import embed_faces, write_embeddings
    from facelab.sources import open_chips
    from facelab.train import open_network

    check_claim(out.parent, [out.name])
    embedder = open_network(checkpoint).embedder(device, flip=flip)
    opened = open_chips(
        chips,
        images=images,
        detector=make_detector(detector, device=device, turns=turns),
        method=method,
        which=which,
        show_progress=True,
    )
    if opened.report is None:
        refuse(context, OF_PHOTOGRAPHS, TAKEN_AS_THEY_ARE)
    embeddings = embed_faces(embedder, opened.faces, show_progress=True)
    claim(out.parent, [out.name])
    write_embeddings(out, embeddings, opened.faces)
    said = f"{count(len(embeddings), 'embedding')} of {embeddings.shape[1]} dimensions ({opened.how}); written to {out}"
    finish(opened.errors, said)
