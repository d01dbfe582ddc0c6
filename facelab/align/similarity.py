"""The closed-form similarity transform between two sets of points."""

import numpy as np

from facelab.errors import FacelabError

TEMPLATE_SIZE = 112
MAX_SIZE = 1024  # of a chip, pixels; the networks of the field see 112 to 224
# ArcFace template for 112 x 112 chips (InsightFace, face_align): x, y of left eye, right eye, nose, left and right
# mouth corner.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
TEMPLATE.flags.writeable = False

FLAT = 0.01  # five landmarks less wide than this share of their length lie on a line; those of a true profile do not


def check_size(size: int) -> None:
    """Raise a :class:`FacelabError` if a chip cannot have this width and height."""
    if not 1 <= size <= MAX_SIZE:
        raise FacelabError(f"size={size}: a chip has 1 to {MAX_SIZE} pixels.")


def template(size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Return where the five landmarks lie on a chip of ``size`` x ``size`` pixels; shape (5, 2), x and y.

    Other sizes scale the 112 template by size/112, as InsightFace does for multiples of 112. (For multiples of 128
    InsightFace scales by size/128 and moves x by 8 * size/128: the face is smaller on that chip.)

    Raises:
        FacelabError: a size below 1.

    Example:
        >>> template(112)[:2].round(1)  # the eyes
        array([[38.3, 51.7],
               [73.5, 51.5]])
    """
    if size < 1:
        raise FacelabError(f"size={size}: a chip has at least one pixel.")
    return TEMPLATE * (size / TEMPLATE_SIZE)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""Return the similarity that maps ``source`` closest to ``target`` in the sense of least squares.

    Rotation :math:`R`, one scale :math:`s_T > 0` and translation :math:`t` that minimise
    :math:`\sum_k \lVert s_T R\,p_k + t - q_k \rVert^2`. In the plane a point is a complex number and a rotation with a
    scale is one factor :math:`a = s_T\,e^{i\alpha}`, so this is a linear regression. With centred points

    .. math:: a = \frac{\sum_k p_k^*\, q_k}{\sum_k |p_k|^2}, \qquad t = \bar q - a\,\bar p .

    A reflection is no product with a complex number: it cannot come out. The result is that of S. Umeyama,
    "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI 13(4), 1991,
    equations 38 to 43, whose singular value decomposition serves any number of dimensions.

    Args:
        source: points, shape (n, 2) or, for many faces at once, (..., n, 2); n >= 2.
        target: where they should go; a shape that broadcasts with that of ``source``.

    Returns:
        The matrix [s_T R | t], shape (..., 2, 3), float64, as ``cv2.warpAffine`` takes it.

    Raises:
        FacelabError: other shapes, values that are not finite, points that coincide or leave the rotation open, or
            three or more source points on one line: no face looks so, and the transform would stretch the noise.

    Example:
        >>> matrix = similarity(template() * 2 + 30, template())  # a face twice as large, moved
        >>> matrix.round(2)
        array([[  0.5,  -0. , -15. ],
               [  0. ,   0.5, -15. ]])
    """
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if (
        source.ndim < 2 or target.ndim < 2 or source.shape[-2:] != target.shape[-2:]
        or source.shape[-1] != 2 or source.shape[-2] < 2
    ):  # fmt: skip
        raise FacelabError(
            f"similarity needs two arrays of shape (n, 2), n >= 2; got {source.shape} and {target.shape}."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise FacelabError("similarity: a landmark is NaN or infinite; drop the face or detect it again.")
    source_mean, target_mean = source.mean(axis=-2), target.mean(axis=-2)
    x, y = _complex(source - source_mean[..., None, :]), _complex(target - target_mean[..., None, :])
    spread = (x.real**2 + x.imag**2).sum(axis=-1)
    product = (x.conj() * y).sum(axis=-1)
    size = np.abs(source).max(axis=(-2, -1)).clip(min=1)
    _refuse(spread <= (1e-7 * size) ** 2, source, "coincide, so scale and rotation are undefined")
    if source.shape[-2] > 2:
        # The two principal axes of the points have the squared lengths (spread +- |sum x^2|) / 2.
        _refuse(spread - np.abs((x**2).sum(axis=-1)) <= FLAT**2 * 2 * spread, source, "lie on a line, as no face's do")
    target_spread = (y.real**2 + y.imag**2).sum(axis=-1)
    _refuse(
        np.abs(product) <= 1e-9 * np.sqrt(spread * target_spread) + 1e-300,
        source,
        "leave the rotation open, or the target points coincide",
    )
    a = product / spread
    matrix = np.empty((*a.shape, 2, 3))
    matrix[..., 0, 0] = matrix[..., 1, 1] = a.real
    matrix[..., 0, 1], matrix[..., 1, 0] = -a.imag, a.imag
    matrix[..., 2] = target_mean - np.einsum("...ij,...j->...i", matrix[..., :2], source_mean)
    return matrix


def _complex(points: np.ndarray) -> np.ndarray:
    return points[..., 0] + 1j * points[..., 1]


def _refuse(bad: np.ndarray, points: np.ndarray, what: str) -> None:
    if bad.any():
        where = np.unravel_index(np.flatnonzero(bad)[0], bad.shape)
        first = np.broadcast_to(points, (*bad.shape, *points.shape[-2:]))[where].round(2).tolist()
        of = f" of face {'/'.join(map(str, where))}" if where else ""
        raise FacelabError(f"similarity: the points {first}{of} {what}; drop the face or detect it again.")
