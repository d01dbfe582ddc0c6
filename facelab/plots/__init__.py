"""Every figure of the course: one function each, returning a matplotlib ``Figure``.

The figures do not pass through pyplot, so nothing stays open and nothing is shown twice: in a notebook run
``%matplotlib inline`` once, and let the figure be the last value of a cell; in a script call ``figure.savefig(path)``.
"""

from facelab.plots.alignment import chips_by_method, landmark_fit, method_comparison
from facelab.plots.clustering import clustering_curves
from facelab.plots.detection import precision_recall_curves, recall_by_group, score_maps, suppression
from facelab.plots.faces import detections_sheet, draw_detections, photographs_and_chips, rows_of_faces
from facelab.plots.factors import (
    factor_errors,
    probe_scores,
    response_curves,
    sweep_sheet,
    variance_bars,
)
from facelab.plots.geometry import (
    centre_map,
    collapse_curves,
    length_against_quality,
    pair_angle_histograms,
    spectrum_curves,
)
from facelab.plots.identification import cmc_curves, open_set_curves
from facelab.plots.losses import (
    centre_angle_histograms,
    decision_boundaries,
    over_angle,
    plane_and_circle,
    triplet_zones,
)
from facelab.plots.problems import confusion_sheet, failure_sheet, pair_sheet
from facelab.plots.projection import projection_grid, projection_map, sphere_map
from facelab.plots.search import false_match_curves, recall_curves
from facelab.plots.study import (
    ablations,
    loss_results,
    paired_differences,
    replayed_experiments,
    tuning_trials,
    wrong_labels,
)
from facelab.plots.style import caption
from facelab.plots.synth import attribute_spread, one_factor_at_a_time, people_by_scenes, relatives, rendered_truth
from facelab.plots.training import angle_curves, loss_steps, training_curves
from facelab.plots.verification import (
    compared_pair,
    coverage_intervals,
    det_curves,
    error_reject_curves,
    fold_accuracies,
    group_errors,
    interval_widths,
    roc_curves,
    score_histograms,
    threshold_transfer,
)

__all__ = [
    "ablations",
    "angle_curves",
    "attribute_spread",
    "caption",
    "centre_angle_histograms",
    "centre_map",
    "chips_by_method",
    "clustering_curves",
    "cmc_curves",
    "collapse_curves",
    "compared_pair",
    "confusion_sheet",
    "coverage_intervals",
    "decision_boundaries",
    "det_curves",
    "detections_sheet",
    "draw_detections",
    "error_reject_curves",
    "factor_errors",
    "failure_sheet",
    "false_match_curves",
    "fold_accuracies",
    "group_errors",
    "interval_widths",
    "landmark_fit",
    "length_against_quality",
    "loss_results",
    "loss_steps",
    "method_comparison",
    "one_factor_at_a_time",
    "open_set_curves",
    "over_angle",
    "pair_angle_histograms",
    "pair_sheet",
    "paired_differences",
    "people_by_scenes",
    "photographs_and_chips",
    "plane_and_circle",
    "precision_recall_curves",
    "probe_scores",
    "projection_grid",
    "projection_map",
    "recall_by_group",
    "recall_curves",
    "relatives",
    "rendered_truth",
    "replayed_experiments",
    "response_curves",
    "roc_curves",
    "rows_of_faces",
    "score_histograms",
    "score_maps",
    "spectrum_curves",
    "sphere_map",
    "suppression",
    "sweep_sheet",
    "threshold_transfer",
    "training_curves",
    "triplet_zones",
    "tuning_trials",
    "variance_bars",
    "wrong_labels",
]
