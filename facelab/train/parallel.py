"""One network in several processes, as if it saw the whole batch: DistributedDataParallel, shared batch statistics."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from facelab import processes
from facelab.train.replay import Replayed


def distributed(network: nn.Module, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Return the network as each process should call it; alone, the network itself, on a GPU replayed.

    Gradients are averaged over the processes, and batch normalisation uses the whole batch: a step is that of one
    process with the same batch, up to rounding. Rounding grows, most of all in a fresh network (in float32 the first
    loss agrees to five digits, the tenth need not agree to two), as it does when the number of threads changes.
    Dropout is that of another seed.
    """
    if not any(parameter.requires_grad for parameter in network.parameters()):  # all of it frozen
        return network
    if processes.count() == 1:
        return Replayed(network) if device.type == "cuda" else network
    from torch.nn.parallel import DistributedDataParallel

    ids = [device] if device.type == "cuda" else None
    return DistributedDataParallel(share_batch_norm(network), device_ids=ids)


def share_batch_norm(module: nn.Module) -> nn.Module:
    """Let every batch normalisation below ``module`` use the images of all processes; parameters keep their names.

    ``torch.nn.SyncBatchNorm`` does this on GPUs only.
    """
    for name, child in module.named_children():
        if isinstance(child, _BatchNorm):
            shared = _SharedBatchNorm(child.num_features, child.eps, child.momentum, child.affine)
            shared.weight, shared.bias = child.weight, child.bias  # the same: an optimiser may hold them already
            for key, tensor in child.named_buffers():
                setattr(shared, key, tensor)
            setattr(module, name, shared.train(child.training))
        else:
            share_batch_norm(child)
    return module


class _SharedBatchNorm(_BatchNorm):
    """Batch normalisation whose mean and variance are those of the images of all processes."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor
    momentum: float

    def _check_input_dim(self, x: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        axes, dtype, x = [0, *range(2, x.ndim)], x.dtype, x.to(self.running_mean.dtype)  # also under autocast
        n = x.numel() // x.shape[1] * processes.count()
        mean = processes.total(x.sum(axes)) / n
        centred = x - mean.view(1, -1, *[1] * (x.ndim - 2))
        variance = processes.total(centred.square().sum(axes)) / n
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
            self.num_batches_tracked += 1
        factor = (variance + self.eps).rsqrt()
        factor = factor * self.weight if self.affine else factor
        out = centred * factor.view(1, -1, *[1] * (x.ndim - 2))
        return (out + self.bias.view(1, -1, *[1] * (x.ndim - 2)) if self.affine else out).to(dtype)
