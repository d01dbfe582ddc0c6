"""Errors of the shipped networks when one thing about rendered people changes and nothing else, at one threshold.

The threshold is chosen on other rendered people, in ordinary scenes. Then every factor is moved alone, in steps: on one
picture of a pair (somebody is enrolled in ordinary conditions and comes back in others), and on both.

    strangers ─ calibration
    factor-NAME …
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from facelab.data.faceset import FaceSet
from facelab.errors import FacelabError
from facelab.evaluate import Scores, compare_by_identity, holm, listed_scores, operating_point, pair_scores
from facelab.evaluate.bootstrap import mean_interval
from facelab.evaluate.counts import ErrorCounts, count_errors, disjoint_correction, pair_variance
from facelab.evaluate.thresholds import transfer_threshold
from facelab.models import pretrained
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.rendered import Render, load_faces
from facelab.synth.recipe import SynthRecipe

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd

Mode = Literal["one", "both"]
MODES: tuple[Mode, ...] = ("one", "both")
QUESTIONS = {"frr": "one", "far": "both"}  # the main ones, chosen before the run


class Calibrate(Run):
    """Embed the strangers on whom the threshold is chosen."""

    faces: SynthRecipe
    networks: tuple[str, ...]

    def compute(self, job: Job) -> Outcome:
        faces = load_faces(self.faces, job)
        return Outcome(
            {"people": len(faces.identities), "pictures": len(faces)},
            _embedded(self.networks, faces, job) | {"labels": faces.labels.astype(np.int16)},
        )


def _embedded(networks: tuple[str, ...], chips: FaceSet | np.ndarray, job: Job) -> dict[str, np.ndarray]:
    """In half precision, as they are published; normalised."""
    return {name: pretrained(name, device=job.device)(chips).astype(np.float16) for name in networks}


class Steps(Strict):
    """How a factor moves.

    Attributes:
        part, factor: whose, and its name in ``facelab.synth.factors``.
        unit: of the values, for figures.
        values: the first is the reference, the last the one that is asked about.
        degrees: whether the values are radians that figures show in degrees.
    """

    part: Literal["person", "scene"]
    factor: str
    unit: str
    values: tuple[float, ...] = Field(min_length=2)
    degrees: bool = False


class Move(Run):
    """Render people with one factor at each value, in some scenes each, and embed them.

    People and scenes are drawn as those of the data set, from the same seed for every factor. But all scenes are
    frontal, neutral and without occluder; what differs between two scenes of a person is light, camera and background.
    """

    steps: Steps
    people: int
    scenes: int
    seed: int
    networks: tuple[str, ...]

    def compute(self, job: Job) -> Outcome:
        from facelab.synth.identity import sample_identity
        from facelab.synth.render import ChipFraming, renderer_for
        from facelab.synth.scene import sample_scene
        from facelab.synth.vary import FRONTAL, factors_of, render_changes

        renderer, part = renderer_for(), self.steps.part
        known = factors_of(part, renderer)
        if self.steps.factor not in known:
            raise FacelabError(f"factor {self.steps.factor!r} of a {part}: choose among {', '.join(known)}.")
        factor = known[self.steps.factor]
        changes = [{**factor.fixed, **factor.change(value)} for value in self.steps.values]
        chips = []
        for number in range(self.people):
            person = sample_identity(renderer.model, np.random.SeedSequence([self.seed, number]))
            for k in range(self.scenes):
                scene = sample_scene(np.random.SeedSequence([self.seed, number, k]))
                scene = replace(scene, **FRONTAL)
                pictures = render_changes(renderer, part, changes, person, scene, ChipFraming(112))
                chips += [picture.image for picture in pictures]
        shape = (self.people, self.scenes, len(changes), -1)
        embedded = _embedded(self.networks, np.stack(chips), job)
        return Outcome({"pictures": len(chips)}, {name: x.reshape(shape) for name, x in embedded.items()})


def level_scores(embeddings: np.ndarray, level: int, mode: Mode, reference: int = 0) -> Scores:
    """Return the pairs of a factor's value.

    Args:
        embeddings: shape (people, scenes, values, d).
        level: position of the value.
        mode: ``"both"``: all pairs of pictures at this value; ``"one"``: every picture at the reference with every one
            at this value. A genuine pair is of two scenes, never of one.
        reference: position of the reference.
    """
    people, scenes, _, dimensions = embeddings.shape
    moved = embeddings[:, :, level].reshape(-1, dimensions).astype(np.float64)
    who, scene = (x.ravel() for x in np.indices((people, scenes)))
    if mode == "both":
        return pair_scores(moved, who)
    at_rest = embeddings[:, :, reference].reshape(-1, dimensions).astype(np.float64)
    first, second = (x.ravel() for x in np.indices((len(who), len(who))))
    keep = ~((who[first] == who[second]) & (scene[first] == scene[second]))
    rows = first[keep], len(who) + second[keep]
    return listed_scores(np.concatenate([at_rest, moved]), np.tile(who, 2), *rows)


class Factors(Experiment):
    """One factor at a time.

    Attributes:
        calibration: the strangers on whom the threshold is chosen.
        far: the FAR that is asked for on them.
        people, scenes, seed: of the people who are rendered again and again.
    """

    networks: tuple[str, ...] = Field(min_length=1)
    calibration: SynthRecipe
    far: float = Field(0.01, gt=0, lt=1)
    people: int = Field(ge=4)
    scenes: int = Field(2, ge=2)
    seed: int
    factors: dict[str, Steps] = Field(min_length=1)
    replicates: int = Field(1000, ge=2)

    @model_validator(mode="after")
    def _check_people(self):
        if self.seed == self.calibration.seed:
            raise FacelabError(f"seed = {self.seed} gives the people of the calibration again; take another one")
        return self

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {
            "strangers": Render(recipe=self.calibration),
            "calibration": Calibrate(needs=("strangers",), faces=self.calibration, networks=self.networks),
        }
        for name, steps in self.factors.items():
            runs[f"factor-{name}"] = Move(
                steps=steps, people=self.people, scenes=self.scenes, seed=self.seed, networks=self.networks
            )
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        found = outcomes["calibration"]
        return {
            "calibration": found.values,
            "people": self.people,
            "pictures": sum(outcomes[f"factor-{name}"].values["pictures"] for name in self.factors),
            "far": self.far,
            "networks": {
                network: self._measured(
                    pair_scores(found.arrays[network].astype(np.float64), found.arrays["labels"].astype(np.int64)),
                    {name: outcomes[f"factor-{name}"].arrays[network] for name in self.factors},
                )
                for network in self.networks
            },
        }

    def _measured(self, calibration: Scores, embeddings: dict[str, np.ndarray]) -> dict[str, Any]:
        chosen = operating_point(calibration, self.far)
        levels, differences = {}, {}
        for name, steps in self.factors.items():
            scores = {
                (mode, k): level_scores(embeddings[name], k, mode)
                for mode, k in itertools.product(MODES, range(len(steps.values)))
            }
            levels[name] = {
                mode: [self._level(calibration, scores[mode, k], value) for k, value in enumerate(steps.values)]
                for mode in MODES
            }
            for mode in MODES:
                last = len(steps.values) - 1
                at_rest, moved = (count_errors(scores[mode, k], chosen.threshold) for k in (0, last))
                for error, compare in COMPARE.items():
                    differences[f"{name}.{error}.{mode}"] = compare(moved, at_rest)
        asked = {name: row for name, row in differences.items() if QUESTIONS[name.split(".")[1]] == name.split(".")[2]}
        corrected = holm({name: row["p"] for name, row in asked.items()})
        for name, p in corrected.items():
            differences[name]["p_holm"] = p
        return {"threshold": chosen.threshold, "tar": chosen.tar, "factors": levels, "differences": differences}

    def _level(self, calibration: Scores, scores: Scores, value: float) -> dict[str, Any]:
        moved = transfer_threshold(calibration, scores, self.far, replicates=self.replicates)
        return {"at": value, "far": moved.far.as_dict(), "frr": moved.frr.as_dict()}

    def arrays(self, outcome: Callable[[str], Outcome]) -> dict[str, np.ndarray]:
        """Embeddings of all rendered pictures, in half precision."""
        found = outcome("calibration").arrays
        arrays = {f"calibration.{name}": array for name, array in found.items()}
        for name, network in itertools.product(self.factors, self.networks):
            arrays[f"{name}.{network}"] = outcome(f"factor-{name}").arrays[network]
        return arrays

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        return {f"differences-{name}": differences_table(values, name) for name in self.networks}

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import factor_errors

        factors = self.model_dump(mode="json")["factors"]
        return {name: factor_errors(values["networks"][name]["factors"], factors) for name in self.networks}


def _refused(moved: ErrorCounts, at_rest: ErrorCounts) -> dict[str, Any]:
    """FRR at the value minus FRR at the reference, by the same people."""
    shares = [(counts.refused / counts.genuine)[None] for counts in (moved, at_rest)]
    comparison = compare_by_identity(*shares, share=True)
    return comparison.difference.as_dict() | {"p": comparison.p_value}


def _accepted(moved: ErrorCounts, at_rest: ErrorCounts) -> dict[str, Any]:
    """FAR at the value minus FAR at the reference, by the same pairs of people; what is hard about a pair cancels."""
    from scipy.special import stdtr

    people, value = moved.far_people, moved.far_rate - at_rest.far_rate
    residuals = moved.far_residuals() - at_rest.far_residuals()
    variance = pair_variance(residuals, disjoint_correction(moved.impostor))
    interval = mean_interval(value, variance, people, people)
    p = 2 * float(stdtr(people - 1, -abs(value) / np.sqrt(variance))) if variance > 0 else float(value == 0)
    return interval.as_dict() | {"p": p}


COMPARE = {"frr": _refused, "far": _accepted}


def differences_table(values: dict[str, Any], network: str) -> "pd.DataFrame":
    """Return one row for each factor: what its last value does to FRR and FAR, in points.

    With p after Holm's correction where the question was asked before the run.
    """
    import pandas as pd

    rows: dict[str, dict[str, str]] = {}
    for name, row in values["networks"][network]["differences"].items():
        factor, error, mode = name.split(".")
        told = "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * row[key] for key in ("value", "low", "high")))
        columns = rows.setdefault(factor, {})
        columns[f"{error.upper()}, {mode} moved"] = told
        if "p_holm" in row:
            columns[f"p ({error.upper()}, {mode})"] = f"{row['p_holm']:.3f}" if row["p_holm"] >= 0.001 else "< 0.001"
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("factor")
