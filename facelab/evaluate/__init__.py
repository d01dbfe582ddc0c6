"""Verification, identification, and how sure we are."""

from facelab.evaluate.blocks import PairCounts, count_pairs, far_variance, sampled_scores
from facelab.evaluate.bootstrap import bootstrap_curves, bootstrap_interval, identity_bootstrap, mean_by_identity
from facelab.evaluate.calibration import Calibration, calibrate, cllr
from facelab.evaluate.comparison import Comparison, compare_by_identity, compare_scores, holm, holm_sentence
from facelab.evaluate.coverage import Simulated, simulate_intervals
from facelab.evaluate.curve import Roc, auc, det, eer, roc, tar_at_far
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.folds import FoldAccuracy, draw_pairs, fold_accuracy
from facelab.evaluate.groups import GroupAudit, GroupErrors, WorstToBest, errors_by_group
from facelab.evaluate.identification import (
    OpenSet,
    closed_set_accuracy,
    cmc,
    identification_rate,
    identification_scores,
    identity_scores,
    leave_one_out_rank1,
    nearest_centroid,
    open_set,
    ranks,
)
from facelab.evaluate.quality import ErrorReject, contrast, error_versus_reject, sharpness
from facelab.evaluate.scores import Scores, listed_scores, pair_blocks, pair_scores
from facelab.evaluate.streaming import streamed_roc
from facelab.evaluate.templates import Templates, make_templates
from facelab.evaluate.thresholds import (
    OperatingPoint,
    Transfer,
    apply_threshold,
    chance_of_a_false_match,
    errors_at,
    false_matches_per_day,
    operating_point,
    threshold_at_far,
    transfer_threshold,
)
from facelab.evaluate.verification import verification, verification_of_pairs

__all__ = [
    "Calibration",
    "Comparison",
    "ErrorReject",
    "Estimate",
    "FoldAccuracy",
    "GroupAudit",
    "GroupErrors",
    "OpenSet",
    "OperatingPoint",
    "PairCounts",
    "Roc",
    "Scores",
    "Simulated",
    "Templates",
    "Transfer",
    "WorstToBest",
    "apply_threshold",
    "auc",
    "bootstrap_curves",
    "bootstrap_interval",
    "calibrate",
    "chance_of_a_false_match",
    "cllr",
    "closed_set_accuracy",
    "cmc",
    "compare_by_identity",
    "compare_scores",
    "contrast",
    "count_pairs",
    "det",
    "draw_pairs",
    "eer",
    "error_versus_reject",
    "errors_at",
    "errors_by_group",
    "false_matches_per_day",
    "far_variance",
    "fold_accuracy",
    "holm",
    "holm_sentence",
    "identification_rate",
    "identification_scores",
    "identity_bootstrap",
    "identity_scores",
    "leave_one_out_rank1",
    "listed_scores",
    "make_templates",
    "mean_by_identity",
    "nearest_centroid",
    "open_set",
    "operating_point",
    "pair_blocks",
    "pair_scores",
    "ranks",
    "roc",
    "sampled_scores",
    "sharpness",
    "simulate_intervals",
    "streamed_roc",
    "tar_at_far",
    "threshold_at_far",
    "transfer_threshold",
    "verification",
    "verification_of_pairs",
    "wilson",
]
