"""Inside the embedding space: geometry, clusters, projections, problem cases, and the factors behind an embedding."""

from facelab.analyze.clustering import ClusteringScores, cluster, clustering_scores
from facelab.analyze.collapse import variability_collapse
from facelab.analyze.dimension import participation_ratio, spectrum
from facelab.analyze.factors import Part, VariancePartition, variance_partition
from facelab.analyze.geometry import CentreAngles, centre_angles, d_prime, mean_directions, pair_angles
from facelab.analyze.intervals import ratio_by_identity
from facelab.analyze.inversion import Inverter, learn_inverter
from facelab.analyze.probes import Probe, linear_probe
from facelab.analyze.problems import (
    Confusion,
    Failure,
    Pair,
    confused_identities,
    failures,
    hard_pairs,
    worst_pairs,
    wrong_names,
)
from facelab.analyze.projection import Trust, project, trust
from facelab.analyze.quality import rank_correlation
from facelab.analyze.response import Response, response, responses
from facelab.evaluate.bootstrap import mean_by_identity

__all__ = [
    "CentreAngles",
    "ClusteringScores",
    "Confusion",
    "Failure",
    "Inverter",
    "Pair",
    "Part",
    "Probe",
    "Response",
    "Trust",
    "VariancePartition",
    "centre_angles",
    "cluster",
    "clustering_scores",
    "confused_identities",
    "d_prime",
    "failures",
    "hard_pairs",
    "learn_inverter",
    "linear_probe",
    "mean_by_identity",
    "mean_directions",
    "pair_angles",
    "participation_ratio",
    "project",
    "rank_correlation",
    "ratio_by_identity",
    "response",
    "responses",
    "spectrum",
    "trust",
    "variability_collapse",
    "variance_partition",
    "worst_pairs",
    "wrong_names",
]
