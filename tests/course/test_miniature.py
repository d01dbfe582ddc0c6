"""The training in miniature: the faults that assignment 4 mends show in it, and their remedies work."""

import math

import pytest
import torch

from facelab.course.miniature import train_miniature
from facelab.errors import FacelabError


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_the_scale_and_margin_of_the_paper_do_not_get_going_with_sgd_and_do_with_a_lower_rate():
    failing = train_miniature(learning_rate=0.1, scale=64.0, margin=0.5, seed=1)
    mended = train_miniature(learning_rate=0.01, scale=64.0, margin=0.5, seed=1)
    assert failing.accuracy < 0.3
    assert failing.angle > math.pi / 2  # the embeddings escape from the margin
    assert mended.accuracy > 0.6
    assert mended.angle < 1.1


def test_a_softmax_with_a_small_scale_is_never_sure():
    small = train_miniature(scale=1.0)
    assert small.sure < math.e / (math.e + 47 * math.exp(-1 / 47))  # a perfect network's, chapter 07
    assert small.losses[-1] > 2.8


def test_the_same_seed_gives_the_same_and_leaves_the_global_state():
    before = torch.get_rng_state()
    first, second = (train_miniature(optimizer="adamw", learning_rate=0.002, margin_warmup=0.5) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"optimizer": "adam"}, "sgd, adamw"),
        ({"learning_rate": 0.0}, "learning_rate=0"),
        ({"margin_warmup": 2.0}, "margin_warmup=2"),
    ],
)
def test_values_out_of_range(wrong, says):
    with pytest.raises(FacelabError, match=says):
        train_miniature(**wrong)
