"""Quality measures of pictures, and the error-versus-reject curve against a loop over pairs."""

import cv2
import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.evaluate import bootstrap_interval, contrast, error_versus_reject, sharpness


def some_faces(seed: int = 0, identities: int = 12, images: int = 5):
    """Return embeddings, labels and the noise of each image, which is its (lack of) quality."""
    generator = np.random.default_rng(seed)
    labels = np.repeat(np.arange(identities), images)
    noise = generator.uniform(0.2, 1.6, len(labels))
    centres = generator.normal(0, 1, (identities, 12))[labels]
    return centres + noise[:, None] * generator.normal(0, 1, (len(labels), 12)), labels, noise


def loop(embeddings, labels, quality, threshold, share, generator):
    """Refuse the worst pairs one by one, ties in random order; return FRR among those left, and whether a tie was cut.

    (All pairs of one poor image have its quality: ties are the rule.)
    """
    pairs = []
    for i in range(len(labels)):
        for j in range(i):
            if labels[i] == labels[j]:
                cosine = embeddings[i] @ embeddings[j] / np.linalg.norm(embeddings[i]) / np.linalg.norm(embeddings[j])
                pairs.append((min(quality[i], quality[j]), generator.random(), cosine < threshold))
    pairs.sort()
    refused = round(share * len(pairs))
    cut = refused > 0 and pairs[refused - 1][0] == pairs[refused][0]
    return np.mean([failed for *_, failed in pairs[refused:]]), cut


def test_the_curve_agrees_with_a_loop_over_pairs():
    embeddings, labels, noise = some_faces()
    curve = error_versus_reject(embeddings, labels, -noise, 0.5, limit=0.5, replicates=5)
    assert curve.area.n == curve.gain.n == 12 * 10
    compared = 0
    for k in range(0, 101, 5):  # steps of 3 pairs
        expected, cut = loop(embeddings, labels, -noise, 0.5, curve.rejected[k], np.random.default_rng(0))
        if not cut:
            compared += 1
            assert curve.frr[k] == pytest.approx(expected)
    assert compared > 5
    assert curve.area.value == pytest.approx(np.trapezoid(curve.frr, curve.rejected) / 0.5)


def test_pairs_of_equal_quality_are_refused_in_random_order():
    embeddings, labels, noise = some_faces()
    coarse = -np.ceil(noise * 2)
    curve = error_versus_reject(embeddings, labels, coarse, 0.5, limit=0.5, replicates=5)
    generator = np.random.default_rng(0)
    k = 30
    assert curve.rejected[k] * 120 == pytest.approx(18)
    mean = np.mean([loop(embeddings, labels, coarse, 0.5, curve.rejected[k], generator)[0] for _ in range(200)])
    assert curve.frr[k] == pytest.approx(mean, abs=0.005)
    level = error_versus_reject(embeddings, labels, np.ones(len(labels)), 0.5, replicates=50)
    np.testing.assert_allclose(level.frr, level.frr[0])
    assert level.gain.value == pytest.approx(0, abs=1e-9)


def test_gain_is_one_for_an_oracle_and_negative_for_the_opposite():
    """Image 0 of every identity looks away, so its pairs fail and no others: its quality is an oracle's."""
    labels = np.repeat(np.arange(9), 4)
    first = np.arange(36) % 4 == 0
    embeddings = np.where(first[:, None], -np.eye(9)[labels], np.eye(9)[labels])
    curve = error_versus_reject(embeddings, labels, ~first, 0.5, limit=0.6, replicates=50)
    np.testing.assert_allclose(curve.frr, curve.oracle, atol=1e-12)
    assert curve.frr[0] == 0.5
    assert curve.frr[-1] == pytest.approx(0, abs=1e-12)
    assert (curve.gain.low, curve.gain.value) == pytest.approx((1, 1))
    assert "lowers FRR: 50.0 % before, 0.0 % after" in curve.sentence("quality")
    worst = error_versus_reject(embeddings, labels, first * 1.0 + (np.arange(36) % 4 == 1), 0.5, replicates=50)
    assert worst.gain.high < 0
    assert "does not lower" in worst.sentence("quality")
    assert "wrong pictures" in worst.sentence("quality")


def test_intervals_draw_people_with_all_their_pairs():
    """Copies of the drawn identities under new names, measured anew, give the same draws."""
    embeddings, labels, noise = some_faces(identities=6)
    curve = error_versus_reject(embeddings, labels, -noise, 0.5, replicates=100, seed=4)
    areas = []
    for count in np.random.default_rng(4).multinomial(6, [1 / 6] * 6, size=100):
        rows = np.concatenate([np.flatnonzero(labels == k) for k in range(6) for _ in range(count[k])])
        copies = np.repeat(np.arange(6), 5)
        areas.append(error_versus_reject(embeddings[rows], copies, -noise[rows], 0.5, replicates=2).area.value)
    expected = bootstrap_interval(curve.area.value, np.array(areas), 60, 6, share=True)
    assert (curve.area.low, curve.area.high) == pytest.approx((expected.low, expected.high))
    assert (curve.low <= curve.frr).all()
    assert (curve.frr <= curve.high).all()


def test_a_set_without_errors_has_nothing_to_gain():
    labels = np.repeat(np.arange(4), 3)
    curve = error_versus_reject(np.eye(4)[labels], labels, np.arange(12), 0.5, replicates=20)
    assert np.isnan(curve.gain.value)
    assert (curve.frr == 0).all()
    assert (curve.area.value, curve.area.low) == (0, 0)
    assert curve.area.high > 0.3  # four people are no proof


def test_only_the_order_of_quality_counts():
    embeddings, labels, noise = some_faces()
    curve = error_versus_reject(embeddings, labels, -noise, 0.5, replicates=20)
    rotation, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(12, 12)))
    order = np.random.default_rng(2).permutation(len(labels))
    for other in (
        error_versus_reject(embeddings, labels, np.exp(-noise), 0.5, replicates=20),
        error_versus_reject(embeddings @ rotation, labels, -noise, 0.5, replicates=20),
        error_versus_reject(embeddings[order], labels[order], -noise[order], 0.5, replicates=20),
    ):
        np.testing.assert_allclose(other.frr, curve.frr)


def test_faults_are_named():
    embeddings, labels, noise = some_faces()
    with pytest.raises(FacelabError, match="quality of image 7 is not finite"):
        error_versus_reject(embeddings, labels, np.where(np.arange(60) == 7, np.nan, noise), 0.5)
    with pytest.raises(FacelabError, match=r"quality \(3,\)"):
        error_versus_reject(embeddings, labels, noise[:3], 0.5)
    with pytest.raises(FacelabError, match="threshold NaN"):
        error_versus_reject(embeddings, labels, noise, float("nan"))
    with pytest.raises(FacelabError, match="limit=1"):
        error_versus_reject(embeddings, labels, noise, 0.5, limit=1)
    with pytest.raises(FacelabError, match="no genuine pairs"):
        error_versus_reject(embeddings, np.arange(60), noise, 0.5)


@pytest.fixture(scope="module")
def photographs(orl) -> np.ndarray:
    return orl.select(range(20)).array()


def test_sharpness_falls_with_blur_and_is_the_variance_of_the_laplacian(photographs):
    blurred = np.stack([cv2.GaussianBlur(chip, (0, 0), 2) for chip in photographs])
    assert (sharpness(blurred) < 0.5 * sharpness(photographs)).all()
    grey = cv2.cvtColor(photographs[0], cv2.COLOR_RGB2GRAY).astype(float)
    padded = np.pad(grey, 1, mode="reflect")
    laplacian = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:] - 4 * grey
    assert sharpness(photographs[:1])[0] == pytest.approx(laplacian.var())


def test_contrast_falls_in_bad_light(photographs):
    dark = (photographs // 4).astype(np.uint8)
    bright = (255 - (255 - photographs.astype(int)) // 4).astype(np.uint8)
    assert (contrast(dark) < 0.5 * contrast(photographs)).all()
    assert (contrast(bright) < 0.5 * contrast(photographs)).all()
    with pytest.raises(FacelabError, match="float64"):
        contrast(photographs / 255)
