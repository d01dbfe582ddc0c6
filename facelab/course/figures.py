"""One real example of every figure: the book's page of figures.

A new figure needs one small function here, under the name of the figure's function::

    @example("roc_curves", "Two rising curves ...")  # the alt text
    def _(data):
        return plots.roc_curves(data.scores)

The page shows its lines as the call that a reader can copy. ``python -m facelab.course.figures book/figures.ipynb``
writes the page and runs it; with names of figures behind it only these are drawn again. ``tests/book/test_figures.py``
asserts that no figure is missing, that each call stands on its own, and that the page shows today's docstrings.
"""

import ast
import base64
import functools
import importlib
import inspect
import io
import pkgutil
import re
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facelab import analyze, plots
from facelab.errors import FacelabError
from facelab.plots.drawing import Drawing, packed, svg
from facelab.sources import find_source
from facelab.study.results import Results

MODELS = ("cross_entropy", "arcface")
COARSE = 54  # dots an inch of a small picture
MOST_BYTES = 45_000  # of its SVG, if photographs in it can be made smaller

INTRODUCTION = """# Figures

Every figure of the course, each drawn by one function from the faces and networks of the course. Choose one: it opens
with the lines that draw it. They work in any notebook after the lines below, which load the data when a figure asks for
them. Figures of the embedding analysis carry a sentence with their numbers: `plots.caption(figure)`. ORL photographs:
AT&T Laboratories Cambridge."""
START = """%matplotlib inline
import numpy as np
import pandas as pd

from facelab import analyze, plots
from facelab.course.figures import ExampleData, small_pictures
from facelab.study.results import Results

data = ExampleData()
small_pictures()  # leave it out for a large one"""


class ExampleData:
    """What several examples draw: the course's faces, its two networks, a few photographs; each made when needed."""

    @functools.cached_property
    def faces(self) -> Any:
        from facelab.course.networks import course_faces

        return course_faces()

    @functools.cached_property
    def models(self) -> dict[str, Any]:
        from facelab.course.networks import course_model

        return {name: course_model(name) for name in MODELS}

    @functools.cached_property
    def embedders(self) -> dict[str, Any]:
        return {name: model.embedder() for name, model in self.models.items()}

    @functools.cached_property
    def strangers(self) -> dict[str, np.ndarray]:
        """Embeddings of the pictures of strangers, not normalised."""
        return {name: embed(self.faces.strangers, normalize=False) for name, embed in self.embedders.items()}

    @property
    def labels(self) -> np.ndarray:
        return self.faces.strangers.labels

    @functools.cached_property
    def threshold(self) -> float:
        """Of cross entropy, at a FAR of 10 %."""
        from facelab.evaluate import threshold_at_far

        return threshold_at_far(self.scores["cross_entropy"], 0.1)

    @functools.cached_property
    def scores(self) -> dict[str, Any]:
        from facelab.evaluate import pair_scores

        return {name: pair_scores(x, self.labels) for name, x in self.strangers.items()}

    @functools.cached_property
    def photographs(self) -> Any:
        from facelab.data import load_orl

        return load_orl().select(np.arange(0, 60, 10))

    @functools.cached_property
    def detections(self) -> list[list[Any]]:
        from facelab.detect import MTCNN

        return MTCNN().detect([self.photographs[i][0] for i in range(len(self.photographs))])

    @functools.cached_property
    def chips(self) -> Any:
        from facelab.align import make_chips
        from facelab.detect import MTCNN

        return make_chips(self.photographs, MTCNN())[0]

    @functools.cached_property
    def sweeps(self) -> list[Any]:
        from facelab.synth.vary import sweep

        return [sweep(name, identities=3) for name in ("yaw", "light")]

    @functools.cached_property
    def literature(self) -> pd.DataFrame:
        from facelab.course.literature import literature

        return literature()


@dataclass(frozen=True)
class Example:
    """One entry of the page.

    Attributes:
        alt: what the figure shows to somebody who cannot see it.
        draw: makes it.
        source: of the photographs that it shows, by the name in :mod:`facelab.sources`; its credit is said below.
    """

    alt: str
    draw: Callable[[ExampleData], Figure]
    source: str = ""


EXAMPLES: dict[str, Example] = {}


def example(
    name: str, alt: str, *, source: str = ""
) -> Callable[[Callable[[ExampleData], Figure]], Callable[[ExampleData], Figure]]:
    """Register the decorated function as the example of a figure."""

    def register(draw: Callable[[ExampleData], Figure]) -> Callable[[ExampleData], Figure]:
        EXAMPLES[name] = Example(alt, draw, source)
        return draw

    return register


def figure_functions() -> dict[str, Callable[..., Figure]]:
    """Return every public function that returns a figure, by name: the book's own, then those of ``facelab.plots``."""
    names = ["course.cover", "course.review", *(f"plots.{info.name}" for info in pkgutil.iter_modules(plots.__path__))]
    found: dict[str, Callable[..., Figure]] = {}
    for module in (importlib.import_module(f"facelab.{name}") for name in names):
        for name, function in inspect.getmembers(module, inspect.isfunction):
            returns = inspect.signature(function).return_annotation
            own = function.__module__ == module.__name__ and not name.startswith("_")
            if own and module.__name__ != "facelab.plots.style" and returns in (Figure, "Figure"):
                found[name] = function
    return found


def call(name: str) -> str:
    """Return the lines that draw the example of a figure, as they can be copied: they need what :data:`START` makes.

    Raises:
        FacelabError: there is no example of that name.
    """
    if name not in EXAMPLES:
        raise FacelabError(f"the page of figures has no figure {name!r}; it has: {', '.join(EXAMPLES)}.")
    source = inspect.getsource(EXAMPLES[name].draw)
    (function,) = ast.parse(source).body
    *_, last = function.body  # type: ignore[attr-defined]
    lines = source.splitlines()
    lines[last.lineno - 1] = lines[last.lineno - 1].replace("return ", "", 1)
    lines = textwrap.dedent("\n".join(lines[function.body[0].lineno - 1 :])).splitlines()  # type: ignore[attr-defined]
    return "\n".join(line.removesuffix("  # fmt: skip") for line in lines if line != "del data").strip()


def small_pictures() -> None:
    """Let the running notebook show figures as pictures so small that sixty of them fit on one page.

    The SVG of each is stored beside it, packed: the book's page shows that, and its twin for a dark page, which is
    stored, too, if the figure has one of its own.
    """
    from IPython import get_ipython
    from IPython.display import display

    def show(figure: Figure) -> None:
        picture = _small(figure)
        kind = "image/png" if picture.startswith(b"\x89PNG") else "image/jpeg"
        twins = {"svg": figure, "dark": figure.dark} if isinstance(figure, Drawing) else {}
        beside = {kind: {name: packed(svg(twin, most=MOST_BYTES), "") for name, twin in twins.items() if twin}}
        display({kind: base64.b64encode(picture).decode(), "text/plain": repr(figure)}, metadata=beside, raw=True)

    get_ipython().display_formatter.ipython_display_formatter.for_type(Figure, show)


def _small(figure: Figure, most: int = 150_000) -> bytes:
    """Return the figure in the smaller of two forms: PNG with its 256 best colours (charts), or JPEG (photographs).

    The resolution is lowered in steps until it takes at most so many bytes; very large sheets of faces need it.
    """
    from PIL import Image

    dpi = min(figure.dpi, COARSE)
    while True:
        figure.savefig(buffer := io.BytesIO(), format="png", bbox_inches="tight", dpi=dpi, facecolor="white")
        picture = Image.open(buffer).convert("RGB")
        picture.quantize(256).save(png := io.BytesIO(), format="png", optimize=True)
        picture.save(jpeg := io.BytesIO(), format="jpeg", quality=80, optimize=True)
        smaller = min(png.getvalue(), jpeg.getvalue(), key=len)
        if len(smaller) <= most or dpi < 20:
            return smaller
        dpi *= 0.8


@example("chain_figure", "Four drawings: a photograph with boxes, a chip with a grid, points on a circle, two angles.")
def _(data: ExampleData) -> Figure:
    from facelab.course.cover import chain_figure

    return chain_figure()


@example("logo_figure", "The course's mark: points on a circle.")
def _(data: ExampleData) -> Figure:
    from facelab.course.cover import logo_figure

    return logo_figure()


@example("draw_detections", "A portrait with a box around the face, five points and a score.", source="orl")
def _(data: ExampleData) -> Figure:
    return plots.draw_detections(data.photographs[0][0], data.detections[0])


@example("detections_sheet", "Six portraits, each with a box around the face and five points.", source="orl")
def _(data: ExampleData) -> Figure:
    return plots.detections_sheet([data.photographs[i][0] for i in range(6)], data.detections[:6])


@example("rows_of_faces", "Two rows of eight rendered faces: eight people, and below each the same person again.")
def _(data: ExampleData) -> Figure:
    pictures = data.faces.test.array()
    return plots.rows_of_faces({"one": pictures[0:32:4], "another": pictures[1:32:4]})


@example("photographs_and_chips", "Six portraits with boxes and points above, six aligned chips below.", source="orl")
def _(data: ExampleData) -> Figure:
    return plots.photographs_and_chips(data.photographs, data.chips, range(6))


@example("one_factor_at_a_time", "Rows of rendered faces; in each row one parameter changes from left to right.")
def _(data: ExampleData) -> Figure:
    from facelab.synth.vary import vary

    factors = ["yaw", "expression", "gaze aside", "light from", "distance, dm", "occluder", "JPEG quality"]
    return plots.one_factor_at_a_time(vary("scene", factors, size=64))


@example("people_by_scenes", "A grid of rendered faces: one person per row.")
def _(data: ExampleData) -> Figure:
    return plots.people_by_scenes(data.faces.strangers, people=4, scenes=8)


@example("relatives", "Rendered people, each with a sibling and a look-alike.")
def _(data: ExampleData) -> Figure:
    from facelab.synth.vary import relatives

    return plots.relatives(relatives((3, 8), size=64))


@example("attribute_spread", "Histograms of rendering parameters.")
def _(data: ExampleData) -> Figure:
    return plots.attribute_spread(data.faces.train)


@example("rendered_truth", "A rendered picture, the same with box and landmarks, and a map of what each pixel shows.")
def _(data: ExampleData) -> Figure:
    from facelab.synth.identity import sample_identity
    from facelab.synth.render import ChipFraming, renderer_for
    from facelab.synth.scene import sample_scene

    renderer, framing = renderer_for(), ChipFraming(112, 56)
    body = renderer.body(sample_identity(renderer.model, 12))
    return plots.rendered_truth(renderer.render(body, [sample_scene(12)], size=framing.shape, framing=framing)[0])


@example("loss_families", "A tree of losses with the names of the methods in each family.")
def _(data: ExampleData) -> Figure:
    from facelab.course.review import loss_families

    return loss_families(data.literature)


@example("target_logits", "Curves that fall from 1 with the angle; the margin curve lies below the cosine.")
def _(data: ExampleData) -> Figure:
    from facelab.course.review import target_logits

    theta = np.linspace(0, np.pi - 0.5, 200)
    return target_logits(theta, {"no margin": np.cos(theta), "ArcFace, m = 0.5": np.cos(theta + 0.5)})


@example("published_dots", "One row for each method, one marker for each benchmark.")
def _(data: ExampleData) -> Figure:
    from facelab.course.literature import COMPARISONS, published
    from facelab.course.review import published_dots

    return published_dots(published(next(iter(COMPARISONS))), xlabel="published value")


@example("eigenface_sheet", "A mean face and three components in grey.")
def _(data: ExampleData) -> Figure:
    from facelab.course.review import eigenface_sheet

    grey = data.faces.train.array().mean(axis=3)
    flat = grey.reshape(len(grey), -1)
    axes = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[2][:3]
    titles = ["mean", "1st axis", "2nd axis", "3rd axis"]
    return eigenface_sheet(grey.mean(axis=0), axes.reshape(3, *grey.shape[1:]), titles=titles)


@example("interval_rows", "One row for each model: a point with whiskers.")
def _(data: ExampleData) -> Figure:
    from facelab.course.review import interval_rows
    from facelab.evaluate import verification

    rows = {name: verification(x, data.labels)["auc"].as_dict() for name, x in data.strangers.items()}
    return interval_rows(pd.DataFrame(rows).T, xlabel="AUC on strangers, 95 % interval")


@example("training_curves", "Left: the loss falls over 16 epochs. Right: the accuracy rises.")
def _(data: ExampleData) -> Figure:
    return plots.training_curves({name: model.history for name, model in data.models.items()})


@example("score_histograms", "Histograms of genuine and impostor scores that overlap, with a threshold.")
def _(data: ExampleData) -> Figure:
    return plots.score_histograms(data.scores)


@example("compared_pair", "Two faces, and below them their cosine among those of known pairs.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import threshold_at_far

    pairs, chips = data.scores["arcface"], [data.faces.strangers[row][0] for row in (0, 1)]
    return plots.compared_pair(chips, ("first", "second"), pairs.values[0], threshold_at_far(pairs, 0.01), pairs)


@example("roc_curves", "Two curves that rise with the false accept rate.")
def _(data: ExampleData) -> Figure:
    return plots.roc_curves(data.scores)


@example("pair_angle_histograms", "Histograms of the angles of genuine and impostor pairs, one panel for each model.")
def _(data: ExampleData) -> Figure:
    return plots.pair_angle_histograms(
        {name: analyze.pair_angles(x, data.labels) for name, x in data.strangers.items()}
    )


@example("centre_map", "Points by angle to the own centre and to the nearest other; a diagonal parts right from wrong.")
def _(data: ExampleData) -> Figure:
    return plots.centre_map({name: analyze.centre_angles(x, data.labels) for name, x in data.strangers.items()})


@example("spectrum_curves", "Curves of cumulated variance that rise to 1, each with a mark at its participation ratio.")
def _(data: ExampleData) -> Figure:
    return plots.spectrum_curves(
        {name: analyze.spectrum(e(data.faces.strangers)) for name, e in data.embedders.items()}
    )


@example("length_against_quality", "Clouds of points, lengths of embeddings over yaw, with medians of six groups.")
def _(data: ExampleData) -> Figure:
    yaw = np.degrees(data.faces.strangers.table["yaw"].abs().to_numpy())
    lengths = {name: np.linalg.norm(x, axis=1) for name, x in data.strangers.items()}
    rho = {name: analyze.rank_correlation(x, yaw, data.labels) for name, x in lengths.items()}
    return plots.length_against_quality(lengths, yaw, rho, label="|yaw| (degrees)")


@example("collapse_curves", "A curve of NC1, the spread within classes relative to that between, falls in a training.")
def _(data: ExampleData) -> Figure:
    from facelab.train import EmbeddingWatch, Recipe, fit

    few = data.faces.train.select(data.faces.train.labels < 4).resized(32)
    watch = EmbeddingWatch(analyze.variability_collapse, every=3)
    recipe = Recipe(size=32, embedding_dim=16, epochs=8, batch_size=16, learning_rate=0.02, augment=False)
    fit(recipe, few, device="cpu", watch=watch)
    return plots.collapse_curves({"cross_entropy": watch})


@example("clustering_curves", "Left: pairwise F over the threshold. Right: the number of clusters rises with it.")
def _(data: ExampleData) -> Figure:
    def at(x: np.ndarray, threshold: float) -> analyze.ClusteringScores:
        return analyze.clustering_scores(data.labels, analyze.cluster(x, threshold=threshold))

    thresholds = [0.2, 0.4, 0.6, 0.8]
    return plots.clustering_curves({name: {t: at(x, t) for t in thresholds} for name, x in data.strangers.items()})


@example("projection_map", "Two maps of points in sixteen kinds of markers, with a legend.")
def _(data: ExampleData) -> Figure:
    points = {name: analyze.project(x, method="pca") for name, x in data.strangers.items()}
    return plots.projection_map(points, data.labels, data.faces.strangers.identities)


@example("projection_grid", "Two maps of the same points, by PCA and by t-SNE, with trustworthiness and continuity.")
def _(data: ExampleData) -> Figure:
    x = data.strangers["cross_entropy"]
    maps = {"PCA": analyze.project(x, method="pca"), "t-SNE": analyze.project(x)}
    return plots.projection_grid(maps, data.labels, {title: analyze.trust(x, p) for title, p in maps.items()})


@example("sphere_map", "Two discs, front and back of a sphere, with points in sixteen kinds of markers.")
def _(data: ExampleData) -> Figure:
    return plots.sphere_map(analyze.project(data.strangers["cross_entropy"], method="sphere"), data.labels)


@example("pair_sheet", "Pairs of faces of different people, one pair per column, with their cosines.")
def _(data: ExampleData) -> Figure:
    pairs = analyze.hard_pairs(data.strangers["cross_entropy"], data.labels, "impostor", top=6)
    return plots.pair_sheet(data.faces.strangers, pairs)


@example("failure_sheet", "Three rows of faces: probes, whom they are taken for, and who they are, with scores.")
def _(data: ExampleData) -> Figure:
    return plots.failure_sheet(
        data.faces.strangers, analyze.failures(data.strangers["cross_entropy"], data.labels, top=6)
    )


@example(
    "confusion_sheet", "Rows of faces: four of one person on the left, four of the person taken for them on the right."
)
def _(data: ExampleData) -> Figure:
    confusions = analyze.confused_identities(data.strangers["cross_entropy"], data.labels, top=3)
    return plots.confusion_sheet(data.faces.strangers, confusions)


@example("variance_bars", "Left: bars of the share of identity. Right: points with whiskers for each factor.")
def _(data: ExampleData) -> Figure:
    from facelab.synth.factors import factor_features

    features = factor_features(data.faces.strangers.table)
    del features["skin"]  # sixteen identities are too few to learn it from
    return plots.variance_bars(
        {name: analyze.variance_partition(x, data.labels, features) for name, x in data.strangers.items()}
    )


@example("probe_scores", "Points with whiskers: how well yaw, pitch and elevation of the light can be read.")
def _(data: ExampleData) -> Figure:
    table = data.faces.strangers.table
    columns = ("yaw", "pitch", "light_elevation")
    return plots.probe_scores(
        {
            name: {c: analyze.linear_probe(x, table[c].to_numpy(), data.labels) for c in columns}
            for name, x in data.strangers.items()
        }
    )


@example("response_curves", "Curves that rise from 0 with yaw and light; a dashed line marks the angle between people.")
def _(data: ExampleData) -> Figure:
    return plots.response_curves({name: analyze.responses(e, data.sweeps) for name, e in data.embedders.items()})


@example("sweep_sheet", "Two rows of one rendered face: turning its head, and with a light that moves to the side.")
def _(data: ExampleData) -> Figure:
    return plots.sweep_sheet(data.sweeps)


@example("over_angle", "Two falling curves over the angle: the cosine, and ArcFace's target logit below it.")
def _(data: ExampleData) -> Figure:
    theta = np.linspace(0, np.pi - 0.5, 200)
    curves = {"normface": np.cos(theta), "arcface": np.cos(theta + 0.5)}
    return plots.over_angle(theta, curves, ylabel="target logit ψ(θ)")


@example("decision_boundaries", "Two squares of two angles: without a margin two triangles, with one an empty band.")
def _(data: ExampleData) -> Figure:
    return plots.decision_boundaries({"normface": np.cos, "arcface": lambda theta: np.cos(theta + 0.5)})


@example("plane_and_circle", "Above six groups of points along rays from the origin, below the same on a circle.")
def _(data: ExampleData) -> Figure:
    from facelab.course.toy import TOY_LOSSES, toy_faces, train_toy

    train, test = toy_faces()
    toys = {name: train_toy(TOY_LOSSES[name], train, test) for name in ("normface", "arcface")}
    embeddings, centres = ({name: getattr(toy, part) for name, toy in toys.items()} for part in ("train", "centres"))
    return plots.plane_and_circle(embeddings, train.labels, centres)


@example("centre_angle_histograms", "Histograms of the angles to the own and to the nearest other class centre.")
def _(data: ExampleData) -> Figure:
    x, centres = data.embedders["arcface"](data.faces.train), data.models["arcface"].loss["centres"]
    return plots.centre_angle_histograms({"ArcFace": analyze.centre_angles(x, data.faces.train.labels, centres)})


@example("triplet_zones", "Distances of one anchor on a line, with zones for hard, semi-hard and easy negatives.")
def _(data: ExampleData) -> Figure:
    x = data.strangers["cross_entropy"]
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    distances, same = 2 - 2 * x @ x[0], data.labels == data.labels[0]
    return plots.triplet_zones(distances[1:4][same[1:4]], distances[~same][::8], margin=0.2)


@example("angle_curves", "Two curves over the steps: the mean angles to the own and to the nearest other centre.")
def _(data: ExampleData) -> Figure:
    from facelab.train import Recipe, fit

    trace = []

    def watch(step, embeddings, labels, loss):
        angles = analyze.centre_angles(embeddings, labels, loss.centres.detach())
        trace.append((angles.own.mean(), angles.other.mean()))

    few = data.faces.train.select(data.faces.train.labels < 4).resized(32)
    quick = {"backbone": "resnet18", "epochs": 12, "batch_size": 16, "learning_rate": 0.02, "augment": False}
    fit(Recipe.parse({"size": 32, "embedding_dim": 16, **quick}), few, device="cpu", watch=watch)
    return plots.angle_curves({"cross entropy": np.array(trace)}, smooth=3)


@example("loss_steps", "The loss of two trainings with triplets over the steps, and a line at the margin.")
def _(data: ExampleData) -> Figure:
    from facelab.course.toy import toy_faces, train_toy
    from facelab.train import LossRecipe

    losses = {
        mining: train_toy(LossRecipe(name="triplet", mining=mining), *toy_faces(), steps=60).losses
        for mining in ("batch-hard", "batch-all")
    }
    return plots.loss_steps(losses, level=0.2, level_name="margin")


@example("det_curves", "Two falling curves, nearly straight, on normal-deviate axes.")
def _(data: ExampleData) -> Figure:
    return plots.det_curves(data.scores)


@example("error_reject_curves", "Falling curves with bands: refusing by embedding length, by sharpness, and an oracle.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import error_versus_reject, sharpness

    x = data.strangers["cross_entropy"]
    measures = {"embedding norm": np.linalg.norm(x, axis=1), "sharpness": sharpness(data.faces.strangers.array())}
    return plots.error_reject_curves(
        {
            name: error_versus_reject(x, data.labels, quality, data.threshold, replicates=100)
            for name, quality in measures.items()
        }
    )


@example("fold_accuracies", "Eight dots, the accuracy of each fold, around a line with a band.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import draw_pairs, fold_accuracy, listed_scores

    first, second, fold = draw_pairs(data.labels, np.random.default_rng(0), folds=8)
    return plots.fold_accuracies(
        fold_accuracy(listed_scores(data.strangers["cross_entropy"], data.labels, first, second), fold)
    )


@example("group_errors", "FAR and FRR with whiskers for three groups of pictures: skin with little to much melanin.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import errors_by_group

    melanin = pd.qcut(data.faces.strangers.table["melanin"], 3, labels=["low", "middle", "high"]).astype(str)
    audit = errors_by_group(data.strangers["cross_entropy"], data.labels, melanin.to_numpy(), data.threshold)
    return plots.group_errors(audit, title="melanin, a rendering parameter")


@example("threshold_transfer", "Two pairs of histograms; one threshold cuts both sets, at very different error rates.")
def _(data: ExampleData) -> Figure:
    first, second = data.scores.values()
    return plots.threshold_transfer(first, second, data.threshold, list(data.scores))


@example("interval_widths", "Two histograms of AUC: narrow when pairs are drawn again, wide when people are.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import Scores, auc, roc
    from facelab.evaluate.bootstrap import bootstrap_curves

    scores, generator = data.scores["cross_entropy"], np.random.default_rng(0)
    pairs = []
    for _ in range(200):
        drawn = generator.integers(len(scores), size=len(scores))
        pairs.append(float(auc(roc(Scores(*(getattr(scores, f)[drawn] for f in ("values", "first", "second")))))))
    people = np.concatenate([auc(curve) for curve in bootstrap_curves(scores, 200, generator)])
    return plots.interval_widths({"pairs": np.array(pairs), "people": people}, xlabel="AUC")


@example("coverage_intervals", "Two stacks of 100 intervals: of pairs many miss a dashed line, of people hardly any.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import simulate_intervals

    del data
    found, name = simulate_intervals("look-alikes", 16, ["errors"], datasets=100, replicates=20), "FAR at threshold 0.1"
    ways = {
        "pairs taken as independent": found[f"{name}, pairs taken as independent"],
        "other people": found[name],
    }
    return plots.coverage_intervals(ways, xlabel="FAR")


@example("cmc_curves", "Two rising curves: the share of probes found among the k best.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import cmc

    half = np.arange(len(data.labels)) % 2 == 0
    return plots.cmc_curves(
        {name: cmc(x[half], data.labels[half], x[~half], data.labels[~half]) for name, x in data.strangers.items()}
    )


@example("open_set_curves", "Two rising curves: the share of known probes found over the share of false alarms.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import open_set

    gallery = (np.arange(len(data.labels)) % 2 == 0) & (data.labels < 10)
    return plots.open_set_curves(
        {name: open_set(x[gallery], data.labels[gallery], x[~gallery], data.labels[~gallery])
         for name, x in data.strangers.items()}
    )  # fmt: skip


@example(
    "score_maps",
    "One portrait under three heat maps, for windows of growing size; each marks the best window.",
    source="orl",
)
def _(data: ExampleData) -> Figure:
    from facelab.detect import MTCNN

    image = data.photographs[0][0]
    detector = MTCNN()
    scales = detector.pyramid(*image.shape[:2])
    return plots.score_maps(image, {scale: detector.score_map(image, scale) for scale in scales[::2][:3]})


@example("suppression", "A portrait with many overlapping boxes on the left, and one box on the right.", source="orl")
def _(data: ExampleData) -> Figure:
    face = data.detections[0][0].box
    near = face + np.random.default_rng(0).normal(0, 6, (12, 4))
    return plots.suppression(data.photographs[0][0], near, face[None])


@example("precision_recall_curves", "Precision over recall of three detectors on rendered photographs.")
def _(data: ExampleData) -> Figure:
    return plots.precision_recall_curves(Results.load("detection").values["detectors"])


@example("recall_by_group", "Recall with whiskers of three detectors, by how far the face turns away and by occluder.")
def _(data: ExampleData) -> Figure:
    return plots.recall_by_group(Results.load("detection").values["detectors"], ("yaw", "occluder"))


@example(
    "chips_by_method", "Three rows of the same faces: five-point chips, eyes-only chips and plain crops.", source="orl"
)
def _(data: ExampleData) -> Figure:
    faces = [found[0] for found in data.detections]
    images = [data.photographs[i][0] for i in range(len(faces))]
    return plots.chips_by_method(
        images, np.stack([face.landmarks for face in faces]), np.stack([face.box for face in faces])
    )


@example("landmark_fit", "A cloud of points around each of the five crosses of the template.")
def _(data: ExampleData) -> Figure:
    from facelab.align import similarity, template

    moved = []
    for found in data.detections:
        matrix = similarity(found[0].landmarks, template())
        moved.append(found[0].landmarks @ matrix[:, :2].T + matrix[:, 2])
    return plots.landmark_fit(np.stack(moved))


@example("method_comparison", "TAR at FAR 1 % with whiskers for three ways to align, on two sets of faces.")
def _(data: ExampleData) -> Figure:
    return plots.method_comparison(Results.load("alignment").values)


@example(
    "loss_results", "Two panels with one row a loss: a dot with whiskers, and five small marks, the seeds, above it."
)
def _(data: ExampleData) -> Figure:
    settings = Results.load("gpu").values["settings"]
    return plots.loss_results(
        {
            f"{images} images an identity": {loss: row["centroid"] for loss, row in settings[images]["losses"].items()}
            for images in ("17", "6")
        }
    )


@example(
    "paired_differences", "Rows of differences with whiskers beside a line at zero; two are filled, the others hollow."
)
def _(data: ExampleData) -> Figure:
    pairs = Results.load("gpu").values["settings"]["6"]["comparisons"]["accuracy"]
    with_cross_entropy = {pair: row for pair, row in pairs.items() if pair.endswith("- cross_entropy")}
    return plots.paired_differences({"6 images an identity": with_cross_entropy})


@example(
    "wrong_labels", "Three lines fall from 0.5 to 0.3; beside them, three points at 0.9, far above the line at 0.5."
)
def _(data: ExampleData) -> Figure:
    return plots.wrong_labels(Results.load("noise").values["shares"])


@example("ablations", "Rows of dots in two panels: where the scale is 64, most lie below 0.15, far left of the others.")
def _(data: ExampleData) -> Figure:
    changes = Results.load("gpu-ablations").values["changes"]
    return plots.ablations({group: changes[group] for group in ("base", "start", "scale", "margin")})


@example("tuning_trials", "One row a loss with eight circles, the trials; the rightmost one is filled.")
def _(data: ExampleData) -> Figure:
    return plots.tuning_trials(Results.load("gpu").values["tuning"])


@example(
    "replayed_experiments", "Two histograms of differences; bars below zero are orange, more of them on the right."
)
def _(data: ExampleData) -> Figure:
    replayed = Results.load("gpu").values["settings"]["6"]["replay"]
    return plots.replayed_experiments({world: replayed[world] for world in ("as it was", "equal losses")})


@example("factor_errors", "Three columns of FRR above FAR; both are flat over yaw, and rise with melanin and age.")
def _(data: ExampleData) -> Figure:
    study = Results.load("factors")
    found = study.values["networks"]["synthfaces-arcface"]["factors"]
    rows = {name: found[name] for name in ("yaw", "melanin", "age")}
    return plots.factor_errors(rows, study.plan["settings"]["factors"], far=study.values["far"])


@example("false_match_curves", "Two curves that rise with the size of the gallery and level off at every search.")
def _(data: ExampleData) -> Figure:
    from facelab.evaluate import errors_at, threshold_at_far

    pairs, rates = data.scores["cross_entropy"], {}
    for far in (0.1, 0.01):
        threshold = threshold_at_far(pairs, far)
        rates[f"{threshold:.2f}"] = errors_at(pairs, threshold, replicates=200)[0]
    return plots.false_match_curves(rates, searches=1000, largest=10_000)


@example("recall_curves", "Recall over the breadth of a search: near 100 % for faces, rising from below for noise.")
def _(data: ExampleData) -> Figure:
    import faiss

    from facelab.evaluate import wilson
    from facelab.study.results import published_arrays

    faces = published_arrays("gpu")["test.arcface"].astype(np.float32)
    noise = np.random.default_rng(0).normal(size=faces.shape).astype(np.float32)
    breadth = [4, 8, 16, 32, 64]
    recall: dict[str, list] = {}
    for name, x in {"faces": faces, "noise": noise}.items():
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        gallery, probes = x[:1600], x[1600:]
        index = faiss.IndexHNSWFlat(x.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        index.add(gallery)
        nearest, recall[name] = (probes @ gallery.T).argmax(axis=1), []
        for index.hnsw.efSearch in breadth:
            found = index.search(probes, 1)[1][:, 0] == nearest
            recall[name].append(wilson(int(found.sum()), len(probes)))
    return plots.recall_curves(breadth, recall)


def page() -> Any:
    """Return the page as a notebook (nbformat 4) without outputs: for each figure its docstring and its example."""
    from nbformat import v4

    cells = [v4.new_markdown_cell(INTRODUCTION), v4.new_code_cell(START)]
    room = ""
    for name, function in figure_functions().items():
        module = function.__module__.rpartition(".")[2]
        heading = f"## {module.capitalize()}\n\n" if module != room else ""
        room = module
        cells.append(v4.new_markdown_cell(f"{heading}### {name}\n\n{described(function)}"))
        cell = v4.new_code_cell(call(name))
        first = (inspect.getdoc(function) or "").split("\n\n")[0].replace("\n", " ")
        if source := EXAMPLES[name].source:
            first += f" {find_source(source).credit}."
        cell.metadata["tags"] = ["figure"]
        cell.metadata["mystnb"] = {"image": {"alt": EXAMPLES[name].alt}, "figure": {"caption": first}}
        cells.append(cell)
    for number, cell in enumerate(cells):
        cell["id"] = f"g{number:03d}"
    kernel = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
    return v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def described(function: Callable[..., Figure]) -> str:
    """Return a box that opens to the function's signature and docstring, and the way back."""
    name, signature = f"{function.__module__}.{function.__name__}", inspect.signature(function)
    if len(name + str(signature)) > 88:
        parts = [str(parameter) for parameter in signature.parameters.values()]
        keywords = [p.kind for p in signature.parameters.values()]
        if inspect.Parameter.KEYWORD_ONLY in keywords:
            parts.insert(keywords.index(inspect.Parameter.KEYWORD_ONLY), "*")
        name += "(\n" + "".join(f"    {part},\n" for part in parts) + f") -> {signature.return_annotation.__name__}"
    else:
        name += str(signature)
    name = re.sub(r"\b(?:\w+\.)+(?=[A-Z])", "", name)  # types without the modules that they stand in
    text = f"```text\n{name}\n\n{inspect.getdoc(function)}\n```"
    return f"````{{admonition}} How to call it\n:class: dropdown\n{text}\n````\n\n[All figures](#figures)"


def main(path: str, *names: str) -> None:
    """Write the page and run it; with names of figures only these are drawn, and the others' pictures stay."""
    import nbformat
    from nbconvert.preprocessors import ExecutePreprocessor

    from facelab.files import atomic_write

    notebook = page()
    if names:
        pictures = {cell.source: cell.outputs for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"}
        drawn = {call(name) for name in names}
        kept = [c for c in notebook.cells if c.cell_type == "code" and c.source in pictures and c.source not in drawn]
        part = nbformat.v4.new_notebook(
            cells=[cell for cell in notebook.cells if cell not in kept or cell.source == START],
            metadata=notebook.metadata,
        )
        ExecutePreprocessor(timeout=600).preprocess(part)
        for cell in kept:
            cell.outputs = pictures[cell.source]
        for count, cell in enumerate([cell for cell in notebook.cells if cell.cell_type == "code"], start=1):
            cell.execution_count = count
    else:
        ExecutePreprocessor(timeout=600).preprocess(notebook)
    with atomic_write(Path(path)) as temporary:
        nbformat.write(notebook, temporary)


if __name__ == "__main__":
    main(*sys.argv[1:])
