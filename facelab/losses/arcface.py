"""ArcFace: an additive margin on the angle."""

import math

import torch
from torch import Tensor

from facelab.losses.base import MarginLoss, check_range


def arcface_target(cos_theta: Tensor, margin: float | Tensor) -> Tensor:
    r"""Return the ArcFace target logit before scaling, for any shape of ``cos_theta``.

    .. math:: f(θ) = \cos(θ + m) \text{ for } θ \le π - m, \qquad \cos θ - m \sin m \text{ beyond}

    It falls strictly with θ on [0, π]; at the seam it drops from -1 to :math:`-\cos m - m \sin m`. The gradient is
    :math:`\partial f / \partial \cos θ = \sin(θ + m) / \sin θ`. It grows without bound towards θ = 0, where an
    embedding equals its centre; so sin² θ is held at 16 machine epsilons or more, and the gradient stays finite.

    The margin may differ from element to element, and be negative, in (-π/2, π/2); then the seam is at θ = -m, and
    :math:`\cos θ + |m| \sin |m|` holds before it.
    """
    cos_theta = cos_theta.clamp(-1, 1)
    cos_m: float | Tensor = margin.cos() if isinstance(margin, Tensor) else math.cos(margin)
    sin_m: float | Tensor = margin.sin() if isinstance(margin, Tensor) else math.sin(margin)
    floor = 16 * torch.finfo(cos_theta.dtype).eps
    sin_theta = ((1 - cos_theta) * (1 + cos_theta)).clamp(min=floor).sqrt()
    inside = cos_theta * cos_m - sin_theta * sin_m  # cos(θ + m) by the addition theorem, without acos
    drop: float | Tensor = margin * abs(sin_m)  # type: ignore[operator]
    beyond = cos_theta - drop
    if isinstance(margin, Tensor):
        return torch.where(torch.where(margin >= 0, cos_theta >= -cos_m, cos_theta <= cos_m), inside, beyond)
    return torch.where(cos_theta >= -cos_m if margin >= 0 else cos_theta <= cos_m, inside, beyond)


class ArcFace(MarginLoss):
    r"""ArcFace (Deng et al., 2019, equation 3): the target logit is :math:`s\cos(θ_y + m)`, the others :math:`s\cos
    θ_j`.

    The embedding must come closer to its own class centre by the angle m than to any other one. Beyond θ = π - m see
    :func:`arcface_target`.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m in radians, in [0, π/2).
        scale: s, the length that all embeddings are given.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Raises:
        FacelabError: a margin or scale out of its range.

    Example:
        >>> import torch
        >>> loss = ArcFace(num_identities=10, embedding_dim=128, margin=0.3, scale=16)
        >>> embeddings, labels = torch.randn(4, 128), torch.tensor([0, 3, 3, 9])
        >>> loss(embeddings, labels).ndim, loss.logits(embeddings).shape  # a number to minimise; logits without margin
        (0, torch.Size([4, 10]))
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 0.5,
        scale: float = 64.0,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(0, math.pi / 2, margin=margin)
        self.margin = margin

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        return arcface_target(cos_theta, self.margin_factor * self.margin)
