"""Each loss against a peer library where it has the loss and has it right, else against a direct reference."""

import math

import numpy as np
import pytest
import torch
from pytorch_metric_learning import losses as peers
from torch.nn import functional

from facelab.losses import (
    AdaFace,
    ArcFace,
    CombinedMargin,
    CosFace,
    CurricularFace,
    ElasticArcFace,
    ElasticCosFace,
    MagFace,
    NormFace,
    SphereFace,
    SphereFaceR,
    SubCenterArcFace,
)
from facelab.losses.combined import combined_target
from facelab.losses.sphereface import sphereface_target

N, C, D = 32, 10, 16


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(0)
    embeddings = 5 * torch.randn(N, D, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(0, C, (N,), generator=generator)


def with_random_centres(loss):
    with torch.no_grad():
        loss.centres.normal_(generator=torch.Generator().manual_seed(1))
    return loss.double()


def value_and_gradients(loss, embeddings, labels, centres):
    x = embeddings.clone().requires_grad_()
    value = loss(x, labels)
    return value.detach(), *torch.autograd.grad(value, (x, centres))


@pytest.mark.parametrize(
    ("ours", "peer"),
    [
        (NormFace(C, D, scale=20.0), peers.NormalizedSoftmaxLoss(C, D, temperature=1 / 20)),
        (CosFace(C, D), peers.CosFaceLoss(C, D, margin=0.35, scale=64)),
        (CosFace(C, D, margin=0.1, scale=16.0), peers.CosFaceLoss(C, D, margin=0.1, scale=16)),
        (ArcFace(C, D), peers.ArcFaceLoss(C, D, margin=math.degrees(0.5), scale=64)),
        (
            SubCenterArcFace(C, D),
            peers.SubCenterArcFaceLoss(num_classes=C, embedding_size=D, margin=math.degrees(0.5), scale=64),
        ),
        (
            SubCenterArcFace(C, D, sub_centres=1, margin=0.3, scale=16.0),
            peers.ArcFaceLoss(C, D, margin=math.degrees(0.3), scale=16),
        ),
        (CombinedMargin(C, D, m1=1, m2=0.5, m3=0), peers.ArcFaceLoss(C, D, margin=math.degrees(0.5), scale=64)),
        (CombinedMargin(C, D, m1=1, m2=0, m3=0.35), peers.CosFaceLoss(C, D, margin=0.35, scale=64)),
        (SphereFace(C, D, margin=4, annealing=(0, 0, 0)), peers.SphereFaceLoss(C, D, margin=4)),
        (SphereFace(C, D, margin=3, annealing=(0, 0, 0)), peers.SphereFaceLoss(C, D, margin=3)),
    ],
    ids=lambda loss: type(loss).__name__,
)
def test_value_and_gradients_agree_with_pytorch_metric_learning(ours, peer, batch):
    """In float64 and away from cos θ = ±1, where the peer's gradients are not finite."""
    with_random_centres(ours), peer.double()
    with torch.no_grad():
        peer.W.copy_(ours.centres.T)
    value, grad_x, grad_centres = value_and_gradients(ours, *batch, ours.centres)
    expected, expected_x, expected_w = value_and_gradients(peer, *batch, peer.W)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(grad_x, expected_x, atol=1e-7, rtol=1e-6)
    torch.testing.assert_close(grad_centres, expected_w.T, atol=1e-7, rtol=1e-6)


def reference(loss, batch, target, others=lambda cosine, target: cosine, radius=None):
    """Cross entropy, one embedding after the other; ``target(i, θ)`` and ``others`` with Python's own mathematics."""
    embeddings, labels = (tensor.numpy() for tensor in batch)
    centres = loss.centres.detach().numpy()
    values = []
    for i, (x, y) in enumerate(zip(embeddings, labels, strict=True)):
        cosines = [float(x @ w / np.linalg.norm(x) / np.linalg.norm(w)) for w in centres]
        own = target(i, math.acos(cosines[y]))
        logits = np.array([own if j == y else others(cosine, own) for j, cosine in enumerate(cosines)])
        logits *= loss.scale if radius is None else np.linalg.norm(x)
        values.append(np.logaddexp.reduce(logits) - logits[y])
    return float(np.mean(values))


def test_sphereface_annealed(batch):
    loss = with_random_centres(SphereFace(C, D, margin=4))
    for iteration in (1, 2, 3):
        value = loss(*batch)
        weight = 1 / (1 + max(5, 1000 / (1 + 0.12 * iteration)))

        def target(i, theta, weight=weight):
            k = math.floor(4 * theta / math.pi)
            psi = (-1) ** k * math.cos(4 * theta) - 2 * k
            return math.cos(theta) + (psi - math.cos(theta)) * weight

        assert value.item() == pytest.approx(reference(loss, batch, target, radius="length"), rel=1e-9)
    loss.iteration.fill_(10**9)
    assert loss.target(torch.tensor([0.0]), torch.ones(1)).item() == pytest.approx((-3) / 6, abs=1e-5)  # λ = 5


def test_sphereface_r(batch):
    loss = with_random_centres(SphereFaceR(C, D, margin=1.7, scale=30))

    def target(i, theta):
        k = math.floor(1.7 * theta / math.pi)
        return (-1) ** k * math.cos(1.7 * theta) - 2 * k

    assert loss(*batch).item() == pytest.approx(reference(loss, batch, target), rel=1e-9)


def test_combined(batch):
    loss = with_random_centres(CombinedMargin(C, D, m1=1.1, m2=0.3, m3=0.2))
    seam = (math.pi - 0.3) / 1.1

    def target(i, theta):
        assert theta < seam
        return math.cos(1.1 * theta + 0.3) - 0.2

    assert loss(*batch).item() == pytest.approx(reference(loss, batch, target), rel=1e-9)


def test_adaface(batch):
    loss = with_random_centres(AdaFace(C, D, momentum=0.5))
    lengths = batch[0].norm(dim=1).numpy()
    mean, std = (20 + lengths.mean()) / 2, (100 + lengths.std(ddof=1)) / 2
    z = np.clip((lengths - mean) / (std + 1e-3) * 0.333, -1, 1)
    value = loss(*batch)
    expected = reference(loss, batch, lambda i, theta: math.cos(theta - 0.4 * z[i]) - (0.4 + 0.4 * z[i]))
    assert value.item() == pytest.approx(expected, rel=1e-6)  # the statistics start from float32
    assert (loss.mean_length.item(), loss.std_length.item()) == pytest.approx((mean, std), rel=1e-6)


def test_adaface_of_one_embedding_has_no_spread_and_moves_nothing():
    loss = AdaFace(3, 4)
    assert torch.isfinite(loss(torch.ones(1, 4), torch.tensor([0])))
    assert (loss.mean_length.item(), loss.std_length.item()) == (20.0, 100.0)


def test_adaface_goes_from_arcface_over_cosface_to_a_negative_angle():
    loss = AdaFace(3, 4, margin=0.4).double().eval()
    loss.mean_length.fill_(50.0), loss.std_length.fill_(1.0)
    cos_theta = torch.full((3,), math.cos(1.0), dtype=torch.float64)
    target = loss.target(cos_theta, torch.tensor([0.0, 50.0, 1000.0], dtype=torch.float64))
    expected = [math.cos(1.4), math.cos(1.0) - 0.4, math.cos(0.6) - 0.8]
    torch.testing.assert_close(target, torch.tensor(expected, dtype=torch.float64))


def test_curricularface(batch):
    loss = with_random_centres(CurricularFace(C, D))
    loss.t.fill_(0.3)
    cosines = functional.cosine_similarity(batch[0], loss.centres[batch[1]], dim=1)
    t = 0.01 * cosines.mean().item() + 0.99 * 0.3
    value = loss(*batch)
    hard = 0

    def others(cosine, target):
        nonlocal hard
        hard += cosine > target
        return cosine * (t + cosine) if cosine > target else cosine

    expected = reference(loss, batch, lambda i, theta: math.cos(theta + 0.5), others)
    assert hard > 10
    assert value.item() == pytest.approx(expected, rel=1e-6)
    assert loss.t.item() == pytest.approx(t, rel=1e-6)


def test_a_sub_centre_is_the_nearest_of_its_identity_and_only_that_one_learns(batch):
    embeddings, labels = batch[0][:5], batch[1][:5]
    loss = with_random_centres(SubCenterArcFace(C, D, sub_centres=4))
    x, rows = functional.normalize(embeddings), functional.normalize(loss.centres).reshape(C, 4, D)
    expected = torch.stack([(x @ rows[:, k].T) for k in range(4)]).max(dim=0)
    torch.testing.assert_close(loss.cos_theta(embeddings), expected.values)
    loss(embeddings, labels).backward()
    touched = {(j, int(k)) for row in expected.indices for j, k in enumerate(row)}
    assert len(touched) < 4 * C
    assert {divmod(row, 4) for row in loss.centres.grad.abs().sum(dim=1).nonzero().flatten().tolist()} == touched


def test_the_main_centre_of_an_identity_is_the_one_that_most_of_its_images_are_near():
    loss = SubCenterArcFace(2, 2, sub_centres=3)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[0.0, 1], [5, 0], [-1, 0], [0, -3], [1, 1], [-1, -1]]))
    x = torch.tensor([[3.0, 0.1], [2, -0.1], [0.1, 2], [-1, -0.9], [-2, -2], [2, 2]])
    found = loss.main_centres(x, torch.tensor([0, 0, 0, 1, 1, 1]))
    assert found.tolist() == [[5, 0], [-1, -1]]
    assert ArcFace(2, 2).main_centres(x, torch.zeros(6, dtype=int)).shape == (2, 2)


def drawn_margins(loss, cosines):
    """The margins of a call, told by its targets."""
    torch.manual_seed(5)
    target = loss.target(cosines, torch.ones_like(cosines))
    return target.acos() - cosines.acos() if isinstance(loss, ElasticArcFace) else cosines - target


@pytest.mark.parametrize(("loss_class", "mean"), [(ElasticArcFace, 0.5), (ElasticCosFace, 0.35)])
@pytest.mark.parametrize("plus", [False, True])
def test_elasticface_draws_its_margins_from_a_normal_distribution(loss_class, mean, plus):
    cosines = torch.linspace(-0.5, 0.8, 20_000, dtype=torch.float64)[torch.randperm(20_000)]
    margins = drawn_margins(loss_class(C, D, sigma=0.05, plus=plus), cosines)
    assert margins.mean().item() == pytest.approx(mean, abs=0.002)
    assert margins.std().item() == pytest.approx(0.05, rel=0.03)
    ranks = torch.stack([margins, cosines]).argsort(dim=1).argsort(dim=1).double()
    correlation = torch.corrcoef(ranks)[0, 1].item()
    assert correlation == pytest.approx(-1, abs=1e-6) if plus else abs(correlation) < 0.05


@pytest.mark.parametrize("plus", [False, True])
def test_elasticface(batch, plus):
    """The loss with the margins that it drew, handed out by a loop."""
    arc, cos = (with_random_centres(of(C, D, plus=plus)) for of in (ElasticArcFace, ElasticCosFace))
    own = functional.cosine_similarity(batch[0], arc.centres[batch[1]], dim=1)
    torch.manual_seed(3)
    drawn = torch.randn(N, dtype=torch.float64).tolist()
    if plus:
        by_rank = sorted(drawn)
        drawn = [by_rank[sum(other > mine for other in own)] for mine in own]
    for loss, target in (
        (arc, lambda i, theta: math.cos(theta + 0.5 + 0.05 * drawn[i])),
        (cos, lambda i, theta: math.cos(theta) - 0.35 - 0.05 * drawn[i]),
    ):
        torch.manual_seed(3)
        assert loss(*batch).item() == pytest.approx(reference(loss, batch, target), rel=1e-9)


@pytest.mark.parametrize(("elastic", "plain"), [(ElasticArcFace, ArcFace), (ElasticCosFace, CosFace)])
def test_elasticface_without_spread_or_in_evaluation_is_the_plain_loss(elastic, plain, batch):
    expected = with_random_centres(plain(C, D))(*batch)
    for loss in (elastic(C, D, sigma=0.0), elastic(C, D, sigma=0.0, plus=True), elastic(C, D, sigma=0.3).eval()):
        assert with_random_centres(loss)(*batch).item() == pytest.approx(expected.item(), rel=1e-12)
    loss = with_random_centres(elastic(C, D))
    assert loss(*batch) != loss(*batch)


def test_magface(batch):
    loss = with_random_centres(MagFace(C, D))
    embeddings = batch[0] * torch.logspace(-1, 1, N, dtype=torch.float64)[:, None]  # some shorter than 10 or over 110
    a = np.clip(embeddings.norm(dim=1).numpy(), 10, 110)
    assert ((a == 10).any(), (a == 110).any()) == (True, True)
    margins = 0.45 + (a - 10) / 100 * 0.35
    expected = reference(loss, (embeddings, batch[1]), lambda i, theta: math.cos(theta + margins[i]))
    expected += 35 * np.mean(a / 110**2 + 1 / a)
    assert loss(embeddings, batch[1]).item() == pytest.approx(expected, rel=1e-9)


def test_magface_with_the_easy_margin_of_its_authors(batch):
    loss = with_random_centres(MagFace(C, D, easy_margin=True))
    a = np.clip(batch[0].norm(dim=1).numpy(), 10, 110)
    margins, beyond = 0.45 + (a - 10) / 100 * 0.35, []

    def target(i, theta):
        beyond.append(math.cos(theta) <= 0)
        return math.cos(theta) if beyond[-1] else math.cos(theta + margins[i])

    expected = reference(loss, batch, target) + 35 * np.mean(a / 110**2 + 1 / a)
    assert loss(*batch).item() == pytest.approx(expected, rel=1e-9)
    assert 5 < sum(beyond) < N - 5


def test_magface_lengths_learn_unless_they_leave_their_range(batch):
    loss = with_random_centres(MagFace(C, D))
    unit = functional.normalize(batch[0])
    for length, learns in ((5.0, False), (50.0, True), (200.0, False)):
        x = (length * unit).requires_grad_()
        loss(x, batch[1]).backward()
        assert ((x.grad * unit).sum(dim=1).abs().max() > 1e-6) == learns


def test_combined_margin_is_not_one_of_its_parts():
    """Seen in a widely used toolkit: m1 and m2 ignored when m3 > 0."""
    cosine = torch.tensor(0.5, dtype=torch.float64)
    assert combined_target(cosine, 1, 0.3, 0.2).item() == pytest.approx(0.0217, abs=5e-5)
    assert combined_target(cosine, 1.35, 0, 0).item() == pytest.approx(math.cos(1.35 * math.pi / 3), abs=1e-12)


@pytest.mark.parametrize("m1", [1.0, 1.35, 2.0, 4.0])
@pytest.mark.parametrize("m2", [0.0, 0.3, 1.5])
@pytest.mark.parametrize("m3", [0.0, 0.4])
def test_combined_target_falls_strictly_with_theta(m1, m2, m3):
    cos_theta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64).cos()
    assert (combined_target(cos_theta, m1, m2, m3).diff() < 0).all()


@pytest.mark.parametrize("margin", [1.0, 1.35, 1.7, 2.0, 3.0, 4.0])
def test_sphereface_target_is_continuous_and_falls_strictly_with_theta(margin):
    theta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    target = sphereface_target(theta.cos(), margin)
    assert (target.diff() < 0).all()
    assert target.diff().abs().max() < margin * (theta[1] - theta[0]) * 1.01
    if margin % 1 == 0:
        assert target[-1].item() == pytest.approx(1 - 2 * margin, abs=1e-6)


@pytest.mark.parametrize("loss_class", [NormFace, CosFace, ArcFace])
def test_scale_may_change_during_training(loss_class, batch):
    loss = with_random_centres(loss_class(C, D, scale=64.0))
    loss.scale = 8.0
    other = with_random_centres(loss_class(C, D, scale=8.0))
    assert loss(*batch).item() == other(*batch).item()


def test_scale_must_exceed_a_bound_to_tell_identities_apart():
    """At the best arrangement, the loss is log(1 + (C - 1) exp(-s C / (C - 1))): not near 0 at a small scale."""
    simplex = torch.eye(C, dtype=torch.float64) - 1 / C
    for scale in (1.0, math.sqrt(2) * math.log(C - 1), 30.0):
        loss = NormFace(C, C, scale=scale).double()
        with torch.no_grad():
            loss.centres.copy_(simplex)
        bound = math.log(1 + (C - 1) * math.exp(-scale * C / (C - 1)))
        assert loss(simplex, torch.arange(C)).item() == pytest.approx(bound, rel=1e-6)
