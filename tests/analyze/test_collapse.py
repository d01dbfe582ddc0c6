import numpy as np
import pytest

from facelab.analyze import neural_collapse
from facelab.errors import FacelabError


def simplex(number: int) -> np.ndarray:
    """The corners of a regular simplex around the origin: any two at cosine -1/(C - 1)."""
    return np.eye(number) - 1 / number


def test_complete_collapse_is_zero_in_all_measures():
    labels = np.repeat(np.arange(5), 4)
    found = neural_collapse(simplex(5)[labels] + 3, labels, 2 * simplex(5))  # moved and scaled: still collapsed
    np.testing.assert_allclose(list(vars(found).values()), 0, atol=1e-9)


def test_measures_against_the_papers_formulas():
    """The matrix forms of the paper, with a pseudo-inverse, written apart from the package."""
    generator = np.random.default_rng(0)
    labels = generator.permutation(np.repeat(np.arange(4), [5, 6, 7, 8]))
    x = generator.normal(size=(26, 9)) + generator.normal(0, 2, (4, 9))[labels]
    w, bias = generator.normal(size=(4, 9)), generator.normal(size=4)
    means = np.stack([x[labels == c].mean(axis=0) for c in range(4)])
    m = (means - means.mean(axis=0)).T  # (d, C), as in the paper
    sigma_w = sum(np.outer(x[i] - means[labels[i]], x[i] - means[labels[i]]) for i in range(26)) / 26
    sigma_b = m @ m.T / 4
    cosines = [
        m[:, a] @ m[:, b] / np.linalg.norm(m[:, a]) / np.linalg.norm(m[:, b]) for a in range(4) for b in range(a)
    ]
    lengths = np.linalg.norm(m, axis=0)
    named = [np.argmax([w[c] @ v + bias[c] for c in range(4)]) for v in x]
    nearest = [np.argmin([np.linalg.norm(v - mean) for mean in means]) for v in x]
    found = neural_collapse(x, labels, w, bias)
    assert found.variability == pytest.approx(np.trace(sigma_w @ np.linalg.pinv(sigma_b, rcond=1e-9)) / 4)
    assert found.norms == pytest.approx(lengths.std() / lengths.mean())
    assert found.angles == pytest.approx(np.std(cosines))
    assert found.simplex == pytest.approx(np.mean(np.abs(np.array(cosines) + 1 / 3)))
    difference = w.T / np.linalg.norm(w) - m / np.linalg.norm(m)
    assert found.duality == pytest.approx(np.linalg.norm(difference) ** 2)
    assert found.decisions == pytest.approx(np.mean(np.array(named) != np.array(nearest)))


def test_turning_the_space_changes_nothing():
    generator = np.random.default_rng(0)
    labels, x, w = np.repeat(np.arange(3), 5), generator.normal(size=(15, 6)), generator.normal(size=(3, 6))
    turn = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    before, after = neural_collapse(x, labels, w), neural_collapse(x @ turn, labels, w @ turn)
    np.testing.assert_allclose(list(vars(before).values()), list(vars(after).values()))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: neural_collapse(np.eye(3), np.array([0, 0, 2]), np.eye(3)), "labels 0 to 2"),
        (lambda: neural_collapse(np.eye(3), np.arange(3), np.ones((3, 2))), r"\(3, 2\)"),
        (lambda: neural_collapse(np.ones((3, 3)), np.arange(3), np.eye(3)), "collapsed to one point"),
        (lambda: neural_collapse(np.full((3, 3), np.nan), np.arange(3), np.eye(3)), "embedding 0 is not finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
