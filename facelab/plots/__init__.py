"""Every figure of the course: one function each, returning a matplotlib ``Figure``.

The figures do not pass through pyplot, so nothing stays open and nothing is shown twice: in a notebook run
``%matplotlib inline`` once, and let the figure be the last value of a cell; in a script call ``figure.savefig(path)``.
"""

from facelab.plots.faces import draw_detections, photographs_and_chips
from facelab.plots.identification import cmc_curves, misidentified, open_set_curves
from facelab.plots.projection import projection_map
from facelab.plots.synth import attribute_spread, one_factor_at_a_time, people_by_scenes, relatives, rendered_truth
from facelab.plots.training import training_curves
from facelab.plots.verification import (
    det_curves,
    error_reject_curves,
    fold_accuracies,
    group_errors,
    interval_widths,
    pair_sheet,
    roc_curves,
    score_histograms,
    threshold_transfer,
)

__all__ = [
    "attribute_spread",
    "cmc_curves",
    "det_curves",
    "draw_detections",
    "error_reject_curves",
    "fold_accuracies",
    "group_errors",
    "interval_widths",
    "misidentified",
    "one_factor_at_a_time",
    "open_set_curves",
    "pair_sheet",
    "people_by_scenes",
    "photographs_and_chips",
    "projection_map",
    "relatives",
    "rendered_truth",
    "roc_curves",
    "score_histograms",
    "threshold_transfer",
    "training_curves",
]
