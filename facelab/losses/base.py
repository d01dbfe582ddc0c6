"""What the losses share: checks, class centres, and the one place where a margin enters."""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional

from facelab.errors import FacelabError

LARGEST = 1e38  # float32 holds no number beyond 3.4e38


def check_range(low: float, high: float = LARGEST, **values: float) -> None:
    """Raise a :class:`FacelabError` that names the first value outside [low, high)."""
    for name, value in values.items():
        if not low <= value < high:
            raise FacelabError(f"{name}={value}: it must be in [{low:g}, {high:.4g}).")


def check_positive(**values: float) -> None:
    """Raise a :class:`FacelabError` that names the first value that is not positive, or too large for float32."""
    for name, value in values.items():
        if not 0 < value < LARGEST:
            raise FacelabError(f"{name}={value}: it must be positive, and less than {LARGEST:g}.")


def check_labels(labels: Tensor, identities: int) -> None:
    """Raise a :class:`FacelabError` that names the first label outside [0, identities)."""
    if len(labels) and (labels.min() < 0 or labels.max() >= identities):
        first = labels[(labels < 0) | (labels >= identities)][0]
        raise FacelabError(f"label {int(first)} is outside [0, {identities}), the identities of this loss.")


def angle(cos_theta: Tensor) -> Tensor:
    r"""Return θ in radians, with a finite gradient.

    The gradient of arccos is :math:`-1/\sin θ`, infinite at θ = 0 and π, and rounding takes a cosine of float32 vectors
    beyond ±1. So cos θ is held 8 machine epsilons away from ±1; nearer to it the gradient is 0.
    """
    limit = 1 - 8 * torch.finfo(cos_theta.dtype).eps
    return cos_theta.clamp(-limit, limit).acos()


class Loss(nn.Module):
    """Embeddings and labels -> the scalar to minimise.

    All is computed in float32 also under autocast (in float64 for float64 embeddings): at scale 64, one bfloat16 step
    near cos θ = 0.9 is a quarter of a logit. Parameters keep their dtype.

    Attributes:
        trusts_labels: whether labels are not looked at, because they are known to be right. To look at those on a GPU
            is to wait for it; so a training there, whose labels come from a FaceSet, sets it.
    """

    trusts_labels = False

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss, a scalar.

        Args:
            embeddings: shape (n, D), not normalised.
            labels: shape (n,), int64.

        Raises:
            FacelabError: shapes or dtype differ from these, the batch is empty, or a label cannot be; the message names
                it.
        """
        self._check(embeddings, labels)
        if not len(embeddings):
            raise FacelabError("the batch is empty: a loss needs at least one embedding.")
        with torch.autocast(embeddings.device.type, enabled=False):
            return self.value(embeddings.to(self._dtype(embeddings)), labels)

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of checked embeddings in float32 or float64."""
        raise NotImplementedError

    def accuracy(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the share of embeddings that are recognised, without margin: a scalar to watch while training."""
        raise NotImplementedError

    def schedule(self, **values: float) -> None:
        """Set what a training changes from step to step: ``margin_factor``, ``scale``."""
        for name, value in values.items():
            setattr(self, name, value)

    def own_rows(self, whole: Tensor) -> Tensor:
        """Return the rows that this process holds, of a tensor with one row per identity: all, unless shared out."""
        return whole

    def all_rows(self, part: Tensor) -> Tensor:
        """Return the rows of all processes, of a tensor with one row per centre of this process; no gradient."""
        return part

    def total_norm(self, norm: Tensor) -> Tensor:
        """Return the length of the gradients of all processes' parameters, from that of this process's."""
        return norm

    def _check(self, embeddings: Tensor, labels: Tensor) -> None:
        for name, value in (("embeddings", embeddings), ("labels", labels)):
            if not isinstance(value, Tensor):
                raise FacelabError(
                    f"{name} are a {type(value).__name__}, but a loss takes tensors: give torch.as_tensor({name})."
                )
        if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
            raise FacelabError(
                f"embeddings {tuple(embeddings.shape)} and labels {tuple(labels.shape)}: expected (n, D) and (n,)."
            )
        if labels.dtype != torch.int64:
            raise FacelabError(f"labels are {labels.dtype}; convert them with labels.long().")

    def _dtype(self, embeddings: Tensor) -> torch.dtype:
        return torch.promote_types(embeddings.dtype, torch.float32)


class _Cosines(torch.autograd.Function):
    r"""Cosines of embeddings x, shape (n, D), with centres W, shape (C, D); both of any length.

    For many identities, W is larger than all else. So no normalised copy of it is made or kept:

    .. math:: C = \hat X W^T N, \qquad N = \mathrm{diag}(1/\|W_j\|), \qquad \frac{\partial L}{\partial W} = P - N^2
        \,\mathrm{diag}(P W^T)\,W, \qquad P = (G N)^T \hat X

    with G the gradient of C. This is the gradient through the normalisation: P without its part along W. Likewise that
    of x is :math:`(Q - \mathrm{diag}(Q \hat X^T)\,\hat X)\,/\,\|x\|` with Q = G N W.
    """

    @staticmethod
    def forward(ctx, embeddings: Tensor, centres: Tensor) -> Tensor:
        shorten = _inverse_length(embeddings)[:, None]
        unit, inverse = embeddings * shorten, _inverse_length(centres)
        ctx.save_for_backward(unit, shorten, centres, inverse)
        return (unit @ centres.T).mul_(inverse)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:
        unit, shorten, centres, inverse = ctx.saved_tensors
        with torch.autocast(gradient.device.type, enabled=False):  # backward() may be called under autocast
            gradient = gradient * inverse
            of_unit, of_centres = gradient @ centres, gradient.T @ unit
            along_unit = torch.linalg.vecdot(of_unit, unit)
            pieces = zip(of_centres.split(1024), centres.split(1024), strict=True)  # makes no product as large as W
            along_centres = torch.cat([torch.linalg.vecdot(*piece) for piece in pieces]) * inverse.square()
            of_unit.addcmul_(unit, along_unit[:, None], value=-1).mul_(shorten)
            return of_unit, of_centres.addcmul_(centres, along_centres[:, None], value=-1)


def cosines(embeddings: Tensor, centres: Tensor) -> Tensor:
    """Return the cosine of each of (n, D) embeddings with each of (C, D) centres, shape (n, C)."""
    return _Cosines.apply(in_range(embeddings), in_range(centres))


def in_range(vectors: Tensor) -> Tensor:
    """Return the rows, those that are too long or too short to be squared in their dtype brought to a largest value of
    1: their direction stays.

    To look at rows on a GPU is to wait for it. So there they stay as they are: one whose length overflows has cosines
    NaN, which stop a training, and one shorter than 1e-12 has cosines near 0.
    """
    if vectors.is_cuda:
        return vectors
    with torch.no_grad():
        odd = _is_odd(vectors.norm(dim=1))
        if not odd.any():
            return vectors
        largest = vectors.abs().amax(dim=1)
        factor = torch.where(odd & (largest > 0) & largest.isfinite(), largest, 1)[:, None]
    return vectors / factor


def lengths_of(vectors: Tensor) -> Tensor:
    """Return the length of each row, shape (n,), also of rows that are too long or too short to be squared."""
    lengths = vectors.norm(dim=1)
    if lengths.is_cuda or not (odd := _is_odd(lengths.detach())).any():
        return lengths
    return torch.where(odd, vectors.double().norm(dim=1).to(lengths.dtype), lengths)


def _is_odd(lengths: Tensor) -> Tensor:
    return (lengths < _SHORT) | lengths.isinf()


def _inverse_length(vectors: Tensor) -> Tensor:
    lengths = vectors.norm(dim=1).clamp_(min=_SHORT)
    return lengths.masked_fill_(lengths.isinf(), torch.nan).reciprocal_()


_SHORT = 1e-12  # a vector is not taken for longer than it is, as torch.nn.functional.normalize does not


class ClassifierLoss(Loss):
    r"""Cross entropy over one logit per identity; subclasses say what the logits are.

    .. math:: L = -\frac1n \sum_i \log \frac{e^{z_{i,y_i}}}{\sum_j e^{z_{ij}}}

    Labels are in [0, C).

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.

    Attributes:
        centres: the class centres W, one row per identity; parameter of shape (C, D).
        sub_centres: K, where a loss has K centres for an identity; then W has K rows for each, one after the other.
    """

    sub_centres = 1

    def __init__(self, num_identities: int, embedding_dim: int):
        super().__init__()
        if num_identities < 2 or embedding_dim < 1:
            raise FacelabError(
                f"num_identities={num_identities}, embedding_dim={embedding_dim}: "
                "need at least 2 identities and 1 dimension."
            )
        self.num_identities = num_identities
        self.centres = nn.Parameter(torch.empty(num_identities, embedding_dim))
        nn.init.normal_(self.centres, std=0.01)

    def logits(self, embeddings: Tensor) -> Tensor:
        """Return the logits without margin, shape (n, C), float32 (float64 for float64 embeddings)."""
        raise NotImplementedError

    def margin_logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the logits that are trained on, shape (n, C); without a margin they are :meth:`logits`."""
        return self.logits(embeddings)

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(self.margin_logits(embeddings, labels), labels)

    @torch.no_grad()
    def accuracy(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return (self.logits(embeddings).argmax(dim=1) == labels).float().mean()

    def cos_theta(self, embeddings: Tensor) -> Tensor:
        """Return the cosine between each embedding and each class centre, shape (n, C), in [-1, 1] up to rounding.

        Of several centres of an identity the nearest counts.
        """
        with torch.autocast(embeddings.device.type, enabled=False):
            dtype = self._dtype(embeddings)
            return self.nearest(cosines(embeddings.to(dtype), self.centres.to(dtype)))

    def nearest(self, cos_theta: Tensor) -> Tensor:
        """Return the largest cosine of each identity, shape (n, C), from those with all centres, shape (n, C K)."""
        if self.sub_centres == 1:
            return cos_theta
        return cos_theta.unflatten(1, (-1, self.sub_centres)).max(dim=2).values  # amax would not let its result change

    def main_centres(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return one centre for each identity, shape (C, D), no gradient; embeddings are those of the training."""
        return self.centres.detach()

    def _dtype(self, embeddings: Tensor) -> torch.dtype:
        return torch.promote_types(super()._dtype(embeddings), self.centres.dtype)

    def _check(self, embeddings: Tensor, labels: Tensor) -> None:
        super()._check(embeddings, labels)
        dim = self.centres.shape[1]
        if embeddings.shape[1] != dim:
            raise FacelabError(f"embeddings {tuple(embeddings.shape)}: expected (n, {dim}).")
        if not self.trusts_labels:
            check_labels(labels, self.num_identities)


class MarginLoss(ClassifierLoss):
    r"""Cross entropy on scaled cosines with a margin on the target logit; subclasses say what f is.

    .. math:: z_{y} = s\,f(θ_y), \qquad z_j = s\cos θ_j

    f falls strictly with θ and lies at or below cos θ, so that an embedding must come closer to its own class centre
    than the plain softmax asks for.

    Args:
        num_identities: C, the number of identities.
        embedding_dim: D, the number of dimensions of an embedding.
        scale: s, the length that all embeddings are given. It is an attribute and may be changed during training.
        detach_margin: compute the margin without gradient, so that :math:`\partial z_y/\partial\cos θ_y = s` everywhere
            instead of :math:`s\,\partial f/\partial\cos θ`. The loss is the same; the gradient is only an
            approximation, but cannot become large near θ = 0. Some widely used implementations do this; here it is off
            unless the paper asks for it.

    Attributes:
        margin_factor: in [0, 1], weakens the margin; at 0 there is none. For margin warm-up, it is raised during
            training from 0 to 1, which it is at first.
    """

    def __init__(self, num_identities: int, embedding_dim: int, *, scale: float, detach_margin: bool = False):
        super().__init__(num_identities, embedding_dim)
        check_positive(scale=scale)
        self.scale, self.detach_margin = scale, detach_margin
        self.margin_factor = 1.0

    def target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        """Return the target logits f(θ) before scaling.

        Args:
            cos_theta: between each embedding and its own class centre, shape (n,), in [-1, 1] up to rounding.
            lengths: of the embeddings before normalisation, shape (n,).
        """
        raise NotImplementedError

    def other_logits(self, cos_theta: Tensor, target: Tensor) -> Tensor:
        """Return the logits of the other identities before scaling, shape (n, C); the column of the target is not used.

        Args:
            cos_theta: shape (n, C).
            target: from :meth:`target`, shape (n,).
        """
        return cos_theta

    def scale_of(self, lengths: Tensor) -> float | Tensor:
        """Return what cosines are multiplied with; shape (n, 1) if it differs between embeddings."""
        return self.scale

    def logits(self, embeddings: Tensor) -> Tensor:
        embeddings = embeddings.to(self._dtype(embeddings))
        return self.scale_of(lengths_of(embeddings)) * self.cos_theta(embeddings)

    def margin_target(self, cos_theta: Tensor, lengths: Tensor) -> Tensor:
        """Return :meth:`target`, its margin without gradient if ``detach_margin``."""
        target = self.target(cos_theta, lengths)
        return cos_theta + (target - cos_theta).detach() if self.detach_margin else target

    def margin_logits(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        lengths = lengths_of(embeddings)
        cos_theta = self.cos_theta(embeddings)
        own = cos_theta[torch.arange(len(labels), device=labels.device), labels]
        target = self.margin_target(own, lengths)
        logits = self.other_logits(cos_theta, target).scatter_(1, labels[:, None], target[:, None])
        return logits.mul_(self.scale_of(lengths))  # in place: C may be large

    def penalty(self, embeddings: Tensor) -> float | Tensor:
        """Return what the loss adds to the cross entropy, a scalar."""
        return 0.0

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        return super().value(embeddings, labels) + self.penalty(embeddings)
