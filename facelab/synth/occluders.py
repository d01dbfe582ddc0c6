"""Glasses, hats, masks and hands as triangles in camera space."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Soup:
    """Triangles of occluders. One picture: positions (M, 3), normals (M, 3), colours (M, 4: linear RGB and gloss), triangles (F, 3),
    alphas (F,). A batch has the image as first axis; pictures with fewer triangles are filled up with alpha 0."""

    positions: np.ndarray
    normals: np.ndarray
    colours: np.ndarray
    triangles: np.ndarray
    alphas: np.ndarray


def empty() -> Soup:
    return Soup(np.zeros((3, 3), np.float32), np.zeros((3, 3), np.float32), np.zeros((3, 4), np.float32), np.zeros((1, 3), np.int32), np.zeros(1, np.float32))


def build(model, body, scene, vertices, turn, translation) -> Soup:
    return empty()


def pad(soups: list[Soup]) -> Soup:
    """Stack the occluders of several pictures."""
    vertices = max(len(s.positions) for s in soups)
    faces = max(len(s.triangles) for s in soups)

    def fill(array: np.ndarray, length: int) -> np.ndarray:
        return np.concatenate([array, np.zeros((length - len(array), *array.shape[1:]), array.dtype)])

    return Soup(
        *(np.stack([fill(getattr(s, name), vertices) for s in soups]) for name in ("positions", "normals", "colours")),
        *(np.stack([fill(getattr(s, name), faces) for s in soups]) for name in ("triangles", "alphas")),
    )
