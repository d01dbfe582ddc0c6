import os
import struct
import sys
import warnings
import zlib

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageOps

from facelab.data.faceset import EncodedImages
from facelab.data.folder import find_images
from facelab.data.images import SUFFIXES, check_pixels, read_image, to_rgb8, write_image
from facelab.errors import FacelabError, ImageError

LOSSLESS = {
    "webp": {"lossless": True},
    "avif": {"quality": 100, "subsampling": "4:4:4"},
    "heic": {"quality": -1, "chroma": 444, "matrix_coefficients": 0},
}
RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def save(picture: Image.Image, path, **options) -> None:
    """Write without loss, by Pillow or pillow-heif."""
    options |= LOSSLESS.get(path.suffix[1:], {})
    (pillow_heif.from_pillow(picture) if path.suffix == ".heic" else picture).save(path, **options)


def test_png_round_trip_keeps_rgb_order(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    assert read_image(tmp_path / "a.png").flags.writeable  # as PyTorch wants it


def test_greyscale_is_repeated(tmp_path):
    cv2.imwrite(str(tmp_path / "a.pgm"), RGB[:, :, 0])
    image = read_image(tmp_path / "a.pgm")
    assert image.shape == (20, 30, 3)
    for channel in range(3):
        np.testing.assert_array_equal(image[:, :, channel], RGB[:, :, 0])


def test_16_bit_is_scaled(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), RGB[:, :, ::-1].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)
    cv2.imwrite(str(tmp_path / "grey.png"), RGB[:, :, 0].astype(np.uint16) * 257)
    np.testing.assert_array_equal(read_image(tmp_path / "grey.png")[:, :, 1], RGB[:, :, 0])


def test_alpha_is_laid_over_white(tmp_path):
    rgba = np.dstack([RGB, np.zeros((20, 30), np.uint8)])
    rgba[:10, :, 3] = 255
    cv2.imwrite(str(tmp_path / "a.png"), cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGRA))
    image = read_image(tmp_path / "a.png")
    np.testing.assert_array_equal(image[:10], RGB[:10])
    assert (image[10:] == 255).all()


def test_camera_orientation_is_applied(tmp_path):
    """EXIF orientation 6: the camera was turned, the picture must be turned by 90 degrees clockwise."""
    ok, jpeg = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))
    assert ok
    tiff = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    segment = b"Exif\0\0" + tiff
    data = jpeg.tobytes()
    marker = b"\xff\xe1" + (len(segment) + 2).to_bytes(2, "big") + segment
    (tmp_path / "a.jpg").write_bytes(data[:2] + marker + data[2:])
    assert read_image(tmp_path / "a.jpg").shape == (30, 20, 3)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("suffix", ["png", "webp", "tiff", "avif", "heic"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(tmp_path, orientation, suffix, mode):
    tags = Image.Exif()
    tags[274] = orientation
    alpha = np.repeat(np.where(np.arange(30) < 10, 0, 255).astype(np.uint8)[None, :, None], 20, axis=0)
    stored = Image.fromarray(RGB if mode == "RGB" else np.dstack([RGB, alpha]))
    save(stored, tmp_path / f"a.{suffix}", exif=tags.tobytes())
    stored.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(stored).convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    loss = 3 if suffix == "avif" else 0  # of its colour space
    np.testing.assert_allclose(read_image(tmp_path / f"a.{suffix}").astype(int), expected, atol=loss)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff", "avif"])
def test_of_an_animation_the_first_picture_is_read_and_that_is_said_once(tmp_path, suffix):
    frames = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (40, 120, 200)]
    path = tmp_path / f"a.{suffix}"
    save(frames[0], path, save_all=True, append_images=frames[1:])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(2):
            assert (read_image(path) == 40).all()
    (warning,) = caught
    assert warning.category is UserWarning
    assert str(warning.message) == f"{path} holds 3 pictures (frames or pages): only the first is read."


def test_a_still_gif_is_read_without_a_word(tmp_path):
    still = Image.fromarray(RGB).quantize(256)
    still.save(tmp_path / "a.gif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), still.convert("RGB"))


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_suffix_is_found_and_read(tmp_path, suffix):
    form = {".jfif": "JPEG", ".jpe": "JPEG", ".jp2": "JPEG2000"}.get(suffix)
    picture = Image.fromarray(np.full((20, 30, 3), 100, np.uint8))
    if suffix in (".heic", ".heif", ".hif"):
        pillow_heif.from_pillow(picture).save(tmp_path / f"A{suffix.upper()}", format="HEIF", quality=90)
    else:
        picture.convert("L" if suffix == ".pgm" else "RGB").save(tmp_path / f"A{suffix.upper()}", form)
    (path,) = find_images(tmp_path)
    assert np.abs(read_image(path).astype(int) - 100).max() <= 3


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "avif", "jp2", "heic"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_what_is_half_transparent_is_laid_over_white(tmp_path, suffix, mode):
    colour = (200, 100, 50, 128) if mode == "RGBA" else (100, 128)
    save(Image.new(mode, (32, 32), colour), tmp_path / f"a.{suffix}")
    expected = np.array(colour[:-1]) * 128 / 255 + 255 * 127 / 255
    assert np.abs(read_image(tmp_path / f"a.{suffix}")[5, 5] - expected).max() < 2  # AVIF keeps alpha with loss


@pytest.mark.parametrize("bits", [10, 12, 16])
def test_values_of_more_bits_are_scaled_by_the_largest_they_can_have(tmp_path, bits):
    """Not by 65535: a picture of 12 bits in PGM or HEIC is not black."""
    value = round(0.6 * (2**bits - 1))
    grey = np.full((32, 32), value, ">u2")
    (tmp_path / "a.pgm").write_bytes(b"P5 32 32 %d\n" % (2**bits - 1) + grey.tobytes())
    Image.fromarray(grey.astype(np.uint16) << 16 - bits).save(tmp_path / "a.jp2")
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    pillow_heif.from_bytes("RGB;16", (32, 32), np.full((32, 32, 3), value << 16 - bits, np.uint16).tobytes()).save(
        tmp_path / "a.heic", quality=-1, chroma=444
    )
    for suffix in ("pgm", "jp2", "heic"):
        assert np.abs(read_image(tmp_path / f"a.{suffix}").astype(int) - 153).max() <= 1


def test_of_several_heic_pictures_the_main_one_is_read(tmp_path):
    pictures = pillow_heif.HeifFile()
    for level in (40, 120):
        pictures.add_from_pillow(Image.fromarray(np.full((20, 30, 3), level, np.uint8)))
    pictures.save(tmp_path / "a.heic", primary_index=1, quality=-1)
    with pytest.warns(UserWarning, match=r"a\.heic holds 2 pictures"):
        assert abs(int(read_image(tmp_path / "a.heic").mean()) - 120) <= 2


def test_heic_without_its_package_and_damaged_heic_are_named(tmp_path, monkeypatch):
    save(Image.fromarray(RGB), tmp_path / "a.heic")
    (tmp_path / "cut.heic").write_bytes((tmp_path / "a.heic").read_bytes()[:300])
    with pytest.raises(ImageError, match=r"cut\.heic: not a whole HEIC picture"):
        read_image(tmp_path / "cut.heic")
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # as if it were not installed
    with pytest.raises(ImageError, match=r"a\.heic.* pip install pillow-heif"):
        read_image(tmp_path / "a.heic")


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_exif_that_is_damaged_leaves_the_picture(tmp_path):
    Image.fromarray(RGB).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xffnonsense")
    assert read_image(tmp_path / "a.jpg").shape == (20, 30, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf, -1, 2])
def test_a_file_with_values_that_are_no_colours_is_named(tmp_path, value):
    cv2.imwrite(str(tmp_path / "a.tif"), np.full((8, 8, 3), value, np.float32))
    with pytest.raises(ImageError, match=r"a\.tif.*outside \[0, 1\]"):
        read_image(tmp_path / "a.tif")


def test_a_folder_is_no_picture(tmp_path):
    with pytest.raises(ImageError, match=r"cannot read .*directory"):
        read_image(tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\xff\xd8\xff\xe0broken jpeg"], ids=["empty", "text", "broken"]
)
def test_not_an_image_is_named(tmp_path, content):
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(ImageError, match=r"bad\.jpg"):
        read_image(tmp_path / "bad.jpg")


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".pgm", ".gif", ".webp", ".bmp", ".tif"])
def test_a_file_cut_short_is_named(tmp_path, suffix, kept):
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = tmp_path / f"whole{suffix}"
    cv2.imwrite(str(whole), image if suffix != ".pgm" else image[:, :, 0])
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * kept)])
    with pytest.raises(ImageError, match="cut"):
        read_image(cut)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(ImageError, match=r"nobody\.png.*No such file"):
        read_image(tmp_path / "nobody.png")


def test_float_images_are_taken_in_0_1_only():
    np.testing.assert_array_equal(to_rgb8(RGB / 255), RGB)
    with pytest.raises(ImageError, match=r"outside \[0, 1\]"):
        to_rgb8(RGB.astype(np.float32))
    with pytest.raises(ImageError):
        to_rgb8(np.full((4, 4), np.nan))


@pytest.mark.parametrize("shape", [(5,), (5, 5, 2), (0, 5, 3), (1, 5, 5, 3)])
def test_other_shapes_are_errors(shape):
    with pytest.raises(ImageError, match="shape"):
        to_rgb8(np.zeros(shape, np.uint8))


def test_other_dtypes_are_errors():
    with pytest.raises(ImageError, match="int64"):
        to_rgb8(np.zeros((4, 4), np.int64))


@pytest.mark.parametrize("mode", ["1", "L", "I;16", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_pictures_of_pillow_are_taken_in_every_mode(mode):
    """Not as their stored numbers, which are places in a palette or amounts of ink."""
    red = Image.new("RGB", (4, 3), (255, 0, 0))
    picture = Image.fromarray(np.full((3, 4), 76 * 257, np.uint16)) if mode == "I;16" else red.convert(mode, dither=0)
    expected = {"1": 0, "L": 76, "I;16": 76, "LA": 76}.get(mode, np.asarray(red))
    np.testing.assert_allclose(to_rgb8(picture), np.broadcast_to(expected, (3, 4, 3)), atol=2)


def test_a_picture_of_pillow_that_must_be_converted_first_is_an_error():
    with pytest.raises(ImageError, match="mode LAB"):
        to_rgb8(Image.new("LAB", (4, 3)))


@pytest.mark.parametrize("value", [0.5, 0.0])
def test_floats_are_written_as_colours_and_what_is_none_is_refused(tmp_path, value):
    write_image(tmp_path / "a.png", np.full((4, 4, 3), value))
    assert (read_image(tmp_path / "a.png") == round(value * 255)).all()
    for wrong in (np.full((4, 4, 3), 300), np.full((4, 4, 3), 2.0)):
        with pytest.raises(ImageError):
            write_image(tmp_path / "b.png", wrong)
    for name in ("b.xyz", "b"):
        with pytest.raises(ImageError, match="names no format"):
            write_image(tmp_path / name, RGB)
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_name_that_is_not_utf_8_is_read_and_written(tmp_path):
    path = tmp_path / os.fsdecode(b"M\xfcller.png")
    write_image(path, RGB)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_the_order_of_channels_is_said_by_the_caller():
    rgba = np.dstack([RGB, np.full((20, 30), 77, np.uint8)])
    for image in (RGB, rgba):
        bgr = image[:, :, [2, 1, 0, 3][: image.shape[2]]]
        np.testing.assert_array_equal(to_rgb8(bgr, channels="bgr"), to_rgb8(image))
    with pytest.raises(FacelabError, match="channels='rbg'"):
        to_rgb8(RGB, channels="rbg")


def _png_of(width: int, height: int) -> bytes:
    """The first bytes of a PNG of this size (PNG 1.2, IHDR)."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + header
        + struct.pack(">I", zlib.crc32(header))
        + b"\0\0\0\x08IDAT"
        + bytes(12)
    )


def _tiff_of(width: int, height: int, order: str = "<", large: bool = False) -> bytes:
    """A TIFF of three 32-bit floating-point colours (TIFF 6.0; BigTIFF), as Pillow does not know them, pixels left
    out."""
    count, tag, offset = (">Q", "HHQQ", "Q") if large else (">H", "HHII", "I")
    tags = [(256, 4, 1, width), (257, 4, 1, height), (277, 3, 1, 3), (339, 3, 1, 3), (262, 3, 1, 2)]
    start = struct.pack(f"{order}2sHHHQ" if large else f"{order}2sHI", *(b"II" if order == "<" else b"MM",), *(
        (43, 8, 0, 16) if large else (42, 8)
    ))  # fmt: skip
    entries = b"".join(struct.pack(f"{order}{tag}", *entry) for entry in sorted(tags))
    return start + struct.pack(f"{order}{count[1]}", len(tags)) + entries + struct.pack(f"{order}{offset}", 0)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("png", _png_of(30_000, 30_000)),
        ("ppm", b"P6 30000 30000 255\n"),
        ("bmp", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 30_000, 30_000, 1, 24, 0, 0, 0, 0, 0, 0)),
        ("gif", b"GIF89a" + struct.pack("<HHBBBBHHHHB", 30_000, 30_000, 0, 0, 0, 44, 0, 0, 9, 9, 0) + b"\x02;"),
        ("tif", _tiff_of(30_000, 30_000)),
        ("tiff", _tiff_of(30_000, 30_000, large=True)),
    ],
)  # fmt: skip
def test_a_small_file_that_claims_to_be_a_huge_picture_is_not_decoded(tmp_path, suffix, content):
    path = tmp_path / f"bomb.{suffix}"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=r"bomb\.\w+: 30000 x 30000 pixels are more than 200,000,000.*MAX_PIXELS"):
        read_image(path)
    faces = EncodedImages([content], "x.bin")
    with pytest.raises(ImageError, match=r"x\.bin: picture 0 cannot be decoded \((30000 x 30000 pixels|not a picture)"):
        faces[0]


def test_the_limit_of_pixels_can_be_set(tmp_path, monkeypatch):
    write_image(tmp_path / "a.png", RGB)  # 30 x 20
    cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((20, 30, 3), np.float32))
    for name in ("a.png", "a.tif"):
        monkeypatch.setenv("FACELAB_MAX_PIXELS", "599")
        with pytest.raises(ImageError, match="30 x 20 pixels are more than 599"):
            read_image(tmp_path / name)
        monkeypatch.setenv("FACELAB_MAX_PIXELS", "600")
        assert read_image(tmp_path / name).shape == (20, 30, 3)
    monkeypatch.setenv("FACELAB_MAX_PIXELS", "many")
    with pytest.raises(FacelabError, match="FACELAB_MAX_PIXELS='many': give a whole number"):
        read_image(tmp_path / "a.png")
    with warnings.catch_warnings():  # Pillow's own limit is not ours, and is not changed
        warnings.simplefilter("error")
        monkeypatch.setenv("FACELAB_MAX_PIXELS", "")
        check_pixels(_png_of(12_000, 12_000))


def test_a_tiff_of_floating_point_colours_and_two_pages_is_read_and_counted(tmp_path):
    pages = [np.full((20, 30, 3), level, np.float32) for level in (0.2, 0.6)]
    cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
    with pytest.warns(UserWarning, match="holds 2 pictures"):
        assert (read_image(tmp_path / "a.tif") == 51).all()


@pytest.mark.parametrize("suffix", ["png", "tif"])  # their codes tell; a JPEG's do not
def test_pixels_that_are_damaged_are_not_black_ones(tmp_path, suffix):
    """Zeros in the second half of the file: it has its whole length, and its header is right."""
    path = tmp_path / f"a.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, **({"compression": "tiff_deflate"} if suffix == "tif" else {}))
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    with pytest.raises(ImageError, match="not a whole image"):
        read_image(path)


def test_a_pipe_is_no_picture_and_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", "/dev/zero", ""):
        with pytest.raises(ImageError, match="cannot read"):
            read_image(path)


def test_names_that_are_not_utf_8_are_read_and_written(tmp_path):
    path = tmp_path / os.fsdecode(b"M\xfcller.png")
    write_image(path, RGB)
    np.testing.assert_array_equal(read_image(path), RGB)


def test_grey_whose_zero_is_white_is_turned_round_at_every_depth(tmp_path):
    for values in (np.full((3, 4), 200, np.uint8), np.full((3, 4), 200 * 257, np.uint16)):
        Image.fromarray(values).save(tmp_path / "a.tif", tiffinfo={262: 0})
        # Pillow writes the tag and turns 8 bits round, but leaves the values of 16.
        expected = 200 if values.dtype == np.uint8 else 55
        assert (read_image(tmp_path / "a.tif") == expected).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_the_transparent_colour_of_a_png_of_16_bits_becomes_white(tmp_path, channels):
    values = np.full((3, 4, channels), 100 * 257, np.uint16)
    values[0] = 40 * 257
    data = cv2.imencode(".png", values)[1].tobytes()
    chunk = b"tRNS" + struct.pack(">H", 40 * 257) * channels
    (tmp_path / "a.png").write_bytes(
        data[:33] + struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) + data[33:]
    )
    image = read_image(tmp_path / "a.png")
    assert (image[0] == 255).all()
    assert (image[1:] == 100).all()
