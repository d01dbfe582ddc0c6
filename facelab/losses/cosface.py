"""CosFace: an additive margin on the cosine."""

from torch import Tensor

from facelab.losses.base import MarginLoss, check_range


class CosFace(MarginLoss):
    r"""CosFace (Wang et al., 2018, equation 4): the target logit is :math:`s(\cos θ_y - m)`, the others :math:`s\cos
    θ_j`.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m, a difference of cosines, in [0, 2).
        scale: s, the length that all embeddings are given.

    Raises:
        FacelabError: a margin or scale out of its range.
    """

    def __init__(self, num_identities: int, embedding_dim: int, *, margin: float = 0.35, scale: float = 64.0):
        super().__init__(num_identities, embedding_dim, scale=scale)  # ∂f/∂cos θ = 1: nothing to detach
        check_range(0, 2, margin=margin)
        self.margin = margin

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        return cos_theta - self.margin_factor * self.margin
