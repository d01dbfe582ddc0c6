"""One to one: all pairs of images, one threshold, and whether poor pictures are to blame."""

from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import ClassVar

import numpy as np

from facelab.analyze import hard_pairs
from facelab.errors import FacelabError
from facelab.evaluate import error_versus_reject, false_matches_per_day, sampled_scores
from facelab.plots import det_curves, error_reject_curves, roc_curves, score_histograms
from facelab.reports.alive import movable
from facelab.reports.outcome import SHOWN, Embedded, Outcome, finite
from facelab.reports.page import Section
from facelab.reports.pairs import AllPairs, SampledPairs, StreamedPairs
from facelab.reports.threshold import Threshold, read_threshold

FARS = (0.1, 0.01, 0.001, 0.0001, 0.00001)


@dataclass(frozen=True)
class Verification:
    """The protocol: every image is compared with every other one.

    Attributes:
        far: false accept rate at which a threshold is chosen.
        threshold_from: a ``results.json`` of an earlier run (verification on another set), or a JSON file with a number
            ``threshold``: applied here instead of choosing one.
        impostors: draw so many impostor pairs at random instead of measuring all, where there are more.
    """

    name: ClassVar[str] = "verification"
    streams: ClassVar[bool] = True
    figures: ClassVar[tuple[str, ...]] = ("scores", "roc", "det", "quality", "failures-genuine", "failures-impostor")
    far: float = 0.01
    threshold_from: Path | str | None = None
    impostors: int | None = None

    def __post_init__(self) -> None:
        _ = self.given  # a wrong file is known before the network runs
        if self.impostors is not None and self.impostors < 1:
            raise FacelabError(f"--impostors {self.impostors}: draw 1 pair or more; 1000000 is a good number.")
        if not 0 < self.far <= 1:
            raise FacelabError(f"far={self.far:g}: it must lie in (0, 1].")

    @cached_property
    def given(self) -> Threshold | None:
        """The threshold of another set, if there is one."""
        return None if self.threshold_from is None else read_threshold(Path(self.threshold_from))

    def measure(self, outcome: Outcome, seen: Embedded, *, replicates: int, seed: int) -> None:
        """Fill the outcome."""
        pairs = self._pairs(outcome, seen, seed)
        impostors = pairs.impostor_pairs
        fars = tuple(sorted({f for f in (*FARS, self.far) if f * impostors >= pairs.fewest}, reverse=True))
        measured = pairs.measure(fars, replicates=replicates, seed=seed)
        names = {"auc": "AUC", "eer": "EER"} | {f"tar_at_far_{f:g}": f"TAR at FAR {100 * f:g} %" for f in fars}
        outcome.estimates |= {names[key]: estimate for key, estimate in measured.items()}
        outcome.notes.append(
            f"{impostors:,} impostor pairs cannot show a FAR below {100 * pairs.fewest / impostors:.2g} %, "
            "so none is given."
        )
        threshold = self._operating_point(outcome, pairs, replicates, seed)
        if isinstance(pairs, SampledPairs) and threshold is not None:
            outcome.notes.append(pairs.price(threshold))

        name = seen.chips.name
        shown = int((~pairs.scores.genuine).sum())
        outcome.draw(
            "scores",
            score_histograms({name: pairs.scores}, far=max(self.far, 1 / shown)),
            "Genuine and impostor pairs",
            f"{len(pairs.scores) - shown:,} genuine and {shown:,} impostor pairs: {pairs.what}.",
            "Histograms of the cosine similarity of genuine and of impostor pairs, and the threshold.",
            movable(pairs.scores, name, self.far, None if self.given is None else self.given.value),
        )
        outcome.draw(
            "roc",
            roc_curves({name: pairs.curve}),
            "Every threshold at once",
            "The share of genuine pairs accepted (TAR) for every share of impostor pairs let through (FAR).",
            "ROC curve: TAR over FAR, with a logarithmic axis for FAR.",
        )
        outcome.draw(
            "det",
            det_curves({name: pairs.curve}),
            "Both errors against each other",
            "The same curve as errors, on axes on which two normal distributions would give a straight line. Where "
            "it meets the dotted line, both errors are equal (EER).",
            "DET curve: FRR over FAR, both on normal-deviate axes.",
        )
        if threshold is not None:
            _quality(outcome, seen, threshold, replicates, seed)
        for kind, title, what in (
            ("genuine", "The hardest genuine pairs", "the same identity, yet the lowest scores"),
            ("impostor", "The easiest impostor pairs", "two identities, yet the highest scores"),
        ):
            what += " (of the identities drawn)" if seen.stored is not None else ""
            worst = hard_pairs(seen.raw, seen.chips.labels, kind, top=SHOWN)  # type: ignore[arg-type]
            outcome.draw_pairs(f"failures-{kind}", seen.chips, worst, title, what)

    def _pairs(self, outcome: Outcome, seen: Embedded, seed: int) -> AllPairs:
        """Choose how pairs are compared, and note it."""
        if self.impostors is not None:
            labels = seen.chips.labels if seen.stored is None else seen.stored.labels
            images, own = len(labels), np.bincount(np.unique(labels, return_inverse=True)[1])
            whole = (images**2 - int((own**2).sum())) // 2
            if self.impostors < whole:
                if seen.stored is None:
                    scores = sampled_scores(seen.raw, labels, self.impostors, seed=seed)
                else:
                    scores = seen.stored.sample(self.impostors, seed=seed)
                outcome.results["impostors"] = {"drawn": self.impostors, "of": whole, "seed": seed}
                outcome.notes.append(
                    f"FAR rests on {self.impostors:,} of {whole:,} impostor pairs, drawn at random with replacement; "
                    f"all {int(scores.genuine.sum()):,} genuine pairs were measured. The intervals hold what it costs."
                )
                return SampledPairs(scores)
            outcome.notes.append(
                f"all {whole:,} impostor pairs were measured, as {self.impostors:,} were to be drawn of them."
            )
        if seen.drawn is None and seen.stored is None:
            return AllPairs(seen)
        people, images = len(np.unique(seen.chips.labels[seen.shown])), len(seen.raw[seen.shown])
        whole = len(seen.chips) if seen.stored is None else len(seen.stored.rows)
        outcome.notes.append(
            f"all pairs of {whole:,} images were measured; the intervals, the histogram and the curves of refusal are "
            f"those of {people} identities drawn at random ({images:,} images), so the intervals are rather too wide."
        )
        return StreamedPairs(seen, None if self.given is None else self.given.value)

    def _operating_point(self, outcome: Outcome, pairs: AllPairs, replicates: int, seed: int) -> float | None:
        """Report one threshold, chosen here or given; return it, or None if none can be chosen."""
        if self.given is not None:
            threshold, asked = self.given.value, self.given.asked
            rates = pairs.errors_at(threshold, replicates=replicates, seed=seed)
            drift = (
                f" That is {rates[0].value / asked:.2g} times the FAR of {asked:g} that was asked for there."
                if asked
                else ""
            )
            text = (
                f"The threshold {threshold:.3f} was chosen on <em>{escape(self.given.where)}</em> and is applied "
                f"here.{escape(drift)} The intervals take it as it is: they do not hold what it costs that it was "
                "chosen on a sample."
            )
            title = "A threshold from another set"
        else:
            threshold, asked = pairs.threshold(self.far), self.far
            if not np.isfinite(threshold):  # the report says so
                outcome.notes.append(
                    f"no threshold keeps FAR at {asked:g} here: too few impostor pairs, or too many equal scores."
                )
                return None
            rates = pairs.errors_at(threshold, replicates=replicates, seed=seed)
            text = (
                f"Accepting pairs with a score of {threshold:.3f} or higher keeps FAR at {100 * asked:g} % or less on "
                "this set. It was chosen and is judged on the same pairs; on other people it will do somewhat other "
                "things, which <code>--threshold-from</code> shows."
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
            "far": finite(rates[0]),
            "frr": finite(rates[1]),
        } | ({"chosen_on": self.given.where} if self.given is not None else {})
        return threshold


def _quality(outcome: Outcome, seen: Embedded, threshold: float, replicates: int, seed: int) -> None:
    rows = seen.shown
    raw, labels = seen.raw[rows], seen.chips.labels[rows]
    curves = {
        name: error_versus_reject(raw, labels, quality[rows], threshold, replicates=replicates, seed=seed)
        for name, quality in seen.quality.items()
    }
    outcome.results["quality"] = {
        name: {"area": finite(curve.area), "gain": finite(curve.gain)} for name, curve in curves.items()
    }
    outcome.draw(
        "quality",
        error_reject_curves(curves),
        "Would it help to refuse poor pictures?",
        " ".join(
            escape(curve.sentence(name)[0].upper() + curve.sentence(name)[1:] + ".") for name, curve in curves.items()
        ),
        f"FRR over the share of genuine pairs refused, one panel each for {', '.join(curves)}, with intervals, an "
        "oracle and a random refusal.",
    )
