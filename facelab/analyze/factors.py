"""How much of an embedding is identity, and how much is known factors such as pose, light, expression, skin."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from facelab.analyze.intervals import ratio_by_identity
from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.checks import check_embeddings
from facelab.evaluate.estimate import Estimate

_PENALTIES = np.logspace(-1, 5, 13)  # of standardised features; the largest leaves hardly anything of a block


@dataclass(frozen=True)
class Part:
    """What one block of factors explains, as a share of the variance of its level.

    Attributes:
        level: ``"within"`` identities, or ``"between"`` them for a block that is constant within an identity.
        alone: R² with this block only.
        unique: what R² loses if this block is left out of all blocks of its level.
    """

    level: Literal["within", "between"]
    alone: Estimate
    unique: Estimate


@dataclass(frozen=True)
class VariancePartition:
    """The outcome of :func:`variance_partition`.

    Attributes:
        identity: share of the variance that lies between identities; the rest lies within them.
        parts: by name of the block.
        together: R² of all blocks of a level together, by level.
    """

    identity: Estimate
    parts: dict[str, Part]
    together: dict[str, Estimate]


def variance_partition(
    embeddings: np.ndarray,
    labels: np.ndarray,
    blocks: Mapping[str, np.ndarray],
    *,
    folds: int = 8,
    replicates: int = 2000,
    seed: int = 0,
) -> VariancePartition:
    r"""Say how much of the spread of embeddings is identity, and how much known factors explain of the rest.

    The variance of normalised embeddings, summed over dimensions, splits into two levels. The share between identities
    is estimated as in a one-way analysis of variance, so that noise in the means is not taken for identity:

    .. math:: \hat\sigma_W^2 = \frac{SS_W}{n - C}, \quad \hat\sigma_B^2 = \frac{SS_B/(C - 1) - \hat\sigma_W^2}{n_0},
        \quad n_0 = \frac{n - \sum_c n_c^2/n}{C - 1}, \quad
        \rho = \frac{\hat\sigma_B^2}{\hat\sigma_B^2 + \hat\sigma_W^2}

    A block that varies within identities is regressed on embeddings minus their identity's mean (both sides centred, so
    identity is held fixed as a category); a block that is constant within identities, on identity means. The linear
    model is ridge regression, its penalty chosen by leave-one-out within the training folds; R² is out of sample, with
    whole identities left out in turn:

    .. math:: R^2 = 1 - \frac{\sum_i \lVert x_i - \hat x_i^{(-f)} \rVert^2}{\sum_i \lVert x_i - \bar x^{(-f)} \rVert^2}

    so a block that explains nothing gets about 0 or less. ``unique`` counts only what no other block of the level can
    explain. Blocks that go together (a hand before the mouth hides an expression) share the rest. Intervals draw
    identities again; the fitted regressions stay. What is not linear in the features stays unexplained.

    Source of the split: S. R. Searle, G. Casella, C. E. McCulloch, "Variance Components", 1992, section 3.6.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        blocks: features of each block, shape (n, p), for example from :func:`facelab.synth.factors.factor_features`.
        folds: of the cross validation over identities.
        replicates, seed: of the bootstrap and the folds.

    Raises:
        FacelabError: shapes that do not fit, an identity with one image, fewer identities than folds.
    """
    x, labels = check_embeddings(embeddings, labels)
    identities, codes = np.unique(labels, return_inverse=True)
    counts = np.bincount(codes)
    if (counts < 2).any():
        raise FacelabError(f"identity {identities[counts.argmin()]} has one image; leave it out.")
    if not 2 <= folds <= len(identities):
        raise FacelabError(f"folds={folds} of {len(identities)} identities: choose 2 to the number of identities.")
    means = np.zeros((len(identities), x.shape[1]))
    np.add.at(means, codes, x)
    means /= counts[:, None]
    fold = np.random.default_rng(seed).permutation(len(identities)) % folds
    by_level: dict[Any, dict[str, np.ndarray]] = {"within": {}, "between": {}}
    for name, given in blocks.items():
        block = np.asarray(given, dtype=np.float64)
        if block.ndim != 2 or len(block) != len(x) or not np.isfinite(block).all():
            raise FacelabError(f"block {name!r} has shape {block.shape}: expected ({len(x)}, p), all finite.")
        centres = np.zeros((len(identities), block.shape[1]))
        np.add.at(centres, codes, block)
        centres /= counts[:, None]
        inside = block - centres[codes]
        if np.abs(inside).max(initial=0) < 1e-9 * max(1.0, np.abs(block).max(initial=0)):
            by_level["between"][name] = centres
        else:
            by_level["within"][name] = inside
    parts, together = {}, {}
    for level, features in by_level.items():
        if not features:
            continue
        target = x - means[codes] if level == "within" else means
        rows, weight = (codes, np.ones(len(x))) if level == "within" else (np.arange(len(means)), counts)

        def left(names: list[str], target=target, rows=rows, weight=weight, features=features, level=level):
            design = np.concatenate([features[n] for n in names], axis=1) if names else np.zeros((len(target), 0))
            return weight * _left_out_errors(design, target, fold[rows], intercept=level == "between")

        def r2(saved, total, rows=rows):
            return ratio_by_identity(saved, total, rows, replicates=replicates, seed=seed)

        nothing, everything = left([]), left(list(features))
        together[level] = r2(nothing - everything, nothing)
        for name in features:
            rest = left([other for other in features if other != name])
            parts[name] = Part(level, r2(nothing - left([name]), nothing), r2(rest - everything, nothing))
    share = _share_between(x, means, codes, counts, replicates, seed)
    return VariancePartition(share, {name: parts[name] for name in blocks}, together)


def _left_out_errors(design: np.ndarray, target: np.ndarray, fold: np.ndarray, *, intercept: bool) -> np.ndarray:
    """Squared errors of each row, predicted by ridge regression from the rows of the other folds; shape (n,)."""
    from sklearn.linear_model import RidgeCV

    errors = np.empty(len(target))
    for f in np.unique(fold):
        test = fold == f
        if design.shape[1]:
            model = RidgeCV(_PENALTIES, fit_intercept=intercept).fit(design[~test], target[~test])
            predicted = model.predict(design[test])
        else:
            predicted = target[~test].mean(axis=0) if intercept else 0.0
        errors[test] = ((target[test] - predicted) ** 2).sum(axis=1)
    return errors


def _share_between(
    x: np.ndarray, means: np.ndarray, codes: np.ndarray, sizes: np.ndarray, replicates: int, seed: int
) -> Estimate:
    """The intraclass correlation of vectors, with its interval from an identity bootstrap."""
    within = np.bincount(codes, weights=((x - means[codes]) ** 2).sum(axis=1))
    squares = (means**2).sum(axis=1)

    def share(c: np.ndarray) -> np.ndarray:  # (r, C), how often each identity is drawn
        n, drawn = c @ sizes, c.sum(axis=1)
        mean = (c * sizes) @ means / n[:, None]
        between = (c * sizes) @ squares - n * (mean**2).sum(axis=1)
        sigma_w = (c @ within) / (n - drawn)
        n0 = (n - (c @ sizes**2) / n) / (drawn - 1)
        sigma_b = (between / (drawn - 1) - sigma_w) / n0
        return sigma_b / (sigma_b + sigma_w)

    draws = np.concatenate([share(c) for c in draw_identities(len(sizes), replicates, np.random.default_rng(seed))])
    value = float(share(np.ones((1, len(sizes))))[0])
    return bootstrap_interval(value, draws, len(x), len(sizes), share=False)  # of variances: it may be below 0
