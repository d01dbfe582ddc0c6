"""What a protocol gets to measure, and what it fills: numbers, figures, notes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from facelab.analyze import Pair
from facelab.data import FaceSet, PairList
from facelab.data.templates import TemplateLists
from facelab.embeddings import StoredPairs
from facelab.errors import FacelabError
from facelab.evaluate import Estimate
from facelab.files import atomic_write, claim
from facelab.plots import pair_sheet
from facelab.reports.page import Section

SHOWN = 6  # failures in a figure


class NoPictures(Sequence[np.ndarray]):
    """What embeddings of a folder have in place of pictures."""

    def __init__(self, number: int):
        self._number = number

    def __len__(self) -> int:
        return self._number

    def __getitem__(self, index: Any) -> Any:
        raise FacelabError("a folder of embeddings holds no pictures.")


@dataclass(frozen=True, eq=False)
class Embedded:
    """A set of chips that went through a network.

    Attributes:
        chips: who is on them.
        raw: embeddings before they are normalised, shape (n, d), float64.
        quality: measures of each picture by name, shape (n,); higher is better.
        pairs: which images to compare, where the data says so.
        templates: which groups of images to compare, where the data says so.
        drawn: which images are those of identities drawn at random, shape (n,), bool, where the pairs of all do not fit
            into memory.
        stored: where these are those of identities drawn at random from a folder of embeddings: all its pairs.
    """

    chips: FaceSet
    raw: np.ndarray
    quality: dict[str, np.ndarray]
    pairs: PairList | None = None
    templates: TemplateLists | None = None
    drawn: np.ndarray | None = None
    stored: StoredPairs | None = None

    @property
    def shown(self) -> slice | np.ndarray:
        """The rows whose pairs fit into memory."""
        return slice(None) if self.drawn is None else self.drawn


@dataclass
class Outcome:
    """The outcome of :func:`facelab.reports.evaluation.evaluate`, filled by the protocol.

    Attributes:
        folder: where ``report.html``, ``results.json`` and ``figures/`` are.
        credit: whom the pictures are from; said wherever one is shown.
        estimates: the measured values by name.
        results: all that ``results.json`` holds.
        sections: of the page.
        notes: what limits these numbers, one sentence each.
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

    def draw(
        self,
        name: str,
        figure: Figure,
        title: str,
        text: str,
        alt: str,
        threshold: Mapping[str, Any] | None = None,
    ) -> None:
        """Save a figure and add its section, with a threshold to move if scores for it are given."""
        path = self.folder / "figures" / f"{name}.png"
        claim(self.folder, [f"figures/{name}.png"])
        with atomic_write(path) as temporary:
            figure.savefig(temporary)
        self.sections.append(Section(title, text, figure=figure, alt=alt, threshold=threshold))

    def draw_pairs(self, name: str, chips: FaceSet, pairs: Sequence[Pair], title: str, what: str) -> None:
        """Save a sheet of pairs and add its section, which says so where there is none."""
        if not len(pairs):
            self.sections.append(Section(title, "There is none."))
            return
        if isinstance(chips.images, NoPictures):
            files = chips.files
            rows = [[files[pair.first], files[pair.second], f"{pair.score:.3f}"] for pair in pairs]
            text = f"Files of pairs: {escape(what)}. The folder of embeddings holds no pictures."
            self.sections.append(Section(title, text, ["one picture", "the other", "score"], rows))
            return
        text = f"Each column is a pair: {what}. The number is the score. Every picture is shown once at most."
        alt = f"{len(pairs)} pairs of chips with their scores: {what}."
        self.draw(name, pair_sheet(chips, pairs), title, text + self.credited, alt)

    @property
    def credited(self) -> str:
        """The sentence that goes under a picture, HTML; empty where nobody asks for credit."""
        return f" {escape(self.credit)}." if self.credit else ""


def finite(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate for JSON, which knows no NaN."""
    return {key: value if np.isfinite(value) else None for key, value in estimate.as_dict().items()}
