"""MagFace: embeddings whose length tells the quality of the image."""

import math

import torch
from torch import Tensor

from facelab.losses.arcface import arcface_target
from facelab.losses.base import MarginLoss, check_range


class MagFace(MarginLoss):
    r"""MagFace (Meng et al., 2021, section 3.2): ArcFace with a margin that grows with the embedding's length.

    .. math:: f(θ) = \cos(θ + m(a)), \qquad L = L_{CE} + λ_g\,\frac1n\sum_i g(a_i), \qquad g(a) = \frac{a}{u_a^2} +
        \frac1a

    The authors train with another target, here ``easy_margin``: :math:`\cos(θ + m(a))` where :math:`\cos θ > 0`, and
    :math:`\cos θ`, without margin, elsewhere. So the loss starts lower, as nearly half of the embeddings of a fresh
    network lie beyond 90 degrees; and it does not fall with θ everywhere: at 90 degrees it jumps up by sin m(a).

    a is ‖x‖ clipped to [l_a, u_a], and m(a) rises linearly there. A long embedding pays through its margin and gains
    through g; only easy images can afford to be long. Outside of the range the length gets no gradient.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margins: m(l_a) and m(u_a), radians, in [0, π/2).
        lengths: l_a and u_a.
        length_weight: λ_g.
        scale: s, the length that all embeddings are given in the logits.
        easy_margin: the authors' target.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`; only g then teaches the length.

    Raises:
        FacelabError: an argument out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margins: tuple[float, float] = (0.45, 0.8),
        lengths: tuple[float, float] = (10.0, 110.0),
        length_weight: float = 35.0,
        scale: float = 64.0,
        easy_margin: bool = False,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(0, math.pi / 2, margins=margins[0])
        check_range(margins[0], math.pi / 2, margins=margins[1])
        check_range(1e-6, lengths[1], lengths=lengths[0])
        check_range(0, length_weight=length_weight)
        self.margins, self.lengths, self.length_weight = margins, lengths, length_weight
        self.easy_margin = easy_margin

    def margin(self, lengths: Tensor) -> Tensor:
        """Return m(a) for the lengths of embeddings, radians, same shape."""
        (low, high), (shortest, longest) = self.margins, self.lengths
        return low + (high - low) * (lengths.clamp(shortest, longest) - shortest) / (longest - shortest)

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        target = arcface_target(cos_theta, self.margin_factor * self.margin(lengths))
        return torch.where(cos_theta > 0, target, cos_theta) if self.easy_margin else target

    def penalty(self, embeddings: Tensor) -> Tensor:
        a = embeddings.norm(dim=1).clamp(*self.lengths)
        g = a / self.lengths[1] ** 2 + 1 / a
        return self.length_weight * g.mean()
