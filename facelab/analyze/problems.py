"""Where it goes wrong: confused identities, hard pairs, failures, with the rows to look the images up."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.analyze.geometry import centre_angles
from facelab.errors import FacelabError
from facelab.evaluate.checks import check_embeddings
from facelab.evaluate.scores import pair_scores


@dataclass(frozen=True)
class Pair:
    """Two images, by row, and the cosine of their embeddings."""

    first: int
    second: int
    score: float


def hard_pairs(
    embeddings: np.ndarray, labels: np.ndarray, kind: Literal["genuine", "impostor"], *, top: int = 8
) -> list[Pair]:
    """Return the hardest genuine pairs (lowest cosine) or the easiest impostor pairs (highest cosine), worst first.

    Every image appears at most once: else one bad image would fill the list.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        kind: ``"genuine"`` or ``"impostor"``.
        top: at most so many pairs.

    Raises:
        FacelabError: an unknown kind, top below 1, or there is no such pair.
    """
    if kind not in ("genuine", "impostor") or top < 1:
        raise FacelabError(f"kind={kind!r}, top={top}: choose 'genuine' or 'impostor', and top of 1 or more.")
    scores = pair_scores(embeddings, labels)
    i, j = np.triu_indices(len(labels), k=1)
    chosen = np.flatnonzero(scores.genuine == (kind == "genuine"))
    if not len(chosen):
        raise FacelabError(f"there is no {kind} pair among {len(labels)} images.")
    order = chosen[np.argsort(scores.values[chosen] * (1 if kind == "genuine" else -1), kind="stable")]
    pairs: list[Pair] = []
    used: set[int] = set()
    for p in order:
        first, second = int(i[p]), int(j[p])
        if first not in used and second not in used:
            used |= {first, second}
            pairs.append(Pair(first, second, float(scores.values[p])))
            if len(pairs) == top:
                break
    return pairs


@dataclass(frozen=True)
class Confusion:
    """Two identities taken for each other: ``count`` of their ``images`` images lie nearer to the other's centre."""

    first: int
    second: int
    count: int
    images: int


def confused_identities(embeddings: np.ndarray, labels: np.ndarray, *, top: int = 5) -> list[Confusion]:
    """Return the pairs of identities that are confused most often, most often first.

    An image is confused if the mean direction of another identity is nearer than that of its own identity's other
    images (see :func:`facelab.analyze.centre_angles`). Both directions count together. Pairs with no confused image
    are left out, so the list may be empty.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,), each with two images or more.
        top: at most so many pairs.
    """
    labels = np.asarray(labels)
    angles = centre_angles(embeddings, labels)
    counts: dict[tuple[int, int], int] = {}
    for own, other in zip(labels[~angles.right], angles.nearest[~angles.right], strict=True):
        key = (int(min(own, other)), int(max(own, other)))
        counts[key] = counts.get(key, 0) + 1
    sizes = {int(label): int(size) for label, size in zip(*np.unique(labels, return_counts=True), strict=True)}
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:top]
    return [Confusion(a, b, count, sizes[a] + sizes[b]) for (a, b), count in ranked]


@dataclass(frozen=True)
class Failure:
    """A probe that is taken for somebody else.

    Attributes:
        probe: its row.
        wrong, wrong_score: row of an image of whom it is taken for, and the score of the two, if there is one.
        right, right_score: row of an image of its own identity, and the score of the two, if there is one.
    """

    probe: int
    wrong: int
    wrong_score: float | None
    right: int
    right_score: float | None


def failures(embeddings: np.ndarray, labels: np.ndarray, *, top: int | None = None) -> list[Failure]:
    """Return the images whose nearest other image shows somebody else, the most wrong (largest difference) first.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,). Images without another one of their identity cannot be found, so they are
            not counted as failures.
        top: at most so many.
    """
    x, labels = check_embeddings(embeddings, labels)
    cosines = x @ x.T
    np.fill_diagonal(cosines, -np.inf)
    same = labels[:, None] == labels
    own, other = np.where(same, cosines, -np.inf), np.where(same, -np.inf, cosines)
    rows = np.arange(len(x))
    right, wrong = own.argmax(axis=1), other.argmax(axis=1)
    right_score, wrong_score = own[rows, right], other[rows, wrong]
    failed = np.flatnonzero((wrong_score > right_score) & np.isfinite(right_score))
    failed = failed[np.argsort((right_score - wrong_score)[failed], kind="stable")][:top]
    return [Failure(int(i), int(wrong[i]), float(wrong_score[i]), int(right[i]), float(right_score[i])) for i in failed]


def wrong_names(named: np.ndarray, labels: np.ndarray, gallery_labels: np.ndarray) -> list[Failure]:
    """Return the first probe of each identity that is named wrongly; ``wrong`` and ``right`` are rows of the gallery.

    Args:
        named: the label given to each probe, shape (n,).
        labels: its own label, shape (n,).
        gallery_labels: of the images of the same identities to show beside it, shape (g,).
    """
    named, labels, gallery_labels = np.asarray(named), np.asarray(labels), np.asarray(gallery_labels)
    failed = np.flatnonzero(named != labels)
    first = failed[np.unique(labels[failed], return_index=True)[1]]

    def row_of(label: int) -> int:
        return int(np.flatnonzero(gallery_labels == label)[0])

    return [Failure(int(i), row_of(named[i]), None, row_of(labels[i]), None) for i in first]
