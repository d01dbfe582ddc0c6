"""How far an embedding moves when one factor of the picture moves and all others stay."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from facelab.errors import FacelabError
from facelab.evaluate.bootstrap import mean_by_identity
from facelab.evaluate.checks import unit
from facelab.evaluate.estimate import Estimate

if TYPE_CHECKING:
    from facelab.synth.identity import Identity
    from facelab.synth.scene import Scene

_Change = Callable[["Identity", "Scene", float], tuple["Identity", "Scene"]]


@dataclass(frozen=True)
class Factor:
    """A rendering parameter that can be moved alone.

    Attributes:
        unit: of ``values``; the first value is the reference, at which the scene stands.
        values: where to render.
        change: makes identity and scene with the parameter at a value.
    """

    unit: str
    values: tuple[float, ...]
    change: _Change


def _set(name: str) -> _Change:
    return lambda person, scene, value: (person, dataclasses.replace(scene, **{name: value}))


def _light(person: "Identity", scene: "Scene", azimuth: float) -> tuple["Identity", "Scene"]:
    from facelab.synth.scene import light_direction

    return person, dataclasses.replace(scene, key_direction=light_direction(azimuth, 0.5))


def _smile(person: "Identity", scene: "Scene", strength: float) -> tuple["Identity", "Scene"]:
    from facelab.synth.scene import expression_actions

    actions = expression_actions("laugh", strength, np.random.default_rng(0))
    return person, dataclasses.replace(scene, expression="laugh", strength=strength, actions=actions)


def _skin(person: "Identity", scene: "Scene", melanin: float) -> tuple["Identity", "Scene"]:
    return dataclasses.replace(person, melanin=melanin), scene


FACTORS: dict[str, Factor] = {
    "yaw": Factor("radians", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), _set("yaw")),
    "light": Factor("radians", (0.0, 0.4, 0.8, 1.2, 1.6), _light),
    "expression": Factor("strength of a laugh", (0.0, 0.25, 0.5, 0.75, 1.0), _smile),
    "skin": Factor("optical depth of melanin", (0.5, 0.1, 0.9, 1.3, 1.7, 2.1), _skin),
    "blur": Factor("pixels of 224", (0.3, 1.0, 2.0, 3.0, 4.0), _set("blur")),
    "exposure": Factor("stops", (0.0, -1.0, -0.5, 0.5, 1.0), _set("exposure")),
}


@dataclass(frozen=True, eq=False)
class Sweep:
    """Pictures of some identities with one factor moving.

    Attributes:
        factor: its name in FACTORS.
        values: of the factor, rising, shape (V,).
        reference: position of the reference in ``values``.
        images: chips, shape (P, V, size, size, 3), uint8.
    """

    factor: str
    values: np.ndarray
    reference: int
    images: np.ndarray


def sweep(factor: str, *, identities: int = 6, seed: int = 0, size: int = 64) -> Sweep:
    """Render new identities with one factor moving: frontal, neutral, in soft light, all else fixed.

    The pictures go the way of the data set's: rendered at 112 pixels, compressed as JPEG, shrunk to ``size``. About 20
    a second on two cores. The identities depend on the seed alone, so all factors show the same people; they are in
    none of the presets.

    Args:
        factor: a name in FACTORS.
        identities: how many people, P >= 2.
        seed: another seed gives other people.
        size: side of the chips in pixels.

    Raises:
        FacelabError: an unknown factor, or fewer than two identities.
    """
    if factor not in FACTORS:
        raise FacelabError(f"factor {factor!r}: choose one of {', '.join(FACTORS)}.")
    if identities < 2:
        raise FacelabError(f"identities={identities}: the angle between people needs at least 2.")
    import cv2

    from facelab.data.faceset import EncodedImages
    from facelab.synth.identity import sample_identity
    from facelab.synth.render import ChipFraming, renderer_for
    from facelab.synth.scene import Ranges, sample_scene
    from facelab.synth.sensor import encode_jpeg

    moved, renderer, framing = FACTORS[factor], renderer_for(), ChipFraming(112)
    values = np.array(sorted(moved.values))
    images = np.empty((identities, len(values), size, size, 3), np.uint8)
    plain = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "gaze": np.zeros(2), "actions": {}, "expression": "neutral"}
    plain |= {"strength": 0.0, "exposure": 0.0, "blur": 0.3, "motion": 0.0, "resolution": 1.0, "distance": 10.0}
    for p in range(identities):
        key = np.random.SeedSequence([8_000_000 + seed, p])  # far from the seeds of the presets
        person = sample_identity(renderer.model, key)
        scene = dataclasses.replace(sample_scene(key, Ranges.frontal()), **plain)
        _, scene = _light(person, scene, 0.0)
        changed = [moved.change(person, scene, float(value)) for value in values]
        if factor == "skin":  # another skin is another body; one at a time
            pictures = [
                renderer.render(renderer.body(who), [where], size=framing.shape, framing=framing)[0]
                for who, where in changed
            ]
        else:
            scenes = [where for _, where in changed]
            pictures = renderer.render(renderer.body(person), scenes, size=framing.shape, framing=framing)
        files = [encode_jpeg(picture.image, where.jpeg) for picture, (_, where) in zip(pictures, changed, strict=True)]
        for v, image in enumerate(EncodedImages(files, f"sweep of {factor}")):
            images[p, v] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    return Sweep(factor, values, int(np.flatnonzero(values == moved.values[0])[0]), images)


@dataclass(frozen=True, eq=False)
class Response:
    """How far embeddings move; angles in radians.

    Attributes:
        factor, values: as in :class:`Sweep`.
        moved: mean angle to the same person's picture at the reference, one Estimate for each value.
        others: mean angle between different people at the reference: the ruler to read ``moved`` by.
    """

    factor: str
    values: np.ndarray
    moved: list[Estimate]
    others: float


def response(embed: Callable[[np.ndarray], np.ndarray], swept: Sweep) -> Response:
    """Measure how far embeddings move when one factor does.

    Args:
        embed: from chips (n, size, size, 3) to embeddings (n, d), such as :class:`facelab.models.Embedder`.
        swept: from :func:`sweep`.

    Returns:
        Angles with 95 % intervals from a bootstrap over the people.

    Raises:
        FacelabError: an embedding without direction.
    """
    people, number = swept.images.shape[:2]
    embeddings = unit(embed(swept.images.reshape(-1, *swept.images.shape[2:]))).reshape(people, number, -1)
    start = embeddings[:, swept.reference]
    angles = np.arccos(np.clip(np.einsum("pvd,pd->pv", embeddings, start), -1, 1))
    between = np.arccos(np.clip(start @ start.T, -1, 1))[np.triu_indices(people, k=1)]
    moved = [mean_by_identity(angles[:, v], np.arange(people), share=False) for v in range(number)]
    return Response(swept.factor, swept.values, moved, float(between.mean()))


def responses(embed: Callable[[np.ndarray], np.ndarray], sweeps: Sequence[Sweep]) -> dict[str, Response]:
    """Measure several sweeps; by name of the factor."""
    return {swept.factor: response(embed, swept) for swept in sweeps}
