"""Neural collapse: late in a training, the pictures of a class shrink to a point."""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.checks import check_finite, check_labels


def variability_collapse(embeddings: np.ndarray, labels: np.ndarray) -> float:
    r"""Return NC1, the variation within classes relative to that between them: 0 if each class is one point.

    With class means :math:`\mu_c`, their mean :math:`\mu_G`, and :math:`\dagger` for the pseudo-inverse:

    .. math::
        \mathrm{NC1} = \frac1C \operatorname{tr}(\Sigma_W \Sigma_B^\dagger), \quad
        \Sigma_W = \frac1n \sum_i (x_i - \mu_{y_i})(x_i - \mu_{y_i})^T, \quad
        \Sigma_B = \frac1C \sum_c (\mu_c - \mu_G)(\mu_c - \mu_G)^T

    It grows with the noise of the class means, so values are compared between sets with as many classes and images a
    class. Pass what is compared: raw embeddings for softmax cross entropy, normalised ones where angles count. Source:
    V. Papyan, X. Y. Han, D. L. Donoho, "Prevalence of neural collapse during the terminal phase of deep learning
    training", PNAS 117, 2020 (arXiv:2008.08186), which found three more properties.

    Args:
        embeddings: shape (n, d).
        labels: shape (n,).

    Raises:
        FacelabError: shapes that do not fit, fewer than two classes, or all class means are equal.
    """
    x, labels = np.asarray(embeddings, dtype=np.float64), check_labels(labels)
    if x.ndim != 2 or labels.shape != x.shape[:1]:
        raise FacelabError(f"embeddings {x.shape} and labels {labels.shape}: expected (n, d) and (n,).")
    check_finite("embedding", x)
    classes, codes = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise FacelabError(f"{len(classes)} class: a variation between classes needs at least 2.")
    means = np.zeros((len(classes), x.shape[1]))
    np.add.at(means, codes, x)
    means /= np.bincount(codes)[:, None]
    centred = means - means.mean(axis=0)
    if np.allclose(centred, 0):
        raise FacelabError("all class means are equal: the network has collapsed to one point.")
    # tr(S_W S_B^+) through the thin SVD of M / sqrt(C): no d x d pseudo-inverse, which rounding would spoil.
    _, s, axes = np.linalg.svd(centred / np.sqrt(len(classes)), full_matrices=False)
    kept = s > s[0] * 1e-6
    within = (x - means[codes]) @ axes[kept].T
    return float(((within / s[kept]) ** 2).sum() / len(x) / len(classes))
