"""The closed form of the variance of FAR: against all pairs of pairs, and against the variance over many samples."""

import numpy as np
import pytest

from facelab.evaluate import Scores, errors_at
from facelab.evaluate.counts import ErrorCounts, count_errors, disjoint_correction, pair_variance


def some_scores(seed: int = 0, n: int = 400) -> Scores:
    generator = np.random.default_rng(seed)
    first, second = generator.integers(0, 9, (2, n))
    return Scores(generator.normal(first == second, 1), first, second)


def test_variance_equals_the_sum_over_all_pairs_of_pairs():
    """Every two pairs of images that share an identity vary together; those that share none do not."""
    scores = some_scores()
    accepted, impostor = scores.values >= 0.7, ~scores.genuine
    rate = accepted[impostor].mean()
    rest = accepted[impostor] - rate
    sides = np.stack([scores.first[impostor], scores.second[impostor]])
    shared = (sides[:, None, :, None] == sides[None, :, None, :]).any(axis=(0, 1))
    expected = (shared * np.outer(rest, rest)).sum() / (~shared).sum()
    counts = count_errors(scores, 0.7)
    assert counts.far_rate == pytest.approx(rate)
    assert counts.far_variance() == pytest.approx(expected)
    assert expected > 2 * rate * (1 - rate) / len(rest) / 3  # the floor does not decide here


@pytest.mark.parametrize(("person", "pair"), [(1.0, 0.0), (0.0, 1.0), (0.6, 0.8)])
@pytest.mark.parametrize("identities", [5, 10, 30])
def test_variance_is_that_over_other_identities(person, pair, identities):
    """Scores are a sum of effects of two identities and of the pair: V = 4 person^2 / k + 2 pair^2 / (k (k - 1))."""
    generator = np.random.default_rng(identities)
    pairs = 1.0 - np.eye(identities)
    correction = disjoint_correction(pairs)
    assert correction == pytest.approx(identities * (identities - 1) / ((identities - 2) * (identities - 3)))
    effects = person * generator.normal(size=(4000, identities))
    own = pair * np.triu(generator.normal(size=(4000, identities, identities)), 1)
    values = (effects[:, :, None] + effects[:, None] + own + own.swapaxes(1, 2)) * pairs
    residuals = (values - (values.sum(axis=(1, 2)) / pairs.sum())[:, None, None] * pairs) / pairs.sum()
    alone = 2 * (residuals**2).sum(axis=(1, 2))
    found = correction * (4 * (residuals.sum(axis=1) ** 2).sum(axis=1) - alone)  # before the floor
    assert found.mean() == pytest.approx(
        4 * person**2 / identities + 2 * pair**2 / (identities * (identities - 1)), rel=0.06
    )
    one = pair_variance(residuals[0], correction)
    assert one == pytest.approx(max(found[0], alone[0]))


@pytest.mark.parametrize("identities", [2, 3])
def test_too_few_identities_count_as_so_many_trials(identities):
    first, second = np.triu_indices(identities, 1)
    first, second = np.repeat(first, 10), np.repeat(second, 10)
    scores = Scores(np.arange(len(first)) % 2.0, first, second)
    counts = count_errors(scores, 0.5)
    assert np.isinf(disjoint_correction(counts.impostor))
    assert counts.far_variance() == pytest.approx(0.25 / identities)


def test_far_by_identity_is_narrower_than_draws_where_each_pair_is_noise():
    """Weights c * d count the noise of a pair three times: A. B. Owen, Ann. Appl. Statist. 1, 2007."""
    generator = np.random.default_rng(3)
    first, second = np.triu_indices(60, 1)
    scores = Scores(
        np.r_[generator.normal(size=len(first)), np.ones(60)], np.r_[first, np.arange(60)], np.r_[second, np.arange(60)]
    )
    counts = count_errors(scores, 1.3)
    drawn = generator.multinomial(60, np.full(60, 1 / 60), size=4000)
    draws = ((drawn @ counts.accepted) * drawn).sum(axis=1) / ((drawn @ counts.impostor) * drawn).sum(axis=1)
    assert 2 < draws.var() / counts.far_variance() < 4
    independent = counts.far_rate * (1 - counts.far_rate) / len(first)
    assert counts.far_variance() == pytest.approx(independent, rel=0.5)


def test_far_of_noise_in_pairs_of_images_is_no_surer_than_so_many_trials():
    scores = some_scores()
    far, _ = errors_at(scores, 1.2, replicates=50)
    assert far.n == (~scores.genuine).sum()
    assert far.identities == 9
    half = 1.96 * np.sqrt(far.value * (1 - far.value) / far.n)
    assert far.high - far.low > 1.9 * half


def test_empty_counts_are_nan():
    nothing = np.zeros((2, 2))
    counts = ErrorCounts(np.array([3.0, 0]), np.array([1.0, 0]), nothing, nothing)
    assert np.isnan(counts.far_rate)
    assert np.isnan([counts.far().value, counts.far().low]).all()
    assert counts.frr_people == 1
