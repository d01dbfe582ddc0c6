"""Which pictures: recipes of chips, the presets, and what a user asks for.

Each picture depends on (seed, identity, image) alone.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facelab.align.similarity import MAX_SIZE
from facelab.errors import FacelabError
from facelab.files import facelab_home
from facelab.synth.scene import Ranges
from facelab.synth.shards import ShardRecipe

if TYPE_CHECKING:
    from facelab.synth.head import HeadModel
    from facelab.synth.identity import Identity
    from facelab.synth.render import Renderer

GENERATOR = 2  # raise when the same recipe would give other pictures

_LEFT_OUT: dict[str, dict[str, Any]] = {
    "nothing": {},
    "hair": {"hair_style": "none", "beard": "none", "brow_density": 0.0, "brow_thickness": 0.0},
    "skin": dict.fromkeys(("freckles", "moles", "wrinkles", "blotches", "dark_circles"), 0.0),
}


# A million people are more than any face data set has; the pictures of an identity are held in memory together.
_MOST = {"identities": 1_000_000, "images": 10_000, "size": MAX_SIZE, "supersampling": 8}


def check_seed(seed: int) -> None:
    """Raise a :class:`FacelabError` if this is no seed."""
    if not 0 <= seed < 2**63:
        raise FacelabError(f"seed={seed}: give 0 or more, and less than 2**63.")


@dataclass(frozen=True)
class SynthRecipe:
    """Everything that decides which pictures come out.

    Attributes:
        identities, images: how many people, and pictures of each.
        seed: another seed gives other people.
        held_out: so many of the last identities are marked ``held-out`` for tests on strangers.
        size: side of the chip in pixels; margin: pixels around it (0 stores aligned chips, more stores upright full
            crops for the reader's own detector and aligner).
        supersampling: samples per pixel and axis.
        ranges: how varied the scenes are.
        relatives: ``"siblings"`` or ``"look-alikes"`` makes every second identity a relative of the one before.
        leave_out: an ingredient to do without, for experiments: ``"hair"`` (with brows and beards), or ``"skin"``
            (freckles, moles, wrinkles, blotches).
    """

    identities: int
    images: int
    seed: int = 0
    held_out: int = 0
    size: int = 112
    margin: int = 0
    supersampling: int = 2
    ranges: Ranges = field(default_factory=Ranges)
    relatives: Literal["none", "siblings", "look-alikes"] = "none"
    leave_out: Literal["nothing", "hair", "skin"] = "nothing"

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise FacelabError(f"SynthFaces: {name}={getattr(self, name)}; give 1 or more, {most:,} at most.")
        if not 0 <= self.held_out <= self.identities:
            raise FacelabError(
                f"SynthFaces: held_out={self.held_out} of {self.identities} identities; choose 0 to {self.identities}."
            )
        if not 0 <= self.margin <= MAX_SIZE:
            raise FacelabError(f"SynthFaces: margin={self.margin}; give 0 to {MAX_SIZE} pixels.")
        check_seed(self.seed)
        if self.relatives not in ("none", "siblings", "look-alikes"):
            raise FacelabError(f"SynthFaces: relatives={self.relatives!r}; choose 'none', 'siblings' or 'look-alikes'.")
        if self.leave_out not in _LEFT_OUT:
            raise FacelabError(f"SynthFaces: leave_out={self.leave_out!r}; choose one of {', '.join(_LEFT_OUT)}.")

    def to_json(self) -> dict[str, Any]:
        return {"kind": "chips", **dataclasses.asdict(self), "generator": GENERATOR}

    @property
    def per_shard(self) -> int:
        """Return how many identities a shard holds; about 200 pictures, so that a killed run loses seconds."""
        return max(1, 200 // self.images)

    @property
    def shards(self) -> int:
        return -(-self.identities // self.per_shard)

    def identities_of(self, shard: int) -> range:
        return range(shard * self.per_shard, min((shard + 1) * self.per_shard, self.identities))

    def rows_of(self, shard: int) -> int:
        return len(self.identities_of(shard)) * self.images

    def render(self, renderer: "Renderer", shard: int) -> list[dict[str, Any]]:
        """Render the rows of one shard."""
        return [row for number in self.identities_of(shard) for row in render_identity(renderer, self, number)]


PRESETS = {
    "synthfaces-mini": SynthRecipe(identities=64, images=16, seed=1),
    "synthfaces-500": SynthRecipe(identities=600, images=24, seed=500, held_out=100),
}


def folder_of(name: str) -> Path:
    """Return the folder of a set under facelab's cache; pictures of another generator lie beside it."""
    return facelab_home() / "synthfaces" / f"generator-{GENERATOR}" / name


def choose(preset: str | None = None, *, photographs: int | None = None, **settings: Any) -> tuple[ShardRecipe, str]:
    """Turn what a user asks for into a recipe and its place under the cache folder.

    Args:
        preset: a name of PRESETS, which nothing else may change; or give ``photographs``, or ``identities`` and
            ``images`` among the settings.
        settings: fields of :class:`SynthRecipe` that were asked for; of :class:`PhotographRecipe` only the seed.

    Raises:
        FacelabError: an unknown preset, more or less than one of the three ways, or a setting that would do nothing.
    """
    counts = {"identities", "images"} & settings.keys()
    if (preset is not None) + (photographs is not None) + bool(counts) != 1 or len(counts) == 1:
        raise FacelabError(
            f"choose one: a preset ({', '.join(PRESETS)}), --identities N with --images K, or --photographs N."
        )
    if photographs is not None:
        from facelab.synth.photographs import PhotographRecipe

        if others := settings.keys() - {"seed"}:
            raise FacelabError(f"{_options(others)} would do nothing: --photographs takes only --seed.")
        seed = settings.get("seed", 0)
        return PhotographRecipe(photographs, seed=seed), str(folder_of(f"photographs-{photographs}-{seed}"))
    if preset is not None:
        if preset not in PRESETS:
            raise FacelabError(f"there is no preset {preset!r}; there are: {', '.join(PRESETS)}.")
        if settings:
            wanted = vars(dataclasses.replace(PRESETS[preset], **settings))
            plain = {**vars(SynthRecipe(1, 1)), "identities": None, "images": None}
            told = " ".join(f"{_options([name])} {value}" for name, value in wanted.items() if value != plain[name])
            raise FacelabError(
                f"{_options(settings)} would do nothing: {preset} is always the same set. For another one give "
                f"instead: {told}."
            )
        return PRESETS[preset], str(folder_of(preset))
    recipe = SynthRecipe(**settings)
    names = [f"{recipe.identities}x{recipe.images}"]
    for field_ in dataclasses.fields(recipe)[2:]:  # in this order, whatever the order in which they were asked for
        if settings.get(field_.name, field_.default) != field_.default:
            names.append(f"{field_.name}-{settings[field_.name]}")
    return recipe, str(folder_of("-".join(names)))


def _options(names: Iterable[str]) -> str:
    """Return how settings are called on the command line."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in sorted(names))


def identity_of(model: "HeadModel", recipe: SynthRecipe, number: int) -> "Identity":
    """Return identity ``number`` of a recipe."""
    from facelab.synth.identity import look_alike, sample_identity, sibling

    if recipe.relatives != "none" and number % 2 == 1:
        make = sibling if recipe.relatives == "siblings" else look_alike
        return make(model, identity_of(model, recipe, number - 1), np.random.SeedSequence([recipe.seed, number]))
    person = sample_identity(model, np.random.SeedSequence([recipe.seed, number]))
    return dataclasses.replace(person, **_LEFT_OUT[recipe.leave_out])


def render_identity(renderer: "Renderer", recipe: SynthRecipe, number: int) -> list[dict[str, Any]]:
    """Render all pictures of one identity; one dict per picture with the columns of COLUMNS."""
    from facelab.synth.render import ChipFraming
    from facelab.synth.scene import sample_scene
    from facelab.synth.sensor import encode_jpeg

    person = identity_of(renderer.model, recipe, number)
    body = renderer.body(person)
    framing = ChipFraming(recipe.size, recipe.margin)
    related = recipe.relatives != "none" and number % 2 == 1
    rows = []
    for start in range(0, recipe.images, renderer.batch):
        numbers = range(start, min(start + renderer.batch, recipe.images))
        scenes = [sample_scene(np.random.SeedSequence([recipe.seed, number, k]), recipe.ranges) for k in numbers]
        pictures = renderer.render(
            body, scenes, size=framing.shape, framing=framing, supersampling=recipe.supersampling
        )
        for k, scene, picture in zip(numbers, scenes, pictures, strict=True):
            rows.append(
                {
                    "image": {"bytes": encode_jpeg(picture.image, scene.jpeg), "path": f"p{number:05d}-{k:03d}.jpg"},
                    "identity": f"p{number:05d}",
                    "picture": k,
                    "split": "held-out" if number >= recipe.identities - recipe.held_out else "closed",
                    "relative_of": f"p{number - 1:05d}" if related else "",
                    "landmarks": picture.landmarks.ravel().tolist(),
                    "visible": picture.visible.tolist(),
                    "dense": picture.dense.ravel().tolist(),
                    "dense_visible": picture.dense_visible.tolist(),
                    "box": picture.box.tolist(),
                    "coverage": float(picture.mask.mean()),
                    **scene.columns(),
                    **person.columns(),
                }
            )
    return rows
