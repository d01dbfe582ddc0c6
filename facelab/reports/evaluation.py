"""One trained network, one set of faces, one protocol: opened, embedded, measured, written."""

import dataclasses
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from facelab.align.warp import Method
from facelab.data import FaceSet
from facelab.data.pairs import identities_of_pairs
from facelab.detect import Detector
from facelab.detect.detection import Which
from facelab.device import resolve_device
from facelab.embeddings import Embeddings, StoredPairs
from facelab.errors import FacelabError, count
from facelab.evaluate import contrast, sharpness
from facelab.evaluate.estimate import FEW_IDENTITIES
from facelab.files import check_claim, claim, write_json
from facelab.models import Embedder
from facelab.progress import progress_bar
from facelab.reports.folds import Folds
from facelab.reports.identification import Identification, has_roles
from facelab.reports.outcome import Embedded, NoPictures, Outcome, finite
from facelab.reports.page import Section, write_page
from facelab.reports.templates import OfTemplates
from facelab.reports.verification import Verification
from facelab.sources import Images, Opened, find_source, open_chips, open_faces, open_pictures
from facelab.train import open_network
from facelab.workers import check_backend

AnyProtocol = Verification | Identification | Folds | OfTemplates
PROTOCOLS = {protocol.name: protocol for protocol in (Verification, Identification, Folds, OfTemplates)}
MOST_IMAGES = 3000  # 4.5 million pairs
_WRITTEN = ["results.json", "report.html"]
_BLOCK = 1024  # images that are decoded at a time; whole batches of the embedder


def make_protocol(name: str, **options: Any) -> AnyProtocol:
    """Return a protocol by its name in PROTOCOLS.

    Args:
        name: of the protocol.
        options: its fields; one that is None is left at its default.

    Raises:
        FacelabError: there is no such protocol, or it does not take an option.
    """
    if name not in PROTOCOLS:
        raise FacelabError(f"protocol {name!r}: choose one of {', '.join(PROTOCOLS)}.")
    options = {option: value for option, value in options.items() if value is not None}
    takes = {known: [field.name for field in dataclasses.fields(protocol)] for known, protocol in PROTOCOLS.items()}
    for option in options:
        if option not in takes[name]:
            others = " and ".join(known for known in takes if option in takes[known])
            raise FacelabError(f"--{option.replace('_', '-')} is for the protocol {others}, not for {name}.")
    return PROTOCOLS[name](**options)


def evaluate(
    checkpoint: Path | str,
    data: Path | str,
    protocol: AnyProtocol | None = None,
    *,
    report: Path | str = "runs/evaluate",
    images: Images = "auto",
    detector: Detector | None = None,
    method: Method = "five-point",
    which: Which = "largest",
    flip: bool = False,
    strangers_only: bool = False,
    split: str | None = None,
    seed: int = 0,
    replicates: int = 1000,
    device: str = "auto",
    show_progress: bool = False,
) -> Outcome:
    """Evaluate a trained network under a protocol and write a report with tables, figures and failures, and JSON.

    Args:
        checkpoint: a file that a training saved, or the name of a network in the package.
        data: a name or a path, see :data:`facelab.sources.SOURCES`.
        protocol: what to measure; verification if not given.
        report: folder for ``report.html``, ``results.json`` and ``figures/``.
        images, detector, method: how chips are made of photographs, see :func:`facelab.sources.open_chips`.
        which: of several faces in a photograph: ``"largest"`` or ``"middle"``, see :func:`facelab.detect.choose`.
        flip: add to each embedding that of the mirrored chip, see :class:`facelab.models.Embedder`.
        strangers_only: leave out identities whose names the network was trained on.
        split: only the images that the set marks so, such as ``test``; all of them if not given.
        seed: of the bootstrap and of whatever is drawn.
        replicates: of the bootstrap.
        device: see :func:`facelab.device.resolve_device`.
        show_progress: show progress bars.

    Raises:
        FacelabError: the checkpoint is missing or damaged, the data is unknown, has too few identities or does not fit
            the protocol, or no face is found; ``which="all"``; a file would be replaced that facelab did not make; or
            the threshold given is one with ``flip`` where the embeddings are without, or the other way round.
    """
    protocol = protocol or Verification()
    if which == "all":
        raise FacelabError("--which all: nobody knows who the faces of a group are; take largest or middle.")
    if isinstance(protocol, Verification) and protocol.given is not None:
        protocol.given.check_flip(flip)
    check_claim(report, [*_WRITTEN, *(f"figures/{name}.png" for name in protocol.figures)])
    network = open_network(checkpoint)
    torch_device = resolve_device(device)
    opened = _open(data, protocol, show_progress)
    listed, lists = opened.pairs, opened.templates if isinstance(protocol, OfTemplates) else None
    if isinstance(protocol, OfTemplates) and lists is None:
        raise FacelabError(f"{opened.faces.name} has no lists of templates; take another protocol.")
    named = listed is not None or lists is not None  # the images that the protocol takes
    faces = opened.faces if named else _part(opened.faces, protocol, split)
    outcome, left_out = Outcome(Path(report), credit=opened.source.credit), ""
    if named and (strangers_only or split):
        option = "--strangers-only" if strangers_only else "--split"
        what = "a list of pairs" if lists is None else "lists of templates"
        raise FacelabError(f"{option} cannot change {what}; leave it out.")
    known = np.array(faces.identities)[network.knows(faces.identities, faces.name)].tolist()
    if known and strangers_only:
        faces = faces.select(~faces.table["identity"].isin(known).to_numpy(), f"{faces.name}/strangers")
        left_out = f"; {count(len(known), 'identity of the training was', 'identities of the training were')} left out"
    elif known:
        _note_known(outcome, len(known), len(faces.identities))
    if len(faces.identities) < 2 and not named:
        number = "1 identity" if len(faces.identities) else "no identity"
        raise FacelabError(f"{faces.name} has {number}; at least 2 are needed, each in a sub-folder of its own.")
    opened = open_chips(
        dataclasses.replace(opened, faces=faces),
        images=images,
        detector=detector,
        method=method,
        which=which,
        missing="default" if named else None,  # the list names them all
        device=torch_device,
        show_progress=show_progress,
    )
    if opened.report is None and (detector is not None or which != "largest"):
        raise FacelabError(
            f"--which, --turns or a detector would do nothing: {opened.faces.name} is {opened.how}. Leave it out."
        )
    chips, how = opened.faces, opened.how
    if opened.errors:
        how += f"; {count(len(opened.errors), 'file')} could not be read"
    how += left_out
    drawn = None
    if not named and len(chips) > MOST_IMAGES and not (isinstance(protocol, Identification) and has_roles(chips)):
        drawn = draw_images(chips.labels, seed)
        if not protocol.streams:
            _note_drawn(outcome, len(chips), len(np.unique(chips.labels[drawn])))
            chips, drawn = chips.select(drawn), None
    if not network.complete:
        outcome.notes.append(f"the training is not complete: step {network.step} of {network.total_steps}.")

    raw, quality = _embed(chips, network.embedder(torch_device, flip=flip), show_progress)
    protocol.measure(outcome, Embedded(chips, raw, quality, listed, lists, drawn), replicates=replicates, seed=seed)

    if named and not flip:
        outcome.notes.append(
            "published numbers mostly add to each embedding that of the mirrored picture, which these do not: --flip."
        )
    people, epochs = count(len(network.trained_on), "identity", "identities"), count(network.recipe.epochs, "epoch")
    trained = f"{network.recipe.loss.name}, {people}, {epochs}"
    measured = {
        "checkpoint": str(checkpoint),
        "fingerprint": network.fingerprint_of(flip=flip),
        "recipe": network.recipe.model_dump(),
        "flip": flip,
        "data": {"name": chips.name, "images": len(chips), "identities": len(chips.identities), "how": how},
    }
    name = f"<code>{escape(Path(checkpoint).name)}</code> ({escape(trained)})"
    _write(outcome, protocol, name, measured, {"seed": seed, "replicates": replicates})
    return outcome


def evaluate_embeddings(
    folder: Path | str,
    protocol: AnyProtocol | None = None,
    *,
    report: Path | str = "runs/evaluate",
    strangers_only: bool = False,
    seed: int = 0,
    replicates: int = 1000,
    workers: int | None = None,
    backend: str = "local",
    address: str | None = None,
    show_progress: bool = False,
) -> Outcome:
    """Evaluate a folder of embeddings as :func:`evaluate` does a network, without one and without pictures.

    Verification of more than MOST_IMAGES compares all pairs block by block, on processes here or on a cluster.

    Args:
        folder: a folder or fsspec address that ``facelab embed`` wrote.
        protocol, report, strangers_only, seed, replicates, show_progress: see :func:`evaluate`.
        workers, backend, address: see :func:`facelab.synth.make`.

    Raises:
        FacelabError: there are no such embeddings, or see :func:`evaluate`.
    """
    protocol = protocol or Verification()
    check_backend(workers, backend, address)
    if isinstance(protocol, OfTemplates) or (isinstance(protocol, Folds) and protocol.named is not None):
        raise FacelabError(
            "lists of pairs or templates are of pictures, and here are embeddings alone: give a network and --data."
        )
    found = Embeddings(folder)
    about = found.about
    if isinstance(protocol, Verification) and protocol.given is not None:
        protocol.given.check_flip(about.flip)
    check_claim(report, [*_WRITTEN, *(f"figures/{name}.png" for name in protocol.figures)])
    outcome, how = Outcome(Path(report), credit=about.credit), about.how
    taken = found.labels >= 0
    if known := len(np.unique(found.labels[taken & found.trained_on])):
        if strangers_only:
            taken &= ~found.trained_on
            how += f"; {count(known, 'identity of the training was', 'identities of the training were')} left out"
        else:
            _note_known(outcome, known, len(found.names))
    rows = np.flatnonzero(taken)
    labels = np.unique(found.labels[rows], return_inverse=True)[1]
    if (people := int(labels.max(initial=-1)) + 1) < 2:
        raise FacelabError(f"{folder} has {count(people, 'identity', 'identities')} to compare; at least 2 are needed.")
    part, stored = rows, None
    if len(rows) > MOST_IMAGES:
        part = rows[draw_images(labels, seed)]
        if protocol.streams:
            stored = StoredPairs(found, rows, workers, backend, address, show_progress)
        else:
            _note_drawn(outcome, len(rows), len(np.unique(found.labels[part])))
    block = found.select(part)
    table = pd.DataFrame({"identity": [found.names[label] for label in block.labels.tolist()], "file": block.files})
    chips, raw = FaceSet(about.name, NoPictures(len(table)), table), block.embeddings.astype(np.float64)
    quality = {"embedding norm": np.linalg.norm(raw, axis=1)}
    protocol.measure(outcome, Embedded(chips, raw, quality, stored=stored), replicates=replicates, seed=seed)
    images, people = (len(chips), len(chips.identities)) if stored is None else (len(rows), people)
    measured = {
        "embeddings": str(folder),
        "fingerprint": about.fingerprint,
        "recipe": about.recipe,
        "flip": about.flip,
        "data": {"name": about.name, "images": images, "identities": people, "how": how},
    }
    name = f"<code>{about.fingerprint[:12]}</code> ({escape(about.recipe['loss']['name'])})"
    _write(outcome, protocol, name, measured, {"seed": seed, "replicates": replicates})
    return outcome


def _note_known(outcome: Outcome, known: int, people: int) -> None:
    outcome.notes.append(
        f"{known} of {people} identities have names that the network was trained on: if they are the same people, "
        "these numbers are too good for strangers. Leave them out with --strangers-only."
    )


def _note_drawn(outcome: Outcome, images: int, people: int) -> None:
    outcome.notes.append(
        f"of {images:,} images, those of {people} identities drawn at random were used, so that all pairs fit into "
        "memory."
    )


def _write(
    outcome: Outcome, protocol: AnyProtocol, network: str, measured: dict[str, Any], drawn: dict[str, int]
) -> None:
    """Write the report and its numbers.

    Args:
        outcome: that the protocol has filled.
        protocol: its name is told.
        network: in HTML.
        measured: what, as ``results.json`` begins with it.
        drawn: seed and number of draws, with which it ends.
    """
    if few := [e.identities for e in outcome.estimates.values() if e.few and e.identities]:
        outcome.notes.append(
            f"intervals that rest on fewer than {FEW_IDENTITIES} identities (here {min(few)}) are rough: a few people "
            "may make all the errors, and a small set may hold none of them."
        )
    columns, rows = outcome.table()
    data = measured["data"]
    about = (
        f"Network: {network}. Data: {escape(data['name'])}, {data['images']:,} images of {data['identities']:,} "
        f"identities ({escape(data['how'])}). "
        + ("To each embedding, that of the mirrored chip is added. " if measured["flip"] else "")
        + "One training with one seed: the intervals are over people, and know nothing of other trainings."
    )
    limits = "".join(f"<br><strong>Note:</strong> {escape(note)}" for note in outcome.notes)
    outcome.sections.insert(0, Section("Results", about + limits, columns, rows))
    outcome.results = {
        "protocol": protocol.name,
        **measured,
        "notes": outcome.notes,
        "estimates": {name: finite(estimate) for name, estimate in outcome.estimates.items()},
        **outcome.results,
        **drawn,
    }
    claim(outcome.folder, _WRITTEN)
    write_json(outcome.folder / "results.json", outcome.results)
    write_page(
        outcome.folder / "report.html",
        f"{protocol.name} on {data['name']}",
        outcome.sections,
        lead="How sure is it who this is?",
        credit=outcome.credit,
    )


def _open(data: Path | str, protocol: AnyProtocol, show_progress: bool) -> Opened:
    """Open faces for a protocol, and look up its pairs in them before any face is detected."""
    named = protocol.named if isinstance(protocol, Folds) else None
    if named is None:
        return open_faces(data, pairs=isinstance(protocol, Folds), show_progress=show_progress)
    if find_source(str(data)).holds == "pairs":
        raise FacelabError(f"--pairs: {data} has a list of its own; leave the option out.")
    opened = open_pictures([data], show_progress=show_progress)
    listed = named.among(opened.faces)
    if "" not in opened.faces.identities:
        return dataclasses.replace(opened, pairs=listed)
    return dataclasses.replace(opened, pairs=listed, faces=identities_of_pairs(opened.faces, listed))


def _part(faces: FaceSet, protocol: AnyProtocol, split: str | None) -> FaceSet:
    """Return the images that a protocol measures: of one split, or of the roles it knows; none of nobody."""
    if split is not None:
        kinds = sorted(faces.table["split"].unique()) if "split" in faces.table else []
        if split not in kinds:
            has = f"the splits {', '.join(kinds)}" if kinds else "no splits"
            raise FacelabError(f"--split {split}: {faces.name} has {has}.")
        faces = faces.select((faces.table["split"] == split).to_numpy(), f"{faces.name}/{split}")
    elif isinstance(protocol, Identification) and has_roles(faces):
        return faces.select(faces.table["split"].isin(["query", "distractor"]).to_numpy(), f"{faces.name}/queries")
    named = (faces.table["identity"] != "").to_numpy()
    return faces if named.all() else faces.select(named)


def draw_images(labels: np.ndarray, seed: int) -> np.ndarray:
    """Return which images are those of identities drawn at random, together MOST_IMAGES at most; shape (n,), bool."""
    order = np.random.default_rng(seed).permutation(labels.max() + 1)
    reached = np.cumsum(np.bincount(labels)[order])
    return np.isin(labels, order[: max(2, int(np.searchsorted(reached, MOST_IMAGES, side="right")))])


def _embed(chips: FaceSet, embed: Embedder, show_progress: bool) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the embeddings, not normalised, and measures of quality; some pictures are decoded at a time."""
    raw, quality = [], []
    with progress_bar(f"embed {chips.name}", len(chips), show_progress=show_progress) as bar:
        for start in range(0, len(chips), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(chips)))
            pictures = chips.select(rows).resized(embed.size).array()
            raw.append(embed(pictures, normalize=False).astype(np.float64))
            quality.append((sharpness(pictures), contrast(pictures)))
            bar.update(len(rows))
    embeddings = np.concatenate(raw)
    sharp, contrasts = (np.concatenate(values) for values in zip(*quality, strict=True))
    return embeddings, {
        "embedding norm": np.linalg.norm(embeddings, axis=1),
        "sharpness": sharp,
        "contrast": contrasts,
    }
