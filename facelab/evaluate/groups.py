"""Error rates by attribute, at one threshold for everybody."""

import math
import warnings
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facelab.evaluate.bootstrap import draw_identities, ratio_interval
from facelab.evaluate.checks import check_each, check_embeddings, check_labels, check_threshold, seeded
from facelab.evaluate.counts import ErrorCounts, disjoint_correction, pair_variance
from facelab.evaluate.estimate import Estimate

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class GroupErrors:
    """Errors among the images of one group.

    Attributes:
        group: its name.
        images, identities: how many.
        far: share of the group's impostor pairs accepted; n counts pairs.
        frr: share of the group's genuine pairs refused; n counts pairs.
    """

    group: Hashable
    images: int
    identities: int
    far: Estimate
    frr: Estimate


@dataclass(frozen=True)
class WorstToBest:
    """How many times higher the worst group's rate is than the best group's.

    Attributes:
        worst, best: the two groups.
        ratio: with its interval; NaN where the best group shows no error or fewer than two groups could be measured. n
            counts groups.
    """

    worst: Hashable
    best: Hashable
    ratio: Estimate

    def sentence(self, rate: str) -> str:
        """Say it in words: "FAR is 2.3 times as high for 'a' as for 'b', 95 % interval 1.1 to 5.0 (3 groups)"."""
        if math.isnan(self.ratio.value):
            return f"{rate} has no worst-to-best ratio here ({self.ratio.n} groups measured)"
        high = f"{self.ratio.high:.1f}" if math.isfinite(self.ratio.high) else "without limit"
        numbers = f"95 % interval {self.ratio.low:.1f} to {high} ({self.ratio.n} groups)"
        return f"{rate} is {self.ratio.value:.1f} times as high for {self.worst!r} as for {self.best!r}, {numbers}"


@dataclass(frozen=True)
class GroupAudit:
    """The outcome of :func:`errors_by_group`.

    Attributes:
        threshold: pairs with a score as high or higher were accepted.
        groups: one entry for each group, by name.
        far_ratio, frr_ratio: worst to best.
    """

    threshold: float
    groups: list[GroupErrors]
    far_ratio: WorstToBest
    frr_ratio: WorstToBest

    def table(self) -> "pd.DataFrame":
        """Return one row for each group."""
        import pandas as pd

        rows = []
        for g in self.groups:
            row = {"group": g.group, "images": g.images, "identities": g.identities}
            for name, rate in (("far", g.far), ("frr", g.frr)):
                row |= {name: rate.value, f"{name}_low": rate.low, f"{name}_high": rate.high, f"{name}_n": rate.n}
            rows.append(row)
        return pd.DataFrame(rows).set_index("group")


def errors_by_group(
    embeddings: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    threshold: float,
    *,
    replicates: int = 2000,
    seed: int = 0,
) -> GroupAudit:
    """Measure FAR and FRR within each group at one threshold, with 95 % intervals over identities.

    A pair counts for a group if both of its images belong to it; pairs across groups count for none. Impostors from
    one's own group are the harder ones, and the ones that an attacker would send. Groups are what the data knows:
    rendering parameters (pose, light, skin tone of a rendered head) or metadata. Nothing here infers a trait from a
    picture.

    FAR has the closed form of :func:`facelab.evaluate.counts.pair_variance`; for FRR identities are drawn with
    replacement, once for all groups together. The interval of a ratio is Student's, of its logarithm, with the variance
    of the difference of the two rates, each in units of itself; so it keeps what the groups share where the same people
    are in both. The worst and best groups are those found in the data, held fixed; the more groups, the larger a ratio
    chance alone will give.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        groups: group of each image, shape (n,).
        threshold: cosine; pairs with a score as high or higher are accepted.
        replicates, seed: of the draws.

    Raises:
        FacelabError: an embedding without direction, an array of another length, a label or group that is missing, a
            threshold that is NaN.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    groups = check_labels(groups, "group of image")
    check_each(labels, groups=groups)
    threshold = check_threshold(threshold)
    identities, codes = np.unique(labels, return_inverse=True)
    names = np.unique(groups)
    known = [_count(embeddings[groups == name], codes[groups == name], threshold) for name in names]
    blocks = draw_identities(len(identities), replicates, seeded(seed))
    drawn = [[counts.frr_draws(drawn[:, people]) for people, counts in known] for drawn in blocks]
    frr_draws = np.concatenate(drawn, axis=1)
    audited = []
    for g, (name, (people, counts)) in enumerate(zip(names.tolist(), known, strict=True)):
        far, frr = counts.far(), counts.frr(frr_draws[g])
        for kind, rate in (("impostor", far), ("genuine", frr)):
            if rate.n == 0:
                warnings.warn(f"group {name!r} has no {kind} pairs: NaN", stacklevel=2)
        audited.append(GroupErrors(name, int((groups == names[g]).sum()), len(people), far, frr))

    def far_variance(worst: int, best: int) -> float:
        shares = np.zeros((len(identities), len(identities)))
        for g, sign in ((worst, 1), (best, -1)):
            people, counts = known[g]
            shares[np.ix_(people, people)] += sign * counts.far_residuals() / counts.far_rate
        return pair_variance(shares, max(disjoint_correction(known[g][1].impostor) for g in (worst, best)))

    def frr_variance(worst: int, best: int) -> float:
        shares = frr_draws[worst] / audited[worst].frr.value - frr_draws[best] / audited[best].frr.value
        people = min(audited[g].frr.identities or 1 for g in (worst, best))
        return float(np.nanvar(shares, ddof=1)) * people / max(people - 1, 1)

    return GroupAudit(
        float(threshold),
        audited,
        _worst_to_best("FAR", names.tolist(), [g.far for g in audited], far_variance),
        _worst_to_best("FRR", names.tolist(), [g.frr for g in audited], frr_variance),
    )


def _count(
    embeddings: np.ndarray, codes: np.ndarray, threshold: float, block: int = 4_000_000
) -> tuple[np.ndarray, ErrorCounts]:
    """Return the identities of some images, and the errors among them."""
    order = np.argsort(codes, kind="stable")
    embeddings = embeddings[order]
    identities, starts, position, sizes = np.unique(
        codes[order], return_index=True, return_inverse=True, return_counts=True
    )
    accepted = np.zeros((len(identities), len(identities)))
    step = max(1, block // len(embeddings))
    for start in range(0, len(embeddings), step):
        above = embeddings[start : start + step] @ embeddings.T >= threshold
        rows = np.arange(len(above))
        above[rows, start + rows] = False  # no image is compared with itself
        by_identity = np.add.reduceat(above, starts, axis=1, dtype=np.float64)
        np.add.at(accepted, position[start : start + step], by_identity)
    genuine = sizes * (sizes - 1) / 2
    refused = genuine - np.diag(accepted) / 2
    impostor = np.outer(sizes, sizes).astype(np.float64)
    for matrix in (impostor, accepted):
        np.fill_diagonal(matrix, 0)
    return identities, ErrorCounts(genuine, refused, impostor, accepted)


def _worst_to_best(
    name: str, groups: list[Hashable], rates: list[Estimate], variance: Callable[[int, int], float]
) -> WorstToBest:
    """Compare the highest rate with the lowest; ``variance`` gives that of the logarithm of their ratio."""
    values = np.array([rate.value for rate in rates])
    measured = int(np.isfinite(values).sum())
    nothing = Estimate(np.nan, np.nan, np.nan, measured)
    if measured == 0:
        return WorstToBest(None, None, nothing)
    worst = int(np.nanargmax(values))
    best = len(values) - 1 - int(np.nanargmin(values[::-1]))  # of equal groups not the same one twice
    if measured == 1:
        return WorstToBest(groups[worst], groups[best], nothing)
    if values[best] == 0:
        warnings.warn(
            f"group {groups[best]!r} shows no error among {rates[best].n} pairs, so {name} has no worst-to-best ratio: "
            "NaN",
            stacklevel=3,
        )
        return WorstToBest(groups[worst], groups[best], nothing)
    people = min(rates[g].identities or 1 for g in (worst, best))
    ratio = ratio_interval(values[worst] / values[best], variance(worst, best), measured, people)
    return WorstToBest(groups[worst], groups[best], ratio)
