import numpy as np
import pytest
from scipy.stats import spearmanr

from facelab.analyze import mean_by_identity, rank_correlation, ratio_by_identity
from facelab.errors import FacelabError

LABELS = np.repeat(np.arange(30), 6)


def drawn_by_hand(statistic, replicates: int = 2000) -> np.ndarray:
    """Draw identities with all their rows, in the plainest way."""
    generator = np.random.default_rng(5)
    rows = [np.flatnonzero(k == LABELS) for k in range(30)]
    values = [statistic(np.concatenate([rows[k] for k in generator.integers(0, 30, 30)])) for _ in range(replicates)]
    return np.quantile(values, [0.025, 0.975])


def test_ratio_against_a_plain_bootstrap():
    generator = np.random.default_rng(0)
    a = generator.normal(2, 1, 30)[LABELS] + generator.normal(0, 0.1, 180)
    b = generator.uniform(1, 2, 180)
    found = ratio_by_identity(a, b, LABELS)
    assert found.value == pytest.approx(a.sum() / b.sum())
    np.testing.assert_allclose([found.low, found.high], drawn_by_hand(lambda r: a[r].sum() / b[r].sum()), atol=0.03)
    assert found.n == 180


def test_images_of_one_identity_are_no_new_evidence():
    """The same values as 30 identities or as 180: the interval of the first is about sqrt(6) times wider."""
    values = np.random.default_rng(0).normal(size=30)[LABELS]
    few, many = (mean_by_identity(values, labels, share=False) for labels in (LABELS, np.arange(180)))
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(6**0.5, rel=0.1)


def test_rank_correlation_against_scipy_and_a_plain_bootstrap():
    generator = np.random.default_rng(0)
    a = generator.normal(size=180).round(1)  # with ties
    b = np.exp(a) + generator.normal(0, 1, 180) + generator.normal(0, 1, 30)[LABELS]
    found = rank_correlation(a, b, LABELS)
    assert found.value == pytest.approx(spearmanr(a, b).statistic)
    expected = drawn_by_hand(lambda r: spearmanr(a[r], b[r]).statistic, 500)
    np.testing.assert_allclose([found.low, found.high], expected, atol=0.03)


def test_rank_correlation_reads_only_the_order():
    a, b = np.random.default_rng(0).normal(size=(2, 180))
    assert rank_correlation(a, b, LABELS) == rank_correlation(np.exp(a), b**3, LABELS)
    assert rank_correlation(a, -np.exp(a), LABELS).value == pytest.approx(-1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: ratio_by_identity(np.ones(3), np.ones(2), np.arange(3)), r"denominator \(2,\): .*3 images"),
        (lambda: rank_correlation(np.ones(3), np.arange(3), np.arange(3)), "constant"),
        (lambda: rank_correlation(np.array([1, np.inf]), np.arange(2), np.arange(2)), "first of image 1 is not finite"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(FacelabError, match=words):
        call()
