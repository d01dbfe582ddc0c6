"""All pairs in blocks: exact on scores that float32 holds exactly, and equal to the plain way on any others."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from facelab.errors import FacelabError
from facelab.evaluate import auc, eer, pair_scores, roc, streamed_roc, tar_at_far


def tied_embeddings(n: int = 120, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of ±1 in 16 dimensions: all cosines are multiples of 1/8, exact in float32, with thousands of ties."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 9, n)
    prototypes = generator.choice([-1.0, 1.0], (9, 16))
    flips = np.where(generator.random((n, 16)) < 0.25, -1, 1)
    return prototypes[labels] * flips, labels


def random_embeddings(n: int = 150, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 12, n)
    return generator.normal(0, 1, (12, 24))[labels] + generator.normal(0, 1.5, (n, 24)), labels


@pytest.mark.parametrize("block_pairs", [1, 97, 5000, 8_000_000])
@pytest.mark.parametrize("seed", range(3))
def test_exact_with_ties_whatever_the_block(block_pairs, seed):
    embeddings, labels = tied_embeddings(seed=seed)
    scores = pair_scores(embeddings, labels)
    plain, streamed = roc(scores), streamed_roc(embeddings, labels, block_pairs=block_pairs)
    assert (streamed.genuine_pairs, streamed.impostor_pairs) == (plain.genuine_pairs, plain.impostor_pairs)
    assert auc(streamed) == pytest.approx(roc_auc_score(scores.genuine, scores.values), abs=1e-12)
    assert eer(streamed) == pytest.approx(eer(plain), abs=1e-12)
    for far in (1 / plain.impostor_pairs, 1e-3, 0.01, 0.1, 0.5, 1.0):
        assert tar_at_far(streamed, far) == pytest.approx(tar_at_far(plain, far), abs=1e-15)


def test_every_listed_point_is_what_its_threshold_does():
    embeddings, labels = tied_embeddings()
    scores, curve = pair_scores(embeddings, labels), streamed_roc(embeddings, labels)
    for threshold, far, tar in zip(curve.threshold, curve.far, curve.tar, strict=True):
        accepted = scores.values >= threshold
        assert accepted[~scores.genuine].mean() == pytest.approx(far, abs=1e-15)
        assert accepted[scores.genuine].mean() == pytest.approx(tar, abs=1e-15)


@pytest.mark.parametrize("seed", range(3))
def test_float64_equals_the_plain_way(seed):
    embeddings, labels = random_embeddings(seed=seed)
    plain = roc(pair_scores(embeddings, labels))
    streamed = streamed_roc(embeddings, labels, precision=np.float64, block_pairs=1000)
    for measure in (auc, eer, lambda curve: tar_at_far(curve, 0.01)):
        assert measure(streamed) == pytest.approx(measure(plain), abs=1e-12)


def test_float32_is_near_and_order_of_images_changes_nothing():
    embeddings, labels = random_embeddings()
    plain, streamed = roc(pair_scores(embeddings, labels)), streamed_roc(embeddings, labels)
    assert auc(streamed) == pytest.approx(auc(plain), abs=1e-6)
    order = np.random.default_rng(1).permutation(len(labels))
    assert auc(streamed_roc(embeddings[order], labels[order])) == pytest.approx(auc(streamed), abs=1e-6)


def test_an_identity_larger_than_a_block():
    embeddings, labels = tied_embeddings()
    labels = np.where(labels < 8, 0, 1)
    scores = pair_scores(embeddings, labels)
    curve = streamed_roc(embeddings, labels, block_pairs=50)
    assert auc(curve) == pytest.approx(roc_auc_score(scores.genuine, scores.values), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (np.where(np.arange(150)[:, None] == 7, np.nan, x), y), "embedding 7 is not finite"),
        (lambda x, y: (np.where(np.arange(150)[:, None] == 9, 0, x), y), "embedding 9 is zero"),
        (lambda x, y: (x, y * 0), "no impostor pairs"),
        (lambda x, y: (x, np.arange(150)), "no genuine pairs"),
        (lambda x, y: (x[:1], y[:1]), "no genuine pairs"),
        (lambda x, y: (x[:0], y[:0]), "no genuine pairs"),
    ],
)
def test_bad_embeddings_are_named(change, message):
    with pytest.raises(FacelabError, match=message):
        streamed_roc(*change(*random_embeddings()))


def test_coarse_precision_is_refused():
    with pytest.raises(FacelabError, match="float16"):
        streamed_roc(*random_embeddings(), precision=np.float16)


def test_too_many_pairs_to_hold_point_to_the_stream():
    """66,000 images ask for 35 GB: said before any of it is taken."""
    with pytest.raises(FacelabError, match=r"66,000 images have 2,177,967,000 pairs.*streamed_roc"):
        pair_scores(np.ones((66_000, 2), np.float32), np.arange(66_000))
