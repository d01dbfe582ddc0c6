"""The strip of the start page: a rendered photograph goes through the chain, to boxes, chips, a map and a decision.

``python -m facelab.course.strip book/images`` writes its pictures, and ``strip.json`` with the numbers that they show.
All of it is computed: MTCNN finds the faces, the alignment cuts the chips, a network of the package embeds them. Nobody
on the pictures exists.
"""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from facelab.align import align
from facelab.analyze import project
from facelab.course.cover import DARK, LIGHT, WORDS, Ink, write_svg
from facelab.data.images import decode_image
from facelab.detect import MTCNN, Detection
from facelab.files import atomic_write
from facelab.models import pretrained, shipped_networks
from facelab.synth.identity import sample_identity
from facelab.synth.photographs import PhotographRecipe, render_photograph
from facelab.synth.render import ChipFraming, renderer_for
from facelab.synth.scene import Ranges, sample_scene

CALM = Ranges(yaw=0.22, pitch=0.08, roll=0.07, profile=0, expression=0.8, light=0.5, occluders=0, quality=0.15)
RECIPE = PhotographRecipe(100, seed=7, width=960, height=640, smallest=120, largest=420, ranges=CALM)
NUMBER = 15  # the photograph of the recipe: four people who look at the camera
NETWORK = "synthfaces-arcface"
MORE = 15  # other pictures of each of the four, for the map


def people_and_chips() -> tuple[np.ndarray, list[Detection], np.ndarray, np.ndarray]:
    """Render the photograph, find its faces, and render more pictures of the same people.

    Returns:
        The photograph, its faces from left to right, their chips (4, 112, 112, 3), and other chips of the same people
        in the same order (4, MORE, 112, 112, 3).
    """
    renderer = renderer_for("cpu")
    row = render_photograph(renderer, RECIPE, NUMBER)
    photograph, _ = decode_image(row["image"]["bytes"])
    faces = sorted(MTCNN().detect([photograph])[0], key=lambda face: face.box[0])
    chips = np.stack([align(photograph, face.landmarks) for face in faces if face.landmarks is not None])
    true = np.asarray(row["boxes"]).reshape(-1, 4)
    others = []
    for k in np.argsort(true[:, 0]):  # people are numbered from back to front, faces from left to right
        person = sample_identity(renderer.model, np.random.SeedSequence([RECIPE.seed, 5, NUMBER, int(k)]))
        scenes = [sample_scene(np.random.SeedSequence([RECIPE.seed, 6, NUMBER, int(k), n]), CALM) for n in range(MORE)]
        framing = ChipFraming(112, 0)
        pictures = renderer.render(renderer.body(person), scenes, size=framing.shape, framing=framing)
        others.append([picture.image for picture in pictures])
    return photograph, faces, chips, np.asarray(others)


def with_boxes(photograph: np.ndarray, faces: list[Detection]) -> np.ndarray:
    """The photograph with a box and five landmarks for each face."""
    drawn = photograph.copy()
    for face in faces:
        left, top, right, bottom = face.box.round().astype(int).tolist()
        cv2.rectangle(drawn, (left, top), (right, bottom), (240, 162, 74), 5, cv2.LINE_AA)
        assert face.landmarks is not None  # MTCNN places them
        for x, y in face.landmarks.round().astype(int).tolist():
            cv2.circle(drawn, (x, y), 6, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(drawn, (x, y), 4, (0, 114, 178), -1, cv2.LINE_AA)
    return drawn


def map_figure(places: np.ndarray, ink: Ink) -> Figure:
    """The plane of embeddings, (4, 1 + MORE, 2): a colour for each person, the face of the photograph with a ring."""
    figure = Figure(figsize=(3, 3))
    axes = figure.add_axes((0.02, 0.02, 0.96, 0.96))
    axes.set_axis_off()
    for points, colour, marker in zip(places, (ink.blue, ink.orange, ink.green, ink.line), "os^D", strict=True):
        axes.scatter(points[1:, 0], points[1:, 1], s=70, color=colour, marker=marker, alpha=0.75, lw=0)
        axes.scatter(points[0, 0], points[0, 1], s=95, color=colour, marker=marker, lw=0, zorder=3)
        axes.scatter(points[0, 0], points[0, 1], s=420, facecolors="none", edgecolors=ink.line, lw=2.2, zorder=3)
    axes.margins(0.12)
    return figure


def decision_figure(
    chips: np.ndarray, cosines: tuple[float, float], threshold: float, ink: Ink, language: str = ""
) -> Figure:
    """Two comparisons, (2, 2, 112, 112, 3): the same person, two people; each with its cosine beside the threshold."""
    words = WORDS[language]
    figure = Figure(figsize=(3, 3))
    for row, (pair, cosine) in enumerate(zip(chips, cosines, strict=True)):
        top = 0.69 - 0.5 * row
        for column, chip in enumerate(pair):
            axes = figure.add_axes((0.15 + 0.37 * column, top, 0.33, 0.31))
            axes.imshow(chip)
            axes.set_axis_off()
        same = cosine >= threshold
        number = f"{cosine:.2f} {'≥' if same else '<'} {threshold:.2f}".replace(".", words["point"])
        word = words["decision"][0 if same else 1]
        colour = ink.green if same else ink.orange
        figure.text(0.5, top - 0.01, number, ha="center", va="top", fontsize=15, color=ink.line)
        figure.text(0.5, top - 0.085, word, ha="center", va="top", fontsize=18, weight="bold", color=colour)
    return figure


def write_images(folder: Path) -> list[Path]:
    """Compute the strip and write its pictures and numbers."""
    photograph, faces, chips, others = people_and_chips()
    embed = pretrained(NETWORK, device="cpu")
    embeddings = np.concatenate([chips[:, None], others], axis=1)
    embeddings = embed(embeddings.reshape(-1, 112, 112, 3)).reshape(len(faces), 1 + MORE, -1)
    places = project(embeddings.reshape(-1, embeddings.shape[-1]), method="pca").reshape(len(faces), 1 + MORE, 2)
    threshold = shipped_networks()[NETWORK]["operating_point"]["threshold"]
    front = int(np.argmax([face.box[3] - face.box[1] for face in faces]))
    beside = (front + 1) % len(faces)
    cosines = (float(embeddings[front, 0] @ embeddings[front, 1]), float(embeddings[front, 0] @ embeddings[beside, 0]))
    pairs = np.stack([[chips[front], others[front, 0]], [chips[front], chips[beside]]])
    numbers = {
        "faces": len(faces),
        "same": round(cosines[0], 2),
        "different": round(cosines[1], 2),
        "threshold": round(threshold, 2),
    }
    sheet = np.vstack([np.hstack(list(chips[:2])), np.hstack(list(chips[2:]))])
    files = {
        "strip-photograph.jpg": _encoded(".jpg", photograph),
        "strip-boxes.jpg": _encoded(".jpg", with_boxes(photograph, faces)),
        "strip-chips.png": _encoded(".png", sheet),
        "strip.json": (json.dumps(numbers, indent=1) + "\n").encode(),
    }
    paths = []
    for name, data in files.items():
        with atomic_write(folder / name) as temporary:
            temporary.write_bytes(data)
        paths.append(folder / name)
    figures: dict[str, Figure] = {}
    for theme, ink in (("light", LIGHT), ("dark", DARK)):
        figures[f"strip-map-{theme}"] = map_figure(places, ink)
        for language in WORDS:
            figures[f"strip-decision-{theme}{language}"] = decision_figure(pairs, cosines, threshold, ink, language)
    return paths + write_svg(folder, figures)


def _encoded(suffix: str, image: np.ndarray) -> bytes:
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


if __name__ == "__main__":
    for written in write_images(Path(sys.argv[1])):
        print(written)
