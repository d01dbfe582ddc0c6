"""Neural collapse: late in a training, classes shrink to points and the points to a simplex."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_finite


@dataclass(frozen=True)
class Collapse:
    """Measures of neural collapse; each is 0 when it is complete.

    Attributes:
        variability: NC1, the variation within classes relative to that between them.
        norms: NC2, coefficient of variation of the lengths of the centred class means.
        angles: NC2, standard deviation of the cosines between centred class means.
        simplex: NC2, mean distance of those cosines from -1/(C - 1), their value in a simplex.
        duality: NC3, squared distance between class centres W and centred class means, both scaled to length 1.
        decisions: NC4, share of embeddings that the classifier and the nearest class mean name differently.
    """

    variability: float
    norms: float
    angles: float
    simplex: float
    duality: float
    decisions: float


def neural_collapse(
    embeddings: np.ndarray, labels: np.ndarray, centres: np.ndarray, bias: np.ndarray | None = None
) -> Collapse:
    r"""Measure neural collapse on training images.

    With class means :math:`\mu_c`, their mean :math:`\mu_G`, :math:`\tilde\mu_c = \mu_c - \mu_G`, the matrix M of the
    :math:`\tilde\mu_c`, and covariances :math:`\Sigma_W` within and :math:`\Sigma_B` between classes:

    .. math::
        \mathrm{NC1} = \frac1C \operatorname{tr}(\Sigma_W \Sigma_B^\dagger), \qquad
        \mathrm{NC2} =
        \frac{\operatorname{std}_c \lVert\tilde\mu_c\rVert}{\operatorname{mean}_c \lVert\tilde\mu_c\rVert},
        \; \operatorname{std} \cos(\tilde\mu_c, \tilde\mu_{c'}),
        \; \operatorname{mean} \left| \cos(\tilde\mu_c, \tilde\mu_{c'}) + \tfrac{1}{C-1} \right|, \\
        \mathrm{NC3} = \left\lVert \frac{W}{\lVert W \rVert_F} - \frac{M}{\lVert M \rVert_F} \right\rVert_F^2, \qquad
        \mathrm{NC4} = \operatorname{mean}_i \left[ \arg\max_c (W_c \cdot x_i + b_c) \ne
        \arg\min_c \lVert x_i - \mu_c \rVert \right]

    Pass what the classifier sees: raw embeddings and centres for softmax cross entropy; both normalised for losses that
    compare angles. Source: V. Papyan, X. Y. Han, D. L. Donoho, "Prevalence of neural collapse during the terminal phase
    of deep learning training", PNAS 117, 2020 (arXiv:2008.08186).

    Args:
        embeddings: shape (n, d).
        labels: shape (n,); every class 0 .. C - 1 must occur.
        centres: W, shape (C, d).
        bias: b, shape (C,), if the classifier has one.

    Raises:
        FacelabError: shapes that do not fit, a class without an embedding, or all class means are equal.
    """
    x, w = np.asarray(embeddings, dtype=np.float64), np.asarray(centres, dtype=np.float64)
    labels, number = np.asarray(labels), len(w)
    if x.ndim != 2 or w.ndim != 2 or x.shape[1] != w.shape[1] or labels.shape != x.shape[:1]:
        raise FacelabError(f"embeddings {x.shape}, labels {labels.shape}, centres {w.shape}: (n, d), (n,), (C, d).")
    check_finite("embedding", x)
    counts = np.bincount(labels, minlength=number)
    if len(counts) > number or (counts == 0).any() or number < 2:
        raise FacelabError(f"{number} centres need embeddings of labels 0 to {number - 1}, found {np.unique(labels)}.")
    means = np.zeros_like(w)
    np.add.at(means, labels, x)
    means /= counts[:, None]
    centred = means - means.mean(axis=0)
    if np.allclose(centred, 0):
        raise FacelabError("all class means are equal: the network has collapsed to one point.")
    within = x - means[labels]
    # tr(S_W S_B^+) through the thin SVD of M / sqrt(C): no d x d pseudo-inverse, which rounding would spoil.
    _, s, axes = np.linalg.svd(centred / np.sqrt(number), full_matrices=False)
    kept = s > s[0] * 1e-6
    variability = float((((within @ axes[kept].T) / s[kept]) ** 2).sum() / len(x) / number)
    lengths = np.linalg.norm(centred, axis=1)
    unit = centred / np.maximum(lengths, 1e-12)[:, None]
    cosines = (unit @ unit.T)[np.triu_indices(number, k=1)]
    logits = x @ w.T + (0 if bias is None else np.asarray(bias, dtype=np.float64))
    distances = ((means**2).sum(axis=1) - 2 * x @ means.T).argmin(axis=1)
    return Collapse(
        variability=variability,
        norms=float(lengths.std() / lengths.mean()),
        angles=float(cosines.std()),
        simplex=float(np.abs(cosines + 1 / (number - 1)).mean()),
        duality=float(((w / np.linalg.norm(w) - centred / np.linalg.norm(centred)) ** 2).sum()),
        decisions=float((logits.argmax(axis=1) != distances).mean()),
    )
