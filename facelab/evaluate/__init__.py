"""Verification, identification, and how sure we are."""

from facelab.evaluate.bootstrap import bootstrap_curves, identity_bootstrap
from facelab.evaluate.curve import Roc, auc, det, eer, roc, tar_at_far
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.identification import closed_set_accuracy, leave_one_out_rank1, nearest_centroid
from facelab.evaluate.scores import Scores, listed_scores, pair_scores
from facelab.evaluate.streaming import streamed_roc
from facelab.evaluate.templates import Templates, make_templates
from facelab.evaluate.verification import verification, verification_of_pairs
