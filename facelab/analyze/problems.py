"""Where it goes wrong: confused identities, hard pairs, failures, with the rows to look the images up."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.analyze.geometry import centre_angles
from facelab.errors import FacelabError
from facelab.evaluate.checks import check_embeddings
from facelab.evaluate.identification import identity_scores
from facelab.evaluate.scores import pair_blocks

_KEPT = 10_000  # worst pairs that are held while all are looked through


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

    Every image appears at most once: else one bad image would fill the list. Exact, and in bounded memory: of the
    pairs of all images the worst are kept, block by block. Where one image fills what was kept, all are looked
    through again without the images found so far.

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
    x, labels = check_embeddings(embeddings, labels)
    pairs: list[Pair] = []
    while len(pairs) < top:
        left = np.setdiff1d(np.arange(len(x)), [image for pair in pairs for image in (pair.first, pair.second)])
        first, second, scores = _hardest(x[left], labels[left], kind)
        badness = -scores if kind == "genuine" else scores
        pairs += worst_pairs(badness, left[first], left[second], scores, top=top - len(pairs))
        if len(scores) < _KEPT:
            break  # that was all
    if not pairs:
        raise FacelabError(f"there is no {kind} pair among {len(labels)} images.")
    return pairs


def worst_pairs(
    badness: np.ndarray, first: np.ndarray, second: np.ndarray, scores: np.ndarray, *, top: int = 8
) -> list[Pair]:
    """Return the pairs of highest badness, worst first, from a list of pairs; every image appears at most once.

    Args:
        badness, first, second, scores: of each pair, shape (p,): what to rank by, its two rows, its cosine.
        top: at most so many.
    """
    pairs: list[Pair] = []
    used: set[int] = set()
    for p in np.argsort(-badness, kind="stable"):
        if len(pairs) == top:
            break
        images = {int(first[p]), int(second[p])}
        if not images & used:
            used |= images
            pairs.append(Pair(int(first[p]), int(second[p]), float(scores[p])))
    return pairs


def _hardest(x: np.ndarray, labels: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows and score of the hardest pairs of a kind, at most _KEPT, in the order of the rows."""
    kept: tuple[np.ndarray, ...] = np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0)
    sign = 1 if kind == "genuine" else -1
    for block in _genuine_blocks(x, labels) if kind == "genuine" else _impostor_blocks(x, labels):
        kept = tuple(np.concatenate(parts) for parts in zip(kept, block, strict=True))
        if len(kept[2]) > _KEPT:
            hardest = np.argpartition(sign * kept[2], _KEPT)[:_KEPT]
            kept = tuple(part[hardest] for part in kept)
    order = np.lexsort((kept[1], kept[0]))
    return kept[0][order], kept[1][order], kept[2][order]


def _impostor_blocks(x: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    for block in pair_blocks(x):
        impostor = labels[block[0]] != labels[block[1]]
        yield tuple(part[impostor] for part in block)


def _genuine_blocks(x: np.ndarray, labels: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        for first, second, scores in pair_blocks(x[rows]):
            yield rows[first], rows[second], scores


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


def failures(
    embeddings: np.ndarray, labels: np.ndarray, *, gallery: np.ndarray | None = None, top: int | None = None
) -> list[Failure]:
    """Return the images whose nearest other image shows somebody else, the most wrong (largest difference) first.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,). Images without another one of their identity cannot be found, so they are
            not counted as failures.
        gallery: which images are enrolled, shape (n,), bool. Then the other images of these identities are searched
            among the templates (see :func:`facelab.evaluate.identity_scores`): the scores of a failure are those of
            two templates, and its rows the nearest gallery image of each of the two identities.
        top: at most so many.
    """
    x, labels = check_embeddings(embeddings, labels)
    if gallery is not None:
        return _failed_searches(embeddings, x, labels, np.asarray(gallery, dtype=bool), top)
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


def _failed_searches(
    embeddings: np.ndarray, x: np.ndarray, labels: np.ndarray, gallery: np.ndarray, top: int | None
) -> list[Failure]:
    probes, enrolled = np.flatnonzero(np.isin(labels, labels[gallery]) & ~gallery), np.flatnonzero(gallery)
    people, scores = identity_scores(embeddings[gallery], labels[gallery], embeddings[probes])
    best, own = scores.argmax(axis=1), np.searchsorted(people, labels[probes])
    rows = np.arange(len(probes))
    wrong_score, right_score = scores[rows, best], scores[rows, own]
    failed = np.flatnonzero(best != own)
    failed = failed[np.argsort((right_score - wrong_score)[failed], kind="stable")][:top]

    def nearest(probe: int, identity: int) -> int:
        images = enrolled[labels[enrolled] == people[identity]]
        return int(images[(x[images] @ x[probe]).argmax()])

    return [
        Failure(
            int(probes[p]),
            nearest(probes[p], best[p]),
            float(wrong_score[p]),
            nearest(probes[p], own[p]),
            float(right_score[p]),
        )
        for p in failed
    ]


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
