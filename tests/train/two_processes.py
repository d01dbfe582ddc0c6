"""What each of two processes does in test_processes.py; started by torchrun. Writes its findings as NAME-RANK.pt."""

import contextlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from facelab import processes
from facelab.data import FaceSet
from facelab.losses import LOSSES, MarginLoss, PartialFC
from facelab.train import Checkpoint, Recipe, fit
from facelab.train.batches import load_batches

SHAPE = {"backbone": "smallnet", "size": 32, "embedding_dim": 8, "epochs": 3, "batch_size": 16, "learning_rate": 0.01}
TRAININGS = {
    "arcface": {"name": "arcface", "scale": 8, "margin": 0.2},
    "adaface": {"name": "adaface", "scale": 8},
    "triplet": {"name": "triplet", "mining": "batch-hard"},
    "shared": {"name": "arcface", "scale": 8, "margin": 0.2, "centre_sampling": 1.0},
    "sampled": {"name": "arcface", "scale": 8, "margin": 0.2, "centre_sampling": 0.5},
}
PARTIAL_LOSSES = [name for name, row in LOSSES.items() if issubclass(row.loss_class, MarginLoss)]
RESUMED = ["arcface", "sampled"]
IDENTITIES = 7  # does not divide by two


class _Float64(torch.nn.Module):
    def __init__(self, network: torch.nn.Module):
        super().__init__()
        self.network = network.double()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.network(images.double())


class Precise(Recipe):
    """A recipe that trains in float64: a fresh ResNet lets a rounding error of float32 grow a hundredfold a step."""

    def build_network(self) -> torch.nn.Module:
        return _Float64(super().build_network())

    def build_loss(self, num_identities: int) -> torch.nn.Module:
        return super().build_loss(num_identities).double()


def chips() -> FaceSet:
    """Four identities x eight chips of 32 x 32 pixels; each identity has its own mean colour."""
    random = np.random.default_rng(0)
    colours = np.array([[60, 90, 120], [120, 60, 90], [90, 120, 60], [90, 90, 90]])[np.repeat(range(4), 8)]
    images = (colours[:, None, None] + random.integers(0, 80, (32, 32, 32, 3))).astype(np.uint8)
    return FaceSet("toy", images, pd.DataFrame({"identity": np.repeat(list("abcd"), 8)}))


def recipe(name: str) -> Recipe:
    """Return how a network is trained: ArcFace's is a ResNet18; for the others, one of seconds does."""
    backbone = "resnet18" if name == "arcface" else SHAPE["backbone"]
    return Precise.parse({**SHAPE, "backbone": backbone, "loss": TRAININGS[name]})


def embeddings_and_labels() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 12 * torch.randn(10, 5, generator=generator, dtype=torch.float64), torch.arange(10) % IDENTITIES


def full_loss(name: str) -> torch.nn.Module:
    torch.manual_seed(0)
    return Recipe.parse({"embedding_dim": 5, "loss": {"name": name}}).build_loss(IDENTITIES).double()


def partial(name: str) -> dict:
    """Value, accuracy and gradients of a shared-out loss; each process brings half of the embeddings."""
    loss, (embeddings, labels) = PartialFC(full_loss(name)), embeddings_and_labels()
    half = slice(5 * processes.rank(), 5 * processes.rank() + 5)
    own = embeddings[half].clone().requires_grad_()
    value = loss(processes.gather(own), processes.gather(labels[half]))
    value.backward()
    return {
        "value": value.item(),
        "accuracy": loss.accuracy(embeddings, labels).item(),
        "embeddings": own.grad / 2,  # summed over the processes, as DistributedDataParallel expects it
        "centres": loss.all_rows(loss.centres.grad),
        "state": loss.state_dict(),
        "norm": loss.total_norm(loss.centres.grad.norm()).item(),
    }


class Stop(Exception):
    """Stands for whatever ends a training early."""


def stopped_and_resumed(name: str, path: Path) -> dict:
    """Train in one go; and train, stop in the middle of the second epoch, and go on from the step before."""

    def stop(step: int, *_: object) -> None:
        if step == 3:
            raise Stop

    plain = Recipe.parse({**SHAPE, "loss": TRAININGS[name]})
    whole = fit(plain, chips(), device="cpu")
    with contextlib.suppress(Stop):
        fit(plain, chips(), device="cpu", checkpoint=path, checkpoint_seconds=0, watch=stop)
    stopped = processes.from_first(lambda: Checkpoint.load(path).step)
    state = fit(plain, chips(), device="cpu", checkpoint=path, checkpoint_seconds=1e9)
    return {"stopped": stopped, "whole": {**whole.network, **whole.loss}, "resumed": {**state.network, **state.loss}}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with processes.joined(torch.device("cpu")):
        found = {"partial_fc": {name: partial(name) for name in PARTIAL_LOSSES}}
        pixels = np.arange(32, dtype=np.uint8).repeat(3).reshape(32, 1, 1, 3)
        positions = FaceSet("positions", pixels, chips().table)
        found["positions"] = [
            chip.flatten()[::3].tolist()
            for chip, _ in load_batches(recipe("arcface"), positions, 0, torch.device("cpu"))
        ]
        for name in TRAININGS:
            state = fit(recipe(name), chips(), device="cpu", checkpoint=folder / f"{name}.pt", checkpoint_seconds=1e9)
            found[name] = {"history": state.history, "network": state.network, "loss": state.loss}
        for name in RESUMED:
            found[f"{name} resumed"] = stopped_and_resumed(name, folder / f"{name}-resumed.pt")
        torch.save(found, folder / f"found-{processes.rank()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
