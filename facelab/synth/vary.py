"""One factor at a time: what each rendering parameter does to an image while all others stay.

``vary`` shows one person, with any factor of :mod:`facelab.synth.factors`; ``sweep`` gives chips of several people, to
measure by.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.synth.factors import STEPS, SWEEPS, Factor, of_person, of_scene
from facelab.synth.identity import Identity, look_alike, sample_identity, sibling
from facelab.synth.scene import Ranges, Scene, light_direction, sample_scene

if TYPE_CHECKING:
    from facelab.synth.render import ChipFraming, Picture, Renderer

Part = Literal["person", "scene"]

# A head that looks at the camera and does nothing.
FRONTAL: dict[str, Any] = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "gaze": np.zeros(2), "actions": {}}
FRONTAL |= {"expression": "neutral", "strength": 0.0, "occluder": "none"}


@dataclass(frozen=True)
class Varied:
    """Images that differ in one thing: what each shows, and (size, size, 3) uint8 images."""

    labels: list[str]
    images: list[np.ndarray]


def vary(
    part: Part, factors: Sequence[str] | None = None, *, seed: int = 12, size: int = 112, steps: int = STEPS
) -> dict[str, Varied]:
    """Render a person in a scene again and again, with one factor moving.

    Args:
        part: ``"person"`` changes who is seen, ``"scene"`` how.
        factors: their names, in the order wanted; all if not given. All take half a minute for a person, some seconds
            for a scene.
        seed: of the person and the scene that everything starts from.
        size: side of the images in pixels.
        steps: show a factor that has STEPS values at so many of them, from the first to the last; fewer take less time.

    Raises:
        FacelabError: an unknown part or factor, or ``steps`` outside 2 to STEPS.
    """
    from facelab.synth.render import renderer_for

    if not 2 <= steps <= STEPS:
        raise FacelabError(f"steps={steps}: choose 2 to {STEPS}.")
    if part not in ("person", "scene"):
        raise FacelabError(f"part {part!r}: choose 'person' or 'scene'.")
    renderer = renderer_for()
    person, scene = sample_identity(renderer.model, seed), plain_scene(seed)
    known = factors_of(part, renderer)
    for name in factors or ():
        if name not in known:
            raise FacelabError(f"factor {name!r} of a {part}: choose among {', '.join(known)}.")
    result = {}
    for name in factors or known:
        factor, values = known[name], known[name].values
        if len(values) == STEPS:
            values = [values[round(i)] for i in np.linspace(0, STEPS - 1, steps)]
        images = render_factor(renderer, part, factor, values, person, scene, size)
        result[name] = Varied([factor.label(value) for value in values], images)
    return result


def relatives(seeds: Sequence[int] = (3, 8, 14, 21), *, size: int = 112) -> list[Varied]:
    """Render people, each with two siblings, two look-alikes and two strangers, all in the same scene.

    Args:
        seeds: of the people.
        size: side of the images in pixels.
    """
    from facelab.synth.render import ChipFraming, renderer_for

    renderer = renderer_for()
    model, framing = renderer.model, ChipFraming(size)
    scene = sample_scene(7, Ranges.frontal())
    families = []
    for seed in seeds:
        person = sample_identity(model, seed)
        people = [
            ("person", person),
            *(("sibling", sibling(model, person, thousand + seed)) for thousand in (1000, 2000)),
            *(("look-alike", look_alike(model, person, thousand + seed)) for thousand in (3000, 4000)),
            *(("stranger", sample_identity(model, thousand + seed)) for thousand in (5000, 6000)),
        ]
        images = [
            renderer.render(renderer.body(who), [scene], size=framing.shape, framing=framing)[0].image
            for _, who in people
        ]
        families.append(Varied([name for name, _ in people], images))
    return families


def factors_of(part: Part, renderer: "Renderer") -> dict[str, Factor]:
    """Return the factors of a person or of a scene, by name."""
    return of_person(renderer.model) if part == "person" else of_scene()


def render_factor(
    renderer: "Renderer", part: Part, factor: Factor, values: Sequence[Any], person: Identity, scene: Scene, size: int
) -> list[np.ndarray]:
    """Render a factor at some values, framed as it asks for: (size, size, 3) uint8 each."""
    return [
        shown_part(picture.image, factor, size)
        for picture in render_pictures(renderer, part, factor, values, person, scene, size)
    ]


def render_pictures(
    renderer: "Renderer", part: Part, factor: Factor, values: Sequence[Any], person: Identity, scene: Scene, size: int
) -> "list[Picture]":
    """Render a factor at some values: whole pictures, with the truth about them; see :func:`shown_part`."""
    from facelab.synth.render import ChipFraming

    framing = {
        "skin": ChipFraming(2 * size),  # of which the middle is shown
        "face": ChipFraming(size),
        "head": ChipFraming(int(size * 0.75), size // 8),
        "bust": ChipFraming(size // 2, size // 4),
    }[factor.frame]
    changes = [{**factor.fixed, **factor.change(value)} for value in values]
    return render_changes(renderer, part, changes, person, scene, framing)


def shown_part(image: np.ndarray, factor: Factor, size: int) -> np.ndarray:
    """Return what a factor shows of a picture: (size, size, 3) uint8."""
    import cv2

    if factor.frame == "skin":
        top, left = round(0.72 * size), size // 2
        image = image[top : top + size, left : left + size]
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def render_changes(
    renderer: "Renderer",
    part: Part,
    changes: list[dict[str, Any]],
    person: Identity,
    scene: Scene,
    framing: "ChipFraming",
) -> "list[Picture]":
    """One picture for each change, JPEG compression included."""
    from facelab.data.faceset import EncodedImages
    from facelab.synth.sensor import encode_jpeg

    if part == "person":  # another person is another body
        scenes = [scene] * len(changes)
        pictures = [
            renderer.render(renderer.body(replace(person, **change)), [scene], size=framing.shape, framing=framing)[0]
            for change in changes
        ]
    else:
        scenes = [replace(scene, **change) for change in changes]
        pictures = renderer.render(renderer.body(person), scenes, size=framing.shape, framing=framing)
    files = [encode_jpeg(picture.image, how.jpeg) for picture, how in zip(pictures, scenes, strict=True)]
    images = EncodedImages(files, "one factor at a time")
    return [replace(picture, image=image) for picture, image in zip(pictures, images, strict=True)]


def plain_scene(seed: int) -> Scene:
    """Return a frontal, neutral scene with a clean sensor, from which factors are moved."""
    changes: dict[str, Any] = {**FRONTAL, "jitter": np.zeros(4)}
    changes |= {"noise": 0.004, "blur": 0.3, "motion": 0.0, "resolution": 1.0, "jpeg": 95}
    return replace(sample_scene(seed, Ranges.frontal()), **changes)


@dataclass(frozen=True, eq=False)
class Sweep:
    """Images of some identities with one factor moving.

    Attributes:
        factor: its name in SWEEPS.
        unit: of the values.
        values: of the factor, rising, shape (V,).
        reference: position of the reference in ``values``.
        images: chips, shape (P, V, size, size, 3), uint8.
    """

    factor: str
    unit: str
    values: np.ndarray
    reference: int
    images: np.ndarray


def sweep(factor: str, *, identities: int = 6, seed: int = 0, size: int = 64) -> Sweep:
    """Render new identities with one factor moving: frontal, neutral, in soft light, all else fixed.

    The images go the way of the data set's: rendered at 112 pixels, compressed as JPEG, shrunk to ``size``. About 20
    a second on two cores. The identities depend on the seed alone, so all factors show the same people; they are in
    none of the presets.

    Args:
        factor: a name in :data:`facelab.synth.factors.SWEEPS`.
        identities: how many people, P >= 2.
        seed: another seed gives other people.
        size: side of the chips in pixels.

    Raises:
        FacelabError: an unknown factor, or fewer than two identities.
    """
    if factor not in SWEEPS:
        raise FacelabError(f"factor {factor!r}: choose one of {', '.join(SWEEPS)}.")
    if identities < 2:
        raise FacelabError(f"identities={identities}: the angle between people needs at least 2.")
    import cv2

    from facelab.synth.render import ChipFraming, renderer_for

    steps, renderer = SWEEPS[factor], renderer_for()
    change = factors_of(steps.part, renderer)[steps.factor].change
    values = np.array(sorted(steps.values))
    images = np.empty((identities, len(values), size, size, 3), np.uint8)
    plain = FRONTAL | {"exposure": 0.0, "blur": 0.3, "motion": 0.0, "resolution": 1.0, "distance": 10.0}
    plain["key_direction"] = light_direction(0.0, 0.5)
    for p in range(identities):
        key = np.random.SeedSequence([8_000_000 + seed, p])  # far from the seeds of the presets
        person = sample_identity(renderer.model, key)
        scene = replace(sample_scene(key, Ranges.frontal()), **plain)
        changes = [change(float(value)) for value in values]
        for v, picture in enumerate(render_changes(renderer, steps.part, changes, person, scene, ChipFraming(112))):
            images[p, v] = cv2.resize(picture.image, (size, size), interpolation=cv2.INTER_AREA)
    return Sweep(factor, steps.unit, values, int(np.flatnonzero(values == steps.values[0])[0]), images)
