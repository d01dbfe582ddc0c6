"""From a score to a probability."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, identity_bootstrap
from facelab.evaluate.checks import seeded
from facelab.evaluate.curve import check_pairs
from facelab.evaluate.estimate import Estimate
from facelab.evaluate.scores import Scores


@dataclass(frozen=True)
class Calibration:
    r"""An affine map from a score to the logarithm of a likelihood ratio, natural units.

    .. math:: \ell(s) = \log \frac{p(s \mid \text{genuine})}{p(s \mid \text{impostor})} = a s + b, \qquad
        P(\text{genuine} \mid s) = \sigma(\ell(s) + \mathrm{logit}\,\pi)

    The prior :math:`\pi`, the share of genuine pairs where the system works, is not a property of the scores: at a door
    most pairs may be genuine, in a search of a million hardly any.

    Attributes:
        slope: a.
        intercept: b.
    """

    slope: float
    intercept: float

    def log_likelihood_ratio(self, values: np.ndarray) -> np.ndarray:
        """Return l(s), the shape of ``values``; above 0 the score speaks for a genuine pair."""
        return self.slope * np.asarray(values, dtype=np.float64) + self.intercept

    def probability(self, values: np.ndarray, prior: float = 0.5) -> np.ndarray:
        """Return the probability that a pair is genuine, the shape of ``values``.

        Raises:
            FacelabError: ``prior`` outside (0, 1).
        """
        return 0.5 * (1 + np.tanh(0.5 * (self.log_likelihood_ratio(values) + _logit(prior))))  # sigma, no overflow

    def threshold(self, probability: float = 0.5, prior: float = 0.5) -> float:
        """Return the score at which a pair is genuine with this probability.

        Raises:
            FacelabError: a probability outside (0, 1).
        """
        return (_logit(probability) - _logit(prior) - self.intercept) / self.slope

    def cost(self, scores: Scores, *, replicates: int = 2000, seed: int = 0) -> Estimate:
        """Return :func:`cllr` on these pairs, in bits, with its 95 % interval over identities.

        Raises:
            FacelabError: there are no genuine or no impostor pairs, or a score is NaN.
        """
        genuine = check_pairs(scores)
        ratios = self.log_likelihood_ratio(scores.values)
        bits = np.logaddexp(0, np.where(genuine, -ratios, ratios)) / np.log(2)
        draws = []
        with np.errstate(invalid="ignore"):  # a draw without genuine or impostor pairs is NaN, and does not count
            for weights in identity_bootstrap(scores, replicates, seeded(seed), block=10):
                weighted = weights * bits
                both = (weighted[:, kind].sum(axis=1) / weights[:, kind].sum(axis=1) for kind in (genuine, ~genuine))
                draws.append(sum(both) / 2)
        identities = len(np.union1d(scores.first, scores.second))
        return bootstrap_interval(cllr(ratios, genuine), np.concatenate(draws), len(scores), identities, share=False)


def calibrate(scores: Scores) -> Calibration:
    """Fit the calibration by logistic regression, genuine and impostor pairs weighted alike.

    Equal weights make the fit a log likelihood ratio (the log odds at prior 1/2), whatever the mix of pairs at hand.
    Fit on one set, use on another. Source: N. Brümmer, J. du Preez, "Application-independent evaluation of speaker
    detection", Computer Speech & Language 20, 2006.

    Raises:
        FacelabError: no genuine or no impostor pairs, a NaN score, all scores equal, or the scores of the two kinds do
            not overlap: then no finite slope fits best.

    Example:
        >>> from facelab.evaluate import Scores
        >>> generator = np.random.default_rng(0)
        >>> genuine = np.arange(400) < 200
        >>> values = generator.normal(np.where(genuine, 0.6, 0.1), 0.2)
        >>> scores = Scores(values, np.arange(400), np.where(genuine, np.arange(400), -1))
        >>> calibration = calibrate(scores)
        >>> calibration.log_likelihood_ratio(np.array([0.0, 0.35, 0.7])).round(0)  # against, neither, for
        array([-4.,  0.,  4.])
    """
    from sklearn.linear_model import LogisticRegression

    genuine = check_pairs(scores)
    values = scores.values
    low, high = values[genuine].min(), values[~genuine].max()
    if values.min() == values.max():
        raise FacelabError(f"all {len(values)} scores are {low:.3f}; there is nothing to calibrate.")
    if low >= high or values[genuine].max() <= values[~genuine].min():
        raise FacelabError(
            f"genuine scores start at {low:.3f} and impostor scores end at {high:.3f}, they do not overlap: "
            "any steep slope fits. Calibrate on more, or harder, pairs."
        )
    mean, spread = values.mean(), values.std()  # a well-scaled problem converges to full precision
    model = LogisticRegression(C=np.inf, class_weight="balanced", tol=1e-10, max_iter=1000)
    model.fit(((values - mean) / spread)[:, None], genuine)
    slope = model.coef_[0, 0] / spread
    return Calibration(float(slope), float(model.intercept_[0] - slope * mean))


def cllr(log_likelihood_ratios: np.ndarray, genuine: np.ndarray) -> float:
    r"""Return the cost of log likelihood ratios in bits: 0 is perfect, 1 is what knowing nothing costs.

    .. math:: C_\mathrm{llr} = \tfrac12 \Big(\operatorname{mean}_{g} \log_2(1 + e^{-\ell})
        + \operatorname{mean}_{i} \log_2(1 + e^{\ell})\Big)

    over genuine pairs g and impostor pairs i. It is large where scores are good but badly calibrated. Source: Brümmer
    and du Preez 2006.

    Args:
        log_likelihood_ratios: natural units, shape (n,).
        genuine: which pairs are genuine, shape (n,), bool.

    Raises:
        FacelabError: there are no genuine or no impostor pairs.
    """
    ratios, genuine = np.asarray(log_likelihood_ratios, dtype=np.float64), np.asarray(genuine, dtype=bool)
    if not genuine.any() or genuine.all():
        raise FacelabError(f"there are no {'impostor' if genuine.any() else 'genuine'} pairs among {len(genuine)}.")
    cost = np.logaddexp(0, -ratios[genuine]).mean() + np.logaddexp(0, ratios[~genuine]).mean()
    return float(cost / (2 * np.log(2)))


def _logit(p: float) -> float:
    if not 0 < p < 1:
        raise FacelabError(f"a probability of {p}: it must lie in (0, 1).")
    return float(np.log(p) - np.log1p(-p))
