import math

import pytest
import torch
from pytorch_metric_learning.losses import ArcFaceLoss
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses import ArcFace
from facelab.losses.arcface import arcface_target

MARGINS = [0.0, 0.1, 0.3, 0.5, 1.0, 1.5]


def random_batch(n=32, classes=10, dim=16, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    embeddings = torch.randn(n, dim, generator=generator, dtype=dtype)
    return embeddings, torch.randint(0, classes, (n,), generator=generator)


@pytest.mark.parametrize("margin", [0.1, 0.5])
@pytest.mark.parametrize("scale", [16.0, 64.0])
def test_value_and_gradients_agree_with_pytorch_metric_learning(margin, scale):
    """In float64 and away from cos θ = ±1, where the peer's gradient is not finite."""
    embeddings, labels = random_batch()
    ours = ArcFace(10, 16, margin=margin, scale=scale).double()
    peer = ArcFaceLoss(10, 16, margin=math.degrees(margin), scale=scale).double()
    with torch.no_grad():
        ours.centres.normal_(generator=torch.Generator().manual_seed(1))
        peer.W.copy_(ours.centres.T)
    results = []
    for loss, centres in ((ours, ours.centres), (peer, peer.W)):
        x = embeddings.clone().requires_grad_()
        value = loss(x, labels)
        value.backward()
        results.append((value.detach(), x.grad, centres.grad if centres is ours.centres else centres.grad.T))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("margin", MARGINS)
def test_target_is_cos_of_theta_plus_margin_before_the_seam(dtype, margin):
    theta = torch.linspace(0.01, math.pi - margin - 0.01, 500, dtype=dtype)
    torch.testing.assert_close(arcface_target(theta.cos(), margin), (theta + margin).cos(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("margin", MARGINS)
def test_target_falls_strictly_with_theta_over_the_seam_too(margin):
    theta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    assert (arcface_target(theta.cos(), margin).diff() < 0).all()


def test_seam_at_margin_one_half():
    seam = math.pi - 0.5
    before, after = arcface_target(torch.tensor([seam - 1e-9, seam + 1e-9], dtype=torch.float64).cos(), 0.5)
    assert before.item() == pytest.approx(-1, abs=1e-8)
    assert after.item() == pytest.approx(-1.117, abs=5e-4)


@pytest.mark.parametrize("cosine", [-0.95, -0.5, 0.0, 0.5, 0.9])
def test_gradient_is_the_true_one(cosine):
    """d cos(θ + m) / d cos θ = sin(θ + m) / sin θ before the seam (1.87 at cos θ = 0.9, m = 0.5), and 1 after it."""
    x = torch.tensor(cosine, dtype=torch.float64, requires_grad=True)
    arcface_target(x, 0.5).backward()
    theta = math.acos(cosine)
    expected = math.sin(theta + 0.5) / math.sin(theta) if theta <= math.pi - 0.5 else 1.0
    assert x.grad.item() == pytest.approx(expected, rel=1e-9)
    if cosine == 0.9:
        assert expected == pytest.approx(1.87, abs=5e-3)


@pytest.mark.parametrize(
    ("scale", "margin", "expected"), [(64, 0.5, 40.6), (30, 0.5, 21.4), (16, 0.5, 14.1), (64, 0, 9.9)]
)
def test_loss_at_random_start(scale, margin, expected):
    torch.manual_seed(0)
    loss = ArcFace(500, 512, margin=margin, scale=scale)
    embeddings, labels = random_batch(4096, 500, 512, torch.float32, seed=1)
    assert loss(embeddings, labels).item() == pytest.approx(expected, abs=0.15)


def test_without_margin_it_is_cross_entropy_on_scaled_cosines():
    embeddings, labels = random_batch()
    loss = ArcFace(10, 16, margin=0.0, scale=20.0).double()
    expected = functional.cross_entropy(loss.logits(embeddings), labels)
    torch.testing.assert_close(loss(embeddings, labels), expected)


def test_logits_carry_no_margin_and_ignore_lengths():
    embeddings, _ = random_batch()
    loss = ArcFace(10, 16, scale=1.0).double()
    expected = functional.cosine_similarity(embeddings[:, None], loss.centres[None], dim=2)
    torch.testing.assert_close(loss.logits(embeddings * 7), expected)


@pytest.mark.parametrize("arguments", [{"margin": -0.1}, {"margin": 1.6}, {"scale": 0.0}])
def test_bad_arguments_are_named(arguments):
    with pytest.raises(FacelabError, match=f"{next(iter(arguments))}="):
        ArcFace(10, 16, **arguments)
