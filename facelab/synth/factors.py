"""The factors of a rendered image: what each rendering parameter can be, and how a table of them enters a model.

All of them are rendering parameters of invented heads, not labels of people. ``of_person`` and ``of_scene`` cover every
field of :class:`~facelab.synth.identity.Identity` and of :class:`~facelab.synth.scene.Scene` that changes a chip.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facelab.errors import FacelabError
from facelab.synth.identity import BEARDS, HAIR_STYLES
from facelab.synth.scene import EXPRESSIONS, OCCLUDERS, blackbody, expression_actions, gaze_actions, light_direction

if TYPE_CHECKING:
    import pandas as pd

    from facelab.synth.head import HeadModel

Frame = Literal["skin", "face", "head", "bust"]
STEPS = 7  # images of a factor that is a number


@dataclass(frozen=True)
class Factor:
    """One thing about a person or a scene that can be moved alone.

    Attributes:
        values: to show it at, numbers or words.
        change: from a value to the fields that it sets.
        label: from a value to what stands below its image.
        frame: how much an image must show.
        fixed: fields set for all of its images, so that it can be seen well.
    """

    values: Sequence[Any]
    change: Callable[[Any], dict[str, Any]]
    label: Callable[[Any], str] = str
    frame: Frame = "face"
    fixed: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Steps:
    """How a factor moves where the answer of a network is measured.

    Attributes:
        part, factor: whose, and its name in the table.
        unit: of ``values``; the first value is the reference, from which the answer is measured.
    """

    part: Literal["person", "scene"]
    factor: str
    unit: str
    values: tuple[float, ...]


SWEEPS: dict[str, Steps] = {
    "yaw": Steps("scene", "yaw", "radians", (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)),
    "light": Steps("scene", "light from", "radians", (0.0, 0.4, 0.8, 1.2, 1.6)),
    "expression": Steps("scene", "strength of a laugh", "strength of a laugh", (0.0, 0.25, 0.5, 0.75, 1.0)),
    "skin": Steps("person", "melanin", "optical depth of melanin", (0.5, 0.1, 0.9, 1.3, 1.7, 2.1)),
    "blur": Steps("scene", "blur, pixels", "pixels of 224", (0.3, 1.0, 2.0, 3.0, 4.0)),
    "exposure": Steps("scene", "exposure, stops", "stops", (0.0, -1.0, -0.5, 0.5, 1.0)),
}


def _numbers(name: str, low: float, high: float, form: str = ".1f", *, frame: Frame = "face", **fixed: Any) -> Factor:
    """The field ``name`` in even steps from ``low`` to ``high``, with the ``fixed`` ones set for all images."""
    return _each(np.linspace(low, high, STEPS), f"{{:{form}}}".format, lambda v: {name: v}, frame, **fixed)


def _words(name: str, values: Sequence[str], *, frame: Frame = "face", **fixed: Any) -> Factor:
    return Factor(values, lambda word: {name: word}, frame=frame, fixed=fixed)


def _each(
    values: Iterable[float],
    label: Callable[[float], str],
    change: Callable[[float], dict[str, Any]],
    frame: Frame = "face",
    **fixed: Any,
) -> Factor:
    return Factor([float(v) for v in values], change, label, frame, fixed)


def of_person(model: "HeadModel") -> dict[str, Factor]:
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
    light: dict[str, Any] = {"melanin": 0.25}
    bare: dict[str, Any] = {"beard": "none"}
    steps = np.linspace(-1, 1, STEPS)
    return {
        "bone structure": _each(steps, "{:+.1f}".format, lambda t: {"axes": axes(t)}, "head"),
        "age": _each(np.linspace(0, 1, STEPS), "{:.1f}".format, aged),
        "sex-linked shape": _numbers("femaleness", 0.03, 0.97, frame="head"),
        "muscle": _numbers("muscle", 0.1, 0.95, frame="head"),
        "weight": _numbers("weight", 0.05, 0.95, frame="head"),
        "shape mixture": _each(np.linspace(0, 2, STEPS), "{:.1f}".format, lambda t: {"ethnicity": mixture(t)}),
        "melanin": _numbers("melanin", 0.08, 2.0),
        "haemoglobin": _numbers("haemoglobin", 0.1, 0.75, ".2f", **light),
        "blotches": _numbers("blotches", 0, 1, **light, frame="skin"),
        "freckles": _numbers("freckles", 0, 1, **light, frame="skin"),
        "moles": _numbers("moles", 0, 3, frame="skin"),
        "wrinkles": _numbers("wrinkles", 0, 1, frame="skin"),
        "dark circles": _numbers("dark_circles", 0, 1, frame="skin"),
        "gloss": _numbers("gloss", 0.4, 1.7, frame="skin"),
        "iris": Factor(tuple(irises), lambda name: {"iris": np.array(irises[name])}, frame="skin"),
        "lashes": _numbers("lashes", 0.15, 0.95, frame="skin"),
        "brows: thickness": _numbers("brow_thickness", 0.14, 0.9),
        "brows: density": _numbers("brow_density", 0.25, 1),
        "brows: height": _numbers("brow_height", -1, 1),
        "brows: arch": _numbers("brow_arch", -0.1, 1.1),
        "brows: tilt": _numbers("brow_tilt", -1, 1),
        "brows: length": _numbers("brow_length", 0.85, 1.12, ".2f"),
        "lips: redness": _numbers("lip_redness", 0.05, 1.1, frame="skin"),
        "lips: darkness": _numbers("lip_darkness", 0, 0.5, ".2f", frame="skin"),
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


def of_scene() -> dict[str, Factor]:
    """Return the factors of a scene by name."""
    lit: dict[str, Any] = {"key_strength": 3.0, "key_softness": 0.1, "fill_strength": 0.0}
    aside = lit | {"key_direction": light_direction(-0.8, 0.45)}

    def degrees(value: float) -> str:
        return f"{round(np.degrees(value)) + 0}°"

    def angle(name: str, furthest: float) -> Factor:
        return _each(np.linspace(-furthest, furthest, STEPS), degrees, lambda v: {name: v}, "head")

    def look(gaze: np.ndarray) -> dict[str, Any]:
        return {"gaze": gaze, "actions": gaze_actions(gaze)}

    def mood(name: str, strength: float = 1.0, seed: int = 1) -> dict[str, Any]:
        actions = expression_actions(name, strength, np.random.default_rng(seed))
        return {"expression": name, "strength": strength, "actions": actions}

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
        "expression": Factor(EXPRESSIONS[:half], mood),
        "expression, more": Factor(EXPRESSIONS[half:], mood),
        "strength of a laugh": _each(
            np.linspace(0, 1, STEPS),
            share,
            lambda v: mood("laugh", v, 0),
        ),
        "gaze aside": _each(np.linspace(-0.42, 0.42, STEPS), degrees, lambda v: look(np.array([v, 0.0])), "skin"),
        "gaze up": _each(np.linspace(-0.3, 0.18, STEPS), degrees, lambda v: look(np.array([0.0, v])), "skin"),
        "light from": _each(
            np.linspace(-1.5, 1.5, STEPS), degrees, lambda v: {"key_direction": light_direction(v, 0.5)}, **lit
        ),
        "light's height": _each(
            np.linspace(-0.25, 1.3, STEPS), degrees, lambda v: {"key_direction": light_direction(-0.4, v)}, **lit
        ),
        "light's size": _each(np.geomspace(0.01, 0.8, STEPS), share, lambda v: {"key_softness": v}, "skin", **aside),
        "light's strength": _each(np.geomspace(0.2, 6, STEPS), share, lambda v: {"key_strength": v}, **aside),
        "light's colour": _each(temperatures, kelvin, lambda v: {"key_temperature": v}, **aside),
        "sky": _each(np.linspace(4500, 9500, STEPS), kelvin, lambda v: {"sky": blackbody(v)}, key_strength=0.3),
        "ground": _each(np.linspace(0.15, 0.75, STEPS), share, lambda v: {"ground": np.full(3, v)}, key_strength=0.3),
        "second light": _each(
            np.linspace(0, 0.5, STEPS), share, lambda v: {"fill_strength": v}, fill=light_direction(0.9, 0.1), **aside
        ),
        "distance, dm": _each(np.geomspace(3.5, 30, STEPS), "{:.0f}".format, lambda v: {"distance": v}, "head"),
        "occluder": _words("occluder", OCCLUDERS, frame="head"),
        "kinds of glasses": _each(seeds, "{:.0f}".format, lambda v: {"occluder_seed": int(v)}, occluder="glasses"),
        "background": _each(seeds, "{:.0f}".format, lambda v: {"background_seed": int(v)}, "head"),
        "clothes": Factor(range(STEPS), lambda i: {"cloth": np.array(cloths[i])}, frame="bust"),
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


def factor_features(table: "pd.DataFrame") -> dict[str, np.ndarray]:
    """Turn the columns of a SynthFaces table into blocks of numbers for a linear model; each (n, p), standardised.

    Angles enter with their squares, words as one column each (an expression times its strength), lengths that spread
    over decades as logarithms. ``skin`` is constant within an identity, the other blocks are not.

    Raises:
        FacelabError: a column is missing; the table is not of SynthFaces.
    """
    import pandas as pd

    try:
        yaw, pitch, azimuth, elevation = (
            table[name].to_numpy(np.float64) for name in ("yaw", "pitch", "light_azimuth", "light_elevation")
        )
        expression = pd.get_dummies(table["expression"], dtype=float).drop(columns="neutral", errors="ignore")
        blocks = {
            "pose": [yaw, yaw**2, pitch, pitch**2, yaw * pitch],
            "light": [
                *(azimuth, azimuth**2, elevation, elevation**2, np.log(table["key_strength"])),
                *(np.log(table["key_softness"]), table["key_temperature"], table["exposure"]),
            ],
            "expression": list((expression.to_numpy() * table[["strength"]].to_numpy()).T),
            "occluder": list(
                pd.get_dummies(table["occluder"], dtype=float).drop(columns="none", errors="ignore").T.values
            ),
            "distance": [np.log(table["distance"])],
            "image quality": [np.log(table["noise"]), table["blur"], table["jpeg"], table["resolution"]],
            "skin": [table["melanin"], table["melanin"] ** 2, table["haemoglobin"]],
        }
    except KeyError as error:
        raise FacelabError(f"the table has no column {error}; factors are known for SynthFaces only.") from error
    features = {}
    for name, columns in blocks.items():
        x = np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=1)
        x = x[:, x.std(axis=0) > 1e-12]
        features[name] = (x - x.mean(axis=0)) / x.std(axis=0)
    return {name: x for name, x in features.items() if x.shape[1]}
