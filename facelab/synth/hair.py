"""Hair and beard as strands."""

from dataclasses import dataclass

import numpy as np

from facelab.synth.head import HeadModel
from facelab.synth.identity import Identity


@dataclass
class Strands:
    points: np.ndarray
    anchor: np.ndarray
    width: np.ndarray
    taper: np.ndarray
    tint: np.ndarray
    depth: np.ndarray
    under_hat: np.ndarray


def grow(model: HeadModel, identity: Identity, rest: np.ndarray) -> Strands:
    z = np.zeros
    return Strands(z((0, 2, 3), np.float32), z(0, np.int32), z(0, np.float32), z(0, np.float32), z((0, 3), np.float32), z((0, 2), np.float32), z(0, np.int32))


def shade_of(strands: Strands, rest: np.ndarray) -> np.ndarray:
    return np.ones(len(rest), np.float32)
