"""What every loss with class centres promises."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from facelab.errors import FacelabError
from facelab.losses import ArcFace, Softmax

LOSSES = [Softmax, ArcFace]


@pytest.fixture(params=LOSSES, ids=lambda loss: loss.__name__)
def loss(request):
    torch.manual_seed(0)
    return request.param(5, 8)


EMBEDDINGS = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
LABELS = torch.arange(12) % 5


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


def test_value_is_a_scalar_and_reaches_embeddings_and_centres(loss):
    embeddings = EMBEDDINGS.clone().requires_grad_()
    value = loss(embeddings, LABELS)
    value.backward()
    assert value.shape == ()
    assert embeddings.grad.abs().sum() > 0
    assert loss.centres.shape == (5, 8)
    assert loss.centres.grad.abs().sum() > 0


def test_is_computed_in_float32_under_autocast_and_parameters_keep_their_dtype(loss):
    expected = loss(EMBEDDINGS, LABELS)
    with torch.autocast("cpu", torch.bfloat16):
        assert loss(EMBEDDINGS, LABELS).item() == expected.item()
        assert loss.logits(EMBEDDINGS).dtype == torch.float32
    low = loss(EMBEDDINGS.bfloat16(), LABELS)
    assert low.dtype == torch.float32
    assert all(parameter.dtype == torch.float32 for parameter in loss.parameters())


@pytest.mark.parametrize(
    ("embeddings", "labels", "message"),
    [
        (EMBEDDINGS, LABELS.int(), "int32"),
        (EMBEDDINGS, LABELS.float(), "float32"),
        (EMBEDDINGS, LABELS - 1, r"label -1 is outside \[0, 5\)"),
        (EMBEDDINGS, LABELS + 1, r"label 5 is outside \[0, 5\)"),
        (EMBEDDINGS, LABELS[:3], r"\(3,\)"),
        (EMBEDDINGS[:, :4], LABELS, r"expected \(n, 8\)"),
    ],
)
def test_bad_input_is_named(loss, embeddings, labels, message):
    with pytest.raises(FacelabError, match=message):
        loss(embeddings, labels)


@pytest.mark.parametrize("loss_class", LOSSES)
def test_one_identity_is_not_enough(loss_class):
    with pytest.raises(FacelabError, match="num_identities=1"):
        loss_class(1, 8)
