"""Softmax cross entropy, the starting point."""

import torch
from torch import Tensor, nn

from facelab.losses.base import ClassifierLoss


class Softmax(ClassifierLoss):
    r"""Softmax cross entropy (CE) on :math:`z_j = W_j \cdot x + b_j`: nothing is normalised, there is no margin.

    The centres start with the spread of ``torch.nn.Linear``, :math:`1/\sqrt{3D}`.
    """

    def __init__(self, num_identities: int, embedding_dim: int):
        super().__init__(num_identities, embedding_dim)
        self.bias = nn.Parameter(torch.zeros(num_identities))
        bound = embedding_dim**-0.5
        nn.init.uniform_(self.centres, -bound, bound)

    def logits(self, embeddings: Tensor) -> Tensor:
        with torch.autocast(embeddings.device.type, enabled=False):
            dtype = self._dtype(embeddings)
            return embeddings.to(dtype) @ self.centres.to(dtype).T + self.bias.to(dtype)
