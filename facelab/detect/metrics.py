"""How good is a detector? Precision, recall, average precision and landmark error against known faces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from facelab.detect.detection import Detection
from facelab.errors import FacelabError


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    r"""Return the intersection over union of every box with every other, :math:`|A \cap B| / |A \cup B|`.

    Args:
        first, second: boxes x0, y0, x1, y1; shapes (n, 4) and (m, 4).

    Returns:
        Shape (n, m), from 0 (disjoint, or both empty) to 1 (equal).

    Example:
        >>> import numpy as np
        >>> iou(np.array([[0, 0, 10, 10]]), np.array([[5, 0, 15, 10], [20, 0, 30, 10]])).round(3)
        array([[0.333, 0.   ]])
    """
    first, second = (np.asarray(boxes, np.float64).reshape(-1, 4) for boxes in (first, second))
    corner0 = np.maximum(first[:, None, :2], second[None, :, :2])
    corner1 = np.minimum(first[:, None, 2:], second[None, :, 2:])
    intersection = (corner1 - corner0).clip(min=0).prod(axis=2)
    area = [(boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1) for boxes in (first, second)]
    union = area[0][:, None] + area[1][None, :] - intersection
    return np.divide(intersection, union, out=np.zeros_like(intersection), where=union > 0)


@dataclass(frozen=True, eq=False)
class Matches:
    """Which detection found which face, over a set of photographs; made by :func:`match`.

    Attributes:
        photographs: how many.
        photograph: of each detection, shape (d,).
        score: of each detection, shape (d,).
        hit: whether the detection found a face that no better one had found, shape (d,), bool.
        face_photograph: of each true face, shape (f,).
        found: position of the detection that found it, or -1; shape (f,).
        error: distance of each landmark from the truth over the true distance between the eyes; shape (f, 5), NaN where
            the face was not found or the detector finds no landmarks.
    """

    photographs: int
    photograph: np.ndarray
    score: np.ndarray
    hit: np.ndarray
    face_photograph: np.ndarray
    found: np.ndarray
    error: np.ndarray

    @property
    def nme(self) -> np.ndarray:
        r"""Return the normalised mean error (NME) of each face, shape (f,), NaN where there is none.

        .. math:: \frac15 \sum_k \lVert\hat p_k - p_k\rVert \,/\, \lVert p_1 - p_2\rVert
        """
        return self.error.mean(axis=1)

    def face_found(self, threshold: float = 0.0) -> np.ndarray:
        """Return which faces were found with at least this score; shape (f,), bool."""
        score = np.append(self.score, -np.inf)  # the last one stands for "by none", position -1
        return score[self.found] >= threshold if len(self.found) else np.zeros(0, bool)


def match(
    detections: Sequence[Sequence[Detection]],
    boxes: Sequence[np.ndarray],
    landmarks: Sequence[np.ndarray] | None = None,
    *,
    threshold: float = 0.5,
) -> Matches:
    """Match detections with true faces, photograph by photograph, best score first.

    A detection takes the true face that it overlaps most, if their intersection over union reaches ``threshold`` and no
    better detection has taken it; else it is a false alarm. This is the rule of Pascal VOC (Everingham et al., 2010):
    the second box on one face counts as a false alarm.

    Args:
        detections: of each photograph, in any order.
        boxes: the true boxes of each photograph, (n, 4).
        landmarks: the true landmarks of each photograph, (n, 5, 2).
        threshold: the smallest overlap that counts.

    Raises:
        FacelabError: the numbers of photographs differ.
    """
    if len(detections) != len(boxes) or (landmarks is not None and len(landmarks) != len(boxes)):
        raise FacelabError(f"detections of {len(detections)} photographs, truth of {len(boxes)}: give one of each.")
    score: list[float] = []
    photograph, hit, face_photograph, found, error = [], [], [], [], []
    for number, (faces, truth) in enumerate(zip(detections, boxes, strict=True)):
        truth = np.asarray(truth, np.float64).reshape(-1, 4)
        taken, errors = np.full(len(truth), -1), np.full((len(truth), 5), np.nan)
        for face in sorted(faces, key=lambda f: -f.score):
            overlap = iou(face.box[None], truth)[0]
            best = int(overlap.argmax()) if len(truth) else -1
            right = best >= 0 and overlap[best] >= threshold and taken[best] < 0
            if right:
                taken[best] = len(score)
                if landmarks is not None and face.landmarks is not None:
                    points = np.asarray(landmarks[number], np.float64).reshape(-1, 5, 2)[best]
                    between_eyes = np.linalg.norm(points[0] - points[1])
                    errors[best] = np.linalg.norm(face.landmarks - points, axis=1) / between_eyes
            photograph.append(number)
            score.append(face.score)
            hit.append(right)
        face_photograph += [number] * len(truth)
        found.append(taken)
        error.append(errors)
    return Matches(
        len(boxes),
        np.array(photograph, np.int64),
        np.array(score, np.float64),
        np.array(hit, bool),
        np.array(face_photograph, np.int64),
        np.concatenate(found) if found else np.zeros(0, np.int64),
        np.concatenate(error) if error else np.zeros((0, 5)),
    )


def precision_recall(matches: Matches, counts: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return precision, recall and score threshold, one value per distinct score, best score first.

    Precision is the share of detections that are faces, recall the share of faces that are found, among the detections
    with at least that score.

    Args:
        counts: how often each photograph counts, shape (photographs,); for the bootstrap.

    Raises:
        FacelabError: there is no true face.
    """
    weight = np.ones(matches.photographs) if counts is None else np.asarray(counts, np.float64)
    faces = weight[matches.face_photograph].sum()
    if faces == 0:
        raise FacelabError("there is no true face, so recall is undefined; add a photograph with a face.")
    order = np.argsort(-matches.score, kind="stable")
    each = weight[matches.photograph[order]]
    hits, all_ = np.cumsum(each * matches.hit[order]), np.cumsum(each)
    score = matches.score[order]
    last = np.flatnonzero(np.append(score[1:] != score[:-1], True)) if len(score) else np.zeros(0, np.int64)
    last = last[all_[last] > 0]
    return hits[last] / all_[last], hits[last] / faces, score[last]


def average_precision(matches: Matches, counts: np.ndarray | None = None) -> float:
    r"""Return the average precision, the area under precision over recall.

    :math:`\mathrm{AP} = \sum_i (r_i - r_{i-1}) \max_{j \ge i} p_j`: precision is made falling first, as Pascal VOC does
    since 2010. Detections of equal score enter together, so their order does not matter.

    Args:
        counts: see :func:`precision_recall`.
    """
    precision, recall, _ = precision_recall(matches, counts)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * envelope).sum())


def photograph_bootstrap(
    measure: Callable[[np.ndarray], float], photographs: int, *, replicates: int = 1000, seed: int = 0
) -> np.ndarray:
    """Return a measure on each draw of photographs (not faces) with replacement, shape (replicates,).

    Faces on one photograph share its light, noise and background; to draw them one by one would make the interval too
    narrow. The interval is :func:`facelab.evaluate.bootstrap_interval` of the draws.

    Args:
        measure: from how often each photograph counts, shape (photographs,), to the value; NaN if there is none.
        photographs: how many there are.
        replicates, seed: of the draws.
    """
    generator = np.random.default_rng(seed)
    share = np.full(photographs, 1 / photographs)
    return np.array([measure(counts) for counts in generator.multinomial(photographs, share, size=replicates)])
