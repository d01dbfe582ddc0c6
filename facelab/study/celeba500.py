"""The experiment from which this course grew, on its own data: as it was done, and as this course does it.

The project trained a ResNet34 with cross entropy and with ArcFace, once each, on the first 500 images of CelebA-500,
and named 75 of them: by the classifier of cross entropy, by the nearest training image for ArcFace. Here every way to
experiment (which images, aligned or not, which recipe) trains both losses with several seeds, and every scorer names
the same test images, so that both protocols stand side by side. The set is the reader's: ``facelab study run celeba500
--data PATH``.

    landmarks ─ WAY-LOSS-SEED …
"""

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from facelab.align.chips import AlignedImages
from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.evaluate import identification_scores, roc, tar_at_far, wilson
from facelab.evaluate.bootstrap import bootstrap_curves, draw_identities
from facelab.evaluate.comparison import compare_draws, drawn_share_over_seeds
from facelab.losses import LOSSES
from facelab.sources import Opened, open_chips, open_faces
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.losses import SCORERS, SmallExperiment, ended, name_probes
from facelab.study.replay import replays
from facelab.study.training import Training
from facelab.train import Recipe

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

FPRS = (0.2, 0.1, 0.05, 0.01, 0.001)
PAIR = ("arcface", "cross_entropy")  # the difference is the first minus the second
PROTOCOLS = {
    "its scorers": {"cross_entropy": "classifier", "arcface": "neighbour"},
    "one scorer": {"cross_entropy": "centroid", "arcface": "centroid"},
}


class GivenSet(Strict):
    """CelebA-500 on the reader's disk. What it holds is part of a run's record; where it lies is not.

    Attributes:
        sha256: of the name, identity, split and bytes of every picture.
    """

    sha256: str
    path: str = Field("", exclude=True)

    @classmethod
    def at(cls, path: str) -> Self:
        """Look at a folder or archive, and read every picture once.

        Raises:
            FacelabError: it is another set, or a picture cannot be read.
        """
        faces = _open(path).faces
        rows = zip(faces.table.index, faces.files, faces.table["identity"], faces.table["split"], strict=True)
        digests = [
            (file.rpartition("/")[2], who, split, hashlib.sha256(faces.images.encoded(row)).hexdigest())  # type: ignore[attr-defined]
            for row, file, who, split in rows
        ]
        # Distractors stand in the order of a folder, or of an archive; the others in that of the lists, which decides.
        listed = [one for one in digests if one[2] != "distractor"]
        others = sorted(one for one in digests if one[2] == "distractor")
        return cls(sha256=hashlib.sha256(repr(listed + others).encode()).hexdigest(), path=path)

    def open(self) -> Opened:
        return _open(self.path)


def _open(path: str) -> Opened:
    opened = open_faces(path)
    if opened.source.name != "celeba500":
        raise FacelabError(
            f"--data {path} is read as {opened.source.name}, this plan is about celeba500: give the folder or archive "
            "of CelebA-500, which holds celebA_anno.txt."
        )
    return opened


class FirstImages(Strict):
    """The first images of the list, split at random; validation is left out, as nothing is chosen by it."""

    train: int = Field(350, ge=2)
    validation: int = Field(75, ge=0)
    test: int = Field(75, ge=1)
    seed: int = 0


class Way(Strict):
    """One way to do the experiment.

    Attributes:
        title: in tables.
        first: a split of the first images of the list; if not given, all images and the split that the set has.
        aligned: whether faces are aligned by five landmarks that MTCNN finds; if not, the photographs as they are.
        training: what both losses share; losses: what each of them changes in the recipe.
    """

    title: str = Field(min_length=1)
    first: FirstImages | None = None
    aligned: bool
    training: Training
    losses: dict[Literal["cross_entropy", "arcface"], dict[str, Any]] = Field(min_length=2)

    def of(self, loss: str, seed: int) -> Training:
        changes = dict(self.losses[loss])  # type: ignore[index]
        changes["loss"] = {"name": loss, **changes.get("loss", {})}
        recipe = Recipe.parse({**self.training.recipe.model_dump(), **changes, "seed": seed}, f"losses.{loss}")
        return Training(recipe=recipe, precision=self.training.precision)

    def parts(self, faces: FaceSet) -> tuple[np.ndarray, np.ndarray]:
        """Return positions of the images to train on, and of those to name.

        Raises:
            FacelabError: there are too few images, or no image to name is of somebody to train on.
        """
        split = faces.table["split"].to_numpy()
        if self.first is None:
            train, test = np.flatnonzero(split == "train"), np.flatnonzero(split == "test")
            asked = "the split of the set"
        else:
            listed = np.flatnonzero(np.isin(split, ("train", "validation", "test")))
            sizes = self.first.train, self.first.validation, self.first.test
            if len(listed) < sum(sizes):
                raise FacelabError(f"{faces.name}: {self.title} takes {sum(sizes)} images, the list has {len(listed)}.")
            order = np.random.default_rng(self.first.seed).permutation(listed[: sum(sizes)])
            train, _, test = np.split(order, np.cumsum(sizes)[:-1])
            asked = f"the first {sum(sizes)} images"
        names = faces.table["identity"].to_numpy()
        known = np.isin(names[test], names[train])
        if len(np.unique(names[test][known])) < 2:
            raise FacelabError(
                f"{faces.name}: {asked} leave {known.sum()} images to test whose identity is also trained on "
                f"({len(train)} to train, {len(test)} to test); images of 2 identities are needed. Get the whole set."
            )
        return train, test


class FindLandmarks(Run):
    """Find the face of every photograph, once for all trainings; where none is found, the middle stands for it."""

    data: GivenSet

    def compute(self, job: Job) -> Outcome:
        opened = self.data.open()
        found = open_chips(
            opened, images="photographs", missing="default", device=job.device, show_progress=job.show_progress
        )
        missing = len(found.report.missing) if found.report else 0
        landmarks = np.stack(list(found.faces.table["landmarks"]))
        return Outcome({"photographs": len(found.faces), "missing": missing}, {"landmarks": landmarks})


class TrainAndTest(Run):
    """Train one loss in one way; name the test images by every scorer; search the queries among distractors."""

    data: GivenSet
    way: Way
    loss: str
    seed: int
    replicates: int

    def compute(self, job: Job) -> Outcome:
        """A test image of somebody who is not trained on counts as named wrongly; ``unknown`` says how many are."""
        faces, training = self.data.open().faces, self.way.of(self.loss, self.seed)
        positions = self.way.parts(faces)
        if self.way.aligned:
            points = job.needed[self.needs[0]].arrays["landmarks"]
            faces = FaceSet(faces.name, AlignedImages(faces.images, points), faces.table)
        train, test = (faces.select(rows).resized(training.recipe.size) for rows in positions)
        state = training.fit(train, job)
        embed = state.embedder(job.device)
        named, _ = name_probes(state, embed, train, test)
        who, people = test.table["identity"].to_numpy(), np.array(train.identities)
        arrays = {scorer: people[labels] == who for scorer, labels in named.items()}
        values = {
            "recipe": state.recipe.model_dump(mode="json"),  # says whether ImageNet weights were there
            "accuracy": {scorer: float(right.mean()) for scorer, right in arrays.items()},
            "train": len(train),
            "train_identities": len(train.identities),
            "unknown": int((~np.isin(who, people)).sum()),
            **ended(state),
        }
        split = faces.table["split"].to_numpy()
        if {"query", "distractor"} <= set(split):
            searched = [faces.select(split == part).resized(training.recipe.size) for part in ("query", "distractor")]
            queries, distractors = (embed(part.array()) for part in searched)
            found, draws = _search(queries, distractors, searched[0].labels, self.replicates)
            values["search"] = found | {"query_identities": len(searched[0].identities)}
            arrays |= draws
        return Outcome(values, arrays | {"labels": test.labels})


def _search(
    queries: np.ndarray, distractors: np.ndarray, labels: np.ndarray, replicates: int
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the identification rate at each of FPRS that so many pairs can show, and its draws of identities."""
    scores = identification_scores(queries, labels, distractors)
    positives = int(np.count_nonzero(scores.genuine))
    negatives = len(scores) - positives
    rates = {f"tpr_at_fpr_{fpr:g}": partial(tar_at_far, far=fpr) for fpr in FPRS if fpr * negatives >= 1}
    if not positives or not rates:
        return {"positives": positives, "negatives": negatives, "queries": len(queries), "rates": {}}, {}
    point = roc(scores)
    drawn: dict[str, list[np.ndarray]] = {name: [] for name in rates}
    for curve in bootstrap_curves(scores, replicates, np.random.default_rng(0)):
        for name, rate in rates.items():
            drawn[name].append(rate(curve))
    found = {
        "queries": len(queries),
        "distractors": len(distractors),
        "positives": positives,
        "negatives": negatives,
        "rates": {name: float(rate(point)) for name, rate in rates.items()},
    }
    return found, {name: np.concatenate(blocks) for name, blocks in drawn.items()}


class CelebA500(Experiment):
    """Both losses in every way, each seed.

    Attributes:
        ways: by name; the replay needs one with more test images than the small experiment.
        small: the experiment as it was: so many test images, such a relative gain claimed.
        replicates: draws of identities for the intervals.
        data: the set; it comes from ``--data``, not from the plan.
    """

    takes_data: ClassVar[bool] = True

    ways: dict[str, Way] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    small: SmallExperiment = SmallExperiment()
    replicates: int = Field(1000, ge=100)
    data: GivenSet | None = Field(None, exclude=True)

    @model_validator(mode="after")
    def _check_recipes(self) -> Self:
        for way, loss in itertools.product(self.ways.values(), PAIR):
            way.of(loss, 0)
        return self

    def on(self, data: str) -> Self:
        given = GivenSet.at(data)
        faces = given.open().faces
        for way in self.ways.values():
            way.parts(faces)  # what cannot be split is said now, not by every run
        return self.model_copy(update={"data": given})

    def runs(self) -> dict[str, Run]:
        if self.data is None:
            raise FacelabError(
                "the plan is about CelebA-500, which comes with nothing: say where yours lies, --data PATH (run, "
                "status, report and publish take it)."
            )
        runs: dict[str, Run] = {}
        if any(way.aligned for way in self.ways.values()):
            runs["landmarks"] = FindLandmarks(data=self.data)
        for seed, (name, way), loss in itertools.product(self.seeds, self.ways.items(), PAIR):
            runs[_run(name, loss, seed)] = TrainAndTest(
                needs=("landmarks",) if way.aligned else (),
                data=self.data,
                way=way,
                loss=loss,
                seed=seed,
                replicates=self.replicates,
            )
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        assert self.data is not None
        landmarks = outcomes["landmarks"].values if "landmarks" in outcomes else None
        return {
            "data": {"sha256": self.data.sha256},
            "landmarks": landmarks,
            "ways": {name: self._way(name, outcomes) for name in self.ways},
        }

    def _way(self, name: str, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        runs = {loss: [outcomes[_run(name, loss, seed)] for seed in self.seeds] for loss in PAIR}
        first = runs[PAIR[0]][0]
        tested = {
            (loss, scorer): _Named.of(
                [run.arrays[scorer] for run in runs[loss]], first.arrays["labels"], self.replicates
            )
            for loss, scorer in itertools.product(PAIR, SCORERS)
        }
        images = len(first.arrays["labels"])
        differences = {}
        for protocol, scorers in PROTOCOLS.items():
            one, other = (tested[loss, scorers[loss]] for loss in PAIR)
            compared = compare_draws(one.points, other.points, one.draws, other.draws, one.identities)
            differences[protocol] = {
                **compared.difference.as_dict(),
                "p_value": compared.p_value,
                "sentence": compared.sentence(*(LOSSES[loss].title for loss in PAIR)),
            }
        replayed = {}
        if images > self.small.images and len(self.seeds) > 1:
            right = {loss: {scorer: tested[loss, scorer].right for scorer in SCORERS} for loss in PAIR}
            replayed = replays(right, images=self.small.images, gain=self.small.gain)
        return {
            "title": self.ways[name].title,
            "test": {"images": images, "identities": len(np.unique(first.arrays["labels"]))},
            **{key: first.values[key] for key in ("train", "train_identities", "unknown")},
            "imagenet": [run.values["recipe"]["pretrained"] for loss in PAIR for run in runs[loss]],
            "losses": {
                loss: {scorer: tested[loss, scorer].measured(self.small.images) for scorer in SCORERS} for loss in PAIR
            },
            "differences": differences,
            "search": self._searched(runs),
            "replay": replayed,
        }

    def _searched(self, runs: Mapping[str, list[Outcome]]) -> dict[str, Any]:
        """Identification rates with their intervals, and the difference of the losses; nothing if the set has none."""
        about = runs[PAIR[0]][0].values.get("search")
        if about is None:
            return {}
        result: dict[str, Any] = {key: value for key, value in about.items() if key != "rates"} | {"rates": {}}
        for rate in about["rates"]:
            points = {loss: np.array([run.values["search"]["rates"][rate] for run in runs[loss]]) for loss in PAIR}
            draws = {loss: np.array([run.arrays[rate] for run in runs[loss]]) for loss in PAIR}
            people = about["query_identities"] + about["distractors"]
            one, other = PAIR
            compared = compare_draws(points[one], points[other], draws[one], draws[other], people)
            result["rates"][rate] = {
                loss: drawn_share_over_seeds(points[loss], draws[loss], about["positives"], people).as_dict()
                | {"seeds": points[loss].tolist()}
                for loss in PAIR
            } | {
                "difference": {
                    **compared.difference.as_dict(),
                    "sentence": compared.sentence(*(LOSSES[loss].title for loss in PAIR)),
                }
            }
        return result

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        accuracy, differences, searches = {}, {}, {}
        for way in values["ways"].values():
            title, search = way["title"], way["search"]
            for loss, scorers in way["losses"].items():
                for scorer, found in scorers.items():
                    small = found["small"]
                    accuracy[title, loss, scorer] = {
                        "accuracy": _told(found),
                        "n": found["n"],
                        "identities": found["identities"],
                        "one training, over images": _told(found["one_training"]),
                        f"if {small['n']} images were tested": _told(small),
                    }
            for protocol, found in way["differences"].items():
                differences[title, protocol] = {
                    "arcface - cross_entropy": _told(found), "n": way["test"]["images"], "sentence": found["sentence"]
                }  # fmt: skip
            for rate, found in (search["rates"] if search else {}).items():
                searches[title, rate] = {
                    **{loss: _told(found[loss]) for loss in PAIR},
                    "n": search["positives"],
                    "negatives": search["negatives"],
                    "difference": found["difference"]["sentence"],
                }
        tables = {
            "accuracy": pd.DataFrame(accuracy).T.rename_axis(["way", "loss", "scorer"]),
            "differences": pd.DataFrame(differences).T.rename_axis(["way", "protocol"]),
        }
        if searches:
            tables["identification-rate"] = pd.DataFrame(searches).T.rename_axis(["way", "rate"])
        return tables

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import loss_results

        panels = {
            f"{way['title']}\n{protocol}": {loss: way["losses"][loss][scorers[loss]] for loss in PAIR}
            for way in values["ways"].values()
            for protocol, scorers in PROTOCOLS.items()
        }
        return {"accuracy": loss_results(panels)}


@dataclass(frozen=True, eq=False)
class _Named:
    """What a scorer named, of one loss.

    Attributes:
        right: of each seed and test image, shape (seeds, images).
        points: accuracy of each seed; draws: of each draw of identities, with all their images, shape (seeds, r).
        identities: how many were drawn from. They have unequal numbers of test images, so a mean over identities
            would not be the accuracy over images, which the project told.
    """

    right: np.ndarray
    points: np.ndarray
    draws: np.ndarray
    identities: int

    @classmethod
    def of(cls, right: list[np.ndarray], labels: np.ndarray, replicates: int) -> "_Named":
        number = np.bincount(labels)
        totals = np.array([np.bincount(labels, of_seed) for of_seed in right])
        blocks = draw_identities(len(number), replicates, np.random.default_rng(0))
        draws = np.concatenate([(drawn @ totals.T) / (drawn @ number)[:, None] for drawn in blocks]).T
        return cls(np.array(right), np.array([of_seed.mean() for of_seed in right]), draws, len(number))

    def measured(self, small: int) -> dict[str, Any]:
        """The mean over seeds with its interval over seeds and identities; the first seed's with that over images."""
        images = self.right.shape[1]
        mean = drawn_share_over_seeds(self.points, self.draws, images, self.identities)
        return mean.as_dict() | {
            "seeds": self.points.tolist(),
            "one_training": wilson(int(self.right[0].sum()), images).as_dict(),
            "small": wilson(round(mean.value * small), small).as_dict(),
        }


def _told(found: dict[str, Any]) -> str:
    return f"{found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"


def _run(way: str, loss: str, seed: int) -> str:
    return f"{way}-{loss.replace('_', '-')}-{seed}"
