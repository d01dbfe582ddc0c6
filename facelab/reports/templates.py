"""Groups of images against groups of images, by the lists of a set: IJB 1:1 and 1:N, TinyFace's search."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facelab.data.templates import TemplateLists
from facelab.errors import FacelabError
from facelab.evaluate import (
    Templates,
    cmc,
    identity_scores,
    listed_scores,
    make_templates,
    mean_by_identity,
    open_set,
    ranks,
    roc,
    verification_of_pairs,
)
from facelab.plots import cmc_curves, open_set_curves, roc_curves
from facelab.reports.outcome import Embedded, Outcome

FARS = (0.1, 0.01, 0.001, 1e-4, 1e-5, 1e-6)
RANKS = (1, 5, 10, 20)


@dataclass(frozen=True)
class OfTemplates:
    """The protocol: templates are compared as the lists of the set say.

    The embedding of an image is weighted by its own length and, where the set tells one, by the score of the detector;
    the images of one medium are averaged, and the media of a template added, as the scripts of the field do
    (InsightFace, ``recognition/arcface_torch/eval_ijbc.py``); they also add the embedding of the mirrored picture.
    """

    name: ClassVar[str] = "templates"
    streams: ClassVar[bool] = True
    figures: ClassVar[tuple[str, ...]] = ("roc", "cmc", "open-set")

    def measure(self, outcome: Outcome, seen: Embedded, *, replicates: int, seed: int) -> None:
        """Fill the outcome.

        Raises:
            FacelabError: the lists are of another set.
        """
        lists, table = seen.templates, seen.chips.table
        assert lists is not None
        weights = np.linalg.norm(seen.raw, axis=1)
        if "weight" in table:
            weights = weights * table["weight"].to_numpy(np.float64)
        names = table["template"].to_numpy()
        media = table["medium"].to_numpy() if "medium" in table else None
        made = make_templates(seen.raw, names, names, media, weights)
        outcome.notes.append(
            f"{len(made):,} templates of {len(seen.chips):,} images, each weighted by the length of its embedding"
            + (" and the score of its detection" if "weight" in table else "")
            + ("; images of one medium are averaged, media added." if media is not None else ".")
        )
        outcome.results["templates"] = {"templates": len(made), "pairs": len(lists.first)}
        if len(lists.first):
            _one_to_one(outcome, seen, made, lists, replicates, seed)
        if lists.galleries:
            _one_to_many(outcome, seen, made, lists, replicates, seed)


def _one_to_one(
    outcome: Outcome, seen: Embedded, made: Templates, lists: TemplateLists, replicates: int, seed: int
) -> None:
    known = lists.identities
    labels = np.array([known.get(name, -1) for name in made.ids.tolist()])
    first, second = made.rows(lists.first), made.rows(lists.second)
    scores = listed_scores(made.embeddings, labels, first, second)
    impostors = int(np.count_nonzero(~lists.genuine))
    fars = tuple(far for far in FARS if far * impostors >= 1)
    measured = verification_of_pairs(scores, fars=fars, replicates=replicates, seed=seed)
    names = {"auc": "AUC", "eer": "EER"} | {f"tar_at_far_{far:g}": f"TAR at FAR {100 * far:g} %" for far in fars}
    outcome.estimates |= {names[key]: estimate for key, estimate in measured.items()}
    outcome.notes.append(
        f"1:1: {len(scores) - impostors:,} genuine and {impostors:,} impostor pairs of templates, as listed. Templates "
        "that genuine pairs join are taken for one identity when intervals are drawn."
    )
    outcome.draw(
        "roc",
        roc_curves({seen.chips.name: roc(scores)}),
        "One to one",
        "The share of genuine pairs of templates accepted (TAR) for every share of impostor pairs let through (FAR).",
        "ROC curve: TAR over FAR, with a logarithmic axis for FAR.",
    )


def _one_to_many(
    outcome: Outcome, seen: Embedded, made: Templates, lists: TemplateLists, replicates: int, seed: int
) -> None:
    probes, who = made.embeddings[made.rows(lists.probes[0])], lists.probes[1]
    rows = {name: made.rows(ids) for name, (ids, _) in lists.galleries.items()}
    every = np.concatenate(list(rows.values()))
    subjects = np.concatenate([subjects for _, subjects in lists.galleries.values()])
    mated = np.isin(who, subjects)
    if not mated.any():
        raise FacelabError(f"{seen.chips.name}: no probe is in a gallery. The lists are of different sets.")
    people, scores = identity_scores(made.embeddings[every], subjects, probes[mated])
    rank = ranks(people, scores, who[mated])
    for k in RANKS:
        if k < len(people):
            estimate = mean_by_identity(rank <= k, who[mated], share=True, replicates=replicates, seed=seed)
            outcome.estimates[f"probes found at rank {k}"] = estimate
    searches = {}
    for name, (_, enrolled) in lists.galleries.items():
        strangers = ~np.isin(who, enrolled)
        if strangers.any() and not strangers.all():
            search = open_set(made.embeddings[rows[name]], enrolled, probes, who)
            searches[f"gallery {name}"] = search
            for far in (0.1, 0.01):
                if far * len(search.strangers) >= 1:
                    estimate = search.dir_at_far(far, replicates=replicates, seed=seed)
                    outcome.estimates[f"DIR at FPIR {100 * far:g} %, gallery {name}"] = estimate
    outcome.notes.append(
        f"1:N: {len(lists.probes[0]):,} probes, {int(mated.sum()):,} of them with their identity in a gallery; "
        + ", ".join(f"{len(ids):,} templates in gallery {name}" for name, (ids, _) in lists.galleries.items())
        + ". Ranks are those of all galleries together."
    )
    outcome.draw(
        "cmc",
        cmc_curves({seen.chips.name: cmc(made.embeddings[every], subjects, probes[mated], who[mated])}),
        "One to many, a closed set",
        "How often the own identity is among the k best of all galleries, for probes who are in one.",
        "CMC curve: share of probes found over the rank.",
    )
    if searches:
        outcome.draw(
            "open-set",
            open_set_curves(searches),
            "One to many, an open set",
            "Probes whose identity is in the other gallery are strangers to this one.",
            "Detection and identification rate over the false positive identification rate, with a logarithmic axis.",
        )
