"""Does alignment matter? One recipe, trained and tested on plain crops, eyes-only and five-point chips.

Some sets of faces, three ways to align, several seeds: a training of a ResNet34 for each. Some identities are for
training; the others are strangers whom no network has seen, and on whom all is measured. Every way sees the same
photographs, the same boxes and landmarks (MTCNN's), the same split, the same order of batches.
"""

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from facelab.align.chips import make_chips
from facelab.align.warp import METHODS, Method, align_batch
from facelab.data.faceset import FaceSet
from facelab.data.orl import load_orl
from facelab.data.splits import split_identities
from facelab.detect.mtcnn import MTCNN
from facelab.evaluate import Scores, auc, compare_scores, holm, pair_scores, roc, tar_at_far
from facelab.evaluate.bootstrap import bootstrap_curves, bootstrap_interval
from facelab.evaluate.curve import Roc
from facelab.evaluate.estimate import Estimate
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.rendered import load_faces
from facelab.study.training import Training
from facelab.synth.recipe import SynthRecipe

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

PAIRS: list[tuple[Method, Method]] = [("five-point", "crop"), ("five-point", "eyes"), ("eyes", "crop")]
MAIN = "tar_at_far_0.01"  # the main measure, chosen before the run
MEASURES: dict[str, Callable[[Roc], np.ndarray]] = {MAIN: functools.partial(tar_at_far, far=0.01), "auc": auc}


class Photographs(Strict):
    """Which photographs: ORL's, or rendered ones with surroundings; the first so many identities, or all."""

    rendered: SynthRecipe | None = None
    identities: int | None = Field(None, ge=2)

    def load(self, job: Job) -> FaceSet:
        faces = load_faces(self.rendered, job) if self.rendered else load_orl()
        return faces if self.identities is None else faces.select(faces.labels < self.identities)


class FindFaces(Run):
    """Find the face of each photograph, once for all ways to align it."""

    photographs: Photographs

    def compute(self, job: Job) -> Outcome:
        faces = self.photographs.load(job)
        detector = MTCNN(min_face=40, device=job.device)
        chips, report = make_chips(faces, detector, missing="skip", show_progress=job.show_progress)
        return Outcome(
            {"photographs": len(faces), "missing": len(report.missing)},
            {
                "found": np.setdiff1d(np.arange(len(faces)), report.missing),
                "landmarks": np.stack(chips.table["landmarks"]),
                "boxes": np.stack(chips.table["box"]),
            },
        )


class TrainAndEmbed(Run):
    """Train on the chips of one way to align; embed the strangers' chips of every way."""

    photographs: Photographs
    method: Method
    strangers: int
    training: Training

    def compute(self, job: Job) -> Outcome:
        faces = self.photographs.load(job)
        found = job.needed[self.needs[0]].arrays
        images = [faces[i][0] for i in found["found"]]
        table = faces.table.iloc[found["found"]].reset_index(drop=True)
        parts = {}
        for method in METHODS:
            chips = align_batch(images, found["landmarks"], method=method, boxes=found["boxes"])
            resized = FaceSet(f"{faces.name}/{method}", chips, table).resized(self.training.recipe.size)
            parts[method] = split_identities(resized, held_out=self.strangers, seed=0)
        train, strangers = parts[self.method]
        embed = self.training.embedder(train, job)
        arrays = {method: embed(others) for method, (_, others) in parts.items()}
        return Outcome({"identities_trained": len(train.identities)}, arrays | {"labels": strangers.labels})


class Faces(Strict):
    """One set of faces: which photographs, how many of the identities are strangers, and how long the training is."""

    photographs: Photographs
    strangers: int = Field(ge=2)
    epochs: int = Field(ge=1)


class Alignment(Experiment):
    """Each way to align on each set of faces, each seed."""

    faces: dict[Literal["orl", "mini"], Faces]
    seeds: tuple[int, ...] = Field(min_length=2)
    training: Training
    replicates: int = Field(1000, ge=100, description="draws of identities for the intervals")

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {}
        for name, faces in self.faces.items():
            runs[f"{name}-faces"] = FindFaces(photographs=faces.photographs)
            for seed, method in itertools.product(self.seeds, METHODS):
                runs[f"{name}-{method}-{seed}"] = TrainAndEmbed(
                    needs=(f"{name}-faces",),
                    photographs=faces.photographs,
                    method=method,
                    strangers=faces.strangers,
                    training=self.training.changed(epochs=faces.epochs, seed=seed),
                )
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        return {name: self._measured(name, outcomes) for name in self.faces}

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        methods = {
            (name, method): {key: f"{Estimate(*(measured[k] for k in ESTIMATE))}" for key, measured in keys.items()}
            for name, found in values.items()
            for method, keys in found["methods"].items()
        }
        compared = {
            (name, key, pair): {field: comparison[field] for field in (*ESTIMATE, "p_holm", "sentence")}
            for name, found in values.items()
            for key, pairs in found["comparisons"].items()
            for pair, comparison in pairs.items()
        }
        return {
            "methods": pd.DataFrame(methods).T.rename_axis(["set", "aligned by"]),
            "comparisons": pd.DataFrame(compared).T.rename_axis(["set", "measure", "pair"]),
        }

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import method_comparison

        return {"methods": method_comparison(values)}

    def _measured(self, name: Any, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Measure one set of faces: each way, the pairwise comparisons, and training one way, testing another."""
        runs = {method: [outcomes[f"{name}-{method}-{seed}"] for seed in self.seeds] for method in METHODS}
        labels = runs[METHODS[0]][0].arrays["labels"]
        scores = {
            (method, other): [pair_scores(run.arrays[other], labels) for run in runs[method]]
            for method, other in itertools.product(METHODS, METHODS)
        }
        result: dict[str, Any] = outcomes[f"{name}-faces"].values | {
            "identities_trained": runs[METHODS[0]][0].values["identities_trained"],
            "strangers": self.faces[name].strangers,
            "strangers_chips": len(labels),
            "methods": {
                method: {
                    key: _over_seeds(scores[method, method], measure, self.replicates)
                    for key, measure in MEASURES.items()
                }
                for method in METHODS
            },
            "trained_tested": {
                method: {
                    other: float(np.mean([MEASURES[MAIN](roc(one)) for one in scores[method, other]]))
                    for other in METHODS
                }
                for method in METHODS
            },
            "comparisons": {},
        }
        for key, measure in MEASURES.items():
            compared = {
                f"{a} - {b}": compare_scores(scores[a, a], scores[b, b], measure, replicates=self.replicates)
                for a, b in PAIRS
            }
            corrected = holm({names: comparison.p_value for names, comparison in compared.items()})
            result["comparisons"][key] = {
                names: {
                    **comparison.difference.as_dict(),
                    "p_holm": corrected[names],
                    "sentence": comparison.sentence(*names.split(" - ")),
                }
                for names, comparison in compared.items()
            }
        return result


ESTIMATE = ("value", "low", "high", "n")


def _over_seeds(scores: Sequence[Scores], measure: Callable[[Roc], np.ndarray], replicates: int) -> dict[str, Any]:
    """The mean over seeds, with the interval of an identity bootstrap in which all seeds meet the same draws."""
    points = [float(measure(roc(one))) for one in scores]
    draws = [
        np.concatenate([measure(curve) for curve in bootstrap_curves(one, replicates, np.random.default_rng(0))])
        for one in scores
    ]
    genuine, identities = int(scores[0].genuine.sum()), len(np.union1d(scores[0].first, scores[0].second))
    mean = bootstrap_interval(float(np.mean(points)), np.mean(draws, axis=0), genuine, identities, share=True)
    return mean.as_dict() | {"seeds": points}
