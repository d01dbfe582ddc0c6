"""Sub-center ArcFace: several centres for an identity, so that wrong labels have a place of their own."""

import torch
from torch import Tensor, nn

from facelab.errors import FacelabError
from facelab.losses.arcface import ArcFace
from facelab.losses.base import cosines


class SubCenterArcFace(ArcFace):
    r"""Sub-center ArcFace (Deng et al., 2020, section 3.2): ArcFace on the cosine to the nearest of K centres of an
    identity.

    .. math:: \cos θ_j = \max_{k \le K} \cos θ_{jk}

    An embedding need only be near one of the sub-centres of its identity. So pictures with a wrong label can gather at
    another one than the right pictures, and no longer pull at theirs. K = 1 is ArcFace.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        sub_centres: K, at least 1; the paper takes 3.
        margin: m in radians, in [0, π/2).
        scale: s, the length that all embeddings are given.
        detach_margin: see :class:`~facelab.losses.base.MarginLoss`.

    Attributes:
        centres: the sub-centres, parameter of shape (C K, D): rows j K to j K + K - 1 are those of identity j.

    Raises:
        FacelabError: an argument out of its range.
    """

    def __init__(
        self,
        num_identities: int,
        embedding_dim: int,
        *,
        sub_centres: int = 3,
        margin: float = 0.5,
        scale: float = 64.0,
        detach_margin: bool = False,
    ):
        super().__init__(num_identities, embedding_dim, margin=margin, scale=scale, detach_margin=detach_margin)
        if sub_centres < 1:
            raise FacelabError(f"sub_centres={sub_centres}: an identity needs at least 1.")
        self.sub_centres = sub_centres
        if sub_centres > 1:
            self.centres = nn.Parameter(torch.empty(num_identities * sub_centres, embedding_dim))
            nn.init.normal_(self.centres, std=0.01)

    def main_centres(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return of each identity the sub-centre that is nearest to most of its embeddings (the dominant one)."""
        rows = torch.arange(len(labels), device=labels.device)
        with torch.no_grad():
            own = cosines(embeddings, self.centres.to(embeddings)).unflatten(1, (-1, self.sub_centres))[rows, labels]
            votes = own.new_zeros(self.num_identities, self.sub_centres)
            votes.index_put_((labels, own.argmax(dim=1)), own.new_ones(()), accumulate=True)
            first = self.sub_centres * torch.arange(self.num_identities, device=labels.device)
            return self.centres[first + votes.argmax(dim=1)]
