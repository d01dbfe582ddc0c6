"""Partial FC: more identities than one machine's memory holds."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from facelab import processes
from facelab.errors import FacelabError
from facelab.losses.base import Loss, MarginLoss, check_labels, check_range, cosines, lengths_of


class PartialFC(Loss):
    r"""Partial FC (An et al., 2021 and 2022): each process holds a part of the class centres, and draws from its part.

    With R processes, process r holds the centres of C/R identities. Every process gets the embeddings and labels of all
    (:func:`facelab.processes.gather`), and computes the logits of its own centres. What the softmax needs of the others
    is one sum per embedding:

    .. math:: L = \frac1n \sum_i \left(\log \sum_r \sum_{j \in S_r} e^{z_{ij}} - z_{i,y_i}\right)

    :math:`S_r` holds the identities of the batch, and others drawn at random without replacement until it has the share
    ``rate`` of the part. At rate 1 this is the loss itself, with its gradients. Below 1 the logits take less memory and
    time; the gradient of a centre that was not drawn is 0, and is stored: a part of the centres, their gradient and the
    optimiser's memory of them must fit.

    The backward pass gives each process the gradient of its own centres, and the gradient of R times the loss for the
    embeddings: averaged over the processes, as DistributedDataParallel does, this is the network's gradient.

    Args:
        loss: a margin loss. Its centres are cut to the part of this process.
        rate: the share of the centres in each step, in (0, 1].

    Raises:
        FacelabError: the loss has no margin (CosFace with margin 0 is NormFace), a rate out of its range, or fewer
            identities than processes.
    """

    def __init__(self, loss: MarginLoss, *, rate: float = 1.0):
        super().__init__()
        if not isinstance(loss, MarginLoss):
            raise FacelabError(f"{type(loss).__name__} cannot share out its centres; take a loss with a margin.")
        check_range(1e-6, 1 + 1e-9, rate=rate)
        self.num_identities = loss.num_identities
        if self.num_identities < processes.count():
            raise FacelabError(f"{self.num_identities} identities for {processes.count()} processes: too few.")
        self.rate, self.margin_loss = rate, loss
        loss.centres = nn.Parameter(self.own_rows(loss.centres.detach()).clone())
        loss.centres.register_hook(lambda gradient: gradient / processes.count())  # see total(): R losses are summed

    @property
    def centres(self) -> nn.Parameter:
        """The class centres of this process, shape (C/R, D), or (C/R K, D) where an identity has K."""
        return self.margin_loss.centres

    def schedule(self, **values: float) -> None:
        self.margin_loss.schedule(**values)

    def own_rows(self, whole: Tensor) -> Tensor:
        each = self.margin_loss.sub_centres
        return whole[each * self._first : each * self._first_of(processes.rank() + 1)]

    def all_rows(self, part: Tensor) -> Tensor:
        whole = part.new_zeros(self.num_identities * self.margin_loss.sub_centres, *part.shape[1:])
        self.own_rows(whole).copy_(part.detach())
        return processes.total(whole)

    def state_dict(self, *args, **kwargs) -> dict[str, Tensor]:  # type: ignore[override]
        """Return the state of the whole loss, as it would be with one process; all processes must ask."""
        state = self.margin_loss.state_dict(*args, **kwargs)
        return {**state, "centres": self.all_rows(state["centres"])}

    def load_state_dict(self, state: Mapping[str, Any], *args, **kwargs):  # type: ignore[override]
        """Take this process's part of the state of a whole loss."""
        return self.margin_loss.load_state_dict({**state, "centres": self.own_rows(state["centres"])}, *args, **kwargs)

    def total_norm(self, norm: Tensor) -> Tensor:
        """Return the length of all gradients from that of this process's, which has its own part of the centres.

        It is the same number in all processes, to the last bit: else their networks would drift apart.
        """
        own = self.centres.grad.norm().square()  # type: ignore[union-attr]
        return processes.largest((norm.square() - own + processes.total(own)).clamp(min=0).sqrt())

    def value(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        loss, column, mine = self.margin_loss, labels - self._first, self._mine(labels)
        centres = self.centres.to(embeddings.dtype)
        if self.rate < 1:
            drawn = self._draw(column[mine])
            centres = centres.unflatten(0, (-1, loss.sub_centres))[drawn].flatten(0, 1)
            column = torch.searchsorted(drawn, column)
        place = torch.arange(len(labels), device=labels.device), torch.where(mine, column, 0)

        lengths = lengths_of(embeddings)
        cos_theta = loss.nearest(cosines(embeddings, centres))
        own = processes.total(torch.where(mine, cos_theta[place], 0))
        target = loss.margin_target(own, lengths)
        logits = loss.other_logits(cos_theta, target)
        logits = logits.index_put_(place, torch.where(mine, target, logits[place])).mul_(loss.scale_of(lengths))

        top = processes.largest(logits.amax(dim=1))
        sums = processes.total((logits - top[:, None]).exp().sum(dim=1))
        target = target * torch.as_tensor(loss.scale_of(lengths), device=target.device).reshape(-1)
        return (sums.log() + top - target).mean() + loss.penalty(embeddings)

    @torch.no_grad()
    def accuracy(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        best, nearest = self.margin_loss.cos_theta(embeddings).max(dim=1)
        found = (best == processes.largest(best)) & (nearest == labels - self._first)
        return processes.total(found.float()).mean()

    @property
    def _first(self) -> int:
        return self._first_of(processes.rank())

    def _first_of(self, rank: int) -> int:
        return rank * self.num_identities // processes.count()

    def _mine(self, labels: Tensor) -> Tensor:
        return (labels >= self._first) & (labels < self._first_of(processes.rank() + 1))

    def _draw(self, present: Tensor) -> Tensor:
        """Return the identities of this step, ascending; they follow torch's global random state, as dropout does."""
        chance = torch.rand(len(self.centres) // self.margin_loss.sub_centres)
        chance[present.cpu()] = 2.0
        size = max(round(self.rate * len(chance)), int((chance == 2).sum()))
        return chance.topk(size).indices.sort().values.to(present.device)

    def _dtype(self, embeddings: Tensor) -> torch.dtype:
        return self.margin_loss._dtype(embeddings)

    def _check(self, embeddings: Tensor, labels: Tensor) -> None:
        super()._check(embeddings, labels)
        if embeddings.shape[1] != self.centres.shape[1]:
            raise FacelabError(f"embeddings {tuple(embeddings.shape)}: expected (n, {self.centres.shape[1]}).")
        if not self.trusts_labels:
            check_labels(labels, self.num_identities)
