"""Accuracy over folds of pairs, as LFW is reported."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np

from facelab.analyze import worst_pairs
from facelab.data.pairs import NamedPairs, read_names
from facelab.evaluate import draw_pairs, fold_accuracy, listed_scores
from facelab.plots import fold_accuracies, score_histograms
from facelab.reports.alive import movable
from facelab.reports.outcome import SHOWN, Embedded, Outcome
from facelab.reports.page import Section


@dataclass(frozen=True)
class Folds:
    """The protocol: accuracy over ten folds of pairs; the threshold of each is chosen on the others.

    Attributes:
        pairs: a list of pairs, see :func:`facelab.data.pairs.read_names`. Otherwise the pairs are those that the data
            lists, or drawn by :func:`facelab.evaluate.draw_pairs`.
    """

    name: ClassVar[str] = "10fold"
    streams: ClassVar[bool] = False
    figures: ClassVar[tuple[str, ...]] = ("folds", "scores", "failures-genuine", "failures-impostor")
    pairs: Path | str | None = None

    def __post_init__(self) -> None:
        _ = self.named  # a wrong list is known before the network runs

    @cached_property
    def named(self) -> NamedPairs | None:
        """The list of pairs, if one is given."""
        return None if self.pairs is None else read_names(self.pairs)

    def measure(self, outcome: Outcome, seen: Embedded, *, replicates: int, seed: int) -> None:
        """Fill the outcome."""
        del replicates  # the interval has a closed form
        if seen.pairs is None:
            folds = min(10, len(seen.chips.identities) // 2)
            first, second, fold = draw_pairs(seen.chips.labels, np.random.default_rng(seed), folds=max(2, folds))
            said = "drawn at random with this seed, half genuine and half impostor, in folds that share no identity"
            if folds < 10:
                outcome.notes.append(f"{len(seen.chips.identities)} identities give {folds} folds instead of ten.")
        else:
            first, second, fold = seen.pairs.first, seen.pairs.second, seen.pairs.fold
            said = "as listed"
        scores = listed_scores(seen.raw, seen.chips.labels, first, second)
        result = fold_accuracy(scores, fold)
        outcome.estimates["accuracy"] = result.estimate
        outcome.notes.append(
            f"{len(scores):,} pairs, {said}. Accuracy is {result}; ± is one standard error of the mean over folds, as "
            f"LFW prints it. {_guessing(float(scores.genuine.mean()))}"
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
            "Each dot is one fold. The band is the 95 % interval of the mean: what other people would give.",
            "Accuracy of each fold, and the mean with its interval.",
        )
        outcome.draw(
            "scores",
            score_histograms({seen.chips.name: scores}, far=max(0.01, 1 / int(np.count_nonzero(~scores.genuine)))),
            "Genuine and impostor pairs",
            "The scores of the listed pairs.",
            "Histograms of the cosine similarity of genuine and of impostor pairs.",
            movable(scores, seen.chips.name, 0.01),
        )
        margin = scores.values - result.thresholds[np.searchsorted(np.unique(fold), fold)]
        for kind, title, wrong in (
            ("genuine", "Genuine pairs that were refused", scores.genuine & (margin <= 0)),
            ("impostor", "Impostor pairs that were accepted", ~scores.genuine & (margin >= 0)),
        ):
            badness = np.abs(margin[wrong])
            worst = worst_pairs(badness, first[wrong], second[wrong], scores.values[wrong], top=SHOWN)
            outcome.draw_pairs(f"failures-{kind}", seen.chips, worst, title, "the clearest first")


def _guessing(genuine: float) -> str:
    """Say what knowing nothing gets, from the share of genuine pairs."""
    if genuine == 0.5:
        return "Guessing gets 50 %."
    answer = "accepting" if genuine > 0.5 else "refusing"
    return f"{100 * genuine:.1f} % of the pairs are genuine: {answer} all gets {100 * max(genuine, 1 - genuine):.1f} %."
