"""The closed-form similarity transform between two sets of points."""

import numpy as np

from facelab.errors import FacelabError

TEMPLATE_SIZE = 112
# ArcFace template for 112 x 112 chips (InsightFace, face_align): x, y of left eye, right eye, nose, left and right
# mouth corner.
TEMPLATE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)
TEMPLATE.flags.writeable = False


def template(size: int = TEMPLATE_SIZE) -> np.ndarray:
    """Return where the five landmarks lie on a chip of ``size`` x ``size`` pixels; shape (5, 2), x and y.

    Other sizes scale the 112 template by size/112, as InsightFace does.

    Raises:
        FacelabError: a size below 1.
    """
    if size < 1:
        raise FacelabError(f"size={size}: a chip has at least one pixel.")
    return TEMPLATE * (size / TEMPLATE_SIZE)


def similarity(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    r"""Return the similarity that maps ``source`` closest to ``target`` in the sense of least squares.

    Rotation :math:`R`, one scale :math:`c > 0` and translation :math:`t` that minimise
    :math:`\sum_i \lVert c R\,x_i + t - y_i \rVert^2`. With :math:`\Sigma = U D V^\top` the covariance of the centred
    points, :math:`R = U S V^\top` and :math:`c = \operatorname{tr}(D S) / \sigma_x^2`, where
    :math:`S = \operatorname{diag}(1, \pm 1)` has the sign that makes :math:`\det R = 1`: reflections are excluded.
    Source: S. Umeyama, "Least-squares estimation of transformation parameters between two point patterns", IEEE TPAMI
    13(4), 1991, equations 38 to 43.

    Args:
        source: points, shape (n, 2), n >= 2.
        target: where they should go, shape (n, 2).

    Returns:
        The matrix [c R | t], shape (2, 3), float64, as ``cv2.warpAffine`` takes it.

    Raises:
        FacelabError: other shapes, values that are not finite, or points that coincide or leave the rotation open.
    """
    source, target = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if source.shape != target.shape or source.ndim != 2 or source.shape[1] != 2 or len(source) < 2:
        raise FacelabError(
            f"similarity needs two arrays of shape (n, 2), n >= 2; got {source.shape} and {target.shape}."
        )
    if not (np.isfinite(source).all() and np.isfinite(target).all()):
        raise FacelabError("similarity: a landmark is NaN or infinite; drop the face or detect it again.")
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    x, y = source - source_mean, target - target_mean
    u, d, vt = np.linalg.svd(y.T @ x / len(x))
    # One direction is enough for a rotation in the plane (two eyes); none is not.
    if d[0] <= 1e-9 * max(np.abs(source).max(), 1) * max(np.abs(target).max(), 1):
        raise FacelabError(
            f"similarity: the points {source.round(2).tolist()} coincide, so scale and rotation are undefined."
        )
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = (u * sign) @ vt
    scale = (d * sign).sum() / (x**2).sum(axis=1).mean()
    translation = target_mean - scale * rotation @ source_mean
    return np.column_stack([scale * rotation, translation])
