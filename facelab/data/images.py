"""Reading any picture file into one form: RGB, 8 bits, height x width x 3."""

import contextlib
import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.errors import FacelabError, ImageError
from facelab.files import atomic_write

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
    | {".avif", ".jp2", ".heic", ".heif", ".hif"}
)
# What Pillow may try on a user's file; other formats of its run other programs, or are no pictures.
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "AVIF", "JPEG2000")
# The modes of Pillow that hold 8 bits -> what they are converted to.
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"} | {
    mode: "RGBA" for mode in ("PA", "LA", "La", "RGBA", "RGBa")
}


def read_image(path: Path | str) -> np.ndarray:
    """Read a picture as an RGB array, shape (height, width, 3), dtype uint8.

    Greyscale is repeated over the three channels, 16-bit values are scaled to 8 bits, an alpha channel is laid over
    white, and the orientation written by a camera (EXIF) is applied: the array is upright. Of an animation (GIF, PNG,
    WebP, AVIF) or of a file with several pages or pictures (TIFF, HEIC) the first picture (of HEIC the main one) is
    read, and a UserWarning that names the file says so. HEIC needs the package pillow-heif.

    Raises:
        ImageError: the file is missing, a folder, not a whole image, or holds values that are no colours (as in a
            floating-point TIFF with NaN); the message names it.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}. Check the path.") from error
    try:
        image, pictures = _decode(data)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except Exception as error:  # what decoders raise of a damaged file is without end: OSError, SyntaxError, KeyError
        raise ImageError(
            f"cannot decode {path}: {len(data)} bytes that are not a whole image. Replace the file or leave it out."
        ) from error
    if pictures > 1:
        # Always from this line, so that Python's usual filter knows it again when the file is read again.
        warnings.warn(f"{path} holds {pictures} pictures (frames or pages): only the first is read.", stacklevel=1)
    return image


def _decode(data: bytes) -> tuple[np.ndarray, int]:
    """Return the first picture of a file as :func:`to_rgb8` does, upright, and how many there are."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        picture = Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        return _decode_heic(data) if _is_heic(data) else _decode_as_opencv(data)
    except Image.DecompressionBombError as error:
        raise ImageError(f"{error}") from error
    # A camera's JPEG may carry a second picture (depth, gain map), which is no page.
    pictures = 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)
    cut = picture.mode == "RGB" and any(";16" in str(tile.args) for tile in picture.tile)  # to 8 of 16 bits
    if cut or picture.mode == "LAB":
        return _decode_as_opencv(data)
    if picture.mode == "I" and picture.format == "PPM":
        return to_rgb8(np.asarray(picture).astype(np.uint16)), pictures
    with contextlib.suppress(Exception):  # EXIF that is damaged turns nothing; damaged pixels are found below
        ImageOps.exif_transpose(picture, in_place=True)
    return to_rgb8(picture), pictures


def _decode_as_opencv(data: bytes) -> tuple[np.ndarray, int]:
    """Decode what Pillow does not know or cannot give whole: colours of 16 bits, of 32 bits (TIFF), Lab."""
    import cv2

    found, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if not found:
        raise ValueError("no picture that OpenCV knows")
    return to_rgb8(pages[0], channels="bgr"), len(pages)


def _is_heic(data: bytes) -> bool:
    """Whether the file type box (ISO/IEC 14496-12) names a brand of HEIF with HEVC (ISO/IEC 23008-12)."""
    brands = b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"
    return data[4:8] == b"ftyp" and data[8:12] in brands


def _decode_heic(data: bytes) -> tuple[np.ndarray, int]:
    try:
        import pillow_heif
    except ImportError as error:
        raise ImageError(
            "a HEIC picture, which needs the package pillow-heif: pip install pillow-heif (or convert it to JPEG)."
        ) from error
    try:
        pictures = pillow_heif.open_heif(data)
        return to_rgb8(pictures[pictures.primary_index].to_pillow()), len(pictures)  # upright: HEIF turns it itself
    except (ValueError, EOFError, SyntaxError, RuntimeError, OSError, IndexError) as error:
        raise ImageError(f"not a whole HEIC picture ({error}). Replace the file or leave it out.") from error


def write_image(path: Path | str, image: np.ndarray) -> None:
    """Write an image, of a layout that :func:`to_rgb8` takes, in the format that the suffix of ``path`` names.

    Raises:
        ImageError: another layout, or a suffix that names no format.
        FacelabError: the disk is full or the folder cannot be written.
    """
    import cv2

    path = Path(path)
    bgr = cv2.cvtColor(to_rgb8(image), cv2.COLOR_RGB2BGR)
    try:
        data = cv2.imencode(path.suffix, bgr)[1]
    except cv2.error as error:
        raise ImageError(f"cannot write {path}: {path.suffix or 'no suffix'} names no format; take .png.") from error
    with atomic_write(path) as temporary:
        temporary.write_bytes(data.tobytes())


def to_rgb8(image: "np.ndarray | Image.Image", *, channels: str = "rgb") -> np.ndarray:
    """Turn a decoded image of any usual layout into RGB, uint8, shape (height, width, 3).

    Args:
        image: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8 or uint16, or floating point in [0, 1]; or a picture of
            Pillow, of any mode.
        channels: the order of the colour channels of an array: ``"rgb"``, or ``"bgr"`` as OpenCV reads them. It cannot
            be seen from the array: a picture in the wrong order has blue skin, and nothing complains.

    Raises:
        FacelabError: another order of channels.
        ImageError: another shape or dtype, an empty image, or a float image with values outside [0, 1] or NaN.
    """
    if channels not in ("rgb", "bgr"):
        raise FacelabError(f"channels={channels!r}: choose 'rgb' or 'bgr'.")
    image = _array(image)
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


def _array(image: "np.ndarray | Image.Image") -> np.ndarray:
    """Return the pixels; of a picture of Pillow those that its mode, palette and transparency stand for."""
    if not hasattr(image, "getbands"):
        return np.asarray(image)
    picture: Any = image
    if picture.mode in _MODES:
        return np.array(picture.convert("RGBA" if "transparency" in picture.info else _MODES[picture.mode]))
    if picture.mode.startswith("I;16"):  # of either order of bytes
        return np.asarray(picture).astype(np.uint16)
    if picture.mode in ("I", "F"):
        return np.array(picture)
    raise ImageError(f"a picture of Pillow's mode {picture.mode}: convert it to RGB first.")
