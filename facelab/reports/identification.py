"""One to many: some identities are enrolled, the others are strangers."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from facelab.analyze import failures
from facelab.data import FaceSet
from facelab.errors import FacelabError
from facelab.evaluate import (
    cmc,
    identification_scores,
    identity_scores,
    mean_by_identity,
    open_set,
    ranks,
    roc,
    verification_of_pairs,
)
from facelab.plots import cmc_curves, failure_sheet, open_set_curves, roc_curves
from facelab.reports.outcome import SHOWN, Embedded, NoPictures, Outcome
from facelab.reports.page import Section


@dataclass(frozen=True)
class Identification:
    """The protocol: half of the images of two thirds of the identities are the gallery, the other half are searched in
    it; the other identities are strangers.

    A set that says itself which images are queries and which are distractors (CelebA-500) is measured as its coursework
    does, by the identification rate alone, see :func:`facelab.evaluate.identification_rate`.
    """

    name: ClassVar[str] = "identification"
    streams: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ("cmc", "open-set", "failures", "roc")

    def measure(self, outcome: Outcome, seen: Embedded, *, replicates: int, seed: int) -> None:
        """Fill the outcome.

        Raises:
            FacelabError: fewer than three identities have two images.
        """
        if has_roles(seen.chips):
            _search(outcome, seen, replicates=replicates, seed=seed)
            return
        labels, generator = seen.chips.labels, np.random.default_rng(seed)
        counts = np.bincount(labels)
        several = np.flatnonzero(counts > 1)
        if len(several) < 3:
            raise FacelabError(
                f"{seen.chips.name}: {len(several)} identities have two images or more; identification needs at least "
                "3, two in the gallery and one stranger."
            )
        enrolled = generator.permutation(several)[: max(2, round(2 * len(several) / 3))]
        in_gallery = np.zeros(len(labels), dtype=bool)
        for label in enrolled:
            rows = np.flatnonzero(labels == label)
            in_gallery[generator.permutation(rows)[: len(rows) // 2]] = True
        mated = np.isin(labels, enrolled) & ~in_gallery
        strangers = ~np.isin(labels, enrolled)

        gallery, gallery_labels = seen.raw[in_gallery], labels[in_gallery]
        people, scores = identity_scores(gallery, gallery_labels, seen.raw[mated])
        rank = ranks(people, scores, labels[mated])
        for k in (1, 5, 10):
            if k < len(people):
                estimate = mean_by_identity(rank <= k, labels[mated], share=True, replicates=replicates, seed=seed)
                outcome.estimates[f"known probes found at rank {k}"] = estimate
        probes = mated | strangers
        search = open_set(gallery, gallery_labels, seen.raw[probes], labels[probes])
        pairs = identification_scores(seen.raw[mated], labels[mated], seen.raw[strangers], labels[strangers])
        negatives = int(np.count_nonzero(~pairs.genuine))
        for far in (0.1, 0.01):
            if far * len(search.strangers) >= 1:
                estimate = search.dir_at_far(far, replicates=replicates, seed=seed)
                outcome.estimates[f"DIR at FPIR {100 * far:g} %"] = estimate
        fprs = tuple(fpr for fpr in (0.05, 0.01) if fpr * negatives >= 1)
        if pairs.genuine.any() and fprs:
            measured = verification_of_pairs(pairs, fars=fprs, replicates=replicates, seed=seed)
            for fpr in fprs:
                outcome.estimates[f"identification rate, TPR at FPR {100 * fpr:g} %"] = measured[f"tar_at_far_{fpr:g}"]
        outcome.notes.append(
            f"{len(people)} identities in the gallery ({int(in_gallery.sum())} images, one template each), "
            f"{int(mated.sum())} probes of them, {int(strangers.sum())} probes of "
            f"{len(np.unique(labels[strangers]))} strangers. A larger gallery is harder: these numbers hold for this "
            "size."
        )
        outcome.results["gallery"] = {
            "identities": len(people),
            "images": int(in_gallery.sum()),
            "mated_probes": int(mated.sum()),
            "stranger_probes": int(strangers.sum()),
        }
        outcome.draw(
            "cmc",
            cmc_curves({seen.chips.name: cmc(gallery, gallery_labels, seen.raw[mated], labels[mated])}),
            "A closed set",
            "How often the own identity is among the k best of the gallery, for probes who are in it.",
            "CMC curve: share of probes found over the rank.",
        )
        outcome.draw(
            "open-set",
            open_set_curves({seen.chips.name: search}),
            "An open set",
            "In real life most who pass are in no gallery. To the left, fewer strangers raise an alarm, and fewer "
            "known people are found.",
            "Detection and identification rate over the false positive identification rate, with a logarithmic axis.",
        )
        _named_wrongly(outcome, seen, in_gallery)


def has_roles(faces: FaceSet) -> bool:
    """Whether a set says which of its images are queries and which are distractors."""
    return "split" in faces.table and {"query", "distractor"} <= set(faces.table["split"])


def _search(outcome: Outcome, seen: Embedded, *, replicates: int, seed: int) -> None:
    """Measure the identification rate of a set that has queries and distractors."""
    role = seen.chips.table["split"].to_numpy()
    queries, distractors = role == "query", role == "distractor"
    scores = identification_scores(seen.raw[queries], seen.chips.labels[queries], seen.raw[distractors])
    positives = int(np.count_nonzero(scores.genuine))
    negatives = len(scores) - positives
    if not positives:
        raise FacelabError(f"{seen.chips.name}: no identity has two queries, so there is nothing to find.")
    fprs = tuple(fpr for fpr in (0.2, 0.1, 0.05, 0.01, 0.001) if fpr * negatives >= 1)
    measured = verification_of_pairs(scores, fars=fprs, replicates=replicates, seed=seed)
    for fpr in fprs:
        outcome.estimates[f"identification rate, TPR at FPR {100 * fpr:g} %"] = measured[f"tar_at_far_{fpr:g}"]
    people = len(np.unique(seen.chips.labels[queries]))
    outcome.notes.append(
        f"the identification rate of the CelebA-500 coursework: {positives:,} positive pairs, of two queries of one "
        f"identity; {negatives:,} negative ones, of two queries of different identities, or of a query and a "
        f"distractor. {int(queries.sum())} queries of {people} identities, {int(distractors.sum())} distractors, whom "
        "the set does not name: each counts as someone else."
    )
    outcome.results["queries"] = {
        "queries": int(queries.sum()),
        "identities": people,
        "distractors": int(distractors.sum()),
        "positive_pairs": positives,
        "negative_pairs": negatives,
    }
    outcome.draw(
        "roc",
        roc_curves({seen.chips.name: roc(scores)}),
        "Every threshold at once",
        "The share of pairs of queries of one identity that are found (TPR), for every share of negative pairs (FPR).",
        "ROC curve: TPR over FPR, with a logarithmic axis for FPR.",
    )


def _named_wrongly(outcome: Outcome, seen: Embedded, gallery: np.ndarray) -> None:
    wrong = failures(seen.raw, seen.chips.labels, gallery=gallery, top=SHOWN)
    if not wrong:
        outcome.sections.append(Section("Named wrongly", "No probe was named wrongly at rank 1."))
        return
    if isinstance(seen.chips.images, NoPictures):
        outcome.sections.append(Section("Named wrongly", "The folder of embeddings holds no pictures to show."))
        return
    outcome.draw(
        "failures",
        failure_sheet(seen.chips, wrong),
        "Named wrongly",
        "The probes named wrongly by the largest distance in score. Below each: the nearest gallery picture of whom it "
        "was taken for, and of who it is, with the score of each template." + outcome.credited,
        f"{len(wrong)} columns of three chips: the probe, the identity it was taken for, and its own identity.",
    )
