"""From many dimensions to two, for the eye only."""

from typing import Literal

import numpy as np

from facelab.errors import FacelabError


def project(embeddings: np.ndarray, *, method: Literal["tsne", "pca"] = "tsne", seed: int = 0) -> np.ndarray:
    """Project embeddings to the plane.

    PCA keeps large distances and may lay groups over each other; t-SNE (cosine distance, started from PCA) keeps
    neighbours together and shows groups, but sizes and distances between groups mean nothing.

    Args:
        embeddings: shape (n, d), n >= 4.
        method: ``"tsne"`` or ``"pca"``.
        seed: of t-SNE.

    Returns:
        Shape (n, 2), float32.

    Raises:
        FacelabError: too few embeddings, or an unknown method.
    """
    if method not in ("tsne", "pca"):
        raise FacelabError(f"method={method!r}: choose 'tsne' or 'pca'.")
    if len(embeddings) < 4:
        raise FacelabError(f"{len(embeddings)} embeddings: a map needs at least 4.")
    if method == "pca":
        from sklearn.decomposition import PCA

        return PCA(2, svd_solver="full").fit_transform(embeddings).astype(np.float32)
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(embeddings) - 1) / 3)
    return TSNE(2, perplexity=perplexity, metric="cosine", init="pca", random_state=seed).fit_transform(embeddings)
