import warnings

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from facelab.data.images import read_image, to_rgb8, write_image
from facelab.errors import FacelabError, ImageError

RGB = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_png_round_trip_keeps_rgb_order(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


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
@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_that_of_pillow(tmp_path, orientation, suffix, mode):
    tags = Image.Exif()
    tags[274] = orientation
    alpha = np.repeat(np.where(np.arange(30) < 10, 0, 255).astype(np.uint8)[None, :, None], 20, axis=0)
    stored = Image.fromarray(RGB if mode == "RGB" else np.dstack([RGB, alpha]))
    stored.save(tmp_path / f"a.{suffix}", exif=tags, **({"lossless": True} if suffix == "webp" else {}))
    stored.getexif()[274] = orientation
    upright = ImageOps.exif_transpose(stored).convert("RGBA")
    expected = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    np.testing.assert_array_equal(read_image(tmp_path / f"a.{suffix}"), expected)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_of_an_animation_the_first_picture_is_read_and_that_is_said_once(tmp_path, suffix):
    frames = [Image.fromarray(np.full((20, 30, 3), level, np.uint8)) for level in (40, 120, 200)]
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"lossless": True} if suffix == "webp" else {}))
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


def test_the_order_of_channels_is_said_by_the_caller():
    rgba = np.dstack([RGB, np.full((20, 30), 77, np.uint8)])
    for image in (RGB, rgba):
        bgr = image[:, :, [2, 1, 0, 3][: image.shape[2]]]
        np.testing.assert_array_equal(to_rgb8(bgr, channels="bgr"), to_rgb8(image))
    with pytest.raises(FacelabError, match="channels='rbg'"):
        to_rgb8(RGB, channels="rbg")
