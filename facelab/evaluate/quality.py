"""Is this picture good enough? Simple quality measures of a chip, and what refusing the worst would gain."""

from dataclasses import dataclass

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import bootstrap_interval, draw_identities
from facelab.evaluate.checks import check_embeddings, check_threshold, check_values, seeded
from facelab.evaluate.estimate import Estimate

_STEPS = 100  # of the curve; its area is exact to about 1 / steps squared


def sharpness(chips: np.ndarray) -> np.ndarray:
    r"""Return the variance of the Laplacian of each chip's grey values; shape (n,). A blurred picture has little.

    .. math:: \operatorname{var}(\nabla^2 I)

    Compare chips of one size only. Noise and JPEG blocks count as sharpness too. Source: J. L. Pech-Pacheco et al.,
    "Diatom autofocusing in brightfield microscopy", ICPR 2000.

    Args:
        chips: shape (n, height, width, 3), uint8.
    """
    import cv2

    grey = _grey(chips)
    return np.array([cv2.Laplacian(image, cv2.CV_64F).var() for image in grey])


def contrast(chips: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each chip's grey values, 0 to about 128; shape (n,). Too dark and too bright
    pictures have little.

    Args:
        chips: shape (n, height, width, 3), uint8.
    """
    return np.array([image.std() for image in _grey(chips)])


def _grey(chips: np.ndarray) -> list[np.ndarray]:
    import cv2

    chips = np.asarray(chips)
    if chips.ndim != 4 or chips.shape[3] != 3 or chips.dtype != np.uint8:
        raise FacelabError(f"chips {chips.shape}, {chips.dtype}: expected (n, height, width, 3), uint8.")
    return [cv2.cvtColor(chip, cv2.COLOR_RGB2GRAY) for chip in chips]


@dataclass(frozen=True, eq=False)
class ErrorReject:
    """FRR at one threshold when the genuine pairs of lowest quality are refused before they are compared.

    Attributes:
        rejected: share of genuine pairs refused, from 0 to the limit; shape (k,).
        frr: false reject rate among the pairs that are left, shape (k,).
        low, high: its 95 % interval at each point, shape (k,).
        oracle: the same curve if the pairs that fail were refused first; no measure can do better. Shape (k,).
        area: mean FRR over the curve (its normalised partial area). The FRR without refusing anything is ``frr[0]``.
        gain: how much of what an oracle would gain the measure gains: 0 for a measure that says nothing about errors,
            1 for an oracle, below 0 for one that refuses the good pictures. NaN where there is no error to avoid.
    """

    rejected: np.ndarray
    frr: np.ndarray
    low: np.ndarray
    high: np.ndarray
    oracle: np.ndarray
    area: Estimate
    gain: Estimate

    def sentence(self, measure: str) -> str:
        """Say it in words: "refusing the 20 % of pairs with the lowest sharpness lowers FRR from 18.2 % to 14.0 %"."""
        share, before, after = (f"{x:.1%}".replace("%", " %") for x in (self.rejected[-1], self.frr[0], self.frr[-1]))
        verb = "lowers" if self.frr[-1] < self.frr[0] else "does not lower"
        shown = "" if self.gain.low > 0 else "; the interval of its gain holds zero, so this may be chance"
        if self.gain.high < 0:
            shown = "; its gain is below zero: it refuses the wrong pictures"
        return (
            f"refusing the {share} of pairs with the lowest {measure} {verb} FRR: {before} before, {after} after{shown}"
        )


def error_versus_reject(
    embeddings: np.ndarray,
    labels: np.ndarray,
    quality: np.ndarray,
    threshold: float,
    *,
    limit: float = 0.2,
    replicates: int = 1000,
    seed: int = 0,
) -> ErrorReject:
    r"""Return how FRR falls as genuine pairs of low quality are refused: the error-versus-reject curve.

    The quality of a pair is that of its worse picture. With the N genuine pairs sorted by quality, rising, and
    :math:`e_{(i)} = 1` where pair (i) scores below the threshold,

    .. math:: \mathrm{FRR}(r) = \frac{\sum_{i > rN} e_{(i)}}{(1 - r) N}

    Pairs of equal quality are refused in random order, of which this is the mean; so a constant quality gives a level
    line. Intervals draw identities again. The area is the mean of the curve up to ``limit`` (trapezoidal rule over 100
    steps): what happens when 80 % are refused is of little use, though rankings of measures are steadier with a higher
    limit (T. Schlett et al., arXiv 2303.13294). Source: P. Grother, E. Tabassi, "Performance of biometric quality
    measures", IEEE TPAMI 29, 2007; today the curve is often called the error versus discard characteristic, EDC.
    ISO/IEC 29794-5 defines many more measures for faces.

    Args:
        embeddings: shape (n, d).
        labels: identity of each, shape (n,).
        quality: of each image, shape (n,); higher is better. For example :func:`sharpness`, or the length of the
            embedding before it is normalised.
        threshold: cosine; pairs with a score as high or higher are accepted.
        limit: the largest share to refuse, in (0, 1).
        replicates, seed: of the bootstrap.

    Raises:
        FacelabError: an embedding without direction, a quality that is not finite (named by row), an array of another
            length, a threshold that is NaN, a limit outside (0, 1), or no genuine pairs.
    """
    embeddings, labels = check_embeddings(embeddings, labels)
    labels, quality = check_values(labels, quality=quality)
    threshold = check_threshold(threshold)
    if not 0 < limit < 1:
        raise FacelabError(f"limit={limit}: it must lie in (0, 1).")
    identities, codes = np.unique(labels, return_inverse=True)
    rows = [np.flatnonzero(codes == k) for k in range(len(identities))]
    i, j = np.concatenate([images[np.array(np.triu_indices(len(images), 1))] for images in rows], axis=1)
    if not len(i):
        raise FacelabError(f"there are no genuine pairs among {len(labels)} images; add a second image of an identity.")
    worse = np.minimum(quality[i], quality[j])
    order = np.argsort(worse, kind="stable")
    i, j = i[order], j[order]
    failed = np.einsum("nd,nd->n", embeddings[i], embeddings[j]) < threshold
    last = np.append(np.flatnonzero(np.diff(worse[order])), len(i) - 1)  # the last pair of each quality
    rejected = np.linspace(0, limit, _STEPS + 1)
    owner = codes[i]

    def curves(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return FRR of the measure and of the oracle, (r, k) each, from how often each pair counts, (r, n)."""
        refused = np.cumsum(counts, axis=1)
        total, errors = refused[:, -1:], np.cumsum(counts * failed, axis=1)
        avoided = np.array(
            [
                np.interp(rejected * n[0], np.append(0, x[last]), np.append(0, y[last]))
                for n, x, y in zip(total, refused, errors, strict=True)
            ]
        )
        with np.errstate(invalid="ignore"):  # a draw may have no genuine pair: NaN
            left = (1 - rejected) * total
            oracle = np.maximum(errors[:, -1:] - rejected * total, 0) / left
            return (errors[:, -1:] - avoided) / left, oracle

    frr, oracle = (curve[0] for curve in curves(np.ones((1, len(i)))))
    blocks = draw_identities(len(identities), replicates, seeded(seed))
    drawn = [curves(counts[:, owner]) for counts in blocks]
    draws, best = (np.concatenate([part[side] for part in drawn]) for side in (0, 1))
    with np.errstate(invalid="ignore", divide="ignore"):  # no error to avoid: NaN
        gain, gains = ((x[..., 0] - _mean(x)) / (x[..., 0] - _mean(y)) for x, y in ((frr, oracle), (draws, best)))
    gain, gains = (np.where(np.isfinite(values), values, np.nan) for values in (gain, gains))
    people = len(np.unique(owner))

    def estimate(value: np.ndarray, drawn: np.ndarray, *, share: bool) -> Estimate:
        return bootstrap_interval(float(value), drawn, len(i), people, share=share)

    rates = [estimate(*rate, share=True) for rate in zip(frr, draws.T, strict=True)]
    return ErrorReject(
        rejected,
        frr,
        np.array([rate.low for rate in rates]),
        np.array([rate.high for rate in rates]),
        oracle,
        estimate(_mean(frr), _mean(draws), share=True),
        estimate(gain, gains, share=False),
    )


def _mean(curve: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis by the trapezoidal rule."""
    return (curve[..., 1:] + curve[..., :-1]).mean(axis=-1) / 2
