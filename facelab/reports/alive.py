"""The interactive figure of a threshold inside a report: scores counted, and the page's scripts."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import numpy as np

from facelab.evaluate import Scores

STEPS = 200  # of the threshold, from 0 to 1: counts at each are exact


def count_scores(scores: Scores) -> dict[str, Any]:
    """Count cosines between neighbouring thresholds k/200, so that a page can say both errors at each, exactly.

    Returns:
        ``first``: the lowest k; ``genuine`` and ``impostor``: how many scores lie from k/200 up to, and without,
        (k + 1)/200, for each k from the first on.
    """
    # the grid itself is compared, as k/200 times 200 may round to another k
    grid = np.arange(-STEPS, STEPS + 1) / STEPS
    at = np.clip(np.searchsorted(grid, scores.values, side="right") - 1, 0, 2 * STEPS)
    first = int(at.min(initial=STEPS))
    kinds = {"genuine": scores.genuine, "impostor": ~scores.genuine}
    return {"first": first - STEPS} | {
        name: np.bincount(at[rows] - first, minlength=2 * STEPS + 1 - first).tolist() for name, rows in kinds.items()
    }


def movable(scores: Scores, name: str, far: float, threshold: float | None = None) -> dict[str, Any]:
    """Return what the figure gets of one set: it begins at ``threshold``, or where FAR is ``far`` or less."""
    given = {} if threshold is None else {"threshold": threshold}
    return {"far": far, "sets": [{"name": name, **count_scores(scores)}], **given}


def as_script(name: str, values: Mapping[str, Any]) -> str:
    """Return data as a classic script, which a page that was opened from disk can load; safe inside HTML, too."""
    text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return f"alive.data.{name} = " + text.replace("<", "\\u003c") + ";\n"


def part(name: str) -> str:
    """Return one of the files of the interactive figures that reports carry: alive.css, alive.js, threshold.js."""
    return files("facelab.reports").joinpath("static", "alive", name).read_text(encoding="utf-8")
