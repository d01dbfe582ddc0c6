"""CurricularFace: easy images first, hard ones later."""

import math

import torch
from torch import Tensor

from facelab.losses.arcface import arcface_target
from facelab.losses.base import MarginLoss, check_range


class CurricularFace(MarginLoss):
    r"""CurricularFace (Huang et al., 2020, section 3.2): ArcFace whose hard negatives gain weight during training.

    .. math:: f(θ_y) = \cos(θ_y + m), \qquad z_j/s = \begin{cases} \cos θ_j & \cos θ_j \le f(θ_y) \\ \cos θ_j\,(t + \cos
        θ_j) & \text{otherwise} \end{cases}

    Beyond θ = π - m the target f goes on to fall, as in :func:`~facelab.losses.arcface.arcface_target`, and the same f
    decides which negatives are hard. The authors' code decides by cos(θ_y + m) itself, which rises again there. So an
    embedding that is nearly opposite to its centre has more hard negatives here, and a larger loss.

    t follows the mean of cos θ_y: it begins at 0, where hard negatives are played down, and grows as the network
    learns.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m in radians, in [0, π/2).
        scale: s, the length that all embeddings are given.
        momentum: the share of a new batch in t.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Attributes:
        t: a buffer, the moving average of cos θ_y. It moves in training mode only, before it is used.

    Raises:
        FacelabError: an argument out of its range.
    """

    t: Tensor

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        momentum: float = 0.01,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(0, math.pi / 2, margin=margin)
        check_range(0, 1.0001, momentum=momentum)
        self.margin, self.momentum = margin, momentum
        self.register_buffer("t", torch.tensor(0.0))

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        if self.training:
            self.t.lerp_(cos_theta.detach().mean().to(self.t), self.momentum)
        return arcface_target(cos_theta, self.margin_factor * self.margin)

    def other_logits(self, cos_theta: Tensor, target: Tensor) -> Tensor:
        return torch.where(cos_theta > target[:, None], cos_theta * (self.t + cos_theta), cos_theta)
