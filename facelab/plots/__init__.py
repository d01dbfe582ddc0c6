"""Every figure of the course: one function each, returning a matplotlib ``Figure``.

The figures do not pass through pyplot, so nothing stays open and nothing is shown twice: in a notebook run
``%matplotlib inline`` once, and let the figure be the last value of a cell; in a script call ``figure.savefig(path)``.
"""

from facelab.plots.faces import draw_detections, photographs_and_chips
from facelab.plots.projection import projection_map
from facelab.plots.synth import attribute_spread, one_factor_at_a_time, people_by_scenes, relatives, rendered_truth
from facelab.plots.training import training_curves
from facelab.plots.verification import roc_curves, score_histograms

__all__ = [
    "attribute_spread",
    "draw_detections",
    "one_factor_at_a_time",
    "people_by_scenes",
    "photographs_and_chips",
    "projection_map",
    "relatives",
    "rendered_truth",
    "roc_curves",
    "score_histograms",
    "training_curves",
]
