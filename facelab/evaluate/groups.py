"""Error rates by attribute, at one threshold for everybody."""

import math
import warnings
from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.checks import check_each, check_embeddings, check_threshold
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
    """Measure FAR and FRR within each group at one threshold, with 95 % intervals from an identity bootstrap.

    A pair counts for a group if both of its images belong to it; pairs across groups count for none. Impostors from
    one's own group are the harder ones, and the ones that an attacker would send. Groups are what the data knows:
    rendering parameters (pose, light, skin tone of a rendered head) or metadata. Nothing here infers a trait from a
    picture.

    Identities are drawn with replacement, once for all groups together, so ratios keep what the groups share. Where a
    group shows no error at all, or nothing else, every draw shows the same; its interval is then Wilson's with
    identities as the sample size. The worst and best groups of a ratio are those found in the data, held fixed over the
    draws; the more groups, the larger a ratio chance alone will give.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        groups: group of each image, shape (n,).
        threshold: cosine; pairs with a score as high or higher are accepted.
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: an embedding without direction, an array of another length, a threshold that is NaN.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    groups = np.asarray(groups)
    check_each(labels, groups=groups)
    check_threshold(threshold)
    identities, codes = np.unique(labels, return_inverse=True)
    names = np.unique(groups)
    counts = [_count(embeddings[groups == name], codes[groups == name], threshold) for name in names]
    far_draws, frr_draws = (np.empty((len(names), replicates)) for _ in range(2))
    done = 0
    for drawn in draw_identities(len(identities), replicates, np.random.default_rng(seed)):
        part = slice(done, done + len(drawn))
        for g, count in enumerate(counts):
            far_draws[g, part], frr_draws[g, part] = count.rates(drawn[:, count.identities])
        done += len(drawn)
    audited = []
    for g, (name, count) in enumerate(zip(names.tolist(), counts, strict=True)):
        far, frr = count.rates(np.ones((1, len(count.identities))))
        n = len(count.identities)
        audited.append(
            GroupErrors(
                name,
                int((groups == names[g]).sum()),
                n,
                _estimate(name, "impostor", far[0], far_draws[g], int(count.impostor.sum()) // 2, n),
                _estimate(name, "genuine", frr[0], frr_draws[g], int(count.genuine.sum()), n),
            )
        )
    return GroupAudit(
        float(threshold),
        audited,
        _worst_to_best("FAR", [g.group for g in audited], [g.far for g in audited], far_draws, len(identities)),
        _worst_to_best("FRR", [g.group for g in audited], [g.frr for g in audited], frr_draws, len(identities)),
    )


@dataclass(frozen=True, eq=False)
class _Counts:
    """Pairs of one group by identity: what a draw of identities needs to know.

    Attributes:
        identities: codes of the k identities of the group.
        genuine, refused: genuine pairs of each, and how many of them are refused; (k,).
        impostor, accepted: impostor pairs of each two, and how many of them are accepted; (k, k), zero diagonal, each
            pair on both sides.
    """

    identities: np.ndarray
    genuine: np.ndarray
    refused: np.ndarray
    impostor: np.ndarray
    accepted: np.ndarray

    def rates(self, drawn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FAR and FRR of each draw, shape (r,), from how often each identity was drawn, shape (r, k)."""
        with np.errstate(invalid="ignore"):  # a draw may have no such pair: NaN
            far = ((drawn @ self.accepted) * drawn).sum(axis=1) / ((drawn @ self.impostor) * drawn).sum(axis=1)
            return far, (drawn @ self.refused) / (drawn @ self.genuine)


def _count(embeddings: np.ndarray, codes: np.ndarray, threshold: float, block: int = 4_000_000) -> _Counts:
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
    return _Counts(identities, genuine, refused, impostor, accepted)


def _estimate(group: Hashable, kind: str, value: float, draws: np.ndarray, pairs: int, identities: int) -> Estimate:
    if pairs == 0:
        warnings.warn(f"group {group!r} has no {kind} pairs: NaN", stacklevel=3)
        return Estimate(np.nan, np.nan, np.nan, 0)
    return bootstrap_interval(value, draws, pairs, identities, share=True)


def _worst_to_best(
    name: str, groups: list[Hashable], rates: list[Estimate], draws: np.ndarray, identities: int
) -> WorstToBest:
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
    with np.errstate(divide="ignore", invalid="ignore"):  # a draw without errors in the best group: infinite
        ratios = draws[worst] / draws[best]
    ratio = bootstrap_interval(values[worst] / values[best], ratios, measured, identities, share=False)
    return WorstToBest(groups[worst], groups[best], ratio)
