"""Metrics against brute force, closed forms and scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import precision_recall_curve

from facelab.detect import Detection, average_precision, iou, match, photograph_bootstrap, precision_recall
from facelab.errors import FacelabError
from facelab.evaluate import bootstrap_interval


def face(x0, y0, x1, y1, score, landmarks=None):
    return Detection(np.array([x0, y0, x1, y1], np.float32), score, landmarks)


def random_set(seed: int, photographs: int = 30):
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for _ in range(photographs):
        corner = rng.uniform(0, 200, (rng.integers(0, 5), 2))
        boxes = np.concatenate([corner, corner + rng.uniform(20, 80, corner.shape)], axis=1)
        found = [box + rng.normal(0, 6, 4) for box in boxes for _ in range(rng.integers(0, 3))]
        found += [np.array([x, y, x + 40, y + 40]) for x, y in rng.uniform(0, 200, (rng.integers(0, 3), 2))]
        truth.append(boxes)
        detections.append([face(*box, round(float(rng.random()), 2)) for box in found])  # rounding makes equal scores
    return detections, truth


def brute_average_precision(detections, truth, threshold) -> float:
    """Another way: for each score threshold match from the start, then integrate the envelope over recall."""

    def overlap(a, b):
        w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
        both = max(0, w) * max(0, h)
        return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)

    points, faces = [], sum(map(len, truth))
    for level in sorted({f.score for photograph in detections for f in photograph}, reverse=True):
        hits = total = 0
        for photograph, boxes in zip(detections, truth, strict=True):
            free = set(range(len(boxes)))
            for f in sorted((f for f in photograph if f.score >= level), key=lambda f: -f.score):
                total += 1
                best = max(range(len(boxes)), key=lambda j: overlap(f.box, boxes[j]), default=None)
                if best is not None and overlap(f.box, boxes[best]) >= threshold and best in free:
                    free.remove(best)
                    hits += 1
        points.append((hits / faces, hits / total))
    area, before = 0.0, 0.0
    for i, (recall, _) in enumerate(points):
        area += (recall - before) * max(p for _, p in points[i:])
        before = recall
    return area


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("threshold", [0.3, 0.5])
def test_average_precision_against_brute_force(seed, threshold):
    detections, truth = random_set(seed)
    value = average_precision(match(detections, truth, threshold=threshold))
    assert value == pytest.approx(brute_average_precision(detections, truth, threshold), abs=1e-12)
    assert 0.05 < value < 0.95


def test_precision_is_that_of_scikit_learn():
    detections, truth = random_set(7)
    matches = match(detections, truth)
    precision, recall, score = precision_recall(matches)
    theirs, their_recall, their_score = precision_recall_curve(matches.hit, matches.score)
    np.testing.assert_allclose(score, their_score[::-1])
    np.testing.assert_allclose(precision, theirs[:-1][::-1])
    # Their recall is among the detections that hit something; ours is among all faces.
    np.testing.assert_allclose(recall, their_recall[:-1][::-1] * matches.hit.sum() / len(matches.face_photograph))


def test_perfect_useless_and_double_detections():
    truth = [np.array([[0, 0, 10, 10], [20, 0, 30, 10]]), np.zeros((0, 4))]
    both = [[face(0, 0, 10, 10, 0.9), face(20, 0, 30, 10, 0.8)], []]
    assert average_precision(match(both, truth)) == 1
    assert average_precision(match([[], []], truth)) == 0
    assert average_precision(match([[], both[0]], truth)) == 0  # on the photograph without a face
    twice = match([[face(0, 0, 10, 10, 0.9), face(0, 0, 10, 10.5, 0.8)], []], truth)
    assert twice.hit.tolist() == [True, False]
    assert twice.face_found().tolist() == [True, False]
    assert twice.face_found(0.95).tolist() == [False, False]


def test_landmark_error_is_in_units_of_the_distance_between_the_eyes():
    points = np.array([[0, 0], [10, 0], [5, 5], [1, 9], [9, 9]], float)
    truth = [np.array([[-5, -5, 15, 15]])]
    matches = match([[face(-5, -5, 15, 15, 0.9, points + np.array([3, 4]))]], truth, [points[None]])
    np.testing.assert_allclose(matches.error, [[0.5] * 5])
    np.testing.assert_allclose(matches.nme, [0.5])
    assert np.isnan(match([[face(-5, -5, 15, 15, 0.9)]], truth, [points[None]]).nme).all()


def test_overlap_of_known_boxes():
    boxes = np.array([[0, 0, 2, 2], [1, 1, 3, 3], [5, 5, 5, 5]])
    np.testing.assert_allclose(iou(boxes, boxes), [[1, 1 / 7, 0], [1 / 7, 1, 0], [0, 0, 0]])
    assert iou(np.zeros((0, 4)), boxes).shape == (0, 3)


def test_a_photograph_that_counts_twice_is_as_two():
    detections, truth = random_set(3, photographs=6)
    counts = np.array([2, 1, 0, 1, 3, 1])
    repeated = np.repeat(np.arange(6), counts)
    expected = average_precision(match([detections[i] for i in repeated], [truth[i] for i in repeated]))
    assert average_precision(match(detections, truth), counts) == pytest.approx(expected, abs=1e-12)


def test_bootstrap_interval_of_a_mean_is_the_normal_one():
    values = np.random.default_rng(0).normal(size=400)
    draws = photograph_bootstrap(lambda c: float((c * values).sum() / c.sum()), 400, replicates=2000)
    estimate = bootstrap_interval(values.mean(), draws, 400, 400, share=False)
    half = 1.96 * values.std() / 20
    assert estimate.low == pytest.approx(values.mean() - half, abs=0.01)
    assert estimate.high == pytest.approx(values.mean() + half, abs=0.01)


def test_bad_input_is_named():
    with pytest.raises(FacelabError, match="2 photographs, truth of 1"):
        match([[], []], [np.zeros((0, 4))])
    with pytest.raises(FacelabError, match="no true face"):
        average_precision(match([[]], [np.zeros((0, 4))]))
