"""What is behind the person: procedural, blurred as by a lens, never the same twice."""

import numpy as np

from facelab.synth.scene import Scene


def paint(scene: Scene, size: tuple[int, int]) -> np.ndarray:
    """Return (height, width, 3) float32 linear RGB."""
    return np.full((*size, 3), 0.3, np.float32)
