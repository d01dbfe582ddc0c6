"""Reading any picture file into one form: RGB, 8 bits, height x width x 3."""

from pathlib import Path

import numpy as np

from facelab.errors import ImageError
from facelab.files import atomic_write

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp"})


def read_image(path: Path | str) -> np.ndarray:
    """Read a picture as an RGB array, shape (height, width, 3), dtype uint8.

    Greyscale is repeated over the three channels, 16-bit values are scaled to 8 bits, an alpha channel is laid over
    white, and the orientation written by a camera (EXIF) is applied.

    Raises:
        ImageError: the file is missing, or is not a whole image; the message names it.
    """
    import cv2

    path = Path(path)
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    # IMREAD_UNCHANGED keeps alpha but ignores EXIF orientation, so it is used only where there is alpha or depth to
    # keep.
    try:
        image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR) if len(data) else None
        if image is not None and (raw := cv2.imdecode(data, cv2.IMREAD_UNCHANGED)).ndim == 3 and raw.shape[2] == 4:
            image = raw
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(
            f"cannot decode {path}: {len(data)} bytes that are not a whole image. Replace the file or leave it out."
        )
    return to_rgb8(image, channels="bgr")


def write_image(path: Path | str, image: np.ndarray) -> None:
    """Write an RGB uint8 image, (height, width, 3), in the format that the suffix of ``path`` names."""
    import cv2

    with atomic_write(path) as temporary:
        if not cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
            raise ImageError(f"cannot write {path}: the disk is full or the folder cannot be written.")


def to_rgb8(image: np.ndarray, *, channels: str = "rgb") -> np.ndarray:
    """Turn a decoded image of any usual layout into RGB, uint8, shape (height, width, 3).

    Args:
        image: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8 or uint16, or floating point in [0, 1].
        channels: the order of the colour channels of ``image``: ``"rgb"``, or ``"bgr"`` as OpenCV reads them.

    Raises:
        ImageError: another shape or dtype, an empty image, or a float image with values outside [0, 1] or NaN.
    """
    image = np.asarray(image)
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or image.shape[2] not in (1, 3, 4) or 0 in image.shape:
        raise ImageError(f"an image of shape {image.shape}: expected (height, width), or (height, width, 1, 3 or 4).")
    if image.dtype == np.uint16:
        image = np.round(image / 257).astype(np.uint8)  # 65535 / 257 = 255
    elif np.issubdtype(image.dtype, np.floating):
        if not (image.min() >= 0 and image.max() <= 1):  # false for NaN too
            raise ImageError(
                "a floating-point image with values outside [0, 1]: divide it by its largest possible value first."
            )
        image = np.round(image * 255).astype(np.uint8)
    elif image.dtype != np.uint8:
        raise ImageError(f"an image of dtype {image.dtype}: expected uint8, uint16, or floating point in [0, 1].")
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    colour = image[:, :, :3] if channels == "rgb" else image[:, :, 2::-1]
    if image.shape[2] == 4:
        alpha = image[:, :, 3:].astype(np.float32) / 255
        colour = np.round(alpha * colour + (1 - alpha) * 255).astype(np.uint8)
    return np.ascontiguousarray(colour)
