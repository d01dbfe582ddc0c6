import numpy as np
import pytest

from facelab.analyze import variability_collapse
from facelab.errors import FacelabError


def test_complete_collapse_is_zero():
    labels = np.repeat(np.arange(5), 4)
    assert variability_collapse(np.eye(5)[labels] + 3, labels) == pytest.approx(0, abs=1e-12)


def test_the_papers_formula():
    """The matrix form of the paper, with a pseudo-inverse, written apart from the package."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(4), [5, 6, 7, 8]))
    x = generator.normal(size=(26, 9)) + generator.normal(0, 2, (4, 9))[labels]
    means = np.stack([x[labels == c].mean(axis=0) for c in range(4)])
    m = (means - means.mean(axis=0)).T  # (d, C), as in the paper
    sigma_w = sum(np.outer(x[i] - means[labels[i]], x[i] - means[labels[i]]) for i in range(26)) / 26
    expected = np.trace(sigma_w @ np.linalg.pinv(m @ m.T / 4, rcond=1e-9)) / 4
    assert variability_collapse(x, labels) == pytest.approx(expected)
    assert variability_collapse(7 * x + 1, 3 * labels + 2) == pytest.approx(expected)  # moved, scaled, other names
    turn = np.linalg.qr(generator.normal(size=(9, 9)))[0]
    assert variability_collapse(x @ turn, labels) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: variability_collapse(np.eye(3), np.zeros(3)), "1 class"),
        (lambda: variability_collapse(np.eye(3), np.arange(2)), r"\(3, 3\) and labels \(2,\)"),
        (lambda: variability_collapse(np.ones((3, 3)), np.arange(3)), "collapsed to one point"),
        (lambda: variability_collapse(np.full((3, 3), np.nan), np.arange(3)), "embedding 0 is not finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
