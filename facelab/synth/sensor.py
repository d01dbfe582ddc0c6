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
    size = linear.shape[:2]
    rng = noise_generator(scene)
    white_balance, exposure = gains(scene)
    x = linear * white_balance * exposure
    if sigma := lens_blur(scene, size):
        x = cv2.GaussianBlur(x, (0, 0), sigma)
    window = motion_window(scene, rng)
    if window.size > 1:
        x = cv2.filter2D(x, -1, window)
    rows, columns = sensor_size(scene, size)
    small = (rows, columns) != size
    if small:
        x = cv2.resize(x, (columns, rows), interpolation=cv2.INTER_AREA)
    # Photon noise grows with the root of light, read noise does not; neighbouring pixels share some through
    # demosaicing.
    noise = rng.standard_normal(x.shape, dtype=np.float32)
    noise = 0.75 * noise + 0.5 * cv2.blur(noise, (2, 2))
    x = x + noise * scene.noise * (0.25 + np.sqrt(np.clip(x, 0, 1)) * 0.75)
    if small:
        x = cv2.resize(x, size[::-1], interpolation=cv2.INTER_LINEAR)
    x = np.clip(x, 0, None)
    # Tone: a shoulder that starts at 0.6 keeps highlights from clipping hard.
    x = np.where(x > 0.6, 0.6 + 0.4 * (1 - np.exp(-(x - 0.6) / 0.4)), x)
    y = _CURVE[(np.sqrt(x) * 4095).astype(np.int32).clip(0, 4095)]
    grey = (y @ LUMINANCE)[..., None]
    y = grey + (y - grey) * np.float32(scene.saturation)
    y = 0.5 + (y - 0.5) * np.float32(scene.contrast)
    return np.round(np.clip(y, 0, 1) * 255).astype(np.uint8)


def gains(scene: Scene) -> tuple[np.ndarray, np.float32]:
    """Return the errors of white balance, (3,) float32, and of exposure, as factors on linear light."""
    red, blue = scene.white_balance
    return np.array([red, 1, blue], np.float32), np.float32(2.0**scene.exposure)


def lens_blur(scene: Scene, size: tuple[int, int]) -> float:
    """Return the standard deviation of the lens's blur in pixels of a picture of this size; 0 for none."""
    return scene.blur * max(size) / 224 if scene.blur > 0.25 else 0.0


def sensor_size(scene: Scene, size: tuple[int, int]) -> tuple[int, int]:
    """Return how many pixels the sensor has, (rows, columns), for a picture of this size."""
    if scene.resolution >= 0.99:
        return size
    return max(int(size[0] * scene.resolution), 16), max(int(size[1] * scene.resolution), 16)


def noise_generator(scene: Scene) -> np.random.Generator:
    """Return what draws the direction of the camera's shake, then its noise."""
    return np.random.default_rng([scene.seed, 5])


def motion_window(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Return the weights (k, k) of motion blur; (1, 1) if the camera is still."""
    if scene.motion <= 0.5:
        return np.ones((1, 1), np.float32)
    length, angle = scene.motion, rng.uniform(0, np.pi)
    size = 2 * int(np.ceil(length)) + 1
    window = np.zeros((size, size), np.float32)
    middle = size // 2
    dx, dy = length / 2 * np.cos(angle), length / 2 * np.sin(angle)
    start = (int((middle - dx) * 16), int((middle - dy) * 16))
    cv2.line(window, start, (int((middle + dx) * 16), int((middle + dy) * 16)), 1.0, 1, cv2.LINE_AA, 4)
    return window / window.sum()


def encode_jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encode RGB (H, W, 3) uint8 as JPEG bytes; the same bytes for the same picture."""
    return cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()
