"""A head: its shape, skin and hair, and its place before the camera."""

import functools
from dataclasses import dataclass

import numpy as np

from facelab.synth import camera, hair
from facelab.synth.head import HeadModel
from facelab.synth.identity import Identity
from facelab.synth.scene import Scene


@dataclass
class Body:
    """What is computed once per identity: geometry in head space (dm), painted skin, hair."""

    identity: Identity
    rest: np.ndarray  # (V, 3)
    centre: np.ndarray  # (3,) turning centre of the head
    eyes: np.ndarray  # (2, 3)
    eye_radii: np.ndarray  # (2,)
    texture: np.ndarray
    strands: hair.Strands
    occlusion: np.ndarray  # (V,)
    skull: hair.Skull


class Placed:
    """A head in camera space.

    Attributes:
        turn, translation: (3, 3) and (3,), from head space to camera space, for all that follows the head.
        shoulders: (3, 3), the turn of what does not.
    """

    def __init__(
        self, model: HeadModel, head_share: np.ndarray, body: Body, scene: Scene, where: np.ndarray | None = None
    ):
        self._model, self._head_share, self._rest, self._actions = model, head_share, body.rest, scene.actions
        self.turn = camera.rotation(scene.yaw, scene.pitch, scene.roll)
        self.shoulders = camera.rotation(0.35 * scene.yaw, 0.1 * scene.pitch, 0.15 * scene.roll)
        self.translation = (np.array([0, 0, -scene.distance]) if where is None else where) - self.turn @ body.centre

    @functools.cached_property
    def expressed(self) -> np.ndarray:
        """(V, 3), in head space with its expression."""
        return self._model.express(self._rest, self._actions)

    @property
    def offsets(self) -> np.ndarray:
        """(V, 3), the expression alone."""
        return self.expressed - self._rest

    @functools.cached_property
    def vertices(self) -> np.ndarray:
        """(V, 3) float32, camera space."""
        head = self.expressed @ self.turn.T + self.translation
        neck = self.turn @ camera.NECK + self.translation
        bust = (self.expressed - camera.NECK) @ self.shoulders.T + neck
        w = self._head_share[:, None]
        return (w * head + (1 - w) * bust).astype(np.float32)
