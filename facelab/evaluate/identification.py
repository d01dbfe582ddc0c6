"""One to many: who of the gallery is this, and is it anyone?"""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import draw_identities, draws_variance, mean_by_identity, share_interval
from facelab.evaluate.checks import check_embeddings, check_labels, seeded, unit
from facelab.evaluate.curve import ROUNDING, false_accepts_allowed
from facelab.evaluate.estimate import Estimate, wilson
from facelab.evaluate.scores import Scores, pair_scores
from facelab.evaluate.templates import make_templates
from facelab.evaluate.thresholds import operating_point

_BLOCK_SCORES = 8_000_000  # 64 MB in float64


def nearest_centroid(gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray) -> np.ndarray:
    """Name each probe after the nearest gallery centroid by cosine; the same scorer for every loss, cross entropy
    included.

    The centroid of an identity is the mean of its normalised gallery embeddings.

    Args:
        gallery: embeddings of known identities, shape (n, d).
        gallery_labels: shape (n,).
        probes: embeddings to be named, shape (m, d).

    Returns:
        The label of each probe, shape (m,).

    Example:
        >>> gallery, labels = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), np.array([0, 0, 1])
        >>> nearest_centroid(gallery, labels, np.array([[2.0, 1.0], [0.1, 3.0]]))
        array([0, 1])
    """
    labels, scores = identity_scores(gallery, gallery_labels, probes)
    return labels[scores.argmax(axis=1)]


def closed_set_accuracy(
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    probes: np.ndarray,
    probe_labels: np.ndarray,
    *,
    over: Literal["identities", "images"] = "identities",
) -> Estimate:
    """Return the share of probes that :func:`nearest_centroid` names rightly, with its 95 % interval; n counts probes.

    Args:
        gallery: embeddings of known identities, shape (n, d).
        gallery_labels: shape (n,).
        probes: embeddings to be named, shape (m, d).
        probe_labels: who they are, shape (m,).
        over: what could have been others. ``"identities"``: what a gallery of as many other people would give, see
            :func:`facelab.evaluate.mean_by_identity`. ``"images"``: what other images of the very same people would
            give, taken as independent; Wilson's interval.

    Raises:
        FacelabError: a probe's identity is not in the gallery, the set is then not closed; or another ``over``.

    Example:
        >>> gallery, labels = np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 1])
        >>> probes = np.array([[2.0, 1.0], [3.0, 1.0]])
        >>> print(f"{closed_set_accuracy(gallery, labels, probes, np.array([0, 1]), over='images')}")
        0.500 [0.095, 0.905]
    """
    probe_labels = _check_closed(gallery_labels, probe_labels)
    return _accuracy(nearest_centroid(gallery, gallery_labels, probes) == probe_labels, probe_labels, over)


def leave_one_out_rank1(
    embeddings: np.ndarray, labels: np.ndarray, *, over: Literal["identities", "images"] = "identities"
) -> Estimate:
    """Return the share of images whose nearest other image by cosine shows the same identity, with its 95 % interval.

    An image that has no other of its identity cannot be found: it is no failure, and does not count, though others may
    be taken for it. A warning says how many there are; n counts the rest.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        over: see :func:`closed_set_accuracy`.

    Raises:
        FacelabError: no identity has two images, or another ``over``.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    _, codes = np.unique(labels, return_inverse=True)
    several = np.bincount(codes)[codes] > 1
    if not several.any():
        raise FacelabError(f"none of {len(labels)} images has a second one of its identity, so none can be found.")
    if not several.all():
        lone = np.count_nonzero(~several)
        warnings.warn(f"{lone} of {len(labels)} images are the only one of their identity: left out", stacklevel=2)
    right = np.zeros(len(labels), dtype=bool)
    step = max(1, _BLOCK_SCORES // len(labels))
    for start in range(0, len(labels), step):
        scores = embeddings[start : start + step] @ embeddings.T
        rows = np.arange(len(scores))
        scores[rows, start + rows] = -np.inf
        right[start : start + step] = labels[scores.argmax(axis=1)] == labels[start : start + step]
    return _accuracy(right[several], labels[several], over)


def _accuracy(right: np.ndarray, labels: np.ndarray, over: str) -> Estimate:
    if over == "identities":
        return mean_by_identity(right, labels, share=True)
    if over == "images":
        return wilson(int(right.sum()), len(right))
    raise FacelabError(f"over = {over!r}: give 'identities' or 'images'.")


def identity_scores(
    gallery: np.ndarray, gallery_labels: np.ndarray, probes: np.ndarray, *, templates: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Score each probe against each identity of the gallery by cosine.

    Args:
        gallery: embeddings of known identities, shape (n, d).
        gallery_labels: shape (n,).
        probes: shape (m, d).
        templates: whether an identity is one template, the normalised mean of its normalised embeddings; if not, it is
            its single images, and the best of them gives the score.

    Returns:
        (the K identities, rising, shape (K,); scores, shape (m, K), float64).
    """
    probes = unit(probes)
    if templates:
        made = make_templates(gallery, gallery_labels, gallery_labels)
        return made.labels, probes @ made.embeddings.T
    gallery, gallery_labels = check_embeddings(gallery, gallery_labels)
    order = np.argsort(gallery_labels, kind="stable")
    labels, starts = np.unique(gallery_labels[order], return_index=True)
    gallery = gallery[order]
    scores = np.empty((len(probes), len(labels)))
    step = max(1, _BLOCK_SCORES // len(gallery))
    for start in range(0, len(probes), step):
        part = slice(start, start + step)
        np.maximum.reduceat(probes[part] @ gallery.T, starts, axis=1, out=scores[part])
    return labels, scores


def ranks(labels: np.ndarray, scores: np.ndarray, probe_labels: np.ndarray) -> np.ndarray:
    """Return the rank of each probe's own identity: 1 + the number of others that score as much or more; shape (m,).

    A tie counts against the system: where all scores are equal nobody has been recognised. The rank of a probe whose
    identity is not in the gallery is 0.

    Args:
        labels: identities of the gallery, rising, shape (K,).
        scores: shape (m, K).
        probe_labels: shape (m,).
    """
    probe_labels = np.asarray(probe_labels)
    mated = np.isin(probe_labels, labels)
    own = np.searchsorted(labels, probe_labels[mated])
    own_scores = scores[mated, own]
    rank = np.zeros(len(probe_labels), dtype=np.int64)
    rank[mated] = (scores[mated] >= own_scores[:, None]).sum(axis=1)  # its own score is one of them
    return rank


def cmc(
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    probes: np.ndarray,
    probe_labels: np.ndarray,
    *,
    templates: bool = True,
) -> np.ndarray:
    """Return the cumulative match characteristic: entry k - 1 is the share of probes whose own identity is among the k
    best; shape (K,), rises to 1.

    Rank-1 is entry 0. Ties count against the system, see :func:`ranks`. Source: ISO/IEC 19795-1.

    Raises:
        FacelabError: a probe's identity is not in the gallery; the set is then not closed (see :func:`open_set`).

    Example:
        >>> gallery = np.eye(3)
        >>> cmc(gallery, np.arange(3), np.array([[1.0, 0.2, 0.0], [0.9, 0.5, 0.0]]), np.array([0, 1]))
        array([0.5, 1. , 1. ])
    """
    probe_labels = _check_closed(gallery_labels, probe_labels)
    labels, scores = identity_scores(gallery, gallery_labels, probes, templates=templates)
    rank = ranks(labels, scores, probe_labels)
    return np.bincount(rank - 1, minlength=len(labels)).cumsum() / len(rank)


@dataclass(frozen=True, eq=False)
class OpenSet:
    """Open-set searches: mated probes show an identity of the gallery, non-mated ones a stranger.

    Attributes:
        mated: score of each mated probe with its own identity where that is within the rank asked, else -inf; (m,).
        strangers: best score of each non-mated probe with anyone, shape (q,).
        rank: within how many of the best identities the own one must be.
        mated_labels, stranger_labels: who is on the probes, shapes (m,) and (q,).
    """

    mated: np.ndarray
    strangers: np.ndarray
    rank: int
    mated_labels: np.ndarray
    stranger_labels: np.ndarray

    def fpir(self, threshold: float) -> float:
        """False positive identification rate: share of non-mated searches with any score >= threshold."""
        return float((self.strangers >= threshold).mean())

    def fnir(self, threshold: float) -> float:
        """False negative identification rate: share of mated searches without the own identity within the rank asked
        and at a score >= threshold."""
        return float((self.mated < threshold).mean())

    def dir_at_far(self, far: float, *, replicates: int = 2000, seed: int = 0) -> Estimate:
        """Return the detection and identification rate, 1 - FNIR, at the best threshold with FPIR <= ``far``.

        (IJB calls FPIR the false alarm rate, FAR.) n counts mated searches. The 95 % interval draws the identities of
        the probes again, mated and non-mated ones, and each draw finds its own threshold: so it knows that the
        threshold is itself an estimate. The gallery is what is being searched, and stays as it is. An FPIR below 1 /
        non-mated searches cannot be measured: NaN, with a warning.

        Args:
            far: in (0, 1].
            replicates, seed: of the bootstrap.

        Raises:
            FacelabError: ``far`` outside (0, 1].
        """
        allowed = false_accepts_allowed(far, len(self.strangers), unit="DIR at FAR", of="non-mated searches")
        n = len(self.mated)
        if allowed == 0:
            return Estimate(np.nan, np.nan, np.nan, n)
        ones = np.ones((1, len(self.strangers))), np.ones((1, n))
        strangers, stranger = np.unique(self.stranger_labels, return_inverse=True)
        people, person = np.unique(self.mated_labels, return_inverse=True)
        draws = np.concatenate(
            [
                self._dir(far, unknown[:, stranger], known[:, person])
                for unknown, known in zip(
                    draw_identities(len(strangers), replicates, seeded(seed, 0)),
                    draw_identities(len(people), replicates, seeded(seed, 1)),
                    strict=True,
                )
            ]
        )
        value = float(self._dir(far, *ones)[0])
        variance = draws_variance(value, draws, len(people))
        freedom = min(len(people), len(strangers)) - 1  # the threshold rests on the strangers
        return share_interval(value, variance, n, len(people), freedom)

    def _dir(self, far: float, stranger_counts: np.ndarray, mated_counts: np.ndarray) -> np.ndarray:
        """Return DIR where each search counts so often, from shapes (r, q) and (r, m); shape (r,)."""
        falling = np.argsort(-self.strangers, kind="stable")
        alarms = np.cumsum(stranger_counts[:, falling], axis=1)
        over = alarms > far * ROUNDING * alarms[:, -1:]  # the first of these, and what scores as much, is refused
        refused = np.where(over.any(axis=1), self.strangers[falling][over.argmax(axis=1)], -np.inf)
        found = self.mated > refused[:, None]
        return (mated_counts * found).sum(axis=1) / mated_counts.sum(axis=1)


def open_set(
    gallery: np.ndarray,
    gallery_labels: np.ndarray,
    probes: np.ndarray,
    probe_labels: np.ndarray,
    *,
    templates: bool = True,
    rank: int = 1,
) -> OpenSet:
    r"""Search each probe in a gallery that lacks some probes' identities.

    .. math::

        \mathrm{FPIR}(t) = \frac{\#\{\text{non-mated: } \max_k s_k \ge t\}}{\#\text{non-mated}}, \qquad
        \mathrm{DIR}(t, R) = 1 - \mathrm{FNIR}
        = \frac{\#\{\text{mated: rank} \le R \text{ and } s_\text{own} \ge t\}}{\#\text{mated}}

    Source: ISO/IEC 19795-1; P. J. Phillips, P. Grother, R. Micheals, "Evaluation methods in face recognition", Handbook
    of Face Recognition, 2011. Ties in rank count against the system, see :func:`ranks`.

    Raises:
        FacelabError: all probes are mated, or none is; the set is then not open.
    """
    probe_labels = check_labels(probe_labels, "label of probe")
    mated = np.isin(probe_labels, check_labels(gallery_labels))
    if mated.all() or not mated.any():
        missing = "non-mated" if len(mated) and mated.all() else "mated"
        raise FacelabError(f"there are no {missing} probes among {len(mated)}; an open set needs both kinds.")
    if rank < 1:
        raise FacelabError(f"rank={rank}: it must be at least 1.")
    labels, scores = identity_scores(gallery, gallery_labels, probes, templates=templates)
    position = ranks(labels, scores, probe_labels)[mated]
    own = scores[mated, np.searchsorted(labels, probe_labels[mated])]
    return OpenSet(
        np.where(position <= rank, own, -np.inf),
        scores[~mated].max(axis=1),
        rank,
        probe_labels[mated],
        probe_labels[~mated],
    )


def identification_scores(
    queries: np.ndarray, labels: np.ndarray, distractors: np.ndarray, distractor_labels: np.ndarray | None = None
) -> Scores:
    """Return the pairs that the identification rate counts: every two queries, and every query with every distractor.

    Args:
        queries: embeddings, shape (n, d).
        labels: identity of each query, shape (n,).
        distractors: embeddings of other people, shape (m, d); m may be 0.
        distractor_labels: who is on them, for intervals over identities; each someone else if not given, shape (m,).

    Raises:
        FacelabError: an embedding without direction, or a distractor that shows the identity of a query.
    """
    queries, labels = check_embeddings(queries, labels)
    distractors = np.asarray(distractors, dtype=np.float64)
    if not len(distractors):
        return pair_scores(queries, labels)
    others = np.arange(len(distractors)) if distractor_labels is None else np.asarray(distractor_labels)
    distractors, others = check_embeddings(distractors, others)
    if distractor_labels is not None and len(both := np.intersect1d(labels, others)):
        raise FacelabError(f"identity {both[0]} is on a query and on a distractor; distractors show other people.")
    known, codes = np.unique(labels, return_inverse=True)
    others = np.unique(others, return_inverse=True)[1] + len(known)
    pairs = pair_scores(queries, codes)
    return Scores(
        np.concatenate([pairs.values, (queries @ distractors.T).ravel()]),
        np.concatenate([pairs.first, np.repeat(codes, len(others))]),
        np.concatenate([pairs.second, np.tile(others, len(codes))]),
    )


def identification_rate(
    queries: np.ndarray, labels: np.ndarray, distractors: np.ndarray, fprs: tuple[float, ...] = (0.05, 0.1, 0.2)
) -> dict[float, float]:
    r"""Return TPR at each FPR as the CelebA-500 coursework defines the identification rate.

    Positives are the cosines of all pairs of queries of one identity; negatives those of all pairs of queries of
    different identities, and of every query with every distractor. With N negatives, sorted falling,

    .. math:: t = \mathrm{negatives}[\lfloor \mathrm{fpr} \cdot N \rfloor], \qquad
        \mathrm{TPR} = \mathrm{mean}(\mathrm{positives} > t)

    The comparison is strict, so at most fpr · N negatives lie above t: this is TAR@FAR of
    :func:`identification_scores`, and :func:`facelab.evaluate.verification_of_pairs` of these gives its interval.

    If fpr · N < 1, the formula would take the highest negative, and what it gives is TPR at FPR 0 whatever was asked
    for: one unlucky pair then decides. As everywhere in facelab, a rate that the pairs cannot show is NaN, with a
    warning that says how many pairs it takes.

    Args:
        queries: embeddings, shape (n, d).
        labels: identity of each query, shape (n,).
        distractors: embeddings of other people, shape (m, d); m may be 0.
        fprs: each in (0, 1).

    Raises:
        FacelabError: an embedding without direction, no positives, no negatives, an FPR outside (0, 1).
    """
    scores = identification_scores(queries, labels, distractors)
    positives = int(np.count_nonzero(scores.genuine))
    for kind, number in (("positive", positives), ("negative", len(scores) - positives)):
        if number == 0:
            raise FacelabError(f"there are no {kind} pairs among {len(queries)} queries; see the definition.")
    rates = {}
    for fpr in fprs:
        if not 0 < fpr < 1:
            raise FacelabError(f"fpr={fpr}: it must lie in (0, 1).")
        allowed = false_accepts_allowed(fpr, len(scores) - positives, unit="TPR at FPR", of="negative pairs")
        rates[fpr] = operating_point(scores, fpr).tar if allowed else float("nan")
    return rates


def _check_closed(gallery_labels: np.ndarray, probe_labels: np.ndarray) -> np.ndarray:
    """Return who the probes are, all of whom are in the gallery."""
    probe_labels = check_labels(probe_labels, "label of probe")
    strangers = np.setdiff1d(probe_labels, check_labels(gallery_labels))
    if len(strangers):
        raise FacelabError(f"identity {strangers[0]} has probes but no gallery image; a closed set needs both.")
    return probe_labels
