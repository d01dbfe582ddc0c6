"""One to one: are these two images of the same identity?"""

import numpy as np

from facelab.evaluate.bootstrap import bootstrap_curves, bootstrap_interval
from facelab.evaluate.checks import array, number, seeded
from facelab.evaluate.curve import Roc, auc, eer, false_accepts_allowed, roc, tar_at_far
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores, pair_scores


def verification(
    embeddings: np.ndarray,
    labels: np.ndarray,
    *,
    fars: tuple[float, ...] = (0.01,),
    replicates: int = 2000,
    seed: int = 0,
) -> dict[str, Estimate]:
    """Measure verification over all pairs of images; see :func:`verification_of_pairs`.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        fars: false accept rates to report TAR at.
        replicates: bootstrap draws.
        seed: of the draws.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> people = generator.normal(size=(20, 16)).repeat(5, axis=0)
        >>> measured = verification(people + generator.normal(size=(100, 16)), np.arange(20).repeat(5), replicates=200)
        >>> sorted(measured)
        ['auc', 'eer', 'tar_at_far_0.01']
        >>> measured["auc"].n  # all pairs of 100 images
        4950
    """
    return verification_of_pairs(pair_scores(embeddings, labels), fars=fars, replicates=replicates, seed=seed)


def verification_of_pairs(
    scores: Scores, *, fars: tuple[float, ...] = (0.01,), replicates: int = 2000, seed: int = 0
) -> dict[str, Estimate]:
    """Measure verification over given pairs, with 95 % intervals from an identity bootstrap.

    Pairs share people: one identity with a poor image spoils many pairs at once. So identities are drawn with
    replacement, not pairs, ``replicates`` times (see :func:`facelab.evaluate.bootstrap_interval`). An identity drawn
    twice counts its genuine pairs twice and its impostor pairs with every other identity; it is never an impostor to
    itself.

    Returns:
        ``auc``, ``eer`` (n: all pairs) and ``tar_at_far_0.01`` and so on (n: genuine pairs). A FAR that is too low for
        the number of impostor pairs gives NaN, with a warning.
    """
    fars = tuple(number(far, "far") for far in np.atleast_1d(array(fars, None, "fars")))
    point, genuine_pairs = roc(scores), int(np.count_nonzero(scores.genuine))
    measurable = [far for far in fars if false_accepts_allowed(far, len(scores) - genuine_pairs)]

    def measure(curve: Roc) -> dict[str, np.ndarray]:
        values = {"auc": auc(curve), "eer": eer(curve)}
        return values | {f"tar_at_far_{far:g}": tar_at_far(curve, far) for far in measurable}

    draws = [measure(curve) for curve in bootstrap_curves(scores, replicates, seeded(seed))]
    estimates = {f"tar_at_far_{far:g}": Estimate(np.nan, np.nan, np.nan, genuine_pairs) for far in fars}
    identities = len(np.union1d(scores.first, scores.second))
    for name, value in measure(point).items():
        n = genuine_pairs if name.startswith("tar") else len(scores)
        drawn = np.concatenate([draw[name] for draw in draws])
        estimates[name] = bootstrap_interval(float(value), drawn, n, identities, share=True)
    return {name: estimates[name] for name in ("auc", "eer", *(f"tar_at_far_{far:g}" for far in fars))}
