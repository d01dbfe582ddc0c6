"""FaceNet's triplet loss, with the choice of triplets within the batch."""

import warnings
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses.base import Loss, check_range, in_range

Mining = Literal["batch-all", "batch-hard", "semi-hard"]
TIE = 8  # machine epsilons: distances that differ by no more are equal, as rounding alone makes them differ by so much


class Triplet(Loss):
    r"""Triplet loss (Schroff et al., 2015, section 3.1): an anchor is closer to its own identity than to any other.

    .. math:: L = \frac1{|T|}\sum_{(a,p,n) \in T} \max(0,\ d_{ap} - d_{an} + m), \qquad d_{ij} = \|\hat x_i - \hat
        x_j\|^2 = 2 - 2\cos θ_{ij}

    There are no class centres; T is chosen from the batch, so that each of its identities needs at least two images:

    - ``"batch-all"``: all triplets that have a loss (Hermans et al., 2017).
    - ``"batch-hard"``: for each anchor its farthest positive and its nearest negative (Hermans et al., 2017).
    - ``"semi-hard"``: all triplets with :math:`0 < d_{an} - d_{ap} \le m` (Schroff et al., 2015, section 3.2): the
      negative is farther away than the positive, but not by the margin. Distances are equal, so that the triplet is
      not chosen, if they differ by 8 machine epsilons at most.

    A T without triplets has the loss 0. Memory grows with (anchor-positive pairs) × n.

    Args:
        margin: m, a squared distance on the unit sphere, in (0, 4).
        mining: how triplets are chosen.

    Raises:
        FacelabError: an argument out of its range; when called, a batch with no two images of one identity, or of only
            one identity.

    Warns:
        RuntimeWarning: all embeddings of a training batch are equal. Such a collapse is where the loss equals the
            margin exactly, and its gradient is zero.

    Example:
        >>> import torch
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
        >>> loss = Triplet(margin=1.0, mining="batch-hard")
        >>> round(loss(embeddings, torch.tensor([0, 0, 1, 1])).item(), 3)
        0.3
    """

    def __init__(self, *, margin: float = 0.2, mining: Mining = "semi-hard"):
        super().__init__()
        check_range(1e-6, 4, margin=margin)
        if mining not in get_args(Mining):
            raise FacelabError(f"mining={mining!r}: it is one of {', '.join(get_args(Mining))}.")
        self.margin, self.mining = margin, mining

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        unit = functional.normalize(in_range(embeddings))
        distances = 2 - 2 * unit @ unit.T
        same = labels[:, None] == labels
        positive, negative = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device), ~same
        if not positive.any() or not negative.any():
            raise FacelabError(
                "the batch has no triplet: it needs two identities, and two images of one of them. "
                "Draw batches of P identities x K images."
            )
        if self.training and distances.detach().max() < 1e-5:
            warnings.warn(
                "all embeddings are equal: the triplet loss has collapsed and cannot recover. "
                "Start again with a lower learning rate, semi-hard mining, or a softmax loss first.",
                RuntimeWarning,
                stacklevel=4,
            )
        if self.mining == "batch-hard":
            valid = positive.any(dim=1) & negative.any(dim=1)
            d_ap = distances.masked_fill(~positive, -torch.inf).amax(dim=1)[valid]
            d_an = distances.masked_fill(~negative, torch.inf).amin(dim=1)[valid]
            return (d_ap - d_an + self.margin).clamp(min=0).mean()
        anchor, other = positive.nonzero(as_tuple=True)
        gap = distances[anchor] - distances[anchor, other][:, None]  # d_an - d_ap, shape (pairs, n)
        # Written so that NaN is chosen, and the loss becomes NaN: a training that diverges must not see a loss of 0.
        chosen = negative[anchor] & ~(gap >= self.margin)
        if self.mining == "semi-hard":
            chosen &= ~(gap <= TIE * torch.finfo(gap.dtype).eps)
        return torch.where(chosen, self.margin - gap, 0).sum() / chosen.sum().clamp(min=1)

    @torch.no_grad()
    def accuracy(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the share of embeddings whose nearest other one in the batch is of the same identity."""
        with torch.autocast(embeddings.device.type, enabled=False):
            unit = functional.normalize(in_range(embeddings.to(self._dtype(embeddings))))
            nearest = (unit @ unit.T).fill_diagonal_(-torch.inf).argmax(dim=1)
        return (labels[nearest] == labels).float().mean()
