"""How seen: pose, expression, gaze, light, camera, clothes, occluders, background and sensor of one picture, from one
seed."""

from dataclasses import dataclass, field

import numpy as np

OCCLUDERS = ("none", "glasses", "sunglasses", "hat", "mask", "hand")
EXPRESSIONS = (
    "neutral",
    "slight smile",
    "smile",
    "laugh",
    "talk",
    "surprise",
    "frown",
    "sad",
    "disgust",
    "pucker",
    "blink",
    "smirk",
)


@dataclass(frozen=True)
class Ranges:
    """How varied the scenes are. The defaults make the data sets of the course; ``frontal()`` a calm set for
    demonstrations.

    Attributes:
        yaw, pitch, roll: standard deviations in radians, drawn normal and clipped at ``max_yaw``, 0.5 and 0.5.
        profile: share of pictures with a yaw drawn evenly from the whole range instead.
        expression: multiplies the strength of expressions.
        light: 0 keeps soft frontal light, 1 lets the key light come from anywhere in front and above.
        occluders: share of pictures with an occluder.
        quality: 0 is a clean sensor, 1 the full range of noise, blur, compression and low resolution.
    """

    yaw: float = 0.35
    pitch: float = 0.14
    roll: float = 0.10
    max_yaw: float = 1.1
    profile: float = 0.10
    expression: float = 1.0
    light: float = 1.0
    occluders: float = 0.15
    quality: float = 1.0

    @staticmethod
    def frontal() -> "Ranges":
        return Ranges(yaw=0.08, pitch=0.05, roll=0.02, profile=0, expression=0.5, light=0.3, occluders=0, quality=0.2)


@dataclass(frozen=True)
class Scene:
    """The rendering parameters of one picture. Angles in radians, lengths in dm, colours linear RGB.

    Attributes:
        yaw: positive when the face turns to image right; pitch: positive upwards; roll: positive clockwise in the
            image.
        gaze: (2,) extra yaw and pitch of the eyes.
        expression: its name; actions: facial actions and their strengths.
        key_direction: (3,) unit vector towards the key light; key_strength: key over ambient; key_softness: tangent of
            the light's angular radius (0.02 is hard sun, 0.5 an overcast window); key_temperature in kelvin.
        sky, ground: linear RGB of the environment above and below; fill: (3,) direction of a weak second light.
        distance: camera to head, dm; (4 is a selfie, 30 a telephoto).
        occluder: one of OCCLUDERS; occluder_seed: its look.
        background_seed, cloth, neckline: what is around the face.
        exposure: stops; white_balance: (2,) gain errors of red and blue; noise, blur (pixels), jpeg quality, resolution
            (share of pixels that the sensor has), contrast.
        jitter: (4,) alignment error of the chip is none: chips are cropped by true landmarks; the full crop shifts by
            this.
    """

    seed: int
    yaw: float
    pitch: float
    roll: float
    gaze: np.ndarray
    expression: str
    strength: float
    actions: dict[str, float] = field(hash=False)
    key_direction: np.ndarray
    key_strength: float
    key_softness: float
    key_temperature: float
    sky: np.ndarray
    ground: np.ndarray
    fill: np.ndarray
    fill_strength: float
    distance: float
    occluder: str
    occluder_seed: int
    background_seed: int
    cloth: np.ndarray
    neckline: float
    exposure: float
    white_balance: np.ndarray
    contrast: float
    saturation: float
    noise: float
    blur: float
    motion: float
    jpeg: int
    resolution: float
    jitter: np.ndarray

    def columns(self) -> dict[str, float | str]:
        """The fields that the data set's table lists."""
        names = (
            *("yaw", "pitch", "roll", "expression", "strength", "key_strength", "key_softness"),
            *("key_temperature", "distance", "occluder", "exposure", "noise", "blur", "jpeg", "resolution"),
        )
        row = {name: getattr(self, name) for name in names}
        x, y, z = map(float, self.key_direction)
        return row | {
            "gaze_yaw": float(self.gaze[0]),
            "gaze_pitch": float(self.gaze[1]),
            "light_azimuth": float(np.arctan2(x, z)),
            "light_elevation": float(np.arcsin(np.clip(y, -1, 1))),
        }


def _both(name: str, value: float, skew: float = 0.0) -> dict[str, float]:
    return {f"{name}Left": value * (1 + skew), f"{name}Right": value * (1 - skew)}


def expression_actions(name: str, strength: float, rng: np.random.Generator) -> dict[str, float]:
    """Return the facial actions of an expression: combinations that occur together on real faces (FACS), with small
    variations.

    Args:
        name: one of EXPRESSIONS.
        strength: 0 to 1.
        rng: draws the variations, such as how far the lips part.
    """
    s, skew, u = strength, rng.normal(0, 0.08), rng.random()
    actions: dict[str, float] = {}
    if name == "slight smile":
        actions |= _both("mouthSmile", 0.40 * s, skew) | _both("cheekSquint", 0.25 * s) | _both("eyeSquint", 0.12 * s)
    elif name == "smile":  # AU6 + AU12, the lips parted now and then
        actions |= _both("mouthSmile", 0.78 * s, skew) | _both("cheekSquint", 0.6 * s) | _both("eyeSquint", 0.35 * s)
        actions |= _both("mouthUpperUp", 0.38 * s * u) | {"jawOpen": 0.10 * s * u} | _both("mouthDimple", 0.2 * s)
    elif name == "laugh":
        actions |= _both("mouthSmile", 0.9 * s, skew) | _both("cheekSquint", 0.8 * s) | _both("eyeSquint", 0.55 * s)
        actions |= (
            _both("mouthUpperUp", 0.45 * s) | {"jawOpen": (0.18 + 0.22 * u) * s} | _both("mouthLowerDown", 0.3 * s)
        )
    elif name == "talk":
        actions |= {
            "jawOpen": (0.08 + 0.22 * u) * s,
            "mouthFunnel": 0.4 * s * rng.random(),
            "mouthPucker": 0.25 * s * rng.random(),
        }
        actions |= _both("mouthLowerDown", 0.3 * s * rng.random())
    elif name == "surprise":  # AU1 + AU2 + AU5 + AU26
        actions |= (
            {"browInnerUp": 0.8 * s, "jawOpen": 0.28 * s * (0.5 + u)}
            | _both("browOuterUp", 0.8 * s, skew)
            | _both("eyeWide", 0.6 * s)
        )
    elif name == "frown":  # AU4 + AU7, lips pressed
        actions |= (
            _both("browDown", 0.85 * s, skew)
            | _both("eyeSquint", 0.4 * s)
            | _both("mouthPress", 0.4 * s)
            | _both("noseSneer", 0.25 * s * u)
        )
    elif name == "sad":  # AU1 + AU4 + AU15
        actions |= (
            {"browInnerUp": 0.7 * s, "mouthShrugLower": 0.4 * s}
            | _both("browDown", 0.2 * s)
            | _both("mouthFrown", 0.65 * s, skew)
        )
    elif name == "disgust":  # AU9 + AU10
        actions |= (
            _both("noseSneer", 0.8 * s, skew)
            | _both("mouthUpperUp", 0.35 * s)
            | _both("browDown", 0.45 * s)
            | _both("eyeSquint", 0.4 * s)
        )
    elif name == "pucker":
        actions |= {"mouthPucker": 0.6 * s}
    elif name == "blink":
        actions |= _both("eyeBlink", (0.45 + 0.55 * u) * s)
    elif name == "smirk":
        side, other = ("Left", "Right") if u < 0.5 else ("Right", "Left")
        actions |= {
            f"mouthSmile{side}": 0.6 * s,
            f"mouthSmile{other}": 0.12 * s,
            f"mouthDimple{side}": 0.3 * s,
            f"cheekSquint{side}": 0.3 * s,
        }
    return actions


def blackbody(kelvin: float) -> np.ndarray:
    """Linear RGB of a black body seen by a camera balanced for daylight that adapts by two thirds, as cameras do; green
    = 1."""
    t = kelvin / 6500
    return np.array([t**-0.27, 1.0, t**0.32 if t < 1 else t**0.2])


def gaze_actions(gaze: np.ndarray) -> dict[str, float]:
    """Return what the lids do when the eyes turn by ``gaze`` (2,), yaw and pitch."""
    down, up, out = max(-gaze[1], 0) / 0.5, max(gaze[1], 0) / 0.3, float(gaze[0] / 0.6)
    lids = {f"eyeLook{way}{side}": float(v) for side in ("Left", "Right") for way, v in (("Down", down), ("Up", up))}
    # Gaze to image right is the subject's left.
    sides = ("eyeLookOutLeft", "eyeLookInRight") if out > 0 else ("eyeLookInLeft", "eyeLookOutRight")
    return lids | {name: abs(out) for name in sides}


def light_direction(azimuth: float, elevation: float) -> np.ndarray:
    """Return the unit vector (3,) towards a light; radians, azimuth positive to image right."""
    return np.array([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])


def sample_scene(seed: int | np.random.SeedSequence, ranges: Ranges | None = None) -> Scene:
    """Draw a scene. The same seed gives the same scene, whatever the identity."""
    r = ranges or Ranges()
    rng = np.random.default_rng(seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed))
    yaw = (
        rng.uniform(-r.max_yaw, r.max_yaw)
        if rng.random() < r.profile
        else np.clip(rng.normal(0, r.yaw), -r.max_yaw, r.max_yaw)
    )
    pitch = float(np.clip(rng.normal(-0.02, r.pitch), -0.5, 0.5))
    roll = float(np.clip(rng.normal(0, r.roll), -0.5, 0.5))
    shares = np.array([0.30, 0.16, 0.14, 0.07, 0.10, 0.04, 0.05, 0.04, 0.02, 0.02, 0.02, 0.04])
    name = EXPRESSIONS[int(rng.choice(len(EXPRESSIONS), p=shares / shares.sum()))]
    strength = float(np.clip(rng.uniform(0.45, 1.0) * r.expression, 0, 1))
    actions = expression_actions(name, strength, rng)
    for noise in (
        "browInnerUp",
        "eyeSquintLeft",
        "eyeSquintRight",
        "mouthPressLeft",
        "mouthPressRight",
        "mouthRollLower",
        "eyeBlinkLeft",
    ):
        actions[noise] = actions.get(noise, 0.0) + abs(rng.normal(0, 0.035)) * r.expression
    actions["eyeBlinkRight"] = (
        actions.get("eyeBlinkRight", 0.0)
        + actions["eyeBlinkLeft"]
        - actions.get("eyeBlinkLeft", 0.0) * (name == "blink")
    )
    # The eyes look at the camera most of the time, so they turn against the head.
    to_camera = rng.random() < 0.65
    gaze = np.array([-yaw * 0.8, -pitch * 0.6]) if to_camera else rng.normal(0, [0.22, 0.07])
    gaze = np.clip(gaze + rng.normal(0, 0.03, 2), [-0.42, -0.30], [0.42, 0.18])
    actions |= gaze_actions(gaze)
    azimuth = rng.normal(0, 0.75) * r.light
    elevation = np.clip(rng.normal(0.55, 0.35), -0.25, 1.3) * (0.4 + 0.6 * r.light)
    key = light_direction(azimuth, elevation)
    softness = float(np.exp(rng.uniform(np.log(0.03), np.log(0.6))))
    sky_kelvin = rng.uniform(4500, 9500)
    ground = rng.uniform(0.15, 0.75) * (0.86 + 0.28 * rng.random(3))
    fill_azimuth = azimuth + rng.uniform(1.5, 4.5)
    q = r.quality
    quality_draw = rng.random()
    return Scene(
        seed=int(rng.integers(2**31)),
        yaw=float(yaw),
        pitch=pitch,
        roll=roll,
        gaze=gaze,
        expression=name,
        strength=strength,
        actions={k: float(np.clip(v, 0, 1)) for k, v in actions.items()},
        key_direction=key,
        key_strength=float(np.exp(rng.normal(0.25, 0.5) * (0.3 + 0.7 * r.light))),
        key_softness=softness,
        key_temperature=float(np.clip(rng.normal(5300, 1100), 2800, 8500)),
        sky=blackbody(sky_kelvin),
        ground=ground,
        fill=np.array([np.sin(fill_azimuth), rng.uniform(-0.2, 0.6), np.cos(fill_azimuth)]),
        fill_strength=float(rng.uniform(0, 0.5)),
        distance=float(np.exp(rng.uniform(np.log(4.5), np.log(28)))),
        occluder=str(rng.choice(OCCLUDERS[1:], p=[0.5, 0.12, 0.16, 0.12, 0.10]))
        if rng.random() < r.occluders
        else "none",
        occluder_seed=int(rng.integers(2**31)),
        background_seed=int(rng.integers(2**31)),
        cloth=rng.choice([0.03, 0.12, 0.4, 0.7], p=[0.35, 0.3, 0.2, 0.15]) * np.exp(rng.normal(0, 0.22, 3)),
        neckline=float(rng.random()),
        exposure=float(np.clip(rng.normal(0.0, 0.33), -1.0, 0.9) * (0.3 + 0.7 * r.light)),
        white_balance=np.exp(rng.normal(0, 0.07, 2) * (0.3 + 0.7 * r.light)),
        contrast=float(np.exp(rng.normal(0, 0.12) * q)),
        saturation=float(np.clip(rng.normal(1.0, 0.14 * q), 0.5, 1.4)),
        noise=float(0.004 + 0.03 * rng.beta(1, 4) * q),
        blur=float(0.3 + rng.exponential(0.35) * q),
        motion=float(rng.exponential(0.6) if rng.random() < 0.15 * q else 0.0),
        jpeg=int(np.clip(95 - rng.exponential(16) * q, 35, 95)),
        resolution=float(1.0 if quality_draw > 0.30 * q else rng.uniform(0.35, 1.0)),
        jitter=rng.normal(0, 1, 4),
    )
