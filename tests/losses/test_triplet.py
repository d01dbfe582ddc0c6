import itertools

import pytest
import torch
from pytorch_metric_learning.distances import LpDistance
from pytorch_metric_learning.losses import TripletMarginLoss
from pytorch_metric_learning.miners import BatchHardMiner, TripletMarginMiner
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses import Triplet

MININGS = ["batch-all", "batch-hard", "semi-hard"]
SQUARED = LpDistance(normalize_embeddings=True, p=2, power=2)


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(5).repeat_interleave(4)
    centres = torch.randn(5, 6, generator=generator, dtype=torch.float64)
    return centres[labels] + 0.6 * torch.randn(20, 6, generator=generator, dtype=torch.float64), labels


def brute_force(embeddings, labels, margin, mining):
    """All triplets, one after the other."""
    unit = [x / x.norm() for x in embeddings]
    d = [[((a - b) ** 2).sum().item() for b in unit] for a in unit]
    n, values = len(labels), []
    for a in range(n):
        positives = [p for p in range(n) if p != a and labels[p] == labels[a]]
        negatives = [q for q in range(n) if labels[q] != labels[a]]
        if mining == "batch-hard" and positives and negatives:
            values.append(max(0.0, max(d[a][p] for p in positives) - min(d[a][q] for q in negatives) + margin))
        elif mining != "batch-hard":
            for p, q in itertools.product(positives, negatives):
                gap = d[a][q] - d[a][p]
                if gap < margin and (mining == "batch-all" or gap > 0):
                    values.append(margin - gap)
    return sum(values) / max(len(values), 1)


@pytest.mark.parametrize("margin", [0.05, 0.2, 1.0])
@pytest.mark.parametrize("mining", MININGS)
def test_agrees_with_brute_force(batch, mining, margin):
    embeddings, labels = batch
    labels[-1] = 99  # an anchor without a positive
    value = Triplet(margin=margin, mining=mining)(embeddings, labels)
    assert value.item() == pytest.approx(brute_force(embeddings, labels, margin, mining), rel=1e-9)


@pytest.mark.parametrize(
    ("mining", "miner"),
    [
        ("batch-all", None),
        ("batch-hard", BatchHardMiner(distance=SQUARED)),
        ("semi-hard", TripletMarginMiner(margin=0.5, type_of_triplets="semihard", distance=SQUARED)),
    ],
)
def test_value_and_gradient_agree_with_pytorch_metric_learning(batch, mining, miner):
    embeddings, labels = batch
    peer = TripletMarginLoss(margin=0.5, distance=SQUARED)
    ours, theirs = (embeddings.clone().requires_grad_() for _ in range(2))
    value = Triplet(margin=0.5, mining=mining)(ours, labels)
    expected = peer(theirs, labels, miner(theirs, labels) if miner else None)
    if mining == "batch-hard":  # the peer leaves anchors without a loss out of the mean
        expected = expected * (_hard_values(embeddings, labels, 0.5) > 0).double().mean()
    torch.testing.assert_close(value, expected)
    value.backward(), expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad, atol=1e-9, rtol=1e-6)


def _hard_values(embeddings, labels, margin):
    d = SQUARED(embeddings)
    same = labels[:, None] == labels
    return d.masked_fill(~same, 0).amax(dim=1) - d.masked_fill(same, 9).amin(dim=1) + margin


@pytest.mark.parametrize("mining", MININGS)
def test_gradcheck(batch, mining):
    embeddings, labels = batch
    loss = Triplet(margin=0.5, mining=mining)
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), (embeddings.requires_grad_(),))


@pytest.mark.parametrize("mining", ["batch-all", "batch-hard"])
def test_collapse_is_said_and_the_loss_is_the_margin(mining):
    embeddings = torch.ones(6, 4).requires_grad_()
    loss = Triplet(margin=0.2, mining=mining)
    with pytest.warns(RuntimeWarning, match="collapsed"):
        value = loss(embeddings, torch.arange(6) % 3)
    assert value.item() == pytest.approx(0.2, abs=1e-6)
    value.backward()
    assert embeddings.grad.abs().max() < 1e-6
    loss.eval()(embeddings, torch.arange(6) % 3)  # no warning: nothing is being trained


def test_no_semi_hard_triplet_is_a_loss_of_zero_with_a_gradient():
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.01], [-1.0, 0.0], [-1.0, 0.01]]).requires_grad_()
    value = Triplet()(embeddings, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert value.item() == 0
    assert torch.equal(embeddings.grad, torch.zeros(4, 2))


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_a_batch_without_triplets_is_an_error(labels):
    with pytest.raises(FacelabError, match="P identities x K images"):
        Triplet()(torch.randn(4, 3), torch.tensor(labels))


def test_accuracy_is_the_share_whose_nearest_other_is_of_the_same_identity():
    embeddings = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [1.0, 0.2]])
    assert Triplet().accuracy(embeddings, torch.tensor([0, 0, 1, 1])).item() == 0.5


def test_semi_hard_takes_no_triplet_whose_distances_are_equal():
    """A negative is the positive mirrored at the anchor: equal distances, which rounding makes a little different."""
    generator = torch.Generator().manual_seed(0)
    loss, labels = Triplet(margin=0.5, mining="semi-hard"), torch.tensor([0, 0, 1])
    for dimensions in (2, 8, 64, 512) * 25:
        anchor, positive = functional.normalize(torch.randn(2, dimensions, generator=generator))
        negative = 2 * (positive @ anchor) * anchor - positive
        d_ap, d_pn = (positive - anchor).square().sum().item(), (positive - negative).square().sum().item()
        others = d_pn - d_ap
        expected = 0.5 - others if 1e-5 < others < 0.5 else 0.0  # the positive as anchor may have a triplet
        assert loss(torch.stack([anchor, positive, negative]), labels).item() == pytest.approx(expected, abs=1e-4)
