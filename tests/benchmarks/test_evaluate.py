"""How fast the evaluation is, each time against its named peer, in one run.

Run with ``pytest tests/benchmarks/test_evaluate.py --benchmark-only``. The answers are compared too; the times are
printed, and asserted only as far as the course promises them.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score, roc_curve

from facelab.evaluate import Scores, auc, fold_accuracy, operating_point, pair_scores, roc, streamed_roc, tar_at_far

pytestmark = pytest.mark.benchmark(warmup=False)


def seconds(function: Callable[[], object], rounds: int) -> tuple[float, object]:
    """Return the shortest time of some rounds, and the answer."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        answer = function()
        times.append(time.perf_counter() - start)
    return min(times), answer


def grid_of_400_thresholds(distances: np.ndarray, genuine: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Ten folds in the manner of the field's scripts: 400 thresholds 0, 0.01, .. 3.99 of the squared distance, each
    tried on the nine folds and on the tenth, one after the other."""
    thresholds = np.arange(0, 4, 0.01)

    def accuracy(threshold, rows):
        accepted = distances[rows] < threshold
        right = np.sum(accepted & genuine[rows]) + np.sum(~accepted & ~genuine[rows])
        return float(right) / len(rows)

    accuracies = []
    for fold in range(10):
        train, test = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
        in_training = [accuracy(threshold, train) for threshold in thresholds]
        in_test = [accuracy(threshold, test) for threshold in thresholds]
        accuracies.append(in_test[int(np.argmax(in_training))])
    return np.array(accuracies)


def test_ten_folds_against_400_thresholds(benchmark):
    """LFW's size: 6000 pairs in 10 folds."""
    generator = np.random.default_rng(0)
    genuine = np.tile(np.repeat([True, False], 300), 10)
    cosines = np.clip(generator.normal(0.45 * genuine, 0.15), -1, 1)
    scores, folds = Scores(cosines, np.zeros(6000), (~genuine).astype(int)), np.repeat(np.arange(10), 600)
    theirs, grid = seconds(lambda: grid_of_400_thresholds(2 - 2 * cosines, genuine, folds), rounds=3)
    exact = benchmark(fold_accuracy, scores, folds)
    faster = theirs / benchmark.stats["min"]
    benchmark.extra_info |= {"peer_seconds": theirs, "times_faster": faster}
    print(f"\nten folds: {benchmark.stats['min']:.5f} s, 400-threshold loop {theirs:.3f} s: {faster:.0f} times faster")
    assert exact.mean == pytest.approx(grid.mean(), abs=0.003)
    assert faster >= 20


def ten_million() -> Scores:
    generator = np.random.default_rng(0)
    genuine = generator.random(10_000_000) < 0.05
    values = generator.normal(0.4 * genuine, 0.12)
    return Scores(values, np.zeros(len(values), dtype=np.int64), (~genuine).astype(np.int64))


@pytest.fixture(scope="module", name="millions")
def millions_fixture() -> Scores:
    return ten_million()


@pytest.mark.parametrize("far", [1e-5, 1e-2])
def test_tar_at_far_of_ten_million_scores_against_scikit_learn(benchmark, millions, far):
    def peer():
        fpr, tpr, _ = roc_curve(millions.genuine, millions.values)
        return tpr[fpr <= far * (1 + 1e-12)][-1]

    theirs, expected = seconds(peer, rounds=2)
    point = benchmark.pedantic(operating_point, (millions, far), rounds=3)
    faster = theirs / benchmark.stats["min"]
    benchmark.extra_info |= {"peer_seconds": theirs, "times_faster": faster}
    print(f"\nTAR@FAR={far:g}: {benchmark.stats['min']:.3f} s, roc_curve {theirs:.2f} s: {faster:.1f} times faster")
    assert point.tar == pytest.approx(expected, abs=1e-15)
    assert faster >= 3


def test_auc_of_ten_million_scores_against_scikit_learn(benchmark, millions):
    theirs, expected = seconds(lambda: roc_auc_score(millions.genuine, millions.values), rounds=1)
    area = benchmark.pedantic(lambda: auc(roc(millions)), rounds=1)
    print(f"\nAUC: {benchmark.stats['min']:.2f} s, roc_auc_score {theirs:.2f} s, difference {abs(area - expected):.1e}")
    assert area == pytest.approx(expected, abs=1e-12)


def test_all_pairs_of_twenty_thousand_embeddings(benchmark):
    """200 million pairs in bounded memory; the peer, all pairs at once, is run on a tenth of the embeddings."""
    generator = np.random.default_rng(0)
    labels = np.repeat(np.arange(1000), 20)
    embeddings = generator.normal(0, 1, (1000, 512))[labels] + generator.normal(0, 2.5, (20_000, 512))
    small = slice(None, None, 10)
    theirs, plain = seconds(lambda: roc(pair_scores(embeddings[small], labels[small])), rounds=1)
    streamed = streamed_roc(embeddings[small], labels[small])
    assert auc(streamed) == pytest.approx(auc(plain), abs=1e-6)
    curve = benchmark.pedantic(streamed_roc, (embeddings, labels), rounds=1)
    assert curve.genuine_pairs + curve.impostor_pairs == 199_990_000
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # of the whole process; kilobytes on Linux
    print(
        f"\n200 million pairs: {benchmark.stats['min']:.1f} s; 2 million by the plain way {theirs:.1f} s; "
        f"peak of this process {peak:.2f} GiB; TAR@FAR=1e-6 {tar_at_far(curve, 1e-6):.4f}"
    )
    assert benchmark.stats["min"] < 30
