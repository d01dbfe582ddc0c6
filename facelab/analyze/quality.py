"""Does the length of an embedding say how good the image is?"""

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.checks import check_values
from facelab.evaluate.estimate import Estimate


def rank_correlation(
    first: np.ndarray, second: np.ndarray, labels: np.ndarray, *, replicates: int = 1000, seed: int = 0
) -> Estimate:
    r"""Return Spearman's rank correlation with its 95 % interval from an identity bootstrap; n counts images.

    .. math:: \rho = \operatorname{corr}(\operatorname{rank}(a), \operatorname{rank}(b))

    Use it for the length of embeddings before normalisation against a known quality of the image, such as blur or
    yaw. Networks trained with losses that read the length (MagFace, AdaFace) are meant to have such a relation. Ties
    get their mean rank. Draws in which a side is constant say nothing and are left out.

    Args:
        first, second: one value for each image, shape (n,).
        labels: identity of each image, shape (n,).
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: lengths differ, a value is not finite, or a side is constant.
    """
    labels, a, b = check_values(labels, first=first, second=second)
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        raise FacelabError("one side is constant, so nothing can go along with it.")
    identities, codes = np.unique(labels, return_inverse=True)
    rows = [np.flatnonzero(codes == k) for k in range(len(identities))]
    draws = []
    for counts in draw_identities(len(identities), replicates, np.random.default_rng(seed)):
        for count in counts.astype(int):
            drawn = np.concatenate([np.tile(rows[k], count[k]) for k in np.flatnonzero(count)])
            if np.ptp(a[drawn]) and np.ptp(b[drawn]):
                draws.append(_spearman(a[drawn], b[drawn]))
    return bootstrap_interval(_spearman(a, b), np.array(draws), len(a), len(identities), share=False)


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
