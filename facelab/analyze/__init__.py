"""Inside the embedding space: projections (and later geometry, clustering, factors)."""

from facelab.analyze.projection import project

__all__ = ["project"]
