"""What all losses with class centres share."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from facelab.errors import FacelabError


class CentreLoss(nn.Module):
    r"""Cross entropy over one logit per identity; subclasses say what the logits are.

    .. math:: L = -\frac1n \sum_i \log \frac{e^{z_{i,y_i}}}{\sum_j e^{z_{ij}}}

    Logits and loss are computed in float32 also under autocast: at scale 64, one bfloat16 step near cos θ = 0.9 is a
    quarter of a logit. Parameters keep their dtype.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.

    Attributes:
        centres: the class centres W, one row per identity; parameter of shape (C, D).
    """

    def __init__(self, num_identities: int, embedding_dim: int):
        super().__init__()
        if num_identities < 2 or embedding_dim < 1:
            raise FacelabError(
                f"num_identities={num_identities}, embedding_dim={embedding_dim}: "
                "need at least 2 identities and 1 dimension."
            )
        self.centres = nn.Parameter(torch.empty(num_identities, embedding_dim))
        nn.init.normal_(self.centres, std=0.01)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Return the logits without margin, shape (n, C), float32 (float64 for float64 embeddings)."""
        raise NotImplementedError

    def margin_logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the logits that are trained on, shape (n, C); without a margin they are :meth:`logits`."""
        return self.logits(embeddings)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss, a scalar.

        Args:
            embeddings: shape (n, D), not normalised.
            labels: shape (n,), int64, each in [0, C).

        Raises:
            FacelabError: shapes or dtype differ from these, or a label lies outside [0, C); the message names it.
        """
        self._check(embeddings, labels)
        with torch.autocast(embeddings.device.type, enabled=False):
            return functional.cross_entropy(self.margin_logits(embeddings, labels), labels)

    def _check(self, embeddings: Tensor, labels: Tensor) -> None:
        identities, dim = self.centres.shape
        if embeddings.ndim != 2 or embeddings.shape[1] != dim or labels.shape != embeddings.shape[:1]:
            raise FacelabError(
                f"embeddings {tuple(embeddings.shape)} and labels {tuple(labels.shape)}: expected (n, {dim}) and (n,)."
            )
        if labels.dtype != torch.int64:
            raise FacelabError(f"labels are {labels.dtype}; convert them with labels.long().")
        outside = labels[(labels < 0) | (labels >= identities)]
        if len(outside):
            raise FacelabError(f"label {int(outside[0])} is outside [0, {identities}), the identities of this loss.")

    def _at_least_float32(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(embeddings.dtype, torch.float32)
        return embeddings.to(dtype), self.centres.to(dtype)

    def cos_theta(self, embeddings: Tensor) -> Tensor:
        """Return the cosine between each embedding and each class centre, shape (n, C), in [-1, 1] up to rounding."""
        with torch.autocast(embeddings.device.type, enabled=False):
            embeddings, centres = self._at_least_float32(embeddings)
            return functional.normalize(embeddings) @ functional.normalize(centres).T
