"""What the statistics are given: numbers and arrays of NumPy and torch are read, anything else is named in a line."""

import numpy as np
import pytest
import torch

from facelab.errors import FacelabError
from facelab.evaluate import (
    Scores,
    bootstrap_interval,
    errors_at,
    errors_by_group,
    fold_accuracy,
    listed_scores,
    mean_by_identity,
    operating_point,
    pair_scores,
    roc,
    tar_at_far,
    verification,
)

Y = np.repeat(np.arange(5), 4)
X = np.random.default_rng(0).normal(size=(5, 8))[Y] + 0.3 * np.random.default_rng(1).normal(size=(20, 8))
SCORES = pair_scores(X, Y)
FEW = {"replicates": 5}


@pytest.mark.parametrize("fars", [0.1, [0.1], np.array([0.1]), torch.tensor([0.1]), (np.float32(0.1),)])
@pytest.mark.parametrize("seed", [3, np.int64(3), torch.tensor(3)])
def test_numbers_of_numpy_and_torch_are_numbers(fars, seed):
    expected = verification(X, Y, fars=(0.1,), replicates=5, seed=3)
    assert verification(X, Y, fars=fars, replicates=np.int32(5), seed=seed) == expected


def test_a_coarse_far_counts_as_it_is_written():
    """0.01 in single precision is a little less than 0.01, and would let 44 of 4,500 pairs through in place of 45."""
    scores = Scores(np.r_[np.arange(4500.0), 4455.5], np.zeros(4501), np.r_[np.ones(4500), 0])
    for far in (0.01, np.float32(0.01), torch.tensor(0.01)):
        assert operating_point(scores, far).far == 0.01 == 45 / 4500
        assert tar_at_far(roc(scores), far) == 1


@pytest.mark.parametrize("threshold", [0.75, np.float32(0.75), torch.tensor(0.75), np.array([0.75])])
def test_a_threshold_may_be_any_number(threshold):
    assert errors_at(SCORES, threshold, **FEW) == errors_at(SCORES, 0.75, **FEW)
    assert errors_by_group(X, Y, Y % 1, threshold, **FEW).threshold == 0.75


@pytest.mark.parametrize(
    ("measure", "said"),
    [
        (lambda: verification(X, Y, fars=("a",), **FEW), "far = .*'a'.*: expected one number"),
        (lambda: verification(X, Y, seed=-1, **FEW), "seed = -1: expected a whole number, 0 or more"),
        (lambda: mean_by_identity(np.ones(20), Y, share=True, seed="a"), "seed = 'a'"),
        (lambda: errors_at(SCORES, None), "threshold = None: expected one number"),
        (lambda: errors_at(SCORES, np.array([0.1, 0.2])), "threshold = .*: expected one number"),
        (lambda: verification("abc", Y), "embeddings: expected an array of numbers"),
        (lambda: verification([[1, 2], [1]], [0, 1]), "embeddings: expected an array of numbers"),
        (lambda: Scores(["a", "b"], [0, 1], [0, 1]), "scores: expected an array of numbers"),
        (lambda: Scores(np.ones(3), [0, 1], [0, 1]), r"values \(3,\), first \(2,\), second \(2,\)"),
        (lambda: listed_scores(X, Y, [0.0, 1.0], [2.0, 5.0]), "by whole numbers, not by float64"),
        (lambda: fold_accuracy(SCORES, 1), "folds = 1: give a number, at least 2"),
        (lambda: fold_accuracy(SCORES, 2.5), "folds = 2.5: give a number, at least 2"),
        (lambda: fold_accuracy(SCORES, "ten"), "folds = 'ten'"),
    ],
)
def test_what_is_no_number_is_named(measure, said):
    with pytest.raises(FacelabError, match=said):
        measure()


def test_other_arrays_and_kinds_of_numbers():
    assert bootstrap_interval(torch.tensor(0.5), [0.4, 0.6], 10, 5, share=True).value == 0.5
    for values in (
        [3, 2, 1],
        np.array([True, False, False]),
        np.array([3, 2, 1], np.uint8),
        np.float16([0.3, 0.2, 0.1]),
    ):
        assert roc(Scores(values, [0, 1, 2], [0, 1, 1])).genuine_pairs == 2
