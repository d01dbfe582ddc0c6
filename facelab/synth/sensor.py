"""The camera behind the lens: exposure, white balance, tone curve, blur, low resolution, noise, JPEG."""

import cv2
import numpy as np

from facelab.synth.scene import Scene

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)  # ITU-R BT.709


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear [0, 1] to sRGB [0, 1], IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


_CURVE = (encode_srgb(np.linspace(0, 1, 4096) ** 2)).astype(np.float32)  # looked up by square root, fine in the shadows


def expose(linear: np.ndarray, scene: Scene) -> np.ndarray:
    """Turn linear light into the picture that the scene's camera takes.

    Args:
        linear: (H, W, 3) float32, 1 is white.

    Returns:
        (H, W, 3) uint8 RGB, before JPEG.
    """
    height, width = linear.shape[:2]
    rng = np.random.default_rng([scene.seed, 5])
    x = (
        linear
        * np.array([scene.white_balance[0], 1, scene.white_balance[1]], np.float32)
        * np.float32(2.0**scene.exposure)
    )
    if scene.blur > 0.25:
        x = cv2.GaussianBlur(x, (0, 0), scene.blur * max(height, width) / 224)
    if scene.motion > 0.5:
        x = cv2.filter2D(x, -1, _motion_kernel(scene.motion, rng.uniform(0, np.pi)))
    small = scene.resolution < 0.99
    if small:
        x = cv2.resize(
            x,
            (max(int(width * scene.resolution), 16), max(int(height * scene.resolution), 16)),
            interpolation=cv2.INTER_AREA,
        )
    # Photon noise grows with the root of light, read noise does not; neighbouring pixels share some through
    # demosaicing.
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    noise = 0.75 * noise + 0.5 * cv2.blur(noise, (2, 2))
    x = x + noise * scene.noise * (0.25 + np.sqrt(np.clip(x, 0, 1)) * 0.75)
    if small:
        x = cv2.resize(x, (width, height), interpolation=cv2.INTER_LINEAR)
    x = np.clip(x, 0, None)
    # Tone: a shoulder that starts at 0.6 keeps highlights from clipping hard.
    x = np.where(x > 0.6, 0.6 + 0.4 * (1 - np.exp(-(x - 0.6) / 0.4)), x)
    y = _CURVE[(np.sqrt(x) * 4095).astype(np.int32).clip(0, 4095)]
    grey = (y @ LUMINANCE)[..., None]
    y = grey + (y - grey) * np.float32(scene.saturation)
    y = 0.5 + (y - 0.5) * np.float32(scene.contrast)
    return np.round(np.clip(y, 0, 1) * 255).astype(np.uint8)


def _motion_kernel(length: float, angle: float) -> np.ndarray:
    size = 2 * int(np.ceil(length)) + 1
    kernel = np.zeros((size, size), np.float32)
    middle = size // 2
    dx, dy = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
    start = (int((middle - dx) * 16), int((middle - dy) * 16))
    cv2.line(kernel, start, (int((middle + dx) * 16), int((middle + dy) * 16)), 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode RGB (H, W, 3) uint8 as JPEG bytes; the same bytes for the same picture."""
    return cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
