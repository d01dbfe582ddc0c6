"""What is behind the person: procedural, blurred as by a lens, never the same twice."""

import cv2
import numpy as np

from facelab.synth.scene import Scene

COARSE = 64  # the longer side of the canvas that is painted; backgrounds are out of focus


def paint(scene: Scene, size: tuple[int, int], coarse: int = COARSE) -> np.ndarray:
    """Paint the background of a scene: a room, foliage, a street of lights, or a plain wall.

    Args:
        size: (height, width) in pixels.
        coarse: the longer side of the canvas; more gives sharper things behind the person.

    Returns:
        (height, width, 3) float32 linear RGB, as bright as the scene's light makes it.
    """
    return cv2.resize(canvas(scene, size, coarse), size[::-1], interpolation=cv2.INTER_CUBIC).clip(0, None)


def canvas(scene: Scene, size: tuple[int, int], coarse: int = COARSE) -> np.ndarray:
    """Return what :func:`paint` enlarges to ``size``: (h, w, 3) float32 of the same proportions."""
    rng = np.random.default_rng(scene.background_seed)
    scale = coarse / max(size)
    h, w = (max(round(side * scale), 8) for side in size)
    painter = (_wall, _room, _foliage, _lights)[int(rng.choice(4, p=[0.3, 0.35, 0.2, 0.15]))]
    painted = cv2.GaussianBlur(painter(h, w, rng), (0, 0), float(rng.uniform(0.9, 3.5)))
    y = np.linspace(1, -1, h, dtype=np.float32)[:, None]
    x = np.linspace(-1, 1, w, dtype=np.float32)[None]
    falloff = np.clip(1 + 0.25 * (x * scene.key_direction[0] + y * scene.key_direction[1]), 0.3, 2)
    return np.clip(painted * falloff[..., None] * ((scene.sky + scene.ground) / 2).astype(np.float32), 0, None)


def _tone(rng: np.random.Generator, low: float = 0.03, high: float = 0.8, colour: float = 0.16) -> np.ndarray:
    """A colour of a room or a thing: a grey with a tinge."""
    grey = np.exp(rng.uniform(np.log(low), np.log(high)))
    return (grey * np.exp(rng.normal(0, colour, 3))).astype(np.float32)


def _wall(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    a, b = _tone(rng), _tone(rng)
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:h, 0:w].astype(np.float32) / max(h, w)
    t = np.clip(0.5 + (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle), 0, 1)[..., None]
    mottle = cv2.resize(rng.normal(0, 0.08, (6, 6)).astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)[
        ..., None
    ]
    return (a * (1 - 0.4 * t) + 0.4 * b * t) * (1 + mottle)


def _room(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    """Upright and level edges: doors, shelves, pictures, a window."""
    canvas = np.tile(_tone(rng, 0.08, 0.7), (h, w, 1))
    for _ in range(int(rng.integers(4, 14))):
        x, y = rng.uniform(-0.2, 1.0) * w, rng.uniform(-0.2, 1.0) * h
        dx, dy = rng.exponential(0.25) * w + 2, rng.exponential(0.45) * h + 2
        bright = 3.0 if rng.random() < 0.08 else 1.0
        colour = _tone(rng, 0.02, 0.8, 0.22) * bright
        cv2.rectangle(canvas, (int(x), int(y)), (int(x + dx), int(y + dy)), colour.tolist(), -1)
    return canvas


def _foliage(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    base = np.array([0.10, 0.16, 0.06], np.float32) * np.exp(rng.normal(0, 0.5))
    canvas = np.zeros((h, w, 3), np.float32)
    for cells, amount in ((5, 0.6), (13, 0.5), (30, 0.4)):
        noise = rng.normal(0, 1, (cells, cells, 1)) + 0.3 * rng.normal(0, 1, (cells, cells, 3))
        canvas += amount * cv2.resize(noise.astype(np.float32), (w, h), interpolation=cv2.INTER_CUBIC)
    canvas = base * np.exp(0.7 * canvas)
    if rng.random() < 0.5:  # sky above
        y = np.linspace(0, 1, h, dtype=np.float32)[:, None, None]
        t = 1 / (1 + np.exp((y - rng.uniform(0.0, 0.5)) / 0.05))
        canvas = canvas * (1 - t) + np.array([0.6, 0.75, 0.95], np.float32) * rng.uniform(0.6, 1.3) * t
    return canvas


def _lights(h: int, w: int, rng: np.random.Generator) -> np.ndarray:
    canvas = np.tile(_tone(rng, 0.01, 0.12), (h, w, 1))
    for _ in range(int(rng.integers(5, 25))):
        colour = np.exp(rng.normal(-0.3, 0.9)) * np.array([1.0, rng.uniform(0.55, 0.95), rng.uniform(0.3, 0.95)])
        centre = (int(rng.uniform(0, w)), int(rng.uniform(0, h)))
        cv2.circle(canvas, centre, int(rng.uniform(1, 5) * max(h, w) / COARSE), colour.tolist(), -1, cv2.LINE_AA)
    return canvas
