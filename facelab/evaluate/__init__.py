"""Verification, identification, and how sure we are."""

from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.identification import closed_set_accuracy, leave_one_out_rank1, nearest_centroid
from facelab.evaluate.scores import Scores, pair_scores
from facelab.evaluate.verification import Roc, auc, eer, roc, tar_at_far, verification

__all__ = [
    "Estimate",
    "Roc",
    "Scores",
    "auc",
    "closed_set_accuracy",
    "eer",
    "leave_one_out_rank1",
    "nearest_centroid",
    "pair_scores",
    "roc",
    "tar_at_far",
    "verification",
    "wilson",
]
