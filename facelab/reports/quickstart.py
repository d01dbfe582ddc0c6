"""The whole chain on real faces: detect, align, train two losses, embed, match, report."""

import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facelab.align import ChipReport, make_chips
from facelab.analyze import project
from facelab.data import FaceSet, load_orl, split_closed_set, split_identities
from facelab.detect import MTCNN
from facelab.device import resolve_device
from facelab.evaluate import Estimate, closed_set_accuracy, leave_one_out_rank1, pair_scores, verification
from facelab.files import atomic_write, check_claim, claim, made, remove_made, write_json
from facelab.models import pretrained
from facelab.plots import photographs_and_chips, projection_map, roc_curves, score_histograms, training_curves
from facelab.plots.style import display_name
from facelab.reports.page import COLUMNS, Section, table_rows, write_page
from facelab.sources import find_source
from facelab.train import Recipe, fit

READY = "synthfaces-arcface"  # comes with the package, and has never seen a photograph
UNSEEN_IDENTITIES = 10
TRAIN_IMAGES = 7  # of 10 per identity
FIGURES = ("chips", "training", "scores", "roc", "projection")

# The same network, data, order and budget; only the loss differs. Scale 16 and margin 0.3: with 30 identities and 210
# images, the usual scale 64 and margin 0.5 do not get going in so few steps (15 epochs of 7).
SHARED: dict[str, Any] = {
    "size": 48,
    "embedding_dim": 128,
    "epochs": 15,
    "batch_size": 30,
    "optimizer": "adamw",
    "learning_rate": 1e-3,
}
LOSSES: dict[str, dict[str, Any]] = {
    "cross_entropy": {"name": "cross_entropy"},
    "arcface": {"name": "arcface", "scale": 16.0, "margin": 0.3},
}


@dataclass(frozen=True)
class Quickstart:
    """The outcome of :func:`run_quickstart`.

    Attributes:
        estimates: for each model, and for the baselines ``"pixels"`` and ``READY``, the measured values by name.
        chips: how detection went.
        folder: where ``results.json``, ``report.html`` and ``figures/`` are.
        seconds: of this run.
    """

    estimates: dict[str, dict[str, Estimate]]
    chips: ChipReport
    folder: Path
    seconds: float


def quickstart_recipe(loss: str, seed: int) -> Recipe:
    """Return the recipe of the quickstart for ``"cross_entropy"`` or ``"arcface"``."""
    return Recipe.parse({**SHARED, "loss": LOSSES[loss], "seed": seed})


def run_quickstart(
    folder: Path | str = "runs/quickstart",
    *,
    seed: int = 0,
    device: str = "auto",
    fresh: bool = False,
    show_progress: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Quickstart:
    """Run the chain of the course on the ORL photographs and write a report.

    A training that was interrupted goes on where it stopped, and one that is complete is used again.

    Args:
        folder: receives ``results.json``, ``report.html``, ``figures/`` and ``checkpoints/``.
        seed: of the splits, the networks and the training.
        device: see :func:`facelab.device.resolve_device`.
        fresh: delete earlier checkpoints and results of facelab in ``folder`` first.
        show_progress: show progress bars.
        tell: gets a line of what is known before the trainings.

    Raises:
        FacelabError: a file would be replaced that facelab did not make, see :func:`facelab.files.claim`.
    """
    started = time.monotonic()
    folder, torch_device = Path(folder), resolve_device(device)
    kept = {loss: folder / "checkpoints" / f"{loss}-seed{seed}.pt" for loss in LOSSES}
    written = ["results.json", "report.html", *(f"figures/{name}.png" for name in FIGURES)]
    if fresh:
        remove_made(folder, written)
        remove_made(folder / "checkpoints", made(folder / "checkpoints"))
        check_claim(folder / "checkpoints", [path.name for path in kept.values()])
    claim(folder, written)

    photographs = load_orl()
    detector = MTCNN(device=torch_device)
    chips, chip_report = make_chips(photographs, detector, missing="default", show_progress=show_progress)
    seen, unseen = split_identities(chips, held_out=UNSEEN_IDENTITIES, seed=seed)
    train, test = split_closed_set(seen, train=TRAIN_IMAGES, seed=seed)

    ready = pretrained(READY, device=torch_device)
    embedders: dict[str, Callable[[FaceSet], np.ndarray]] = {"pixels": _pixels, READY: ready}
    if tell:
        found = verification(ready(unseen), unseen.labels, seed=seed)["auc"]
        tell(
            f"A network that has learned from rendered faces alone: AUC {found:.2f} on pairs of photographs of "
            f"{len(unseen.identities)} people. Now two networks learn from 30 other people."
        )
    histories = {}
    for loss in LOSSES:
        checkpoint = fit(
            quickstart_recipe(loss, seed),
            train,
            device=torch_device,
            checkpoint=kept[loss],
            show_progress=show_progress,
        )
        embedders[loss] = checkpoint.embedder(torch_device)
        histories[loss] = checkpoint.history

    strangers = {name: embed(unseen) for name, embed in embedders.items()}
    scores = {name: pair_scores(embeddings, unseen.labels) for name, embeddings in strangers.items()}
    estimates = {
        name: {
            "closed_set_accuracy": closed_set_accuracy(embed(train), train.labels, embed(test), test.labels),
            **verification(strangers[name], unseen.labels, seed=seed),
        }
        for name, embed in embedders.items()
    }
    rank1 = {name: leave_one_out_rank1(strangers[name], unseen.labels) for name in LOSSES}

    one_each = [int(np.flatnonzero(chips.labels == label)[0]) for label in range(0, len(chips.identities), 5)]
    maps = {name: project(strangers[name], seed=seed) for name in LOSSES}
    drawn = (
        photographs_and_chips(photographs, chips, one_each),
        training_curves(histories),
        score_histograms({name: scores[name] for name in LOSSES}),
        roc_curves(scores),
        projection_map(maps, unseen.labels, unseen.identities),
    )
    figures = dict(zip(FIGURES, drawn, strict=True))
    for name, figure in figures.items():
        with atomic_write(folder / "figures" / f"{name}.png") as path:
            figure.savefig(path)

    outcome = Quickstart(estimates, chip_report, folder, time.monotonic() - started)
    facts = {
        "train_images": len(train),
        "test_images": len(test),
        "closed_set_identities": len(train.identities),
        "unseen_identities": len(unseen.identities),
        "genuine_pairs": int(scores["pixels"].genuine.sum()),
        "impostor_pairs": int((~scores["pixels"].genuine).sum()),
    }
    results = _results(outcome, seed, str(torch_device), histories, facts)
    write_json(folder / "results.json", results)
    write_page(
        folder / "report.html",
        "facelab quickstart",
        _sections(outcome, seed, facts, histories, rank1, figures),
        lead="A face in, a name out: detect → align → embed → match.",
        credit=find_source("orl").credit,
    )
    return outcome


def _pixels(chips: FaceSet) -> np.ndarray:
    """Return the baseline's embeddings: the pixels of each chip themselves, mean subtracted."""
    pixels = chips.array().reshape(len(chips), -1).astype(np.float64)
    return pixels - pixels.mean(axis=1, keepdims=True)


def _results(
    outcome: Quickstart, seed: int, device: str, histories: Mapping[str, list[dict[str, float]]], facts: dict[str, int]
) -> dict[str, Any]:
    """Return what ``results.json`` holds."""

    def nested(name: str) -> dict[str, Any]:
        values = {key: estimate.as_dict() for key, estimate in outcome.estimates[name].items()}
        return {"closed_set_accuracy": values.pop("closed_set_accuracy"), "verification": values}

    return {
        "models": {
            name: {
                **nested(name),
                "train_seconds": round(sum(row["seconds"] for row in history), 1),
                "recipe": quickstart_recipe(name, seed).model_dump(),
            }
            for name, history in histories.items()
        },
        "baselines": {name: nested(name) for name in ("pixels", READY)},
        "data": {
            "name": "orl",
            "photographs": outcome.chips.photographs,
            "faces_found": outcome.chips.found,
            "default_crops": len(outcome.chips.missing),
            **facts,
        },
        "interval": "95 %: Wilson's form, with the variance of draws of identities",
        "seed": seed,
        "device": device,
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("facelab", "torch", "torchvision", "opencv-python", "numpy", "mtcnn")},
        },
        "seconds": round(outcome.seconds, 1),
    }


def _sections(
    outcome: Quickstart,
    seed: int,
    facts: dict[str, int],
    histories: Mapping[str, list[dict[str, float]]],
    rank1: dict[str, Estimate],
    figures: Mapping[str, Figure],
) -> list[Section]:
    """The report's story; every number in it is taken from the outcome."""
    chips, estimates = outcome.chips, outcome.estimates
    ce, arcface, pixels = estimates["cross_entropy"], estimates["arcface"], estimates["pixels"]
    apart = max(ce["auc"].low, arcface["auc"].low) > min(ce["auc"].high, arcface["auc"].high)
    return [
        Section(
            "Results",
            "Two ResNet34 networks learned the same 30 people from 7 photographs each. They started from the same "
            "weights and saw the same images in the same order; only the loss differs. "
            f"{READY} comes with the package: it has learned from rendered faces and never seen a photograph. "
            "<em>Closed-set accuracy</em>: "
            "3 other photographs of each of the 30 people are named after the nearest class centroid. "
            "<em>Verification</em>: all pairs of photographs of 10 people whom no network has seen. "
            "Square brackets hold the 95 % interval.",
            columns=["model", *COLUMNS.values()],
            rows=table_rows(estimates),
        ),
        Section(
            "How to read this",
            f"One seed ({seed}), {facts['test_images']} test images, {facts['unseen_identities']} unseen people: "
            "so few that the intervals are rough. "
            + (
                "The AUC intervals of the two losses do not overlap, but one seed is still no proof. "
                if apart
                else "The AUC intervals of the two losses overlap: this run does not show that one is better. "
            )
            + "The course compares losses with several seeds and paired intervals. The yardstick is the first row: raw "
            f"pixels of the chips, compared by cosine, without any learning. Their AUC is {pixels['auc'].value:.3f}; "
            "what the networks add is what they have learned about faces.",
        ),
        Section(
            "Detect and align",
            f"MTCNN found a face in {chips.found} of {chips.photographs} photographs"
            + (f"; {len(chips.missing)} were cropped at the centre instead" if chips.missing else "")
            + ". A similarity transform moves the five landmarks (yellow) to the same place on every chip. "
            "Black is what lies beyond the photograph.",
            figure=figures["chips"],
            alt="Photographs of eight people with box and landmarks, and below each the aligned chip.",
        ),
        Section(
            "Train",
            "At the end, the networks name "
            + " and ".join(f"{rows[-1]['accuracy']:.0%} ({display_name(name)})" for name, rows in histories.items())
            + " of the training images rightly, as they were changed at random. The test is on other images.",
            figure=figures["training"],
            alt="Loss and training accuracy over the epochs, one line for each loss.",
        ),
        Section(
            "Match",
            f"{facts['genuine_pairs']} genuine and {facts['impostor_pairs']} impostor pairs of unseen people. "
            "Accepting the pairs to the right of the dashed line lets at most 1 % of the impostors through and accepts "
            f"{ce['tar_at_far_0.01'].value:.0%} of the genuine pairs with cross entropy and "
            f"{arcface['tar_at_far_0.01'].value:.0%} with ArcFace.",
            figure=figures["scores"],
            alt="Histograms of the cosine similarity of genuine and impostor pairs for both losses.",
        ),
        Section(
            "Every threshold at once",
            "The ROC curve shows the share of genuine pairs accepted for every share of impostors let through.",
            figure=figures["roc"],
            alt="ROC curves of raw pixels and the three networks; the false accept rate has a logarithmic axis.",
        ),
        Section(
            "Look",
            "The embeddings of the unseen people, projected to the plane (t-SNE). The nearest other photograph shows "
            f"the same person for {rank1['cross_entropy'].value:.0%} of the photographs with cross entropy and for "
            f"{rank1['arcface'].value:.0%} with ArcFace, though no network was trained on these people. "
            "Distances between groups mean nothing in such a map.",
            figure=figures["projection"],
            alt="Two maps of the embeddings, one for each loss; colour and marker show the identity.",
        ),
    ]
