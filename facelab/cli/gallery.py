"""``facelab gallery``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table
from rich.text import Text

from facelab.cli.embed import embed_pictures
from facelab.cli.program import (
    OF_PHOTOGRAPHS,
    Device,
    Kind,
    Turns,
    Verb,
    Which,
    console,
    finish,
    refuse,
    say,
)
from facelab.errors import FacelabError, count

if TYPE_CHECKING:
    from facelab.train import Network

Address = Annotated[
    str, typer.Argument(metavar="GALLERY", help="A file such as faces.db, or postgresql://USER@HOST/DATABASE.")
]
OfNetwork = Annotated[
    Path, typer.Option("--network", help="A network that a training saved (.pt), or one of {networks}.")
]
Detector = Annotated[str, typer.Option(help="For photographs: one of {detectors}.")]
Method = Annotated[
    Literal["five-point", "eyes", "crop"], typer.Option(help="For photographs: how to align, see facelab align.")
]

gallery = typer.Typer(
    no_args_is_help=True,
    help="Known faces: enrol, search, erase. A gallery keeps embeddings and names, no pictures; it belongs to one "
    "network, and logs who was enrolled, found and erased.",
)


@gallery.command(cls=Verb)
def create(
    address: Address,
    network: OfNetwork,
    flip: Annotated[
        bool, typer.Option("--flip", help="For embeddings with those of the mirrored chips added, from now on.")
    ] = False,
    index: Annotated[
        Literal["exact", "hnsw"],
        typer.Option(
            help="On a server: exact, or approximate (HNSW), which is faster in a large gallery and may miss."
        ),
    ] = "exact",
    shard: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="On a server: another, which holds a part of the templates; repeat it."),
    ] = None,
) -> None:
    """Make an empty gallery for the embeddings of one network."""
    from facelab.search import open_gallery
    from facelab.train import open_network

    opened = open_network(network)
    fingerprint, dimensions = opened.fingerprint_of(flip=flip), opened.recipe.embedding_dim
    with open_gallery(
        address, fingerprint=fingerprint, dimensions=dimensions, create=True, index=index, shards=shard or ()
    ) as made:
        say(f"An empty gallery for {dimensions} dimensions of the network {fingerprint[:12]}: {made.address}")


@gallery.command(cls=Verb)
def enrol(
    context: typer.Context,
    address: Address,
    faces: Annotated[
        list[str],
        typer.Argument(
            help="A folder with one sub-folder per identity, or a source: see facelab data. Or pictures of one person, "
            "with --identity. Or a folder that facelab embed wrote."
        ),
    ],
    network: Annotated[
        Path | None, typer.Option("--network", help="For pictures: the network of the gallery, such as {networks}.")
    ] = None,
    identity: Annotated[str | None, typer.Option(help="Who is on all of the pictures.")] = None,
    weigh: Annotated[
        Literal["length", "equal"],
        typer.Option(
            help="How much each picture counts in the template of its identity: by the length of its embedding, which "
            "is small for a poor picture, or all the same."
        ),
    ] = "length",
    images: Kind = "auto",
    detector: Detector = "mtcnn",
    method: Method = "five-point",
    which: Annotated[
        Literal["largest", "middle"],
        typer.Option(help="Of several faces in a photograph: the largest, or the one nearest to the middle."),
    ] = "largest",
    turns: Turns = False,
    device: Device = "auto",
) -> None:
    """Enrol identities: the pictures of each become one template; all are enrolled, or none.

    Who is enrolled already gets another template beside the first: the nearest one counts in a search.
    """
    import numpy as np

    from facelab.evaluate import make_templates
    from facelab.search import open_gallery
    from facelab.synth.shards import kind_of

    errors: list[FacelabError] = []
    if len(faces) == 1 and kind_of(faces[0]) == "embeddings":
        from facelab.embeddings import Embeddings

        refuse(context, {"network", "identity", "images", "device", *OF_PHOTOGRAPHS}, "the embeddings are made already")
        shards, how = Embeddings(faces[0]), "embeddings of facelab embed"
        fingerprint, people, nameless = shards.about.fingerprint, shards.by_identity(), int((shards.labels < 0).sum())
    else:
        if network is None:
            raise FacelabError("say which network embeds the pictures: --network NETWORK, the gallery's own.")
        trained, flip = _network_of(address, network)
        embedder = trained.embedder(device, flip=flip)
        opened, found = embed_pictures(
            context, embedder, faces, images, detector, method, which, turns, device, missing="skip"
        )
        if opened.report is not None and opened.report.several:
            say(
                f"{count(opened.report.several, 'photograph')} with several faces: the "
                f"{'largest' if which == 'largest' else 'one in the middle'} was taken. Is it the right one?"
            )
        fingerprint, how, errors = trained.fingerprint_of(flip=flip), opened.how, opened.errors
        names = np.array([identity or name for name in opened.faces.table["identity"]], dtype=str)
        people = ((name, found[names == name]) for name in sorted(set(names) - {""}))
        nameless = int((names == "").sum())
    kept, templates, pictures = [], [], 0
    for name, rows in people:
        weights = np.linalg.norm(rows, axis=1) if weigh == "length" else None
        ids = np.zeros(len(rows), dtype=np.int64)
        kept.append(name)
        templates.append(make_templates(rows, ids, ids, weights=weights).embeddings[0].astype(np.float32))
        pictures += len(rows)
    if not kept:
        raise FacelabError(
            "it is not known who is on these pictures, so nobody was enrolled: put them into a folder of the name of "
            "each identity, or say --identity NAME."
        )
    with open_gallery(address, fingerprint=fingerprint) as opened_gallery:
        known = opened_gallery.identities()
        opened_gallery.enrol_all(kept, np.stack(templates))
    again = len(known.keys() & set(kept))
    said = f"{count(len(kept), 'identity', 'identities')} enrolled from {count(pictures, 'picture')} ({how})"
    said += f"; {again} of them had a template before" if again else ""
    said += f"; {count(nameless, 'picture')} of nobody known left out" if nameless else ""
    finish(errors, f"{said}: {opened_gallery.address}")


@gallery.command(cls=Verb)
def search(
    context: typer.Context,
    address: Address,
    faces: Annotated[list[str], typer.Argument(help="Photographs or chips, a folder of them, or a source.")],
    network: OfNetwork,
    top: Annotated[int, typer.Option("--top", min=1, help="How many identities to show for a face, at most.")] = 3,
    threshold_from: Annotated[
        Path | None,
        typer.Option(help="Decide by the threshold of a results.json that facelab evaluate wrote. Without it: ranks."),
    ] = None,
    searches_a_day: Annotated[
        float,
        typer.Option(min=0, help="What the threshold means for so many, by strangers: people who are not enrolled."),
    ] = 1000,
    images: Kind = "auto",
    detector: Detector = "mtcnn",
    method: Method = "five-point",
    which: Which = "largest",
    turns: Turns = False,
    device: Device = "auto",
) -> None:
    """Search for faces: who of the gallery is this, and is it anyone? The answers go into the log."""
    from facelab.reports.threshold import threshold_for
    from facelab.search import false_matches, open_gallery
    from facelab.search.decision import NO_DECISION

    if threshold_from is None:
        refuse(context, {"searches_a_day"}, "it is about a threshold, and there is none")
    trained, flip = _network_of(address, network)
    threshold = None if threshold_from is None else threshold_for(threshold_from, trained, flip=flip)
    embedder = trained.embedder(device, flip=flip)
    opened, found = embed_pictures(context, embedder, faces, images, detector, method, which, turns, device)
    with open_gallery(address, fingerprint=trained.fingerprint_of(flip=flip)) as opened_gallery:
        answers = opened_gallery.search(found, top, threshold.value if threshold else None)
        templates = sum(opened_gallery.identities().values())
    table = Table("picture", "rank", "identity", "cosine", title=Text(f"search in {opened_gallery.address}"))
    numbers = opened.faces.table.get("face", [0] * len(answers))
    for file, number, matches in zip(opened.faces.files, numbers, answers, strict=True):
        picture = f"{file}, face {number}" if number else file
        for rank, match in enumerate(matches, start=1):
            table.add_row(Text(picture), str(rank), Text(match.identity), f"{match.score:.3f}")
            picture = ""
        if not matches:
            table.add_row(Text(picture), "", Text("nobody known", style="dim"), "")
    console.print(table)
    if not opened_gallery.exact:
        say("The search is approximate and may miss the nearest; facelab gallery list says how often.")
    if threshold is None:
        say(NO_DECISION)
    else:
        say(f"A match is a cosine of {threshold.value:.3f} or more. {threshold.origin()}")
        say(false_matches(threshold.far or threshold.asked, templates, searches_a_day))
        say("FAR was measured there; with other cameras, light, ages and people it is another. A person decides.")
    finish(opened.errors, f"{count(len(answers), 'face')} searched for ({opened.how})")


@gallery.command()
def erase(
    address: Address,
    identities: Annotated[
        list[str], typer.Argument(metavar="IDENTITY...", help="Names, as facelab gallery list shows.")
    ],
) -> None:
    """Erase identities: their templates, their names also in the log, and the bytes of both from the files."""
    from facelab.search import open_gallery

    with open_gallery(address) as opened:
        done = opened.erase_all(identities)
    for one in done:
        receipt = f" In the log their name is {one.receipt} now." if one.receipt else ""
        say(f"{one.identity}: {count(one.templates, 'template')} erased.{receipt}")
    gone = all(one.gone for one in done)
    say(
        f"The bytes are {'gone' if gone else 'NOT gone yet'}: {done[-1].why.rstrip('.')}.",
        style="green" if gone else "bold red",
    )
    say("Copies of the gallery (backups, snapshots of the file system) are not reached: erase there, too.")
    if not gone:
        raise typer.Exit(1)


@gallery.command()
def audit(
    address: Address,
    identity: Annotated[str | None, typer.Option(help="Only what was about this one; a receipt serves, too.")] = None,
    last: Annotated[int, typer.Option(min=1, help="So many lines at most, the newest.")] = 100,
) -> None:
    """Show the log: who was enrolled, found and erased, when, and who asked."""
    from facelab.search import open_gallery

    with open_gallery(address) as opened:
        events = [event for event in opened.audit() if identity in (None, event.identity)]
    for event in events[-last:]:
        say(str(event))
    say(f"{count(min(last, len(events)), 'line')} of {len(events)}")


@gallery.command("list")
def list_identities(address: Address) -> None:
    """List who is enrolled, with how many templates."""
    from facelab.search import open_gallery
    from facelab.search.gallery import summary

    with open_gallery(address) as opened:
        known, unclean = opened.identities(), opened.unclean()
        about, how = f"{opened.dimensions} dimensions of the network {opened.fingerprint}", opened.how()
    for name, number in known.items():
        say(f"{name}: {count(number, 'template')}")
    say(f"{summary(known)}; {about}; searched {how}")
    if unclean:
        say("Bytes of an erased identity may still be in the files: run the same facelab gallery erase again.")


def _network_of(address: str, network: Path) -> "tuple[Network, bool]":
    """Return the network of a gallery, and whether the gallery's embeddings are those with the mirrored chips added.

    Raises:
        FacelabError: the gallery is another network's.
    """
    from facelab.search import open_gallery
    from facelab.train import open_network

    trained = open_network(network)
    with open_gallery(address) as opened:
        flip = opened.flip
    open_gallery(address, fingerprint=trained.fingerprint_of(flip=flip)).close()  # before the long work
    return trained, flip
