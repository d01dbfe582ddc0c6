"""Inside the embedding space: geometry, clusters, projections, problem cases, and the factors behind an embedding."""

from facelab.analyze.clustering import (
    ClusteringScores,
    ClusterQuality,
    cluster,
    cluster_quality,
    clustering_scores,
)
from facelab.analyze.collapse import Collapse, neural_collapse
from facelab.analyze.dimension import dimensions_for, isotropy, participation_ratio, spectrum
from facelab.analyze.factors import Part, VariancePartition, variance_partition
from facelab.analyze.geometry import (
    CentreAngles,
    Spread,
    alignment,
    centre_angles,
    mean_directions,
    pair_angles,
    spread,
    uniformity,
)
from facelab.analyze.hubness import hubness, k_occurrence
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
from facelab.analyze.saliency import occlusion_map
from facelab.evaluate.bootstrap import mean_by_identity

__all__ = [
    "CentreAngles",
    "ClusterQuality",
    "ClusteringScores",
    "Collapse",
    "Confusion",
    "Failure",
    "Inverter",
    "Pair",
    "Part",
    "Probe",
    "Response",
    "Spread",
    "Trust",
    "VariancePartition",
    "alignment",
    "centre_angles",
    "cluster",
    "cluster_quality",
    "clustering_scores",
    "confused_identities",
    "dimensions_for",
    "failures",
    "hard_pairs",
    "hubness",
    "isotropy",
    "k_occurrence",
    "learn_inverter",
    "linear_probe",
    "mean_by_identity",
    "mean_directions",
    "neural_collapse",
    "occlusion_map",
    "pair_angles",
    "participation_ratio",
    "project",
    "rank_correlation",
    "ratio_by_identity",
    "response",
    "responses",
    "spectrum",
    "spread",
    "trust",
    "uniformity",
    "variance_partition",
    "worst_pairs",
    "wrong_names",
]
