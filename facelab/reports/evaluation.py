"""One trained network, one set of faces, one protocol: the report that ``facelab evaluate`` writes."""

import json
import warnings
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from matplotlib.figure import Figure

from facelab.analyze import Failure, Pair
from facelab.data import FaceSet, PairList, read_pairs
from facelab.device import resolve_device
from facelab.errors import FacelabError
from facelab.evaluate import (
    Estimate,
    Scores,
    cmc,
    contrast,
    draw_pairs,
    error_versus_reject,
    errors_at,
    false_matches_per_day,
    fold_accuracy,
    identification_scores,
    identity_scores,
    listed_scores,
    mean_by_identity,
    open_set,
    operating_point,
    pair_scores,
    ranks,
    sharpness,
    verification_of_pairs,
)
from facelab.files import atomic_write
from facelab.plots import (
    cmc_curves,
    det_curves,
    error_reject_curves,
    failure_sheet,
    fold_accuracies,
    open_set_curves,
    pair_sheet,
    roc_curves,
    score_histograms,
)
from facelab.reports.report import Section, write_report
from facelab.reports.threshold import Threshold, read_threshold
from facelab.sources import Images, open_chips
from facelab.train import Checkpoint

Protocol = Literal["verification", "identification", "10fold"]
FARS = (0.1, 0.01, 0.001, 0.0001, 0.00001)
SHOWN = 6  # failures in a figure
MOST_IMAGES = 3000  # 4.5 million pairs


@dataclass
class Evaluation:
    """The outcome of :func:`evaluate`, filled by the protocol.

    Attributes:
        folder: where ``report.html``, ``results.json`` and ``figures/`` are.
        estimates: the measured values by name.
        results: all that ``results.json`` holds.
        sections: of the report.
        notes: what limits these numbers, one sentence each.
        credit: whom the pictures are from; said wherever one is shown.
    """

    folder: Path
    credit: str = ""
    estimates: dict[str, Estimate] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Return the headings and the rows of the table of results."""
        rows = []
        for name, e in self.estimates.items():
            form = ".3f" if name == "AUC" else ".1%"
            shown = f"{e.value:{form}}", f"{e.low:{form}} to {e.high:{form}}"
            rows.append([name, *("cannot be shown" if "nan" in text else text for text in shown), f"{e.n:,}"])
        return ["measure", "value", "95 % interval", "n"], rows

    def draw(self, name: str, figure: Figure, title: str, text: str, alt: str) -> None:
        """Save a figure and add its section."""
        path = self.folder / "figures" / f"{name}.png"
        with atomic_write(path) as temporary:
            figure.savefig(temporary)
        self.sections.append(Section(title, text, figure=path, alt=alt))


def evaluate(
    checkpoint: Path | str,
    data: str,
    *,
    protocol: Protocol = "verification",
    report: Path | str = "runs/evaluate",
    images: Images = "auto",
    strangers_only: bool = False,
    pairs: Path | str | None = None,
    threshold_from: Path | str | None = None,
    far: float = 0.01,
    seed: int = 0,
    replicates: int = 1000,
    device: str = "auto",
    show_progress: bool = False,
) -> Evaluation:
    """Evaluate a trained network under a protocol and write a report with tables, figures and failures, and JSON.

    Args:
        checkpoint: a file that a training saved.
        data: a name or a path, see :data:`facelab.sources.SOURCES`.
        protocol: ``verification``: all pairs of images. ``identification``: half of the images of two thirds of the
            identities are the gallery, the other half are searched in it; the other identities are strangers.
            ``10fold``: accuracy over ten folds of pairs; the threshold of each is chosen on the others. The pairs are
            those of ``pairs`` or of the ``.bin`` file, otherwise drawn by :func:`facelab.evaluate.draw_pairs`.
        report: folder for ``report.html``, ``results.json`` and ``figures/``.
        images: what a folder holds, see :func:`facelab.sources.are_chips`.
        strangers_only: leave out identities whose names the network was trained on.
        pairs: a list in the format of LFW's ``pairs.txt``, for ``10fold``.
        threshold_from: a ``results.json`` of an earlier run (verification on another set), or a JSON file with a
            number ``threshold``: applied here, for ``verification``.
        far: false accept rate at which a threshold is chosen.
        seed: of the bootstrap and of whatever is drawn.
        replicates: of the bootstrap.
        device: see :func:`facelab.device.resolve_device`.
        show_progress: show progress bars.

    Raises:
        FacelabError: the checkpoint is missing or damaged, the data is unknown or has too few identities, an option
            does not fit the protocol, or no face is found.
    """
    if protocol not in get_args(Protocol):
        raise FacelabError(f"protocol {protocol!r}: choose one of {', '.join(get_args(Protocol))}.")
    if pairs is not None and protocol != "10fold":
        raise FacelabError(f"--pairs is for the protocol 10fold, not for {protocol}.")
    if threshold_from is not None and protocol != "verification":
        raise FacelabError(f"--threshold-from is for the protocol verification, not for {protocol}.")
    threshold = None if threshold_from is None else read_threshold(Path(threshold_from))
    state = Checkpoint.load(checkpoint)
    torch_device = resolve_device(device)
    opened = open_chips(
        data,
        images=images,
        pairs=protocol == "10fold",
        missing="default" if pairs is not None else None,  # the list names them all
        device=torch_device,
        show_progress=show_progress,
    )
    chips, listed, how = opened.faces, opened.pairs, opened.how
    if opened.errors:
        how += f"; {len(opened.errors)} files could not be read"
    if pairs is not None and listed is None:
        listed = read_pairs(pairs, chips)

    outcome = Evaluation(Path(report), credit=opened.source.credit)
    known = sorted(set(chips.identities) & set(state.identities))
    if known and strangers_only:
        if listed is not None:
            raise FacelabError("--strangers-only cannot change a list of pairs; leave it out.")
        chips = chips.select(~chips.table["identity"].isin(known).to_numpy(), f"{chips.name}/strangers")
        how += f"; {len(known)} identities of the training were left out"
    elif known:
        outcome.notes.append(
            f"{len(known)} of {len(chips.identities)} identities have names that the network was trained on: if they "
            "are the same people, these numbers are too good for strangers. Leave them out with --strangers-only."
        )
    if len(chips.identities) < 2 and listed is None:
        number = "1 identity" if len(chips.identities) else "no identity"
        raise FacelabError(f"{chips.name} has {number}; at least 2 are needed, each in a sub-folder of its own.")
    if listed is None and len(chips) > MOST_IMAGES:
        order = np.random.default_rng(seed).permutation(len(chips.identities))
        reached = np.cumsum(np.bincount(chips.labels)[order])
        chosen = order[: max(2, int(np.searchsorted(reached, MOST_IMAGES, side="right")))]
        outcome.notes.append(
            f"of {len(chips):,} images, those of {len(chosen)} identities drawn at random were used, so that all "
            "pairs fit "
            "into memory; facelab.evaluate.streamed_roc measures all pairs of large sets."
        )
        chips = chips.select(np.isin(chips.labels, chosen))
    if not state.complete:
        outcome.notes.append(f"the training is not complete: step {state.step} of {state.total_steps}.")

    pictures = chips.resized(state.recipe.size)
    raw = state.embedder(torch_device)(pictures, normalize=False).astype(np.float64)
    if protocol == "verification":
        _verification(outcome, chips, raw, pictures, far, threshold, replicates, seed)
    elif protocol == "identification":
        _identification(outcome, chips, raw, replicates, seed)
    else:
        _folds(outcome, chips, raw, listed, seed)

    columns, rows = outcome.table()
    training = f"{state.recipe.loss.name}, {len(state.identities)} identities, {state.recipe.epochs} epochs"
    about = (
        f"Network: <code>{escape(Path(checkpoint).name)}</code> ({escape(training)}). Data: "
        f"{escape(chips.name)}, {len(chips):,} images of {len(chips.identities):,} identities ({escape(how)}). "
        f"One training with one seed: the intervals are over people, and know nothing of other trainings."
    )
    limits = "".join(f"<br><strong>Note:</strong> {escape(note)}" for note in outcome.notes)
    outcome.sections.insert(0, Section("Results", about + limits, columns, rows))
    outcome.results = {
        "protocol": protocol,
        "checkpoint": str(checkpoint),
        "recipe": state.recipe.model_dump(),
        "data": {"name": chips.name, "images": len(chips), "identities": len(chips.identities), "how": how},
        "notes": outcome.notes,
        "estimates": {name: _finite(estimate.as_dict()) for name, estimate in outcome.estimates.items()},
        **outcome.results,
        "seed": seed,
        "replicates": replicates,
    }
    with atomic_write(outcome.folder / "results.json") as path:
        path.write_text(json.dumps(outcome.results, indent=2) + "\n", encoding="utf-8")
    write_report(
        outcome.folder / "report.html",
        f"{protocol} on {chips.name}",
        outcome.sections,
        lead="How sure is it who this is?",
        credit=outcome.credit,
    )
    return outcome


def _verification(
    outcome: Evaluation,
    chips: FaceSet,
    raw: np.ndarray,
    pictures: FaceSet,
    far: float,
    given: Threshold | None,
    replicates: int,
    seed: int,
) -> None:
    scores = pair_scores(raw, chips.labels)
    impostor_pairs = int(np.count_nonzero(~scores.genuine))
    fars = tuple(sorted({f for f in (*FARS, far) if f * impostor_pairs >= 1}, reverse=True))
    measured = verification_of_pairs(scores, fars=fars, replicates=replicates, seed=seed)
    names = {"auc": "AUC", "eer": "EER"} | {f"tar_at_far_{f:g}": f"TAR at FAR {100 * f:g} %" for f in fars}
    outcome.estimates |= {names[key]: estimate for key, estimate in measured.items()}
    outcome.notes.append(
        f"{impostor_pairs:,} impostor pairs cannot show a FAR below {100 / impostor_pairs:.2g} %, so none is given."
    )
    threshold = _operating_point(outcome, scores, far, given, replicates, seed)

    name = chips.name
    outcome.draw(
        "scores",
        score_histograms({name: scores}, far=max(far, 1 / impostor_pairs)),
        "Genuine and impostor pairs",
        f"{int(scores.genuine.sum()):,} genuine and {impostor_pairs:,} impostor pairs: every image with every "
        "other one.",
        "Histograms of the cosine similarity of genuine and of impostor pairs, and the threshold.",
    )
    outcome.draw(
        "roc",
        roc_curves({name: scores}),
        "Every threshold at once",
        "The share of genuine pairs accepted (TAR) for every share of impostor pairs let through (FAR).",
        "ROC curve: TAR over FAR, with a logarithmic axis for FAR.",
    )
    outcome.draw(
        "det",
        det_curves({name: scores}),
        "Both errors against each other",
        "The same curve as errors, on axes on which two normal distributions would give a straight line. Where "
        "it meets "
        "the dotted line, both errors are equal (EER).",
        "DET curve: FRR over FAR, both on normal-deviate axes.",
    )
    if threshold is not None:
        _quality(outcome, chips, raw, pictures, threshold, replicates, seed)
    i, j = np.triu_indices(len(chips), k=1)
    for key, genuine in (("genuine", True), ("impostor", False)):
        rows = _worst(np.where(scores.genuine == genuine, -scores.values if genuine else scores.values, -np.inf), i, j)
        title = "The hardest genuine pairs" if genuine else "The easiest impostor pairs"
        what = "the same identity, yet the lowest scores" if genuine else "two identities, yet the highest scores"
        _sheet(outcome, f"failures-{key}", chips, i[rows], j[rows], scores.values[rows], title, what)


def _operating_point(
    outcome: Evaluation,
    scores: Scores,
    far: float,
    given: Threshold | None,
    replicates: int,
    seed: int,
) -> float | None:
    """Report one threshold, chosen here or given; return it, or None if none can be chosen."""
    if given is not None:
        threshold, asked, where = given.value, given.asked, given.where
        rates = errors_at(scores, threshold, replicates=replicates, seed=seed)
        drift = (
            f" That is {rates[0].value / asked:.2g} times the FAR of {asked:g} that was asked for there."
            if asked
            else ""
        )
        text = (
            f"The threshold {threshold:.3f} was chosen on <em>{escape(where)}</em> and is applied "
            f"here.{escape(drift)} The "
            "intervals take it as it is: they do not hold what it costs that it was chosen on a sample."
        )
        title = "A threshold from another set"
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a FAR that cannot be shown is said in the report
            threshold, asked = operating_point(scores, far).threshold, far
        if not np.isfinite(threshold):
            outcome.notes.append(
                f"no threshold keeps FAR at {far:g} here: too few impostor pairs, or too many equal scores."
            )
            return None
        rates = errors_at(scores, threshold, replicates=replicates, seed=seed)
        text = (
            f"Accepting pairs with a score of {threshold:.3f} or higher keeps FAR at {100 * far:g} % or less on "
            "this set. "
            "It was chosen and is judged on the same pairs; on other people it will do somewhat other things, which "
            "<code>--threshold-from</code> shows."
        )
        title = "One threshold"
    day = false_matches_per_day(rates[0], searches=1000)
    rows = [
        [f"false {name}", f"{rate.value:.2%}", f"{rate.low:.2%} to {rate.high:.2%}", f"{rate.n:,}"]
        for name, rate in zip(("accept rate (FAR)", "reject rate (FRR)"), rates, strict=True)
    ]
    rows += [
        ["false matches in 1,000 tries", f"{day.value:.1f}", f"{day.low:.1f} to {day.high:.1f}", f"{day.n:,}"],
    ]  # fmt: skip
    outcome.sections.append(Section(title, text, ["at this threshold", "value", "95 % interval", "pairs"], rows))
    outcome.results["operating_point"] = {
        "threshold": threshold,
        "asked": asked,
        "far": _finite(rates[0].as_dict()),
        "frr": _finite(rates[1].as_dict()),
    } | ({"chosen_on": given.where} if given is not None else {})
    return threshold


def _quality(
    outcome: Evaluation,
    chips: FaceSet,
    raw: np.ndarray,
    pictures: FaceSet,
    threshold: float,
    replicates: int,
    seed: int,
) -> None:
    array = pictures.array()
    measures = {
        "embedding norm": np.linalg.norm(raw, axis=1),
        "sharpness": sharpness(array),
        "contrast": contrast(array),
    }
    curves = {
        name: error_versus_reject(raw, chips.labels, quality, threshold, replicates=replicates, seed=seed)
        for name, quality in measures.items()
    }
    outcome.results["quality"] = {
        name: {"area": _finite(curve.area.as_dict()), "gain": _finite(curve.gain.as_dict())}
        for name, curve in curves.items()
    }
    outcome.draw(
        "quality",
        error_reject_curves(curves),
        "Would it help to refuse poor pictures?",
        " ".join(
            escape(curve.sentence(name)[0].upper() + curve.sentence(name)[1:] + ".") for name, curve in curves.items()
        ),
        "FRR over the share of genuine pairs refused, one panel each for embedding norm, sharpness and contrast, with "
        "intervals, an oracle and a random refusal.",
    )


def _identification(outcome: Evaluation, chips: FaceSet, raw: np.ndarray, replicates: int, seed: int) -> None:
    labels, generator = chips.labels, np.random.default_rng(seed)
    counts = np.bincount(labels)
    several = np.flatnonzero(counts > 1)
    if len(several) < 3:
        raise FacelabError(
            f"{chips.name}: {len(several)} identities have two images or more; identification needs at least 3, "
            "two in the "
            "gallery and one stranger."
        )
    enrolled = generator.permutation(several)[: max(2, round(2 * len(several) / 3))]
    in_gallery = np.zeros(len(labels), dtype=bool)
    for label in enrolled:
        rows = np.flatnonzero(labels == label)
        in_gallery[generator.permutation(rows)[: len(rows) // 2]] = True
    mated = np.isin(labels, enrolled) & ~in_gallery
    strangers = ~np.isin(labels, enrolled)

    gallery, gallery_labels = raw[in_gallery], labels[in_gallery]
    people, scores = identity_scores(gallery, gallery_labels, raw[mated])
    rank = ranks(people, scores, labels[mated])
    for k in (1, 5, 10):
        if k < len(people):
            estimate = mean_by_identity(rank <= k, labels[mated], share=True, replicates=replicates, seed=seed)
            outcome.estimates[f"known probes found at rank {k}" if k > 1 else "known probes found at rank 1"] = estimate
    probes = mated | strangers
    search = open_set(gallery, gallery_labels, raw[probes], labels[probes])
    pairs = identification_scores(raw[mated], labels[mated], raw[strangers], labels[strangers])
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
        f"{int(mated.sum())} "
        f"probes of them, {int(strangers.sum())} probes of {len(np.unique(labels[strangers]))} strangers. A "
        "larger gallery is "
        "harder: these numbers hold for this size."
    )
    outcome.results["gallery"] = {
        "identities": len(people),
        "images": int(in_gallery.sum()),
        "mated_probes": int(mated.sum()),
        "stranger_probes": int(strangers.sum()),
    }
    outcome.draw(
        "cmc",
        cmc_curves({chips.name: cmc(gallery, gallery_labels, raw[mated], labels[mated])}),
        "A closed set",
        "How often the own identity is among the k best of the gallery, for probes who are in it.",
        "CMC curve: share of probes found over the rank.",
    )
    outcome.draw(
        "open-set",
        open_set_curves({chips.name: search}),
        "An open set",
        "In real life most who pass are in no gallery. To the left, fewer strangers raise an alarm, and fewer "
        "known people "
        "are found.",
        "Detection and identification rate over the false positive identification rate, with a logarithmic axis.",
    )
    _misidentified(outcome, chips, raw, np.flatnonzero(mated), people, scores, np.flatnonzero(in_gallery))


def _misidentified(
    outcome: Evaluation,
    chips: FaceSet,
    raw: np.ndarray,
    probes: np.ndarray,
    people: np.ndarray,
    scores: np.ndarray,
    gallery: np.ndarray,
) -> None:
    own = scores[np.arange(len(probes)), np.searchsorted(people, chips.labels[probes])]
    best = scores.argmax(axis=1)
    wrong = np.flatnonzero(people[best] != chips.labels[probes])
    wrong = wrong[np.argsort((own - scores.max(axis=1))[wrong], kind="stable")][:SHOWN]
    if not len(wrong):
        outcome.sections.append(Section("Named wrongly", "No probe was named wrongly at rank 1."))
        return
    unit = raw / np.linalg.norm(raw, axis=1, keepdims=True)

    def nearest(probe: int, label: int) -> int:
        rows = gallery[chips.labels[gallery] == label]
        return int(rows[(unit[rows] @ unit[probe]).argmax()])

    found = [
        Failure(
            int(probes[p]),
            nearest(probes[p], people[best[p]]),
            float(scores[p, best[p]]),
            nearest(probes[p], chips.labels[probes[p]]),
            float(own[p]),
        )
        for p in wrong
    ]
    outcome.draw(
        "failures",
        failure_sheet(chips, found),
        "Named wrongly",
        "The probes named wrongly by the largest distance in score. Below each: the nearest gallery picture of whom it "
        "was taken for, and of who it is, with the score of each template." + _credited(outcome),
        f"{len(found)} columns of three chips: the probe, the identity it was taken for, and its own identity.",
    )


def _folds(outcome: Evaluation, chips: FaceSet, raw: np.ndarray, listed: PairList | None, seed: int) -> None:
    if listed is None:
        folds = min(10, len(chips.identities) // 2)
        first, second, fold = draw_pairs(chips.labels, np.random.default_rng(seed), folds=max(2, folds))
        said = "drawn at random with this seed, half genuine and half impostor, in folds that share no identity"
        if folds < 10:
            outcome.notes.append(f"{len(chips.identities)} identities give {folds} folds instead of ten.")
    else:
        first, second, fold = listed.first, listed.second, listed.fold
        said = "as listed"
    scores = listed_scores(raw, chips.labels, first, second)
    result = fold_accuracy(scores, fold)
    outcome.estimates["accuracy"] = result.estimate
    outcome.notes.append(
        f"{len(scores):,} pairs, {said}. Accuracy is {result}; ± is one standard error of the mean over folds, as LFW "
        "prints it. Guessing gets 50 %."
    )
    rows = [
        [str(k + 1), f"{accuracy:.1%}", f"{threshold:.3f}", f"{int((fold == name).sum()):,}"]
        for k, (name, accuracy, threshold) in enumerate(
            zip(np.unique(fold), result.accuracies, result.thresholds, strict=True)
        )
    ]
    outcome.sections.append(
        Section(
            "Fold by fold",
            "The threshold of each fold is the best one of the other folds.",
            ["fold", "accuracy", "threshold", "pairs"],
            rows,
        )
    )
    outcome.results["folds"] = {
        "accuracies": result.accuracies.tolist(),
        "thresholds": [float(t) if np.isfinite(t) else None for t in result.thresholds],
        "mean": result.mean,
        "standard_error": result.standard_error,
        "pairs": len(scores),
        "said": said,
    }
    outcome.draw(
        "folds",
        fold_accuracies(result),
        "How much the folds differ",
        "Each dot is one fold. The band is Student's 95 % interval of the mean, which takes the folds as independent.",
        "Accuracy of each fold, and the mean with its interval.",
    )
    outcome.draw(
        "scores",
        score_histograms({chips.name: scores}, far=max(0.01, 1 / int(np.count_nonzero(~scores.genuine)))),
        "Genuine and impostor pairs",
        "The scores of the listed pairs.",
        "Histograms of the cosine similarity of genuine and of impostor pairs.",
    )
    margin = scores.values - result.thresholds[np.searchsorted(np.unique(fold), fold)]
    for key, genuine in (("genuine", True), ("impostor", False)):
        wrong = np.where(scores.genuine == genuine, -margin if genuine else margin, -np.inf)
        rows = _worst(wrong, first, second)
        rows = rows[wrong[rows] >= 0]
        title = "Genuine pairs that were refused" if genuine else "Impostor pairs that were accepted"
        _sheet(
            outcome,
            f"failures-{key}",
            chips,
            first[rows],
            second[rows],
            scores.values[rows],
            title,
            "the clearest first",
        )


def _worst(badness: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the rows of the worst pairs, each image at most once: else one bad picture would fill the sheet."""
    rows, used = [], set()
    for row in np.argsort(-badness, kind="stable"):
        images = {int(first[row]), int(second[row])}
        if not np.isfinite(badness[row]) or len(rows) == SHOWN:
            break
        if not images & used:
            used |= images
            rows.append(row)
    return np.array(rows, dtype=np.int64)


def _sheet(
    outcome: Evaluation,
    name: str,
    chips: FaceSet,
    first: np.ndarray,
    second: np.ndarray,
    values: np.ndarray,
    title: str,
    what: str,
) -> None:
    if not len(first):
        outcome.sections.append(Section(title, "There is none."))
        return
    pairs = [Pair(int(i), int(j), float(v)) for i, j, v in zip(first, second, values, strict=True)]
    text = f"Each column is a pair: {what}. The number is the score. Every picture is shown once at most."
    text += _credited(outcome)
    outcome.draw(name, pair_sheet(chips, pairs), title, text, f"{len(pairs)} pairs of chips with their scores: {what}.")


def _credited(outcome: Evaluation) -> str:
    return f" {escape(outcome.credit)}." if outcome.credit else ""


def _finite(values: dict[str, float]) -> dict[str, float | None]:
    """JSON knows no NaN."""
    return {key: value if np.isfinite(value) else None for key, value in values.items()}
