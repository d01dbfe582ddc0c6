"""NormFace: softmax on the sphere, without a margin."""

from torch import Tensor

from facelab.losses.base import ClassifierLoss, check_positive


class NormFace(ClassifierLoss):
    r"""NormFace (Wang et al., 2017): cross entropy on :math:`z_j = s\cos θ_j`, no margin, no bias.

    The scale decides much. The loss cannot come near 0 at a small one, since cosines end at ±1: for C identities whose
    centres are all equally far apart it stays above :math:`\log(1 + (C-1)\,e^{-sC/(C-1)})`.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        scale: s, the length that all embeddings are given.

    Raises:
        FacelabError: a scale that is not positive.
    """

    def __init__(self, num_identities: int, embedding_dim: int, *, scale: float = 30.0):
        super().__init__(num_identities, embedding_dim)
        check_positive(scale=scale)
        self.scale = scale

    def logits(self, embeddings: Tensor) -> Tensor:
        return self.scale * self.cos_theta(embeddings)
