"""Linear probes: can a factor be read from an embedding?"""

from dataclasses import dataclass

import numpy as np

from facelab.analyze.intervals import ratio_by_identity
from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import mean_by_identity
from facelab.evaluate.checks import check_embeddings, check_finite
from facelab.evaluate.estimate import Estimate

PENALTIES = np.logspace(-2, 3, 6)


@dataclass(frozen=True)
class Probe:
    """How well a factor can be read.

    Attributes:
        score: out-of-sample R² of a number, or accuracy of a word, with its 95 % interval.
        chance: what knows nothing scores: 0, or the share of the most frequent word.
    """

    score: Estimate
    chance: float


def linear_probe(
    embeddings: np.ndarray,
    target: np.ndarray,
    labels: np.ndarray,
    *,
    folds: int = 5,
    replicates: int = 2000,
    seed: int = 0,
) -> Probe:
    r"""Read a factor from normalised embeddings with a linear model, tested on identities that it has not seen.

    A number is read by ridge regression and scored by

    .. math:: R^2 = 1 - \frac{\sum_i (t_i - \hat t_i)^2}{\sum_i (t_i - \bar t^{(-f)})^2}

    with the mean of the other folds; a word (any target that is not a number) by logistic regression, scored by
    accuracy. Identities are divided into folds, so the probe cannot recognise a person instead of reading the factor.
    The penalty is chosen inside the training folds, again by identity. That a factor can be read does not say that the
    network uses it. Source: G. Alain, Y. Bengio, "Understanding intermediate layers using linear classifier probes",
    arXiv:1610.01644.

    Args:
        embeddings: shape (n, d).
        target: shape (n,), numbers or words.
        labels: identity of each, shape (n,).
        folds: of the cross validation over identities.
        replicates, seed: of the identity bootstrap and of the folds.

    Raises:
        FacelabError: shapes that do not fit, a constant target, fewer identities than folds (at least 2).
    """
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.model_selection import GridSearchCV, GroupKFold
    from sklearn.preprocessing import StandardScaler

    x, labels = check_embeddings(embeddings, labels)
    target = np.asarray(target)
    identities, codes = np.unique(labels, return_inverse=True)
    if target.shape != labels.shape or len(np.unique(target)) < 2:
        raise FacelabError(f"target {target.shape}: expected one value for each of {len(x)} images, not all equal.")
    if not 2 <= folds < len(identities):
        raise FacelabError(f"folds={folds} of {len(identities)} identities: choose 2 to {len(identities) - 1}.")
    number = np.issubdtype(target.dtype, np.number)
    if number:
        check_finite("target", target)
    fold = (np.random.default_rng(seed).permutation(len(identities)) % folds)[codes]
    predicted, baseline = np.empty(len(x), np.float64 if number else target.dtype), np.zeros(len(x))
    for f in range(folds):
        train, test = fold != f, fold == f
        scaler = StandardScaler().fit(x[train])
        if number:
            model, grid, scoring = Ridge(), {"alpha": 10 * PENALTIES}, "neg_mean_squared_error"
            baseline[test] = target[train].mean()
        else:
            model, grid, scoring = LogisticRegression(max_iter=2000), {"C": 1 / PENALTIES}, "accuracy"
        if not number and len(np.unique(target[train])) < 2:
            predicted[test] = target[train][0]
            continue
        inner = min(4, len(np.unique(codes[train])))
        search = GridSearchCV(model, grid, cv=GroupKFold(inner), scoring=scoring)
        search.fit(scaler.transform(x[train]), target[train], groups=codes[train])
        predicted[test] = search.predict(scaler.transform(x[test]))
    if number:
        total = (target - baseline) ** 2
        saved = total - (target - predicted) ** 2
        return Probe(ratio_by_identity(saved, total, labels, replicates=replicates, seed=seed), 0.0)
    right = predicted == target
    most = np.unique(target, return_counts=True)[1].max() / len(target)
    return Probe(mean_by_identity(right, labels, share=True, replicates=replicates, seed=seed), float(most))
