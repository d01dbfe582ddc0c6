"""One rendered face, one factor at a time: pictures, and how far each moves the embedding."""

import io
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from facelab.align import align
from facelab.models import pretrained, shipped_networks
from facelab.synth.factors import Factor, Frame
from facelab.synth.identity import sample_identity
from facelab.synth.vary import Part, factors_of, plain_scene, render_pictures, shown_part

NETWORK = "synthfaces-arcface"
SEED = 12  # the person and the scene of the chapter's figures
SIZE = 384  # pixels across
QUALITY = 72  # of WebP: all pictures together stay below 1.5 MB
# In the order of the menu: those whose seven pictures differ for every eye.
FACTORS: dict[Part, tuple[str, ...]] = {
    "scene": (
        *(
            "yaw",
            "pitch",
            "roll",
            "expression",
            "strength of a laugh",
            "gaze aside",
            "light from",
            "light's height",
            "light's size",
        ),
        *("light's colour", "exposure, stops", "distance, dm", "occluder", "background", "blur, pixels"),
    ),
    "person": (*("bone structure", "age", "weight", "melanin", "freckles", "iris", "brown pigment", "hair", "beard"),),
}


class Strip(NamedTuple):
    """A factor: what stands below each picture, its cosine to the plain picture framed alike, all as one WebP file."""

    labels: list[str]
    cosines: list[float]
    file: bytes


def file_name(factor: str) -> str:
    """Return the name of the file of a factor's pictures."""
    return f"factors-{''.join(c if c.isalnum() else '-' for c in factor)}.webp"


@cache
def strips() -> dict[Part, dict[str, Strip]]:
    """Render all factors (some minutes)."""
    from facelab.synth.render import renderer_for

    renderer, embed = renderer_for("cpu"), pretrained(NETWORK, device="cpu")
    person, scene = sample_identity(renderer.model, SEED), plain_scene(SEED)

    def chips(part: Part, factor: Factor) -> tuple[list[np.ndarray], np.ndarray]:
        pictures = render_pictures(renderer, part, factor, factor.values, person, scene, SIZE)
        aligned = np.stack([align(picture.image, picture.landmarks) for picture in pictures])
        return [shown_part(picture.image, factor, SIZE) for picture in pictures], embed(aligned)

    @cache
    def plain(frame: Frame) -> np.ndarray:  # of the same frame: in another one a face has other pixels, and other noise
        return chips("scene", Factor([None], lambda _: {}, frame=frame))[1][0]

    made: dict[Part, dict[str, Strip]] = {}
    for part, names in FACTORS.items():
        known, made[part] = factors_of(part, renderer), {}
        for name in names:
            factor = known[name]
            images, embeddings = chips(part, factor)
            cosines = (embeddings @ plain(factor.frame)).astype(float).round(3).tolist()
            made[part][name] = Strip([factor.label(value) for value in factor.values], cosines, webp(images))
    return made


def webp(images: list[np.ndarray]) -> bytes:
    """Return images of one size side by side as a WebP file."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(np.hstack(images)).save(stream, "WEBP", quality=QUALITY, method=6)
    return stream.getvalue()


def data() -> dict[str, Any]:
    """Return the factors of the scene and of the person: their labels, cosines and files; and the threshold."""
    return {
        "threshold": round(shipped_networks()[NETWORK]["operating_point"]["threshold"], 3),
        "factors": {
            part: {
                name: {"labels": strip.labels, "cosines": strip.cosines, "file": file_name(name)}
                for name, strip in row.items()
            }
            for part, row in strips().items()
        },
    }


def files() -> dict[str, bytes]:
    """Return the pictures of each factor, side by side, by the name of the file."""
    return {file_name(name): strip.file for row in strips().values() for name, strip in row.items()}
