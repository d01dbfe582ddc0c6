"""Every figure of the course: one function each, returning a matplotlib ``Figure``.

The figures do not pass through pyplot, so nothing stays open and nothing is shown twice: in a notebook run
``%matplotlib inline`` once, and let the figure be the last value of a cell; in a script call ``figure.savefig(path)``.
"""

from facelab.plots.clustering import clustering_curves
from facelab.plots.faces import draw_detections, photographs_and_chips
from facelab.plots.factors import (
    occlusion_maps,
    probe_scores,
    response_curves,
    sweep_sheet,
    variance_bars,
)
from facelab.plots.geometry import (
    centre_map,
    collapse_curves,
    hub_histograms,
    length_against_quality,
    pair_angle_histograms,
    spectrum_curves,
)
from facelab.plots.problems import confusion_sheet, failure_sheet, hard_pair_sheet
from facelab.plots.projection import projection_grid, projection_map, sphere_map
from facelab.plots.style import caption
from facelab.plots.synth import attribute_spread, one_factor_at_a_time, people_by_scenes, relatives, rendered_truth
from facelab.plots.training import training_curves
from facelab.plots.verification import roc_curves, score_histograms

__all__ = [
    "attribute_spread",
    "caption",
    "centre_map",
    "clustering_curves",
    "collapse_curves",
    "confusion_sheet",
    "draw_detections",
    "failure_sheet",
    "hard_pair_sheet",
    "hub_histograms",
    "length_against_quality",
    "occlusion_maps",
    "one_factor_at_a_time",
    "pair_angle_histograms",
    "people_by_scenes",
    "photographs_and_chips",
    "probe_scores",
    "projection_grid",
    "projection_map",
    "relatives",
    "rendered_truth",
    "response_curves",
    "roc_curves",
    "score_histograms",
    "spectrum_curves",
    "sphere_map",
    "sweep_sheet",
    "training_curves",
    "variance_bars",
]
