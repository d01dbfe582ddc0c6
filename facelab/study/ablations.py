"""What does it depend on? One training changed in one thing at a time, a few seeds each."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from facelab.evaluate import compare_by_identity
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run, told
from facelab.study.losses import Parts, TrainAndTest, by_identity
from facelab.study.rendered import Render
from facelab.study.training import Training
from facelab.train import Recipe

if TYPE_CHECKING:
    import pandas as pd

TAR = "tar_at_far_0.01"


class Variant(TrainAndTest):
    """Train as the plan says; the strangers' embeddings are not kept."""

    training: Training

    def compute(self, job: Job) -> Outcome:
        found = super().compute(job)
        return Outcome(found.values, {name: x for name, x in found.arrays.items() if not name.startswith("stranger")})

    def training_of(self, job: Job) -> Training:
        return self.training


class Change(Strict):
    """What is changed: images of each identity, the number of identities, fields of the recipe; None: nothing."""

    images: int | None = Field(None, ge=1)
    identities: int | None = Field(None, ge=2)
    recipe: dict[str, Any] = Field(default_factory=dict)


class Ablations(Experiment):
    """Each change of each group, each seed.

    Attributes:
        training: what is changed.
        groups: what is looked at, such as the scale -> the changes by name.
    """

    parts: Parts
    training: Training
    seeds: tuple[int, ...] = Field(min_length=2)
    groups: dict[str, dict[str, Change]] = Field(min_length=1)

    def runs(self) -> dict[str, Run]:
        runs: dict[str, Run] = {"faces": Render(recipe=self.parts.faces)}
        whole = self.training.recipe.model_dump()
        for group, changes in self.groups.items():
            for name, change in changes.items():
                loss = change.recipe.get("loss", {})
                kept = whole["loss"] if loss.get("name", whole["loss"]["name"]) == whole["loss"]["name"] else {}
                recipe = {**whole, **change.recipe, "loss": {**kept, **loss}}
                for seed in self.seeds:
                    parsed = Recipe.parse({**recipe, "seed": seed}, f"groups.{group}.{name}")
                    runs[f"{group}-{name}-{seed}"] = Variant(
                        needs=("faces",),
                        parts=self.parts,
                        images=change.images or self.parts.train,
                        identities=change.identities,
                        training=Training(recipe=parsed, precision=self.training.precision),
                    )
        return runs

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """Accuracy by nearest centroid, its interval over seeds and identities; strangers' measures, each seed's."""
        return {
            group: {
                name: self._measured([outcomes[f"{group}-{name}-{seed}"] for seed in self.seeds]) for name in changes
            }
            for group, changes in self.groups.items()
        }

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        rows = {
            (group, name): {
                "accuracy": told(found["accuracy"]),
                **{key: f"{found[key]['value']:.3f}" for key in (TAR, "eer")},
            }
            for group, changes in values.items()
            for name, found in changes.items()
        }
        return {"ablations": pd.DataFrame(rows).T.rename_axis(["group", "change"])}

    def _measured(self, runs: list[Outcome]) -> dict[str, Any]:
        right = np.array(
            [by_identity(run.arrays["centroid"] == run.arrays["labels"], run.arrays["labels"]) for run in runs]
        )
        accuracy = compare_by_identity(right, np.zeros_like(right), share=True).difference
        result = {"accuracy": accuracy.as_dict() | {"seeds": right.mean(axis=1).tolist()}}
        for key in (TAR, "eer"):
            seeds = [run.values[key] for run in runs]
            result[key] = {"value": float(np.mean(seeds)), "seeds": seeds}
        return result
