"""Reading any picture file into one form: RGB, 8 bits, height x width x 3."""

import contextlib
import io
import os
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.errors import FacelabError, ImageError
from facelab.files import atomic_write, read_bytes

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".pgm", ".ppm", ".bmp", ".tif", ".tiff", ".webp", ".gif"}
    | {".avif", ".jp2", ".heic", ".heif", ".hif"}
)


def is_picture(name: str) -> bool:
    """Say whether a file is a picture of a kind that is read, by the suffix of its name."""
    return f".{name.rpartition('.')[2].lower()}" in SUFFIXES


# What Pillow may try on a user's file; other formats of its run other programs, or are no pictures.
_FORMATS = ("JPEG", "PNG", "PPM", "BMP", "TIFF", "WEBP", "GIF", "AVIF", "JPEG2000")
# The modes of Pillow that hold 8 bits -> what they are converted to.
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBX": "RGB", "CMYK": "RGB", "YCbCr": "RGB", "HSV": "RGB"} | {
    mode: "RGBA" for mode in ("PA", "LA", "La", "RGBA", "RGBa")
}


MAX_PIXELS = 200_000_000  # of a picture; decoded, it takes some 1 GB. The largest telephones take 200 million.


def max_pixels() -> int:
    """Return how many pixels a picture may have to be decoded: ``$FACELAB_MAX_PIXELS``, or :data:`MAX_PIXELS`."""
    said = os.environ.get("FACELAB_MAX_PIXELS", "")
    if not said:
        return MAX_PIXELS
    if not (said.isascii() and said.isdigit() and len(said) < 20):
        raise FacelabError(f"FACELAB_MAX_PIXELS={said[:40]!r}: give a whole number of pixels.")
    return int(said)


def read_image(path: Path | str) -> np.ndarray:
    """Read a picture as an RGB array, shape (height, width, 3), dtype uint8.

    Greyscale is repeated over the three channels, 16-bit values are scaled to 8 bits, an alpha channel is laid over
    white, and the orientation written by a camera (EXIF) is applied: the array is upright. Of an animation (GIF, PNG,
    WebP, AVIF) or of a file with several pages or pictures (TIFF, HEIC) the first picture (of HEIC the main one) is
    read, and a UserWarning that names the file says so. HEIC needs the package pillow-heif.

    A small file can claim to be a picture that no memory holds, so the pixels that its header names are counted first,
    see :func:`max_pixels`.

    Raises:
        ImageError: the file is missing, a folder, not a whole image, too large, or holds values that are no colours (as
            in a floating-point TIFF with NaN); the message names it.
    """
    try:
        data = read_bytes(path)
    except FacelabError as error:
        raise ImageError(str(error)) from error
    return decode_named(data, str(path))


def decode_named(data: bytes, name: str) -> np.ndarray:
    """Decode the bytes of a picture file as :func:`read_image` does.

    Raises:
        ImageError: see :func:`read_image`; the message begins with the name.
    """
    try:
        image, pictures = decode_image(data)
    except ImageError as error:
        raise ImageError(f"{name}: {error}") from error
    except FacelabError:
        raise
    except Exception as error:  # what decoders raise of a damaged file is without end: OSError, SyntaxError, KeyError
        raise ImageError(
            f"cannot decode {name}: {len(data)} bytes that are not a whole image. Replace the file or leave it out."
        ) from error
    if pictures > 1:
        # Always from this line, so that Python's usual filter knows it again when the file is read again.
        warnings.warn(f"{name} holds {pictures} pictures (frames or pages): only the first is read.", stacklevel=1)
    return image


def decode_image(data: bytes) -> tuple[np.ndarray, int]:
    """Return the first picture of a file as :func:`to_rgb8` does, upright, and how many there are.

    Raises:
        ImageError: it is too large, or holds values that are no colours; or another Exception, of many kinds, where
            the file is damaged.
    """
    from PIL import ImageOps

    picture = _open(data)
    if picture is None:
        return _decode_heic(data) if _is_heic(data) else _decode_tiff(data)
    _check_size(*picture.size)
    # A camera's JPEG may carry a second picture (depth, gain map), which is no page.
    pictures = 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)
    cut = picture.mode == "RGB" and any(";16" in str(tile.args) for tile in picture.tile)  # to 8 of 16 bits
    if cut or picture.mode == "LAB":
        return _decode_as_opencv(data, picture.info.get("transparency")), pictures
    if picture.mode == "I" and picture.format == "PPM":
        return to_rgb8(np.asarray(picture).astype(np.uint16)), pictures
    # Pillow turns a grey TIFF whose zero is white round where it has 8 bits, and no deeper one.
    negative = picture.format == "TIFF" and picture.mode not in _MODES and picture.tag_v2.get(262) == 0
    picture.load()  # damaged pixels are told once: the next call would give black ones
    with contextlib.suppress(Exception):  # EXIF that is damaged turns nothing
        ImageOps.exif_transpose(picture, in_place=True)
    image = to_rgb8(picture)
    return 255 - image if negative else image, pictures


def _open(data: bytes) -> Any:
    """Open a file as ``PIL.Image.open`` does, but for its limit of pixels; None if Pillow does not know what it is."""
    from PIL import Image

    Image.init()
    for name in _FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))  # a build of Pillow may lack one
        if factory is not None and (accepts is None or accepts(data[:16]) is True):
            with contextlib.suppress(SyntaxError, IndexError, TypeError, struct.error):  # so a format says no
                return factory(io.BytesIO(data), "")
    return None


def check_pixels(data: bytes) -> None:
    """Check by its header that the first picture of a file, of a format that Pillow knows, can be decoded.

    Raises:
        ImageError: it is no such picture, or is too large.
    """
    picture = _open(data)
    if picture is None:
        raise ImageError("not a picture of a known format")
    _check_size(*picture.size)


def _check_size(width: int, height: int) -> None:
    if width * height > (most := max_pixels()):
        raise ImageError(
            f"{width} x {height} pixels are more than {most:,}, which may be decoded. Shrink it, or set "
            "FACELAB_MAX_PIXELS to a larger number."
        )


def _decode_as_opencv(data: bytes, clear: tuple[int, ...] | None = None) -> np.ndarray:
    """Decode what Pillow does not know or cannot give whole: colours of 16 bits, of 32 bits (TIFF), Lab.

    Args:
        data: the file.
        clear: the colour of 16 bits that a PNG declares transparent, (red, green, blue); OpenCV shows it.
    """
    import cv2

    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError("no picture that OpenCV knows")
    if clear:
        image[(image == np.array(clear[::-1])).all(axis=2)] = 65535
    return to_rgb8(image, channels="bgr")


def _decode_tiff(data: bytes) -> tuple[np.ndarray, int]:
    """Decode a TIFF of a kind that Pillow does not know, such as of floating-point colours; check its sizes first."""
    order = {b"II": "<", b"MM": ">"}[data[:2]]
    large = struct.unpack(f"{order}H", data[2:4]) == (43,)  # BigTIFF
    count, entry, offset, inline = ("Q", 20, "Q", 12) if large else ("H", 12, "I", 8)
    at, seen, sizes = struct.unpack_from(f"{order}{offset}", data, 8 if large else 4)[0], set(), []
    while at and at not in seen:
        seen.add(at)
        (entries,) = struct.unpack_from(f"{order}{count}", data, at)
        first, tags = at + struct.calcsize(f"{order}{count}"), {}
        for k in range(min(entries, 4096)):
            tag, kind = struct.unpack_from(f"{order}HH", data, first + k * entry)
            if tag in (256, 257):  # ImageWidth, ImageLength
                form = {3: "H", 4: "I", 16: "Q"}[kind]
                (tags[tag],) = struct.unpack_from(f"{order}{form}", data, first + k * entry + inline)
        sizes.append((tags[256], tags[257]))
        (at,) = struct.unpack_from(f"{order}{offset}", data, first + entries * entry)
    _check_size(*sizes[0])
    try:
        return _decode_as_opencv(data), len(sizes)
    except ImageError:
        raise
    except ValueError as error:
        raise ImageError(
            "a TIFF that is damaged, or of a kind that is not read (grey of 64 bits, 16-bit floating point, complex): "
            "replace it, or convert it to 8 or 16 bits."
        ) from error


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
        _check_size(*pictures[pictures.primary_index].size)
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
        values = np.asarray(picture).astype(np.uint16)
        return np.where(values == picture.info.get("transparency", -1), np.uint16(65535), values)
    if picture.mode in ("I", "F"):
        return np.array(picture)
    raise ImageError(f"a picture of Pillow's mode {picture.mode}: convert it to RGB first.")


def square_margins(height: int, width: int) -> tuple[int, int, int, int]:
    """Return the black margins (top, bottom, left, right, pixels) that make a picture square, its middle in the middle.

    This is the one rule for chips that are not square: none is stretched, as that would change the proportions of the
    face. Chips of 112 x 96 (SphereFace) become ArcFace's 112 x 112 so, landmarks included. A UserWarning says so.
    """
    side = max(height, width)
    if height != width:
        # Always from this line, so that Python's usual filter says it once for each size.
        warnings.warn(
            f"chips of {width} x {height} pixels are not square: black margins make them {side} x {side}; nothing is "
            "stretched.",
            stacklevel=1,
        )
    top, left = (side - height) // 2, (side - width) // 2
    return top, side - height - top, left, side - width - left
