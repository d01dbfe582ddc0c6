"""ElasticFace: a margin that is drawn anew for each image in each step."""

import math

import torch
from torch import Tensor

from facelab import processes
from facelab.losses.arcface import ArcFace, arcface_target
from facelab.losses.base import check_range
from facelab.losses.cosface import CosFace


def draw_margins(cos_theta: Tensor, mean: float, sigma: float, *, plus: bool) -> Tensor:
    r"""Return a margin from N(mean, sigma²) for each embedding, shape (n,); it follows torch's global random state, as
    dropout does.

    With many processes all take those that the first one has drawn: else their class centres would drift apart.

    Args:
        cos_theta: between each embedding and its own class centre, shape (n,).
        plus: give the larger margins to the smaller cosines.
    """
    with torch.no_grad():
        drawn = torch.randn_like(cos_theta)
        drawn = processes.total(drawn if processes.rank() == 0 else torch.zeros_like(drawn))
        if plus:  # the embedding with the largest cosine gets the smallest draw, and so on
            drawn = torch.empty_like(drawn).index_copy_(0, cos_theta.argsort(descending=True), drawn.sort().values)
        return mean + sigma * drawn


class ElasticArcFace(ArcFace):
    r"""ElasticFace-Arc (Boutros et al., 2022, section 3.2): ArcFace with a random margin.

    .. math:: f(θ) = \cos(θ + ε), \qquad ε \sim \mathcal N(m, σ^2)

    ε is drawn for each image in each step of a training; in eval mode it is m. Beyond θ = π - ε see
    :func:`~facelab.losses.arcface.arcface_target`. σ = 0 is ArcFace.

    With ``plus`` (ElasticFace-Arc+) the margins of a batch are handed out by the cosine to the own centre: the farther
    an embedding is from it, the larger its margin. In the code that the authors published the sorted margins are
    indexed by the order of the cosines, not by their ranks. In a batch in random order that is a random assignment
    again; here the larger margin goes to the smaller cosine, as the paper says.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m, the mean margin in radians, in [0, π/2).
        sigma: σ, in radians, in [0, 1). The authors take 0.05.
        plus: hand out the margins by the cosine.
        scale: s, the length that all embeddings are given.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Raises:
        FacelabError: an argument out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 0.5,
        sigma: float = 0.05,
        plus: bool = False,
        scale: float = 64.0,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, margin=margin, scale=scale, detach_margin=detach_margin)
        check_range(0, 1, sigma=sigma)
        self.sigma, self.plus = sigma, plus

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        if not self.training:
            return super().target(cos_theta, lengths)
        margins = draw_margins(cos_theta, self.margin, self.sigma, plus=self.plus)
        most = math.pi / 2 - 1e-3  # beyond it f is not made for; at the usual σ no draw comes there
        return arcface_target(cos_theta, self.margin_factor * margins.clamp(-most, most))


class ElasticCosFace(CosFace):
    r"""ElasticFace-Cos (Boutros et al., 2022, section 3.2): CosFace with a random margin.

    .. math:: f(θ) = \cos θ - ε, \qquad ε \sim \mathcal N(m, σ^2)

    ε and ``plus`` are as in :class:`ElasticArcFace`. σ = 0 is CosFace.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m, the mean margin, a difference of cosines, in [0, 2).
        sigma: σ, a difference of cosines, in [0, 1).
        plus: hand out the margins by the cosine.
        scale: s, the length that all embeddings are given.

    Raises:
        FacelabError: an argument out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 0.35,
        sigma: float = 0.05,
        plus: bool = False,
        scale: float = 64.0,
    ):
        super().__init__(num_identities, embedding_dim, margin=margin, scale=scale)
        check_range(0, 1, sigma=sigma)
        self.sigma, self.plus = sigma, plus

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        if not self.training:
            return super().target(cos_theta, lengths)
        return cos_theta - self.margin_factor * draw_margins(cos_theta, self.margin, self.sigma, plus=self.plus)
