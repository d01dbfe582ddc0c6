"""One factor at a time: what each rendering parameter does to a picture while all others stay.

``vary("person")`` and ``vary("scene")`` cover every field of :class:`~facelab.synth.identity.Identity` and of
:class:`~facelab.synth.scene.Scene` that changes a chip.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.synth.identity import BEARDS, HAIR_STYLES
from facelab.synth.scene import (
    EXPRESSIONS,
    OCCLUDERS,
    Ranges,
    Scene,
    blackbody,
    expression_actions,
    gaze_actions,
    light_direction,
    sample_scene,
)

if TYPE_CHECKING:
    from facelab.synth.body import Body
    from facelab.synth.head import HeadModel
    from facelab.synth.render import Renderer

Frame = Literal["skin", "face", "head", "bust"]
STEPS = 7  # pictures of a factor that is a number


@dataclass(frozen=True)
class Variation:
    """The values of one factor.

    Attributes:
        labels: what stands below each picture.
        changes: the fields to change for each picture.
        frame: how much the picture must show.
    """

    labels: list[str]
    changes: list[dict[str, Any]]
    frame: Frame = "face"


@dataclass(frozen=True)
class Varied:
    """Pictures of one factor: labels, and (size, size, 3) uint8 images."""

    labels: list[str]
    images: list[np.ndarray]


def vary(
    part: Literal["person", "scene"], factors: Sequence[str] | None = None, *, seed: int = 12, size: int = 112
) -> dict[str, Varied]:
    """Render a person in a scene again and again, with one factor moving.

    Args:
        part: ``"person"`` changes who is seen, ``"scene"`` how.
        factors: their names, in the order wanted; all if not given. All take half a minute for a person, some seconds
            for a scene.
        seed: of the person and the scene that everything starts from.
        size: side of the pictures in pixels.

    Raises:
        FacelabError: an unknown part or factor.
    """
    from facelab.synth.identity import sample_identity
    from facelab.synth.render import renderer_for

    if part not in ("person", "scene"):
        raise FacelabError(f"part {part!r}: choose 'person' or 'scene'.")
    renderer = renderer_for()
    person, scene = sample_identity(renderer.model, seed), plain_scene(seed)
    known = of_person(renderer.model) if part == "person" else of_scene()
    for name in factors or ():
        if name not in known:
            raise FacelabError(f"factor {name!r} of a {part}: choose among {', '.join(known)}.")
    body, result = renderer.body(person), {}
    for name in factors or known:
        variation, images = known[name], []
        for change in variation.changes:
            if part == "person":
                body = renderer.body(replace(person, **change))
            how = replace(scene, **change) if part == "scene" else scene
            images.append(photograph(renderer, body, how, variation.frame, size))
        result[name] = Varied(variation.labels, images)
    return result


def photograph(renderer: "Renderer", body: "Body", scene: Scene, frame: Frame, size: int) -> np.ndarray:
    """Render one picture, (size, size, 3) uint8, JPEG compression included."""
    import cv2

    from facelab.data.faceset import EncodedImages
    from facelab.synth.render import ChipFraming
    from facelab.synth.sensor import encode_jpeg

    framing = {
        "skin": ChipFraming(2 * size),  # of which the middle is shown
        "face": ChipFraming(size),
        "head": ChipFraming(int(size * 0.75), size // 8),
        "bust": ChipFraming(size // 2, size // 4),
    }[frame]
    picture = renderer.render(body, [scene], size=framing.shape, framing=framing)[0]
    image = EncodedImages([encode_jpeg(picture.image, scene.jpeg)], "varied picture")[0]
    if frame == "skin":
        top, left = round(0.72 * size), size // 2
        image = image[top : top + size, left : left + size]
    return cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)


def plain_scene(seed: int) -> Scene:
    """Return a frontal, neutral scene with a clean sensor, from which factors are moved."""
    changes = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "gaze": np.zeros(2), "actions": {}, "jitter": np.zeros(4)}
    changes |= {"noise": 0.004, "blur": 0.3, "motion": 0.0, "resolution": 1.0, "jpeg": 95, "occluder": "none"}
    return replace(sample_scene(seed, Ranges.frontal()), **changes)


def _numbers(
    name: str, low: float, high: float, form: str = ".1f", *, frame: Frame = "face", **fixed: Any
) -> Variation:
    """The field ``name`` in even steps from ``low`` to ``high``, with the ``fixed`` ones set for all pictures."""
    return _each(np.linspace(low, high, STEPS), f"{{:{form}}}".format, lambda v: fixed | {name: v}, frame)


def _words(name: str, values: Iterable[str], *, frame: Frame = "face", **fixed: Any) -> Variation:
    return Variation(list(values), [fixed | {name: value} for value in values], frame)


def _each(
    values: Iterable[float],
    label: Callable[[float], str],
    change: Callable[[float], dict[str, Any]],
    frame: Frame = "face",
) -> Variation:
    values = [float(v) for v in values]
    return Variation([label(v) for v in values], [change(v) for v in values], frame)


def of_person(model: "HeadModel") -> dict[str, Variation]:
    """Return the factors of a person by name."""
    bones = {"nose-scale-horiz": 1.0, "nose-scale-vert": 0.8, "chin-width": 1.0, "chin-height": 0.8, "cheek-bones": 0.8}

    def axes(t: float) -> np.ndarray:
        return np.array([t * sum(v for part, v in bones.items() if part in name) for name in model.axis_names])

    def aged(age: float) -> dict[str, float]:  # shape, wrinkles and hair together
        grey, wrinkles = np.clip([1.6 * age - 0.6, 1.2 * (age - 0.05)], 0, 1).tolist()
        return {"age": age, "wrinkles": wrinkles, "grey": grey}

    def mixture(t: float) -> np.ndarray:
        return np.array([max(1 - t, 0), 1 - abs(1 - t), max(t - 1, 0)])

    irises = {
        "blue": (0.14, 0.21, 0.30),
        "grey": (0.20, 0.24, 0.26),
        "green": (0.16, 0.19, 0.10),
        "amber": (0.17, 0.12, 0.05),
        "hazel": (0.13, 0.065, 0.026),
        "brown": (0.075, 0.035, 0.016),
        "dark": (0.035, 0.018, 0.011),
    }
    light, bare = {"melanin": 0.25}, {"beard": "none"}
    steps = np.linspace(-1, 1, STEPS)
    return {
        "bone structure": _each(steps, "{:+.1f}".format, lambda t: {"axes": axes(t)}),
        "age": _each(np.linspace(0, 1, STEPS), "{:.1f}".format, aged),
        "sex-linked shape": _numbers("femaleness", 0.03, 0.97),
        "muscle": _numbers("muscle", 0.1, 0.95),
        "weight": _numbers("weight", 0.05, 0.95),
        "shape mixture": _each(np.linspace(0, 2, STEPS), "{:.1f}".format, lambda t: {"ethnicity": mixture(t)}),
        "melanin": _numbers("melanin", 0.08, 2.0),
        "haemoglobin": _numbers("haemoglobin", 0.1, 0.75, ".2f", **light),
        "blotches": _numbers("blotches", 0, 1, **light, frame="skin"),
        "freckles": _numbers("freckles", 0, 1, **light, frame="skin"),
        "moles": _numbers("moles", 0, 3, frame="skin"),
        "wrinkles": _numbers("wrinkles", 0, 1),
        "dark circles": _numbers("dark_circles", 0, 1, frame="skin"),
        "gloss": _numbers("gloss", 0.4, 1.7, frame="skin"),
        "iris": Variation(list(irises), [{"iris": np.array(colour)} for colour in irises.values()], "skin"),
        "lashes": _numbers("lashes", 0.15, 0.95, frame="skin"),
        "brows: thickness": _numbers("brow_thickness", 0.14, 0.9),
        "brows: density": _numbers("brow_density", 0.25, 1),
        "brows: height": _numbers("brow_height", -1, 1),
        "brows: arch": _numbers("brow_arch", -0.1, 1.1),
        "brows: tilt": _numbers("brow_tilt", -1, 1),
        "brows: length": _numbers("brow_length", 0.85, 1.12, ".2f"),
        "lips: redness": _numbers("lip_redness", 0.05, 1.1),
        "lips: darkness": _numbers("lip_darkness", 0, 0.5, ".2f"),
        "hair": _words("hair_style", HAIR_STYLES[:6], frame="head", **bare),
        "hair, more": _words("hair_style", HAIR_STYLES[6:], frame="head", **bare),
        "hair: length": _numbers("hair_length", 0.6, 1.4, hair_style="bob", frame="head"),
        "hair: volume": _numbers("hair_volume", 0.1, 1.0, hair_style="wavy", frame="head"),
        "hair: curl": _numbers("curl", 0, 1, hair_style="long", frame="head"),
        "hair: parting": _numbers("hair_part", -1, 1, hair_style="side", frame="head"),
        "hair: fringe": _numbers("fringe", 0, 1, hair_style="bob", frame="head"),
        "hairline": _numbers("hairline", -1.2, 0.8, hair_style="short", frame="head"),
        "brown pigment": _numbers("eumelanin", 0.12, 3.0, grey=0.0, pheomelanin=0.05),
        "red pigment": _numbers("pheomelanin", 0, 1.2, grey=0.0, eumelanin=0.4),
        "grey": _numbers("grey", 0, 1),
        "beard": _words("beard", BEARDS, beard_density=1.0),
        "beard: length": _numbers("beard_length", 0.2, 1.0, beard="full"),
        "beard: density": _numbers("beard_density", 0.5, 1.0, ".2f", beard="full"),
    }


def of_scene() -> dict[str, Variation]:
    """Return the factors of a scene by name."""
    lit = {"key_strength": 3.0, "key_softness": 0.1, "fill_strength": 0.0}
    aside = lit | {"key_direction": light_direction(-0.8, 0.45)}

    def degrees(value: float) -> str:
        return f"{round(np.degrees(value)) + 0}°"

    def angle(name: str, furthest: float) -> Variation:
        return _each(np.linspace(-furthest, furthest, STEPS), degrees, lambda v: {name: v}, "head")

    def look(gaze: np.ndarray) -> dict[str, Any]:
        return {"gaze": gaze, "actions": gaze_actions(gaze)}

    def mood(name: str) -> dict[str, Any]:
        return {"expression": name, "actions": expression_actions(name, 1.0, np.random.default_rng(1))}

    def kelvin(value: float) -> str:
        return f"{value:.0f} K"

    def share(value: float) -> str:
        return f"{value:.2f}"

    half = len(EXPRESSIONS) // 2
    temperatures, seeds = np.linspace(2800, 8500, STEPS), np.arange(STEPS)
    cloths = [(0.03,) * 3, (0.12,) * 3, (0.4,) * 3, (0.7,) * 3, (0.3, 0.04, 0.04), (0.04, 0.2, 0.06), (0.04, 0.07, 0.3)]
    return {
        "yaw": angle("yaw", 1.0),
        "pitch": angle("pitch", 0.45),
        "roll": angle("roll", 0.5),
        "expression": Variation(list(EXPRESSIONS[:half]), [mood(name) for name in EXPRESSIONS[:half]]),
        "expression, more": Variation(list(EXPRESSIONS[half:]), [mood(name) for name in EXPRESSIONS[half:]]),
        "strength of a laugh": _each(
            np.linspace(0, 1, STEPS),
            share,
            lambda v: {"strength": v, "actions": expression_actions("laugh", v, np.random.default_rng(1))},
        ),
        "gaze aside": _each(np.linspace(-0.42, 0.42, STEPS), degrees, lambda v: look(np.array([v, 0.0]))),
        "gaze up": _each(np.linspace(-0.3, 0.18, STEPS), degrees, lambda v: look(np.array([0.0, v]))),
        "light from": _each(
            np.linspace(-1.5, 1.5, STEPS), degrees, lambda v: lit | {"key_direction": light_direction(v, 0.45)}
        ),
        "light's height": _each(
            np.linspace(-0.25, 1.3, STEPS), degrees, lambda v: lit | {"key_direction": light_direction(-0.4, v)}
        ),
        "light's size": _each(np.geomspace(0.01, 0.8, STEPS), share, lambda v: aside | {"key_softness": v}),
        "light's strength": _each(np.geomspace(0.2, 6, STEPS), share, lambda v: aside | {"key_strength": v}),
        "light's colour": _each(temperatures, kelvin, lambda v: aside | {"key_temperature": v}),
        "sky": _each(np.linspace(4500, 9500, STEPS), kelvin, lambda v: {"sky": blackbody(v), "key_strength": 0.3}),
        "ground": _each(
            np.linspace(0.15, 0.75, STEPS), share, lambda v: {"ground": np.full(3, v), "key_strength": 0.3}
        ),
        "second light": _each(
            np.linspace(0, 0.5, STEPS), share, lambda v: aside | {"fill_strength": v, "fill": light_direction(0.9, 0.1)}
        ),
        "distance, dm": _each(np.geomspace(3.5, 30, STEPS), "{:.0f}".format, lambda v: {"distance": v}, "head"),
        "occluder": _words("occluder", OCCLUDERS, frame="head"),
        "kinds of glasses": _each(seeds, "{:.0f}".format, lambda v: {"occluder": "glasses", "occluder_seed": int(v)}),
        "background": _each(seeds, "{:.0f}".format, lambda v: {"background_seed": int(v)}, "head"),
        "clothes": Variation([str(i) for i in range(STEPS)], [{"cloth": np.array(c)} for c in cloths], "bust"),
        "neckline": _numbers("neckline", 0, 1, frame="bust"),
        "exposure, stops": _numbers("exposure", -1.0, 0.9),
        "white balance": _each(
            np.linspace(-0.2, 0.2, STEPS), "{:+.2f}".format, lambda v: {"white_balance": np.exp([v, -v])}
        ),
        "contrast": _numbers("contrast", 0.7, 1.4, ".2f"),
        "saturation": _numbers("saturation", 0.5, 1.4, ".2f"),
        "noise": _numbers("noise", 0.004, 0.034, ".3f"),
        "blur, pixels": _numbers("blur", 0.3, 4.5),
        "motion, pixels": _numbers("motion", 0, 6),
        "resolution": _numbers("resolution", 1.0, 0.35, ".2f"),
        "JPEG quality": _each(np.linspace(95, 35, STEPS), "{:.0f}".format, lambda v: {"jpeg": int(v)}),
    }
