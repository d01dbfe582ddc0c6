"""All pairs of many embeddings, in bounded memory."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_embeddings
from facelab.evaluate.curve import Roc, check_pair_counts, curve_from_counts


def streamed_roc(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    precision: type[np.floating] = np.float32,
    block_pairs: int = 8_000_000,
) -> Roc:
    """Return the ROC over all pairs of images, without holding all pairs at once.

    What is exact: the scores are dot products in ``precision`` (float32: rounding of about 1e-7). Of these scores the
    ROC is exact, ties included: no histogram, no sampling. All genuine scores are kept; the impostor scores come in
    blocks, are sorted, and are counted above and at every genuine score. An ROC turns only at genuine scores, so these
    counts give AUC, EER and TAR@FAR as :func:`facelab.evaluate.roc` would. Thresholds are listed at (and just above)
    the genuine scores only.

    Memory: the embeddings, some 20 bytes * ``block_pairs``, and about 100 bytes per genuine pair.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        precision: ``np.float32`` or ``np.float64``, of scores.
        block_pairs: how many scores are computed at once.

    Raises:
        FacelabError: see :func:`facelab.evaluate.checks.check_embeddings`; or there are no genuine or no impostor
            pairs; or ``precision`` is coarser than float32.
    """
    if np.finfo(precision).eps > np.finfo(np.float32).eps:
        raise FacelabError(f"precision {np.dtype(precision).name} is too coarse for scores; use float32 or float64.")
    embeddings, labels = check_embeddings(embeddings, labels)
    # Identities side by side: the genuine pairs of a row are then a run that starts at the diagonal.
    order = np.argsort(labels, kind="stable")
    embeddings, labels = embeddings[order].astype(precision), labels[order]
    n = len(labels)
    ends = np.searchsorted(labels, labels, side="right")  # one past the last image of each image's identity
    genuine_pairs = int((ends - np.arange(n) - 1).sum())
    check_pair_counts(genuine_pairs, n * (n - 1) // 2)

    genuine = np.empty(genuine_pairs, dtype=precision)
    filled = start = 0
    while start < n:  # some rows of one identity at a time
        stop = min(ends[start], start + max(1, block_pairs // (ends[start] - start)))
        block = embeddings[start:stop] @ embeddings[start : ends[start]].T
        block = block[np.triu_indices(len(block), k=1, m=block.shape[1])]
        genuine[filled : filled + len(block)] = block
        filled += len(block)
        start = stop
    vertices, counts = np.unique(genuine, return_counts=True)
    del genuine

    below, upto = (np.zeros(len(vertices), dtype=np.int64) for _ in range(2))
    lowest, impostor_pairs = vertices[0], 0
    start = 0
    while start < n:
        stop = min(n, start + max(1, block_pairs // (n - start)))
        block = embeddings[start:stop] @ embeddings[start:].T
        columns = np.arange(start, n)
        block = block[columns >= ends[start:stop, None]]  # drops the pairs seen before and the genuine ones
        if len(block):
            block.sort()
            below += np.searchsorted(block, vertices, side="left")
            upto += np.searchsorted(block, vertices, side="right")
            lowest = min(lowest, block[0])
            impostor_pairs += len(block)
        start = stop
    above = np.append((impostor_pairs - upto)[::-1], impostor_pairs)
    curve = curve_from_counts(vertices[::-1], lowest, counts[::-1], above, (impostor_pairs - below)[::-1])
    return Roc(curve.threshold, curve.far, curve.tar, genuine_pairs, impostor_pairs)
