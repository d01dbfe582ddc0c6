"""What the measures ask of their input: one value for each image, finite numbers, embeddings with a direction."""

import operator
from typing import Any

import numpy as np

from facelab.errors import FacelabError


def array(values: Any, dtype: type | None = None, what: str = "values") -> np.ndarray:
    """Return values as a NumPy array; also a tensor, wherever it lies and whatever hangs on it.

    Raises:
        FacelabError: they are not of the type asked for, or of several shapes.
    """
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        values = (values.float() if values.is_floating_point() and values.element_size() < 4 else values).numpy()
    try:
        return np.asarray(values, dtype=dtype)
    except (TypeError, ValueError) as error:
        raise FacelabError(f"{what}: expected an array of numbers ({str(error).splitlines()[0]}).") from None


def number(value: Any, what: str) -> float:
    """Return a number as Python's float; the digits of a coarser one count as they are written, 0.1 as 0.1.

    Raises:
        FacelabError: it is not one number.
    """
    one = array(value, None, what)
    if one.size != 1 or one.dtype.kind not in "fiu":
        raise FacelabError(f"{what} = {value!r}: expected one number.")
    return float(str(one.item() if one.dtype.itemsize > 4 or one.dtype.kind != "f" else one.ravel()[0]))


def seeded(seed: Any, *more: int) -> np.random.Generator:
    """Return a generator of random numbers; ``more`` tells several of one seed apart.

    Raises:
        FacelabError: the seed is not a whole number, 0 or more.
    """
    try:
        return np.random.default_rng([operator.index(seed), *more] if more else operator.index(seed))
    except (TypeError, ValueError):
        raise FacelabError(f"seed = {seed!r}: expected a whole number, 0 or more.") from None


def check_labels(labels: Any, what: str = "label of image") -> np.ndarray:
    """Return labels as an array.

    Raises:
        FacelabError: one is missing (NaN, None), or they are of kinds that cannot be put in order; the message names
            the row. An image without identity would be an impostor of everybody, also of itself.
    """
    labels = array(labels)
    if labels.dtype.kind not in "fcmMO":
        return labels
    flat = labels.ravel()
    missing = [_missing(label) for label in flat] if labels.dtype == object else flat != flat
    if np.any(missing):
        row = int(np.argmax(missing))
        raise FacelabError(f"{what} {row} is missing ({flat[row]}); leave it out, or say who it is.")
    kinds = sorted({type(label).__name__ for label in flat}) if labels.dtype == object else []
    if len(kinds) > 1:
        raise FacelabError(f"{what.split()[0]}s are of several kinds ({', '.join(kinds)}); make them all text.")
    return labels


def _missing(label: Any) -> bool:
    try:
        return label is None or bool(label != label)
    except (TypeError, ValueError):  # pandas' NA does not say whether it equals itself
        return True


def unit(embeddings: np.ndarray) -> np.ndarray:
    """Return the embeddings normalised, in float64.

    Raises:
        FacelabError: not of shape (n, d), a value that is not finite, or an embedding of length 0; the message names
            the row.
    """
    embeddings = array(embeddings, np.float64, "embeddings")
    if embeddings.ndim != 2:
        raise FacelabError(f"embeddings {embeddings.shape}: expected (n, d).")
    lengths = np.linalg.norm(embeddings, axis=1)
    for what, bad in (("not finite", ~np.isfinite(lengths)), ("zero", lengths == 0)):
        if bad.any():
            raise FacelabError(
                f"embedding {np.flatnonzero(bad)[0]} is {what}, so it has no direction; check image and network."
            )
    return embeddings / lengths[:, None]


def check_embeddings(embeddings: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the embeddings normalised, in float64, and the labels.

    Raises:
        FacelabError: shapes that do not fit, or see :func:`unit` and :func:`check_labels`.
    """
    embeddings, labels = array(embeddings, np.float64, "embeddings"), check_labels(labels)
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise FacelabError(f"embeddings {embeddings.shape} and labels {labels.shape}: expected (n, d) and (n,).")
    return unit(embeddings), labels


def check_each(labels: np.ndarray, *, of: str = "images", **values: np.ndarray) -> None:
    """Raise a :class:`FacelabError` that names the first of ``values`` that is not one value for each label.

    Args:
        labels: shape (n,).
        of: what the labels are of, for the message.
        values: by the name to call them in the message.
    """
    if np.ndim(labels) != 1:
        raise FacelabError(f"labels {np.shape(labels)}: expected (n,).")
    for name, array in values.items():
        if np.shape(array) != np.shape(labels):
            raise FacelabError(f"{name} {np.shape(array)}: expected one for each of {len(labels)} {of}.")


def check_finite(what: str, values: np.ndarray) -> None:
    """Raise a :class:`FacelabError` that names the first row of ``values``, shape (n, ...), that is not finite."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise FacelabError(f"{what} {bad[0, 0]} is not finite; leave it out, or mend what made it.")


def check_values(labels: np.ndarray, **values: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the labels, and the values in float64, all of shape (n,), n at least 1.

    Raises:
        FacelabError: no images, another number of values than of labels, or one that is missing or not finite; the
            message names it and its row.
    """
    labels = check_labels(labels)
    arrays = {name: array(value, np.float64, name) for name, value in values.items()}
    check_each(labels, of="images", **arrays)
    if not len(labels):
        raise FacelabError("no images: there is nothing to measure.")
    for name, value in arrays.items():
        check_finite(f"{name} of image", value)
    return labels, *arrays.values()


def check_threshold(threshold: Any) -> float:
    """Return a threshold; raise a :class:`FacelabError` where none could be chosen."""
    one = array(threshold, None, "threshold")
    if one.size != 1 or one.dtype.kind not in "fiu":
        raise FacelabError(f"threshold = {threshold!r}: expected one number.")
    if np.isnan(one.item()):
        raise FacelabError("threshold NaN: choose one first, at a FAR that the pairs can show.")
    return float(one.item())
