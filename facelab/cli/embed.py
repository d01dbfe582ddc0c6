"""``facelab embed``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from facelab.cli.program import (
    OF_PHOTOGRAPHS,
    OF_WORKERS,
    TAKEN_AS_THEY_ARE,
    Address,
    Backend,
    Device,
    Flip,
    Kind,
    Network,
    Turns,
    Which,
    Workers,
    finish,
    refuse,
)
from facelab.errors import count

if TYPE_CHECKING:
    import numpy as np

    from facelab.models import Embedder
    from facelab.sources import Opened


def embed(
    context: typer.Context,
    checkpoint: Network,
    chips: Annotated[
        list[str],
        typer.Argument(help="Chips or photographs, or a folder of them, or the name of a source: see facelab data."),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE.npz|DIR",
            help="A NumPy archive for the arrays embeddings (not normalised), labels (-1: not known), identities, "
            "files. Or, for many pictures, a folder or fsspec address for Parquet shards: a run goes on where it was "
            "stopped.",
        ),
    ] = "embeddings.npz",
    images: Kind = "auto",
    detector: Annotated[
        str | None,
        typer.Option(
            help="For photographs: one of {detectors}; by default mtcnn, and for a folder of shards the landmarks that "
            "come with a set."
        ),
    ] = None,
    method: Annotated[
        Literal["five-point", "eyes", "crop"], typer.Option(help="For photographs: how to align, see facelab align.")
    ] = "five-point",
    which: Which = "largest",
    turns: Turns = False,
    flip: Flip = False,
    device: Device = "auto",
    precision: Annotated[
        Literal["float32", "float16"], typer.Option(help="Of the numbers in shards; float16 takes half the space.")
    ] = "float32",
    per_shard: Annotated[int, typer.Option(min=1, help="Pictures of a shard.")] = 1024,
    workers: Workers = None,
    backend: Backend = "local",
    address: Address = None,
) -> None:
    """Turn chips into embeddings with a trained network."""
    from facelab.embeddings import write_embedding_shards
    from facelab.files import check_claim, claim
    from facelab.models.files import write_embeddings
    from facelab.sources import open_pictures
    from facelab.train import open_network

    if not out.endswith(".npz"):
        opened = open_pictures(chips, show_progress=True)
        report = write_embedding_shards(
            checkpoint,
            opened,
            out,
            images=images,
            detector=detector,
            method=method,
            which=which,
            turns=turns,
            flip=flip,
            precision=precision,
            per_shard=per_shard,
            device=device,
            workers=workers,
            backend=backend,
            address=address,
            show_progress=True,
        )
        finish(opened.errors, f"{report}: {out}")
        return
    refuse(context, {"precision", "per_shard", *OF_WORKERS}, "an archive is written by one process")
    path = Path(out)
    check_claim(path.parent, [path.name])
    embedder = open_network(checkpoint).embedder(device, flip=flip)
    opened, embeddings = embed_pictures(
        context, embedder, chips, images, detector or "mtcnn", method, which, turns, device
    )
    claim(path.parent, [path.name])
    write_embeddings(path, embeddings, opened.faces)
    said = f"{count(len(embeddings), 'embedding')} of {embeddings.shape[1]} dimensions ({opened.how}); written to {out}"
    finish(opened.errors, said)


def embed_pictures(
    context: typer.Context,
    embedder: "Embedder",
    pictures: list[str],
    images: Any,
    detector: str,
    method: Any,
    which: Any,
    turns: bool,
    device: str,
    **options: Any,
) -> "tuple[Opened, np.ndarray]":
    """Return the chips of what the user named, and their embeddings, not normalised, shape (n, D)."""
    from facelab.detect import make_detector
    from facelab.models.files import embed_faces
    from facelab.sources import open_chips

    opened = open_chips(
        pictures,
        images=images,
        detector=make_detector(detector, device=device, turns=turns),
        method=method,
        which=which,
        show_progress=True,
        **options,
    )
    if opened.report is None:
        refuse(context, OF_PHOTOGRAPHS, TAKEN_AS_THEY_ARE)
    return opened, embed_faces(embedder, opened.faces, show_progress=True)
