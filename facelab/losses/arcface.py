"""ArcFace: an additive margin on the angle."""

import math

import torch
from torch import Tensor

from facelab.errors import FacelabError
from facelab.losses.base import CentreLoss


def arcface_target(cos_theta: Tensor, margin: float) -> Tensor:
    r"""Return the ArcFace target logit before scaling, for any shape of ``cos_theta``.

    .. math:: f(θ) = \cos(θ + m) \text{ for } θ \le π - m, \qquad \cos θ - m \sin m \text{ beyond}

    It falls strictly with θ on [0, π]; at the seam it drops from -1 to :math:`-\cos m - m \sin m`. The gradient is
    :math:`\partial f / \partial \cos θ = \sin(θ + m) / \sin θ`. It grows without bound towards θ = 0, where an
    embedding equals its centre; so sin² θ is held at 16 machine epsilons or more, and the gradient stays finite.
    """
    cos_theta = cos_theta.clamp(-1, 1)
    floor = 16 * torch.finfo(cos_theta.dtype).eps
    sin_theta = ((1 - cos_theta) * (1 + cos_theta)).clamp(min=floor).sqrt()
    inside = cos_theta * math.cos(margin) - sin_theta * math.sin(
        margin
    )  # cos(θ + m) by the addition theorem, without acos
    beyond = cos_theta - margin * math.sin(margin)
    return torch.where(cos_theta >= -math.cos(margin), inside, beyond)


class ArcFace(CentreLoss):
    r"""ArcFace (Deng et al., 2019, equation 3): the target logit is :math:`s\cos(θ_y + m)`, the others :math:`s\cos
    θ_j`.

    The embedding must come closer to its own class centre by the angle m than to any other one.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m in radians, in [0, π/2). It is an attribute, and may be raised during training (warm-up).
        scale: s, the length that all embeddings are given.

    Raises:
        FacelabError: a margin or scale out of its range.
    """

    def __init__(self, num_identities: int, embedding_dim: int, *, margin: float = 0.5, scale: float = 64.0):
        super().__init__(num_identities, embedding_dim)
        if not 0 <= margin < math.pi / 2:
            raise FacelabError(f"margin={margin}: ArcFace takes a margin in radians in [0, {math.pi / 2:.3f}).")
        if not scale > 0:
            raise FacelabError(f"scale={scale}: it must be positive.")
        self.margin, self.scale = margin, scale

    def logits(self, embeddings: Tensor) -> Tensor:
        return self.scale * self.cos_theta(embeddings)

    def margin_logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        cos_theta = self.cos_theta(embeddings)
        index = labels[:, None]
        target = arcface_target(cos_theta.gather(1, index), self.margin)
        return self.scale * cos_theta.scatter(1, index, target)
