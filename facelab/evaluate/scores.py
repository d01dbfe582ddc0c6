"""Similarity scores of pairs of images, and who is on them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import array, check_embeddings, check_labels, unit


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of n pairs; higher means more alike.

    Attributes:
        values: the scores, shape (n,), float64.
        first, second: the identity on each side, shape (n,). A pair is genuine where they are equal, else impostor.

    Raises:
        FacelabError: not one score and two identities for each pair, or an identity that is missing.
    """

    values: np.ndarray
    first: np.ndarray
    second: np.ndarray

    def __post_init__(self):
        values = array(self.values, None, "scores")
        if values.dtype.kind != "f" or values.dtype.itemsize < 4:
            values = array(values, np.float64, "scores")
        object.__setattr__(self, "values", values)
        for side in ("first", "second"):
            object.__setattr__(self, side, check_labels(getattr(self, side), f"{side} identity of pair"))
        if self.values.ndim != 1 or not self.values.shape == self.first.shape == self.second.shape:
            raise FacelabError(
                f"values {self.values.shape}, first {self.first.shape}, second {self.second.shape}: expected (n,) each."
            )

    @property
    def genuine(self) -> np.ndarray:
        """Which pairs show one identity twice; shape (n,), bool."""
        return self.first == self.second

    def __len__(self) -> int:
        return len(self.values)


MOST_PAIRS = 100_000_000  # some 5 GB; 14,142 images


def pair_scores(embeddings: np.ndarray, labels: np.ndarray) -> Scores:
    """Compare every image with every other one by cosine similarity; each pair once, no image with itself.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).

    Raises:
        FacelabError: there are more than MOST_PAIRS, or see :func:`facelab.evaluate.checks.check_embeddings`.

    Example:
        >>> scores = pair_scores(np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]]), np.array([0, 0, 1]))
        >>> scores.values.round(2), scores.genuine
        (array([0.8, 0. , 0.6]), array([ True, False, False]))
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    if (pairs := len(labels) * (len(labels) - 1) // 2) > MOST_PAIRS:
        raise FacelabError(
            f"{len(labels):,} images have {pairs:,} pairs, too many to hold in memory at once: "
            "facelab.evaluate.streamed_roc measures all of them, pair_blocks gives them some at a time; or draw "
            "identities."
        )
    i, j = np.triu_indices(len(embeddings), k=1)
    return Scores((embeddings @ embeddings.T)[i, j], labels[i], labels[j])


def pair_blocks(
    embeddings: np.ndarray, *, block_pairs: int = 4_000_000
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Yield the pairs of :func:`pair_scores`, in its order, some rows at a time: for more pairs than fit into memory.

    Args:
        embeddings: shape (n, d).
        block_pairs: how many scores are computed at once; memory is some 50 bytes for each.

    Yields:
        (first, second, scores) of a block: two rows and their cosine similarity, shape (p,) each.

    Raises:
        FacelabError: see :func:`facelab.evaluate.checks.unit`.
    """
    embeddings, start = unit(embeddings), 0
    while start < len(embeddings):
        others = len(embeddings) - start
        stop = min(len(embeddings), start + max(1, block_pairs // others))
        block = embeddings[start:stop] @ embeddings[start:].T
        i, j = np.triu_indices(stop - start, k=1, m=others)
        yield start + i, start + j, block[i, j]
        start = stop


def listed_scores(embeddings: np.ndarray, labels: np.ndarray, first: np.ndarray, second: np.ndarray) -> Scores:
    """Compare listed pairs of images, or of templates, by cosine similarity; as in LFW and in IJB 1:1.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        first, second: rows of the two sides of each pair, shape (p,).

    Raises:
        FacelabError: see :func:`facelab.evaluate.checks.check_embeddings`; or a pair points outside the embeddings.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    first, second = array(first, None, "first"), array(second, None, "second")
    if first.shape != second.shape or first.ndim != 1:
        raise FacelabError(f"first {first.shape} and second {second.shape}: expected two lists of the same length.")
    for rows in (first, second):
        if rows.dtype.kind not in "iu" and len(rows):
            raise FacelabError(f"pairs point to rows by whole numbers, not by {rows.dtype}.")
        outside = (rows < 0) | (rows >= len(embeddings))
        if outside.any():
            pair = outside.argmax()
            raise FacelabError(f"pair {pair} points to row {rows[pair]} of {len(embeddings)} embeddings.")
    values = np.empty(len(first))
    step = max(1, 4_000_000 // embeddings.shape[1])  # two blocks of 32 MB
    for start in range(0, len(first), step):
        part = slice(start, start + step)
        values[part] = np.einsum("nd,nd->n", embeddings[first[part]], embeddings[second[part]])
    return Scores(values, labels[first], labels[second])
