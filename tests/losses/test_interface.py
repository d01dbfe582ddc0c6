"""What every loss promises."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses import (
    LOSSES,
    AdaFace,
    ArcFace,
    ClassifierLoss,
    CombinedMargin,
    CosFace,
    CurricularFace,
    ElasticArcFace,
    ElasticCosFace,
    MagFace,
    MarginLoss,
    NormFace,
    PartialFC,
    Softmax,
    SphereFace,
    SphereFaceR,
    SubCenterArcFace,
    Triplet,
)

ALL_LOSSES = [row.loss_class for row in LOSSES.values()]
CENTRE_LOSSES = [loss_class for loss_class in ALL_LOSSES if issubclass(loss_class, ClassifierLoss)]
MARGIN_LOSSES = [loss_class for loss_class in ALL_LOSSES if issubclass(loss_class, MarginLoss)]

EMBEDDINGS = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 5


def name_of(value):
    return getattr(value, "__name__", None)


def build(loss_class, identities=5, dim=8, **arguments):
    torch.manual_seed(0)
    return loss_class(*((identities, dim) if issubclass(loss_class, ClassifierLoss) else ()), **arguments)


def each_centre(loss, rows):
    """One row for each identity, as often as the loss has centres for it."""
    return rows.repeat_interleave(loss.sub_centres, dim=0)


@pytest.fixture(params=ALL_LOSSES, ids=name_of)
def loss(request):
    return build(request.param)


@pytest.fixture(params=CENTRE_LOSSES, ids=name_of)
def centre_loss(request):
    return build(request.param)


def test_softmax_is_a_linear_layer_with_cross_entropy():
    torch.manual_seed(3)
    ours, linear = Softmax(5, 8), nn.Linear(8, 5)
    with torch.no_grad():
        linear.weight.copy_(ours.centres)
        ours.bias.copy_(linear.bias)
    torch.testing.assert_close(ours(EMBEDDINGS, LABELS), functional.cross_entropy(linear(EMBEDDINGS), LABELS))


def test_softmax_starts_near_log_of_the_number_of_identities():
    torch.manual_seed(0)
    value = Softmax(500, 512)(torch.randn(1000, 512), torch.randint(0, 500, (1000,)))
    assert value.item() == pytest.approx(math.log(500), abs=0.3)


def test_value_is_a_scalar_and_reaches_embeddings(loss):
    embeddings = EMBEDDINGS.clone().requires_grad_()
    value = loss(embeddings, LABELS)
    value.backward()
    assert value.shape == ()
    assert embeddings.grad.abs().sum() > 0
    assert 0 <= loss.accuracy(embeddings, LABELS).item() <= 1


def test_centres_are_a_parameter_that_learns(centre_loss):
    centre_loss(EMBEDDINGS, LABELS).backward()
    assert centre_loss.centres.shape == (5 * centre_loss.sub_centres, 8)
    assert (centre_loss.centres.grad.reshape(5, -1).abs().sum(dim=1) > 0).all()  # of several, those that are nearest


def test_is_computed_in_float32_under_autocast_and_parameters_keep_their_dtype(loss):
    loss.eval()
    expected = loss(EMBEDDINGS, LABELS)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(EMBEDDINGS, LABELS).item() == expected.item()
        if isinstance(loss, ClassifierLoss):
            assert loss.logits(EMBEDDINGS).dtype == torch.float32
    low = loss(EMBEDDINGS.bfloat16(), LABELS)
    assert low.dtype == torch.float32
    assert loss(EMBEDDINGS.double(), LABELS).dtype == torch.float64
    state = loss.state_dict()
    assert all(tensor.dtype in (torch.float32, torch.int64) for tensor in state.values())


@pytest.mark.parametrize("loss_class", [NormFace, *MARGIN_LOSSES], ids=name_of)
def test_gradients_of_cosines_are_float32_even_if_backward_is_called_under_autocast(loss_class):
    loss = build(loss_class).eval()
    gradients = []
    for enabled in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            gradients.append(torch.autograd.grad(loss(EMBEDDINGS, LABELS), loss.centres)[0])
    torch.testing.assert_close(*gradients, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (EMBEDDINGS, LABELS.int(), "int32"),
        (EMBEDDINGS, LABELS.float(), "float32"),
        (EMBEDDINGS, LABELS[:3], r"\(3,\)"),
        (EMBEDDINGS[0], LABELS, r"expected \(n, D\)"),
    ],
)
def test_bad_input_is_named(loss, embeddings, labels, message):
    with pytest.raises(FacelabError, match=message):
        loss(embeddings, labels)


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (EMBEDDINGS, LABELS - 1, r"label -1 is outside \[0, 5\)"),
        (EMBEDDINGS, LABELS + 1, r"label 5 is outside \[0, 5\)"),
        (EMBEDDINGS[:, :4], LABELS, r"expected \(n, 8\)"),
    ],
)
def test_bad_input_for_these_centres_is_named(centre_loss, embeddings, labels, message):
    with pytest.raises(FacelabError, match=message):
        centre_loss(embeddings, labels)


@pytest.mark.parametrize("loss_class", CENTRE_LOSSES, ids=name_of)
def test_one_identity_is_not_enough(loss_class):
    with pytest.raises(FacelabError, match="num_identities=1"):
        loss_class(1, 8)


@pytest.mark.parametrize(
    ("loss_class", "arguments"),
    [
        (NormFace, {"scale": 0.0}),
        (SphereFace, {"margin": 0.9}),
        (SphereFace, {"annealing": (1000, -1, 0.1)}),
        (SphereFaceR, {"margin": 0.0}),
        (CosFace, {"margin": -0.1}),
        (CosFace, {"scale": math.inf}),
        (CombinedMargin, {"m1": 0.5}),
        (CombinedMargin, {"m2": 1.6}),
        (CombinedMargin, {"m3": -0.1}),
        (AdaFace, {"margin": 1.6}),
        (AdaFace, {"momentum": 2.0}),
        (AdaFace, {"concentration": -1.0}),
        (CurricularFace, {"momentum": -0.1}),
        (SubCenterArcFace, {"sub_centres": 0}),
        (ElasticArcFace, {"sigma": -0.1}),
        (ElasticCosFace, {"sigma": math.nan}),
        (MagFace, {"margins": (0.8, 0.45)}),
        (MagFace, {"lengths": (110.0, 10.0)}),
        (MagFace, {"length_weight": math.nan}),
        (Triplet, {"margin": 0.0}),
        (Triplet, {"mining": "easy"}),
    ],
)
def test_bad_arguments_are_named(loss_class, arguments):
    with pytest.raises(FacelabError, match=f"{next(iter(arguments))}="):
        build(loss_class, **arguments)


@pytest.mark.parametrize("length", [0.5, 30.0, 200.0])
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("cosine", [-1.0, -1 + 1e-7, 0.0, 1 - 1e-7, 1.0])
@pytest.mark.parametrize("loss_class", CENTRE_LOSSES, ids=name_of)
def test_finite_forward_and_backward_at_the_poles(loss_class, cosine, autocast, length):
    loss = build(loss_class, 3, 2)
    with torch.no_grad():
        loss.centres.copy_(each_centre(loss, torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.3, -0.4]])))
    sine = math.sqrt(1 - cosine**2)
    embeddings = torch.tensor([[cosine, sine], [length * cosine, length * sine]], requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        value = loss(embeddings, torch.tensor([0, 0]))
    value.backward()
    for tensor in (value, embeddings.grad, loss.centres.grad):
        assert torch.isfinite(tensor).all()


@pytest.mark.parametrize("loss_class", CENTRE_LOSSES, ids=name_of)
def test_identical_vectors_whose_rounded_cosine_exceeds_one(loss_class):
    loss = build(loss_class, 300, 512)
    embeddings = loss.centres.detach()[:: loss.sub_centres].clone().requires_grad_()
    assert (loss.cos_theta(embeddings).diagonal() > 1).any()  # the case that breaks an unguarded square root
    value = loss(embeddings, torch.arange(300))
    value.backward()
    for tensor in (value, embeddings.grad, loss.centres.grad):
        assert torch.isfinite(tensor).all()


@pytest.mark.parametrize("loss_class", CENTRE_LOSSES, ids=name_of)
def test_embeddings_of_zeros_are_finite(loss_class):
    embeddings = torch.zeros(12, 8, requires_grad=True)
    value = build(loss_class)(embeddings, LABELS)
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(embeddings.grad).all()


@pytest.mark.parametrize("length", [5.0, 20.0, 60.0, 120.0])
@pytest.mark.parametrize("factor", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("loss_class", MARGIN_LOSSES, ids=name_of)
def test_target_falls_strictly_with_theta_and_lies_below_the_cosine(loss_class, factor, length):
    loss = build(loss_class).double().eval()
    loss.margin_factor = factor
    cos_theta = torch.linspace(0, math.pi, 20_001, dtype=torch.float64).cos()
    target = loss.target(cos_theta, torch.full_like(cos_theta, length))
    assert (target.diff() < 0).all()
    if loss_class is not AdaFace:  # its margin on the angle may be negative
        assert (target <= cos_theta + 1e-6).all()
    if factor == 0:
        torch.testing.assert_close(target, cos_theta, atol=1e-9, rtol=0)


@pytest.mark.parametrize("loss_class", CENTRE_LOSSES, ids=name_of)
def test_gradcheck_of_embeddings_and_centres(loss_class):
    loss = build(loss_class, 4, 3).double().eval()  # in training mode, buffers would move between the calls
    generator = torch.Generator().manual_seed(2)
    embeddings = 12 * torch.randn(6, 3, generator=generator, dtype=torch.float64)
    if loss_class is AdaFace:
        embeddings *= 100  # lengths beyond 100 are clipped: AdaFace's margin depends on the length without gradient
    centres = torch.randn(4 * loss.sub_centres, 3, generator=generator, dtype=torch.float64)
    loss.detach_margin = False
    if hasattr(loss, "scale"):
        loss.scale = min(loss.scale, 8.0)

    def value(embeddings, centres):
        return torch.func.functional_call(loss, {"centres": centres}, (embeddings, LABELS[:6] % 4))

    assert torch.autograd.gradcheck(value, (embeddings.requires_grad_(), centres.requires_grad_()))


@pytest.mark.parametrize("loss_class", MARGIN_LOSSES, ids=name_of)
def test_margin_factor_zero_leaves_no_margin(loss_class):
    loss = build(loss_class).eval()
    if isinstance(loss, CurricularFace):
        loss.t.fill_(0.0)
    loss.margin_factor = 0.0
    logits = loss.margin_logits(EMBEDDINGS, LABELS)
    own = logits.gather(1, LABELS[:, None])
    torch.testing.assert_close(own, loss.logits(EMBEDDINGS).gather(1, LABELS[:, None]), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("share_out", [False, True])
def test_what_a_training_changes_reaches_the_loss_also_if_it_is_shared_out(share_out):
    value = build(ArcFace, scale=8.0, margin=0.5)(EMBEDDINGS, LABELS)
    loss = build(ArcFace, scale=64.0, margin=1.0)
    shared = PartialFC(loss) if share_out else loss
    shared.schedule(margin_factor=0.5, scale=8.0)
    assert (loss.margin_factor, loss.scale) == (0.5, 8.0)
    torch.testing.assert_close(shared(EMBEDDINGS, LABELS), value)


def test_a_loss_that_is_not_shared_out_holds_all_rows(loss):
    rows = torch.arange(10.0).reshape(5, 2)
    assert torch.equal(loss.own_rows(rows), rows)
    assert torch.equal(loss.all_rows(rows), rows)
    assert loss.total_norm(torch.tensor(3.0)).item() == 3.0


@pytest.mark.parametrize("loss_class", [c for c in MARGIN_LOSSES if not issubclass(c, CosFace)], ids=name_of)
def test_detached_margin_has_the_same_value_and_the_slope_of_the_scale(loss_class):
    """The target logit's derivative with respect to cos θ is then s, whatever the margin (s‖x‖ for SphereFace)."""
    true, detached = build(loss_class).eval(), build(loss_class, detach_margin=True).eval()
    true.detach_margin = False
    torch.testing.assert_close(true(EMBEDDINGS, LABELS), detached(EMBEDDINGS, LABELS))
    own = []
    for loss in (true, detached):
        x = EMBEDDINGS.clone().requires_grad_()
        loss.margin_logits(x, LABELS).gather(1, LABELS[:, None]).sum().backward()
        own.append(x.grad)
    x = EMBEDDINGS.clone().requires_grad_()
    plain = true.scale_of(EMBEDDINGS.norm(dim=1)) * true.cos_theta(x)
    plain.gather(1, LABELS[:, None]).sum().backward()
    if loss_class is not SphereFace:  # there the length has a gradient of its own
        torch.testing.assert_close(own[1], x.grad, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(own[0], own[1], atol=1e-3)


@pytest.mark.parametrize("loss_class", [AdaFace, CurricularFace, SphereFace], ids=name_of)
def test_buffers_move_in_training_only_and_survive_state_dict(loss_class):
    loss = build(loss_class)
    names = {name for name, _ in loss.named_buffers()}
    assert names
    start = {name: tensor.clone() for name, tensor in loss.named_buffers()}
    loss.eval()(EMBEDDINGS, LABELS)
    loss.train().logits(EMBEDDINGS)
    loss.accuracy(EMBEDDINGS, LABELS)
    assert all(torch.equal(tensor, start[name]) for name, tensor in loss.named_buffers())
    loss(EMBEDDINGS, LABELS)
    assert all(not torch.equal(tensor, start[name]) for name, tensor in loss.named_buffers())
    other = build(loss_class)
    other.load_state_dict(loss.state_dict())
    assert other(EMBEDDINGS, LABELS).item() == loss(EMBEDDINGS, LABELS).item()


def test_centres_of_any_length_give_the_cosines_and_gradients_of_normalised_ones():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 8, generator=generator, dtype=torch.float64, requires_grad=True)
    loss = NormFace(5, 8).double()
    with torch.no_grad():
        loss.centres.mul_(torch.logspace(-3, 3, 5)[:, None])
    weights = torch.randn(6, 5, generator=generator, dtype=torch.float64)
    reference = functional.normalize(x) @ functional.normalize(loss.centres).T
    torch.testing.assert_close(loss.cos_theta(x), reference)
    for mine, other in zip(
        torch.autograd.grad((weights * loss.cos_theta(x)).sum(), (x, loss.centres)),
        torch.autograd.grad((weights * reference).sum(), (x, loss.centres)),
        strict=True,
    ):
        torch.testing.assert_close(mine, other)


def test_accuracy_is_the_share_of_nearest_centres():
    loss = ArcFace(3, 2)
    with torch.no_grad():
        loss.centres.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]))
    embeddings = torch.tensor([[2.0, 0.1], [0.1, 3.0], [1.0, 0.0], [-1.0, 0.1]])
    assert loss.accuracy(embeddings, torch.tensor([0, 1, 2, 2])).item() == 0.75


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_embeddings_whose_length_float32_cannot_square_are_no_others(loss, factor):
    """Against float64, which can: the value and the gradient with respect to what was scaled."""
    loss.eval()
    if isinstance(loss, ClassifierLoss):
        with torch.no_grad():
            loss.centres.normal_(generator=torch.Generator().manual_seed(1))
    found = []
    for dtype in (torch.float32, torch.float64):
        x = (EMBEDDINGS.to(dtype) * factor).requires_grad_()
        value = loss.to(dtype)(x, LABELS)
        value.backward()
        found.append((value.double(), x.grad.double() * factor))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-4, atol=1e-5)
    scale = found[1][1].abs().max()
    torch.testing.assert_close(found[0][1] / scale, found[1][1] / scale, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("factor", [1e30, 1e-30])
def test_centres_whose_length_float32_cannot_square_have_their_direction(factor):
    loss = NormFace(5, 8)
    expected = loss.cos_theta(EMBEDDINGS)
    with torch.no_grad():
        loss.centres.mul_(factor)
    torch.testing.assert_close(loss.cos_theta(EMBEDDINGS), expected)


def test_one_embedding_that_is_not_a_number_makes_the_loss_none(loss):
    embeddings = EMBEDDINGS.clone()
    embeddings[3, 2] = math.nan
    assert loss(embeddings, LABELS).isnan()


def test_an_empty_batch_is_refused(loss):
    with pytest.raises(FacelabError, match="the batch is empty"):
        loss(EMBEDDINGS[:0], LABELS[:0])


@pytest.mark.parametrize("loss_class", [NormFace, ArcFace], ids=name_of)
def test_a_number_that_float32_cannot_hold_is_refused(loss_class):
    with pytest.raises(FacelabError, match=r"scale=1e\+300"):
        build(loss_class, scale=1e300)


@pytest.mark.parametrize("name", LOSSES)
def test_what_is_no_tensor_is_called_so(name):
    loss = LOSSES[name].build(5, 8)
    for embeddings, labels, what in (
        (EMBEDDINGS, LABELS.numpy(), "labels are a ndarray"),
        (EMBEDDINGS, LABELS.tolist(), "labels are a list"),
        (EMBEDDINGS.numpy(), LABELS, "embeddings are a ndarray"),
    ):
        with pytest.raises(FacelabError, match=rf"{what}, but a loss takes tensors: give torch\.as_tensor"):
            loss(embeddings, labels)
