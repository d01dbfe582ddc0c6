"""SphereFace: a multiplicative margin on the angle."""

import math

import torch
from torch import Tensor

from facelab.losses.base import MarginLoss, angle, check_range


def sphereface_target(cos_theta: Tensor, margin: float) -> Tensor:
    r"""Return ψ(θ), the SphereFace target logit before scaling, for any shape of ``cos_theta``.

    .. math:: ψ(θ) = (-1)^k \cos(mθ) - 2k \text{ for } θ \in [kπ/m,\ (k+1)π/m]

    It is continuous, and falls strictly with θ on [0, π] from 1 on.
    """
    multiple = margin * angle(cos_theta)
    k = (multiple.detach() / math.pi).floor()
    return (1 - 2 * (k % 2)) * multiple.cos() - 2 * k


class SphereFace(MarginLoss):
    r"""SphereFace, or A-Softmax (Liu et al., 2017, equation 7): the target logit is :math:`\|x\|\,f(θ_y)`, the others
    :math:`\|x\|\cos θ_j`; centres are normalised, embeddings are not.

    .. math:: f(θ) = \cos θ + \frac{ψ(θ) - \cos θ}{1 + λ}, \qquad λ = \max\left(λ_1, \frac{λ_0}{1 + γ\,t}\right)

    ψ alone (:func:`sphereface_target`) does not start to learn. So training begins near the plain softmax and λ falls
    with the iteration t (annealing, as in the authors' implementation).

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m, a factor on the angle, at least 1.
        annealing: (λ_0, λ_1, γ): λ at the start, at the end, and its rate. (0, 0, 0) is ψ alone.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Attributes:
        iteration: t, a buffer. It counts calls in training mode; in eval mode λ stays as it is.

    Raises:
        FacelabError: a margin or annealing out of its range.
    """

    iteration: Tensor

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 4.0,
        annealing: tuple[float, float, float] = (1000.0, 5.0, 0.12),
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=1.0, detach_margin=detach_margin)
        check_range(1, margin=margin)
        for value in annealing:
            check_range(0, annealing=value)
        self.margin, self.annealing = margin, annealing
        self.register_buffer("iteration", torch.tensor(0))

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        if self.training:
            self.iteration += 1
        start, end, rate = self.annealing
        weight = 1 / (1 + (start / (1 + rate * self.iteration)).clamp(min=end))
        psi = sphereface_target(cos_theta, 1 + self.margin_factor * (self.margin - 1))
        return cos_theta + (psi - cos_theta) * weight.to(cos_theta.dtype)

    def scale_of(self, lengths: Tensor) -> Tensor:
        return self.scale * lengths[:, None]
