"""Reading any picture file into one form: RGB, 8 bits, height x width x 3."""

import warnings
from pathlib import Path

import numpy as np

from facelab.errors import FacelabError, ImageError
from facelab.files import atomic_write

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".gif"})


def read_image(path: Path | str) -> np.ndarray:
    """Read a picture as an RGB array, shape (height, width, 3), dtype uint8.

    Greyscale is repeated over the three channels, 16-bit values are scaled to 8 bits, an alpha channel is laid over
    white, and the orientation written by a camera (EXIF) is applied: the array is upright. Of an animation (GIF, PNG,
    WebP) or of a file with several pages (TIFF) the first picture is read, and a UserWarning that names the file says
    so.

    Raises:
        ImageError: the file is missing, a folder, not a whole image, or holds values that are no colours (as in a
            floating-point TIFF with NaN); the message names it.
    """
    import cv2

    path = Path(path)
    try:
        data = np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    pictures = 1
    try:
        image = cv2.imdecode(data, cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR) if len(data) else None
        if image is not None and data[:2].tobytes() != b"\xff\xd8":  # a JPEG is one picture, and has no alpha
            # OpenCV counts only what lies in a file, so it is opened again; Pillow counts, but not in every TIFF.
            pictures = cv2.imcount(str(path))
            # This flag alone keeps alpha, but ignores the orientation.
            raw, kinds, metadata = cv2.imdecodeWithMetadata(data, cv2.IMREAD_UNCHANGED)
            if raw.ndim == 3 and raw.shape[2] == 4:
                exif = dict(zip(kinds, metadata, strict=True)).get(cv2.IMAGE_METADATA_EXIF)
                image = raw if exif is None else _upright(raw, exif.tobytes())
    except cv2.error:
        image = None
    if image is None:
        raise ImageError(
            f"cannot decode {path}: {len(data)} bytes that are not a whole image. Replace the file or leave it out."
        )
    if pictures > 1:
        # Always from this line, so that Python's usual filter knows it again when the file is read again.
        warnings.warn(f"{path} holds {pictures} pictures (frames or pages): only the first is read.", stacklevel=1)
    try:
        return to_rgb8(image, channels="bgr")
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def _upright(image: np.ndarray, exif: bytes) -> np.ndarray:
    """Apply the orientation (1 to 8) that a camera wrote into the EXIF data, tag 274 of TIFF 6.0."""
    from PIL import Image

    tags = Image.Exif()
    tags.load(exif)
    orientation = tags.get(274, 1)
    if orientation in (5, 6, 7, 8):
        image = image.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return image


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
        channels: the order of the colour channels of ``image``: ``"rgb"``, or ``"bgr"`` as OpenCV reads them. It cannot
            be seen from the array: a picture in the wrong order has blue skin, and nothing complains.

    Raises:
        FacelabError: another order of channels.
        ImageError: another shape or dtype, an empty image, or a float image with values outside [0, 1] or NaN.
    """
    if channels not in ("rgb", "bgr"):
        raise FacelabError(f"channels={channels!r}: choose 'rgb' or 'bgr'.")
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
