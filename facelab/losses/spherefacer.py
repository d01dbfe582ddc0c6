"""SphereFace-R: SphereFace that trains without annealing."""

from torch import Tensor

from facelab.losses.base import MarginLoss, check_range
from facelab.losses.sphereface import sphereface_target


class SphereFaceR(MarginLoss):
    r"""SphereFace-R (Liu et al., 2022): the target logit is :math:`s\,ψ(θ_y)`, the others :math:`s\cos θ_j`.

    Two changes make SphereFace stable: embeddings are normalised too ("hard feature normalisation", s fixed), and the
    margin is computed without gradient ("characteristic gradient detachment"). ψ is the monotone one of
    :func:`~facelab.losses.sphereface.sphereface_target`; the paper's variant :math:`\cos(\min(mθ, π))` is flat beyond
    π/m.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m, a factor on the angle, at least 1.
        scale: s, the length that all embeddings are given.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`; on, as in the paper.

    Raises:
        FacelabError: a margin or scale out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 1.7,
        scale: float = 30.0,
        detach_margin: bool = True,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(1, margin=margin)
        self.margin = margin

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        return sphereface_target(cos_theta, 1 + self.margin_factor * (self.margin - 1))
