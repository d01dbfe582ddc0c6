"""A number with its interval. Without one it is not a result."""

import math
import re
from dataclasses import asdict, dataclass, field
from statistics import NormalDist

from facelab.errors import FacelabError

FEW_IDENTITIES = 30  # below, an interval is rough; measured by ``facelab study run coverage``


@dataclass(frozen=True)
class Estimate:
    """A measured value, the ends of its 95 % interval, and how many items it was measured on.

    Attributes:
        value, low, high: the value and the ends.
        n: how many items were counted.
        identities: how many identities the interval draws from; None where it draws something else.
    """

    value: float
    low: float
    high: float
    n: int
    identities: int | None = field(default=None, compare=False)

    @property
    def few(self) -> bool:
        """True if the interval rests on fewer than 30 identities; then it is rough, and is to be called so."""
        return self.identities is not None and self.identities < FEW_IDENTITIES

    def as_dict(self) -> dict[str, float]:
        """Return ``{"value", "low", "high", "n"}``, and ``"identities"`` where that is known."""
        return {key: value for key, value in asdict(self).items() if value is not None}

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
        counted = [f"{self.n:,} {of}"] if of else []
        if self.few and not math.isnan(self.low):
            counted.append(f"only {self.identities} identities, so the interval is rough")
        return start + (f" ({'; '.join(counted)})" if counted else "")

    def _numbers(self) -> tuple[float, float, float]:
        return self.value, self.low, self.high

    def __format__(self, spec: str) -> str:
        spec = re.sub("^[-+ ]?", r"\g<0>z", spec or ".3f")  # z: no "-0.00"
        return f"{self.value:{spec}} [{self.low:{spec}}, {self.high:{spec}}]"


def wilson(successes: int, n: int) -> Estimate:
    """Return the proportion of independent trials with its 95 % interval, see :func:`wilson_ends`.

    Raises:
        FacelabError: n is not positive, or successes lie outside [0, n].

    Example:
        >>> print(f"{wilson(58, 75)}")  # the accuracy from which this course grew
        0.773 [0.667, 0.853]
    """
    if n < 1 or not 0 <= successes <= n:
        raise FacelabError(f"{successes} successes of {n}: need n >= 1 and 0 <= successes <= n.")
    return Estimate(successes / n, *wilson_ends(successes / n, n, NormalDist().inv_cdf(0.975)), n)


def wilson_ends(share: float, n: float, z: float) -> tuple[float, float]:
    r"""Return the ends of Wilson's score interval of a share.

    .. math:: \frac{\hat p + z^2/2n \pm z \sqrt{\hat p (1 - \hat p)/n + z^2/4n^2}}{1 + z^2/n}

    Unlike :math:`\hat p \pm z\,\mathrm{se}`, it stays inside [0, 1] and keeps a width when all n succeed. Source: E. B.
    Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.

    Args:
        share: in [0, 1].
        n: of how many independent trials; any positive number.
        z: the quantile, 1.96 for 95 %.
    """
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / (1 + z**2 / n)
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
