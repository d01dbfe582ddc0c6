"""AdaFace: a margin that follows the quality of the image."""

import math

import torch
from torch import Tensor

from facelab.losses.arcface import arcface_target
from facelab.losses.base import MarginLoss, check_range


class AdaFace(MarginLoss):
    r"""AdaFace (Kim et al., 2022, section 3.3): the length of an embedding stands for the quality of its image.

    .. math:: f(θ) = \cos(θ - m\hat z) - (m + m\hat z), \qquad \hat z = \mathrm{clip}\left(\frac{\|x\| - μ}{σ +
        0.001}\,h, -1, 1\right)

    At :math:`\hat z = -1` (poor image) it is ArcFace with margin m, at 0 CosFace, at 1 (good image) a negative margin
    on the angle with 2m on the cosine: hard images weigh more if they are good. Lengths are clipped to [0.001, 100],
    and carry no gradient. Where θ - mẑ leaves [0, π] the reference implementation holds it there, with gradient 0; here
    f goes on to fall as in :func:`~facelab.losses.arcface.arcface_target`.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        margin: m in radians, in [0, π/2).
        scale: s, the length that all embeddings are given.
        concentration: h; about two thirds of images have \|ẑ\| < 1 at h = 1, nearly all at h = 0.333.
        momentum: the share of a new batch in μ and σ.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Attributes:
        mean_length, std_length: μ and σ, buffers: moving averages over batches, at first 20 and 100. They move in
            training mode only, with each call on at least two embeddings.

    Raises:
        FacelabError: an argument out of its range.
    """

    mean_length: Tensor
    std_length: Tensor

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        margin: float = 0.4,
        scale: float = 64.0,
        concentration: float = 0.333,
        momentum: float = 0.01,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, scale=scale, detach_margin=detach_margin)
        check_range(0, math.pi / 2, margin=margin)
        check_range(0, concentration=concentration)
        check_range(0, 1.0001, momentum=momentum)
        self.margin, self.concentration, self.momentum = margin, concentration, momentum
        self.register_buffer("mean_length", torch.tensor(20.0))  # both as in the reference implementation
        self.register_buffer("std_length", torch.tensor(100.0))

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        z = self._quality(lengths.detach())
        margin = self.margin_factor * self.margin
        return arcface_target(cos_theta, -margin * z) - margin * (1 + z)

    def _quality(self, lengths: Tensor) -> Tensor:
        """Return ẑ, shape (n,); in training mode, let μ and σ follow the batch first."""
        lengths = lengths.clamp(0.001, 100)
        if self.training and len(lengths) > 1:
            self.mean_length.lerp_(lengths.mean().to(self.mean_length), self.momentum)
            self.std_length.lerp_(lengths.std().to(self.std_length), self.momentum)
        return ((lengths - self.mean_length) / (self.std_length + 0.001) * self.concentration).clamp(-1, 1)
