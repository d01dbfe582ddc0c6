"""Who: everything that makes a person the same person in every picture, drawn from one seed.

All fields are *rendering parameters* of an invented head. They are not labels of people: ``ethnicity`` holds the
weights of three blend shapes of the head model, ``melanin`` the amount of one pigment, ``femaleness`` a position
between two blend shapes.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from facelab.synth.head import HeadModel

HAIR_STYLES = ("none", "buzz", "short", "side", "curly", "afro", "long", "wavy", "bob", "back", "bun")
BEARDS = ("none", "stubble", "moustache", "goatee", "full")

# Standard deviation of the local shape axes by name prefix, in units of the axis (1 is the end of MakeHuman's slider, a
# caricature). Chosen by looking at sheets of faces: large where people differ much, zero where a face stops being
# plausible.
AXIS_SPREAD = {
    "cheek-trans": 0.23,
    "cheek-volume": 0.26,
    "cheek-inner": 0.23,
    "cheek-bones": 0.3,
    "chin-jaw-drop": 0.18,
    "chin-height": 0.26,
    "chin-prominent": 0.2,
    "chin-bones": 0.3,
    "chin-width": 0.3,
    "chin-cleft": 0.23,
    "chin-prognathism": 0.12,
    "ear-shape": 0.06,
    "ear-flap": 0.1,
    "ear-wing": 0.14,
    "ear-rot": 0.1,
    "ear": 0.18,
    "eyebrows-angle": 0.34,
    "eyebrows-trans-up": 0.3,
    "eyebrows-trans-forward": 0.23,
    "eye-corner": 0.29,
    "eye-height": 0.2,
    "eye-scale": 0.18,
    "eye-push": 0.08,
    "eye-eyefold": 0.26,
    "eye-bag": 0.23,
    "eye-trans-up": 0.18,
    "eye-trans-out": 0.23,
    "eye-epicanthus": 0.18,
    "forehead": 0.2,
    "head-angle": 0.12,
    "head-scale-vert": 0.18,
    "head-trans": 0,
    "head-fat": 0.18,
    "head-age": 0.12,
    "head-scale-horiz": 0.18,
    "head-scale-depth": 0.12,
    "head-back": 0.12,
    "mouth-trans-out": 0.02,
    "mouth-laugh-lines": 0.26,
    "mouth-dimples": 0.23,
    "mouth": 0.24,
    "measure-neck": 0,
    "neck-trans": 0,
    "neck-double": 0.11,
    "neck": 0.14,
    "nose-trans-out": 0.04,
    "nose-septumangle": 0.2,
    "nose": 0.31,
}
ASYMMETRY = 0.06  # extra, independent on each side; most faces are nearly symmetric


@dataclass(frozen=True)
class Identity:
    """The rendering parameters of one invented person.

    Attributes:
        seed: entropy of everything drawn later for this identity (hair strands, freckles).
        age: 0 (about 25 years) to 1 (about 90), anny's axis.
        femaleness: 0 to 1 between the head model's two sex-linked shapes.
        muscle, weight: 0 to 1, 0.5 is average.
        ethnicity: (3,) weights of the model's african, asian and caucasian shapes.
        axes: (A,) local shape axes in [-1, 1].
        melanin, haemoglobin: optical depth of the two pigments of the skin model (see ``facelab.synth.skin``).
        eumelanin, pheomelanin, grey: pigments of hair, and the share of grey hair.
        iris: linear RGB of the iris.
        brow_*, lip_*: thickness, density, height and arch of the brows; redness of the lips.
        freckles, moles, wrinkles, stubble, blotches: amounts, 0 to 1.
        hair_style, hair_length, hairline, hair_part, hair_volume, curl: the hair.
        beard, beard_length: facial hair.
        gloss: how much the skin shines, 1 is average.
    """

    seed: int
    age: float
    femaleness: float
    muscle: float
    weight: float
    ethnicity: np.ndarray
    axes: np.ndarray
    melanin: float
    haemoglobin: float
    eumelanin: float
    pheomelanin: float
    grey: float
    iris: np.ndarray
    brow_thickness: float
    brow_density: float
    brow_height: float
    brow_arch: float
    brow_tilt: float
    brow_length: float
    lip_redness: float
    lip_darkness: float
    freckles: float
    moles: float
    wrinkles: float
    blotches: float
    dark_circles: float
    lashes: float
    hair_style: str
    hair_length: float
    hairline: float
    hair_part: float
    hair_volume: float
    curl: float
    fringe: float
    beard: str
    beard_length: float
    beard_density: float
    gloss: float
    shape_seed: int = field(default=0)

    def columns(self) -> dict[str, float | str]:
        """The fields that the data set's table lists, as plain numbers and words."""
        names = (
            *("age", "femaleness", "muscle", "weight", "melanin", "haemoglobin", "eumelanin"),
            *("pheomelanin", "grey", "brow_thickness", "freckles", "wrinkles", "hair_style", "hair_length"),
            *("beard",),
        )
        row = {name: getattr(self, name) for name in names}
        return row | dict(zip(("african", "asian", "caucasian"), map(float, self.ethnicity), strict=True))


def _spread(name: str) -> float:
    plain = name.removeprefix("l-").removeprefix("r-")
    best = max((prefix for prefix in AXIS_SPREAD if plain.startswith(prefix)), key=len, default=None)
    return AXIS_SPREAD[best] if best else 0.0


def _axes(model: HeadModel, rng: np.random.Generator) -> np.ndarray:
    """Draw the local axes: the same value for both sides of a pair, plus a little asymmetry; clipped at two
    deviations."""
    pairs: dict[str, float] = {}
    values = np.zeros(len(model.axis_names))
    for i, name in enumerate(model.axis_names):
        key = name[2:] if name[:2] in ("l-", "r-") else name
        if key not in pairs:
            pairs[key] = float(np.clip(rng.normal(), -2, 2))
        asymmetry = ASYMMETRY * np.clip(rng.normal(), -2, 2) if key != name else 0.0
        values[i] = np.clip(_spread(name) * (pairs[key] + asymmetry), -0.85, 0.85)
    return values


# MakeHuman's weight moves bodies, not faces, so facelab lets it move these axes: offset at weight 1, and its negative
# at 0.
WEIGHT_AXES = {
    "head-fat": 0.40,
    "cheek-volume": 0.40,
    "cheek-inner": 0.20,
    "neck-double": 0.30,
    "neck-scale-horiz": 0.20,
}


def shape_axes(model: HeadModel, person: Identity) -> np.ndarray:
    """The local axes that shape a head, (A,): the person's own, and what the weight adds."""
    axes = person.axes.copy()
    for i, name in enumerate(model.axis_names):
        plain = name.removeprefix("l-").removeprefix("r-")
        for prefix, amount in WEIGHT_AXES.items():
            if plain.startswith(prefix):
                axes[i] += amount * 2 * (person.weight - 0.5)
    return np.clip(axes, -1, 1)


def sample_identity(model: HeadModel, seed: int | np.random.SeedSequence) -> Identity:
    """Draw an identity. The same seed gives the same identity on every machine and with any number of workers."""
    sequence = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    rng = np.random.default_rng(sequence)
    # Three mixtures of descent: mostly one pole, sometimes two, so that the poles are equally frequent.
    ethnicity = rng.dirichlet([0.35, 0.35, 0.35])
    femaleness = float(np.clip(rng.beta(0.35, 0.35), 0.03, 0.97))
    age = float(rng.beta(1.1, 2.2))
    axes = _axes(model, rng)
    melanin = float(np.clip(ethnicity @ [1.45, 0.42, 0.20] + rng.normal(0, 0.16) + 0.12 * rng.exponential(), 0.06, 2.1))
    dark = float(np.clip(ethnicity @ [2.6, 2.5, 1.1] + rng.normal(0, 0.45), 0.12, 3.0))
    ginger = float(np.clip(rng.exponential(0.12) + (rng.random() < 0.05 * ethnicity[2]) * 0.9, 0, 1.2))
    grey = float(np.clip((age - 0.35) * 1.6 + rng.normal(0, 0.18), 0, 1)) if age > 0.25 else 0.0
    pale = 1 / (1 + np.exp(3.0 * (dark - 1.1)))  # light eyes come with light hair, most of the time
    browns = np.array([[0.075, 0.035, 0.016], [0.13, 0.065, 0.026], [0.035, 0.018, 0.011]])
    lights = np.array([[0.14, 0.21, 0.30], [0.20, 0.24, 0.26], [0.16, 0.19, 0.10], [0.17, 0.12, 0.05]])
    if rng.random() < 0.85 * pale:
        iris = lights[rng.integers(len(lights))] * rng.uniform(0.7, 1.35)
    else:
        iris = browns[rng.integers(len(browns))] * rng.uniform(0.7, 1.3)
    male = femaleness < 0.5
    curly = float(np.clip(ethnicity @ [0.9, 0.08, 0.25] + rng.normal(0, 0.18), 0, 1))
    return Identity(
        seed=int(rng.integers(2**31)),
        age=age,
        femaleness=femaleness,
        muscle=float(np.clip(rng.normal(0.5, 0.17), 0.1, 0.95)),
        weight=float(np.clip(rng.normal(0.52, 0.20), 0.08, 0.97)),
        ethnicity=ethnicity,
        axes=axes,
        melanin=melanin,
        haemoglobin=float(np.clip(rng.normal(0.34, 0.11), 0.1, 0.75)),
        eumelanin=dark,
        pheomelanin=ginger,
        grey=grey,
        iris=iris,
        brow_thickness=float(np.clip(rng.normal(0.50 if male else 0.34, 0.13), 0.14, 0.9)),
        brow_density=float(np.clip(rng.normal(0.72, 0.18), 0.25, 1.0)),
        brow_height=float(np.clip(rng.normal(0, 0.5), -1, 1)),
        brow_arch=float(np.clip(rng.normal(0.35 if male else 0.55, 0.28), -0.1, 1.1)),
        brow_tilt=float(np.clip(rng.normal(0, 0.4), -1, 1)),
        brow_length=float(rng.uniform(0.85, 1.12)),
        lip_redness=float(np.clip(rng.normal(0.35 if male else 0.55, 0.22), 0.05, 1.1)),
        lip_darkness=float(np.clip(rng.normal(0.18, 0.1), 0, 0.5)),
        freckles=float(rng.beta(0.5, 2.5) * np.clip(1.3 - melanin, 0.05, 1)),
        moles=float(rng.exponential(0.35)),
        wrinkles=float(np.clip(0.1 + 1.2 * (age - 0.15) + rng.normal(0, 0.12), 0.03, 1)),
        blotches=float(np.clip(rng.normal(0.5, 0.2), 0.1, 1)),
        dark_circles=float(np.clip(rng.normal(0.4, 0.22), 0, 1)),
        lashes=float(np.clip(rng.normal(0.38 if male else 0.6, 0.14), 0.15, 0.95)),
        **_hair(rng, male, age, curly, float(ethnicity[0])),
        gloss=float(np.clip(rng.normal(1.0, 0.25), 0.4, 1.7)),
        shape_seed=int(rng.integers(2**31)),
    )


def _hair(rng: np.random.Generator, male: bool, age: float, curl: float, african: float) -> dict:
    if male:
        shares = {
            "none": 0.06 + 0.10 * age,
            "buzz": 0.14 + 0.12 * african,
            "short": 0.34,
            "side": 0.22,
            "back": 0.09,
            "long": 0.05,
        }
        shares |= {"curly": 0.25 * curl, "afro": 0.22 * max(curl - 0.5, 0) * 2, "wavy": 0.03}
    else:
        shares = {
            "long": 0.30 * (1 - age * 0.5),
            "wavy": 0.24,
            "bob": 0.20,
            "back": 0.10,
            "bun": 0.12,
            "short": 0.10 + 0.2 * age,
        }
        shares |= {
            "curly": 0.25 * curl,
            "afro": 0.30 * max(curl - 0.5, 0) * 2,
            "side": 0.08,
            "buzz": 0.02 + 0.05 * african,
        }
    if curl > 0.7:  # tightly curled hair does not hang straight
        shares = {name: share * (0.12 if name in ("long", "side", "bob") else 1.0) for name, share in shares.items()}
    names, weights = list(shares), np.array(list(shares.values()))
    style = names[int(rng.choice(len(names), p=weights / weights.sum()))]
    beards = {"none": 0.42, "stubble": 0.26, "moustache": 0.07, "goatee": 0.10, "full": 0.15} if male else {"none": 1.0}
    beard = list(beards)[int(rng.choice(len(beards), p=list(beards.values())))]
    return {
        "hair_style": style,
        "hair_length": float(rng.uniform(0.6, 1.4)),
        "hairline": float(np.clip(rng.normal(0.0 if not male else -0.15 - 0.7 * age, 0.35), -1.2, 0.8)),
        "hair_part": float(rng.uniform(-1, 1)),
        "hair_volume": float(np.clip(rng.normal(0.5, 0.2), 0.1, 1.0)),
        "curl": curl,
        "fringe": float(rng.random()) if rng.random() < (0.25 if male else 0.4) else 0.0,
        "beard": beard,
        "beard_length": float(rng.uniform(0.2, 1.0)),
        "beard_density": float(rng.uniform(0.5, 1.0)),
    }


def sibling(model: HeadModel, person: Identity, seed: int | np.random.SeedSequence, *, share: float = 0.5) -> Identity:
    """Draw a sibling: of the deviations in shape, pigment and features ``share`` is common, the rest the sibling's own.

    With share 0.5 the correlation of every shape axis between the two is about 0.5, as between full siblings for
    additive traits. Sex, age, hair style and everything that people choose are the sibling's own.
    """
    other = sample_identity(model, seed)
    mix, own = np.sqrt(share), np.sqrt(1 - share)

    def blend(name: str, centre: float = 0.0) -> float:
        return float(centre + mix * (getattr(person, name) - centre) + own * (getattr(other, name) - centre))

    return replace(
        other,
        ethnicity=person.ethnicity,
        axes=np.clip(mix * person.axes + own * other.axes, -0.85, 0.85),
        melanin=float(np.clip(person.melanin + 0.35 * (other.haemoglobin - 0.34), 0.06, 2.1)),
        haemoglobin=float(np.clip(blend("haemoglobin", 0.34), 0.1, 0.75)),
        eumelanin=person.eumelanin,
        pheomelanin=person.pheomelanin,
        iris=person.iris,
        brow_thickness=float(np.clip(blend("brow_thickness", 0.5), 0.18, 1)),
        brow_arch=blend("brow_arch", 0.45),
        curl=person.curl,
        freckles=person.freckles,
    )


def look_alike(
    model: HeadModel, person: Identity, seed: int | np.random.SeedSequence, *, likeness: float = 0.85
) -> Identity:
    """Draw a hard impostor: another bone structure close to ``person``'s, with the same sex, age, colours and hair
    style."""
    other = sample_identity(model, seed)
    axes = np.clip(likeness * person.axes + np.sqrt(1 - likeness**2) * other.axes, -0.85, 0.85)
    return replace(person, seed=other.seed, shape_seed=other.shape_seed, axes=axes, moles=other.moles)
