"""The camera behind the lens: exposure, white balance, tone curve, blur, noise, low resolution, JPEG."""

import numpy as np

from facelab.synth.scene import Scene


def encode_srgb(linear: np.ndarray) -> np.ndarray:
    """Linear [0, 1] to sRGB [0, 1], IEC 61966-2-1."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055)


def expose(linear: np.ndarray, coverage: np.ndarray, scene: Scene) -> np.ndarray:
    x = linear * 2.0**scene.exposure
    return np.round(np.clip(encode_srgb(np.clip(x, 0, 1)), 0, 1) * 255).astype(np.uint8)
