"""A number with its interval. Without one it is not a result."""

import math
from dataclasses import asdict, dataclass
from statistics import NormalDist

from facelab.errors import FacelabError


@dataclass(frozen=True)
class Estimate:
    """A measured value, the ends of its 95 % interval, and how many items it was measured on."""

    value: float
    low: float
    high: float
    n: int

    def as_dict(self) -> dict[str, float]:
        """Return ``{"value", "low", "high", "n"}``."""
        return asdict(self)

    def sentence(self, what: str, *, of: str = "", points: bool = True) -> str:
        """Say it in words: "TAR at FAR 1 % is 81.2 %, 95 % interval 74.0 % to 87.1 % (1,920 genuine pairs)".

        Args:
            what: was measured.
            of: what n counts, for example "genuine pairs"; left out if empty.
            points: whether the value is a share, to be told in percent.
        """
        if math.isnan(self.value):
            start = f"{what} cannot be measured here"
        else:
            value, low, high = (f"{x:.1%}".replace("%", " %") if points else f"{x:.3g}" for x in self._numbers())
            start = f"{what} is {value}"
            start += ", no interval" if math.isnan(self.low) else f", 95 % interval {low} to {high}"
        return start + (f" ({self.n:,} {of})" if of else "")

    def _numbers(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high

    def __format__(self, spec: str) -> str:
        spec = spec or ".3f"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def wilson(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    r"""Return a proportion with its Wilson score interval.

    .. math:: \frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Unlike :math:`\hat p \pm z\,\mathrm{se}`, it stays inside [0, 1] and keeps a width when all n succeed. Source: E. B.
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Raises:
        FacelabError: n is not positive, or successes lie outside [0, n].

    Example:
        >>> print(f"{wilson(58, 75)}")  # the accuracy from which this course grew
        0.773 [0.667, 0.853]
    """
    if n < 1 or not 0 <= successes <= n:
        raise FacelabError(f"{successes} successes of {n}: need n >= 1 and 0 <= successes <= n.")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    p = successes / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return Estimate(p, max(0.0, min(p, centre - half)), min(1.0, max(p, centre + half)), n)
