"""The combined margin: SphereFace, ArcFace and CosFace in one formula."""

import math

import torch
from torch import Tensor

from facelab.losses.base import MarginLoss, angle, check_range


def combined_target(cos_theta: Tensor, m1: float, m2: float, m3: float) -> Tensor:
    r"""Return the combined target logit before scaling, for any shape of ``cos_theta``.

    .. math:: f(θ) = \cos(m_1 θ + m_2) - m_3 \text{ for } m_1 θ + m_2 \le π, \qquad \cos θ - d - m_3 \text{ beyond}

    With φ = π - θ* at the seam θ* = (π - m_2)/m_1, the drop is d = max(φ sin φ, 1 - cos φ). So f falls strictly with θ
    on [0, π], and for m_1 = 1 it is ArcFace's, :math:`d = m_2 \sin m_2`.
    """
    multiple = m1 * angle(cos_theta) + m2
    phi = math.pi - (math.pi - m2) / m1
    drop = max(phi * math.sin(phi), 1 - math.cos(phi))
    return torch.where(multiple <= math.pi, multiple.cos(), cos_theta - drop) - m3


class CombinedMargin(MarginLoss):
    r"""Combined margin (Deng et al., 2019, equation 4): the target logit is :math:`s(\cos(m_1 θ_y + m_2) - m_3)`, the
    others :math:`s\cos θ_j`.

    (1, m, 0) is ArcFace, (1, 0, m) is CosFace. Beyond θ = (π - m_2)/m_1 see :func:`combined_target`.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        m1: factor on the angle, at least 1.
        m2: added to the angle, radians, in [0, π/2).
        m3: taken from the cosine, in [0, 2).
        scale: s, the length that all embeddings are given.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Raises:
        FacelabError: a margin or scale out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        m1: float = 1.0,
        m2: float = 0.3,
        m3: float = 0.2,
        scale: float = 64.0,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(1, m1=m1)
        check_range(0, math.pi / 2, m2=m2)
        check_range(0, 2, m3=m3)
        self.m1, self.m2, self.m3 = m1, m2, m3

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        factor = self.margin_factor
        return combined_target(cos_theta, 1 + factor * (self.m1 - 1), factor * self.m2, factor * self.m3)
