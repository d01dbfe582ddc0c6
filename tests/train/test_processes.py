"""Two real processes, joined by gloo, against one process with the same global batch."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facelab.errors import FacelabError
from facelab.losses import NormFace, PartialFC
from facelab.train import Checkpoint, Recipe, fit
from facelab.train.batches import epoch_order
from facelab.train.parallel import share_batch_norm

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("two_processes.py")
_spec = importlib.util.spec_from_file_location("two_processes", SCRIPT)
two = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(two)


def torchrun(*arguments: str, processes: int = 2) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=300, env=environment)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict]:
    folder = tmp_path_factory.mktemp("two")
    done = torchrun(str(SCRIPT), str(folder))
    assert done.returncode == 0, done.stderr[-3000:]
    return [{**torch.load(folder / f"found-{rank}.pt"), "folder": folder} for rank in range(2)]


@pytest.mark.parametrize("name", ["arcface", "adaface", "triplet", "shared"])
def test_same_loss_curve_as_one_process_with_the_same_global_batch(found, name):
    """With ResNet18, and with losses that look at the whole batch; all with batch normalisation, in float64."""
    one = fit(two.recipe(name), two.chips(), device="cpu")
    for rank in range(2):
        curve = [row["loss"] for row in found[rank][name]["history"]]
        np.testing.assert_allclose(curve, [row["loss"] for row in one.history], rtol=1e-4, atol=1e-4)
        assert [row["images"] for row in found[rank][name]["history"]] == [32] * 3
    for key, tensor in found[0][name]["network"].items():
        assert torch.equal(tensor, found[1][name]["network"][key]), key  # the processes did not drift apart
    assert {k: v.shape for k, v in found[0][name]["loss"].items()} == {k: v.shape for k, v in one.loss.items()}


def test_the_first_process_saves_and_one_process_can_use_it(found):
    checkpoint = Checkpoint.load(found[0]["folder"] / "sampled.pt")
    assert checkpoint.complete
    assert checkpoint.loss["centres"].shape == (4, 8)
    assert all(np.isfinite(row["loss"]) for row in checkpoint.history)
    assert (found[0]["folder"] / "sampled.csv").read_text().count("\n") == 4


@pytest.mark.parametrize("name", two.RESUMED)
def test_two_processes_go_on_exactly_from_where_they_stopped(found, name):
    """Also with sampled class centres, where each process holds a part of what the optimiser remembers."""
    for rank in range(2):
        training = found[rank][f"{name} resumed"]
        assert training["stopped"] == 3
        for key, tensor in training["whole"].items():
            assert torch.equal(tensor, training["resumed"][key]), key


def test_no_image_is_lost_or_doubled_in_an_epoch(found):
    first, second = (found[rank]["positions"] for rank in range(2))
    assert [len(part) for part in first + second] == [8] * 12
    order = epoch_order(two.recipe("arcface"), two.chips().labels, 0)
    assert [a + b for a, b in zip(first[:2], second[:2], strict=True)] == order.tolist()
    for epoch in range(3):
        parts = first[2 * epoch : 2 * epoch + 2] + second[2 * epoch : 2 * epoch + 2]
        assert sorted(position for part in parts for position in part) == list(range(32))


@pytest.mark.parametrize("name", two.PARTIAL_LOSSES)
def test_partial_fc_at_rate_one_is_the_full_loss_with_its_gradients(found, name):
    loss, (embeddings, labels) = two.full_loss(name), two.embeddings_and_labels()
    embeddings.requires_grad_()
    accuracy = loss.accuracy(embeddings, labels).item()
    value = loss(embeddings, labels)
    value.backward()
    for rank in range(2):
        mine = found[rank]["partial_fc"][name]
        assert mine["value"] == pytest.approx(value.item(), rel=1e-10)
        assert mine["accuracy"] == accuracy
        assert mine["norm"] == pytest.approx(loss.centres.grad.norm().item(), rel=1e-10)
        torch.testing.assert_close(mine["embeddings"], embeddings.grad[5 * rank : 5 * rank + 5])
        torch.testing.assert_close(mine["centres"], loss.centres.grad)
        for key, tensor in loss.state_dict().items():
            torch.testing.assert_close(mine["state"][key], tensor)


def test_sampling_draws_the_present_identities_and_others_up_to_the_rate():
    torch.manual_seed(0)
    loss = PartialFC(Recipe.parse({"embedding_dim": 4, "loss": {"name": "arcface"}}).build_loss(40), rate=0.25)
    labels = torch.tensor([3, 3, 39, 8])
    embeddings = torch.randn(4, 4)
    seen = set()
    for _ in range(50):
        loss.zero_grad()
        loss(embeddings, labels).backward()
        drawn = set(loss.centres.grad.abs().sum(dim=1).nonzero().flatten().tolist())
        assert {3, 8, 39} <= drawn
        assert len(drawn) == 10
        seen |= drawn
    assert seen == set(range(40))
    loss.rate = 0.01  # the present ones are always there
    loss.zero_grad()
    loss(embeddings, labels).backward()
    assert loss.centres.grad.abs().sum(dim=1).nonzero().flatten().tolist() == [3, 8, 39]


def test_sampled_loss_is_the_full_one_on_the_drawn_identities():
    torch.manual_seed(0)
    whole = Recipe.parse({"embedding_dim": 4, "loss": {"name": "arcface"}}).build_loss(40)
    embeddings, labels = torch.randn(4, 4), torch.tensor([3, 3, 39, 8])
    logits = whole.margin_logits(embeddings, labels)
    loss = PartialFC(whole, rate=0.25)
    value = loss(embeddings, labels)
    value.backward()
    drawn = loss.centres.grad.abs().sum(dim=1) > 0
    expected = nn.functional.cross_entropy(logits.masked_fill(~drawn, -torch.inf), labels)
    torch.testing.assert_close(value, expected)


def test_bad_use_of_partial_fc_is_named():
    with pytest.raises(FacelabError, match="NormFace"):
        PartialFC(NormFace(5, 4))
    with pytest.raises(FacelabError, match="rate=0"):
        PartialFC(Recipe.parse({"loss": {"name": "arcface"}}).build_loss(5), rate=0.0)
    loss = PartialFC(Recipe.parse({"embedding_dim": 4, "loss": {"name": "arcface"}}).build_loss(5))
    with pytest.raises(FacelabError, match="label 5"):
        loss(torch.randn(2, 4), torch.tensor([1, 5]))
    with pytest.raises(FacelabError, match=r"expected \(n, 4\)"):
        loss(torch.randn(2, 3), torch.tensor([1, 2]))


@pytest.mark.parametrize("affine", [True, False])
def test_shared_batch_norm_is_torchs_in_one_process(affine):
    torch.manual_seed(0)
    x = (3 + 2 * torch.randn(6, 4, 5, 5, dtype=torch.float32)).requires_grad_()
    plain = nn.Sequential(nn.BatchNorm2d(4, affine=affine))
    shared = share_batch_norm(nn.Sequential(nn.BatchNorm2d(4, affine=affine)))
    weights = torch.randn(6, 4, 5, 5)
    gradients = [torch.autograd.grad((weights * net(x)).sum(), [x, *net.parameters()]) for net in (plain, shared)]
    for mine, other in zip(*gradients, strict=True):
        torch.testing.assert_close(mine, other, atol=1e-4, rtol=1e-4)
    for key, tensor in plain.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[key], tensor)
    torch.testing.assert_close(shared.eval()(x), plain.eval()(x))
