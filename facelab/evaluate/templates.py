"""Many images, one vector: templates, as in the IJB protocols."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_each, check_embeddings


@dataclass(frozen=True, eq=False)
class Templates:
    """One embedding for each group of images of an identity.

    Attributes:
        ids: the template's name, shape (t,), rising.
        embeddings: normalised, shape (t, d), float64.
        labels: the identity of each, shape (t,).
    """

    ids: np.ndarray
    embeddings: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Return the positions of templates by name, for lists of pairs.

        Raises:
            FacelabError: there is no such template.
        """
        ids = np.asarray(ids)
        missing = ~np.isin(ids, self.ids)
        if missing.any():
            raise FacelabError(f"there is no template {ids[missing][0]} among {len(self)}.")
        return np.searchsorted(self.ids, ids)


def make_templates(
    embeddings: np.ndarray,
    labels: np.ndarray,
    templates: np.ndarray,
    media: np.ndarray | None = None,
    weights: np.ndarray | None = None,
) -> Templates:
    r"""Average the normalised embeddings of each template and normalise again.

    .. math:: t = \frac{\sum_i w_i \hat x_i}{\lVert \sum_i w_i \hat x_i \rVert}

    With ``media``, the frames of one video are averaged first, so that a long video counts as much as one photograph.
    Source: the template protocol of IJB-A (Klare et al., CVPR 2015) with the averages of N. Crosswhite et al.,
    "Template adaptation for face verification and identification", FG 2017.

    Args:
        embeddings: one for each image, shape (n, d).
        labels: identity of each image, shape (n,).
        templates: which template each image belongs to, shape (n,).
        media: which medium (photograph or video) each image comes from, shape (n,); each its own if not given.
        weights: :math:`w_i` of each image, 0 or more, shape (n,); 1 if not given. InsightFace weighs by the score of
            the detector and the length of the embedding (``recognition/arcface_torch/eval_ijbc.py``).

    Raises:
        FacelabError: an embedding without direction, named by row; a weight that is negative or not finite; a template
            with two identities, or whose embeddings cancel out.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    check_each(labels, of="images", templates=templates, **({} if media is None else {"media": media}))
    if weights is not None:
        check_each(labels, of="images", weights=weights)
        weights = np.asarray(weights, np.float64)
        if (bad := ~(weights >= 0) | np.isinf(weights)).any():
            raise FacelabError(f"the weight of image {bad.argmax()} is {weights[bad.argmax()]:g}; expected 0 or more.")
        embeddings = embeddings * weights[:, None]
    ids, first, template = np.unique(templates, return_index=True, return_inverse=True)
    mixed = labels != labels[first][template]
    if mixed.any():
        row = mixed.argmax()
        raise FacelabError(
            f"template {ids[template[row]]} holds identities {labels[first][template[row]]} and {labels[row]}; "
            "a template shows one."
        )
    if media is not None:
        _, medium = np.unique(media, return_inverse=True)
        both, part = np.unique(np.stack([template, medium]), axis=1, return_inverse=True)
        embeddings, template = _means(embeddings, part.ravel(), both.shape[1]), both[0]
    means = _means(embeddings, template, len(ids))
    lengths = np.linalg.norm(means, axis=1)
    least = 1e-12 if weights is None else 1e-12 * weights.max(initial=0)
    cancelled = lengths <= least  # a mean of unit vectors; rounding leaves about 1e-16
    if cancelled.any():
        raise FacelabError(f"the embeddings of template {ids[cancelled][0]} cancel out, so it has no direction.")
    return Templates(ids, means / lengths[:, None], labels[first])


def _means(embeddings: np.ndarray, group: np.ndarray, groups: int) -> np.ndarray:
    """Return the mean embedding of each group, shape (groups, d)."""
    order = np.argsort(group, kind="stable")
    starts = np.searchsorted(group[order], np.arange(groups))
    return np.add.reduceat(embeddings[order], starts, axis=0) / np.bincount(group, minlength=groups)[:, None]
