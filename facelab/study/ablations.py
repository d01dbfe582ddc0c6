"""What does it depend on? One training changed in one thing at a time, a few seeds each."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from facelab.errors import FacelabError
from facelab.evaluate import compare_by_identity, holm
from facelab.evaluate.comparison import share_over_seeds
from facelab.strict import Strict
from facelab.study.experiment import Experiment, Job, Outcome, Run, told
from facelab.study.losses import Parts, TrainAndTest, by_identity
from facelab.study.rendered import Render
from facelab.study.training import Training
from facelab.train import Recipe

if TYPE_CHECKING:
    import matplotlib.figure
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
    """Each change of each group, each seed. The first change of a loss is what its others are compared with.

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
        """Return ``changes``, by group and name, and ``power_laws``, by loss and error of strangers.

        Of a change: accuracy by nearest centroid with its interval over seeds and identities; what strangers' measures
        are, each seed's; and, of the same test images, the accuracy minus that of the loss's first change, in pairs.
        The law: error against the number of identities, of the changes that name one and the first, see
        :func:`fit_power_law`; none with fewer than three numbers.
        """
        runs = {
            (group, name): [outcomes[f"{group}-{name}-{seed}"] for seed in self.seeds]
            for group, changes in self.groups.items()
            for name in changes
        }
        loss_of = {at: found[0].values["recipe"]["loss"]["name"] for at, found in runs.items()}
        first = {loss: at for at, loss in reversed(loss_of.items())}
        right = {at: _right(found) for at, found in runs.items()}
        compared = {
            at: compare_by_identity(right[at], right[first[loss]], share=True)
            for at, loss in loss_of.items()
            if at != first[loss] and right[at].shape == right[first[loss]].shape
        }
        corrected = holm({"/".join(at): comparison.p_value for at, comparison in compared.items()})
        changes: dict[str, dict[str, Any]] = {group: {} for group in self.groups}
        for at, loss in loss_of.items():
            accuracy = share_over_seeds(right[at], len(runs[at][0].arrays["labels"]))
            seeds = {key: [run.values[key] for run in runs[at]] for key in (TAR, "eer")}
            row = {"loss": loss, "identities": right[at].shape[1]}
            row["accuracy"] = accuracy.as_dict() | {"seeds": right[at].mean(axis=1).tolist()}
            row |= {key: {"value": float(np.mean(of_seeds)), "seeds": of_seeds} for key, of_seeds in seeds.items()}
            if at in compared:
                p_holm = corrected["/".join(at)]
                row["minus_first"] = compared[at].difference.as_dict() | {"p_holm": p_holm}
            changes[at[0]][at[1]] = row
        return {"changes": changes, "power_laws": self._power_laws(changes, first)}

    def _power_laws(self, changes: dict[str, dict[str, Any]], first: dict[str, tuple[str, str]]) -> dict[str, Any]:
        laws: dict[str, Any] = {}
        for loss, at in first.items():
            named = [(g, n) for g, of in self.groups.items() for n, change in of.items() if change.identities]
            rows = [changes[g][n] for g, n in [at, *named] if changes[g][n]["loss"] == loss]
            numbers = [row["identities"] for row in rows for _ in self.seeds]
            frr = [1 - tar for row in rows for tar in row[TAR]["seeds"]]
            errors = {"frr_at_far_0.01": frr, "eer": [eer for row in rows for eer in row["eer"]["seeds"]]}
            if len(set(numbers)) >= 3 and min(*frr, *errors["eer"]) > 0:
                laws[loss] = {key: fit_power_law(numbers, error) for key, error in errors.items()}
        return laws

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        import pandas as pd

        rows = {
            (group, name): {
                "accuracy": told(found["accuracy"]),
                "minus first": told(found["minus_first"]) if "minus_first" in found else "",
                "p (Holm)": f"{found['minus_first']['p_holm']:.3f}" if "minus_first" in found else "",
                **{key: f"{found[key]['value']:.3f}" for key in (TAR, "eer")},
            }
            for group, changes in values["changes"].items()
            for name, found in changes.items()
        }
        laws = {(loss, key): law for loss, of_loss in values["power_laws"].items() for key, law in of_loss.items()}
        tables = {"ablations": pd.DataFrame(rows).T.rename_axis(["group", "change"])}
        return tables | ({"power-laws": pd.DataFrame(laws).T.rename_axis(["loss", "error"])} if laws else {})

    def figures(self, values: dict[str, Any]) -> "dict[str, matplotlib.figure.Figure]":
        from facelab.plots import ablations

        return {"ablations": ablations(values["changes"])}


def fit_power_law(numbers: Sequence[float] | np.ndarray, errors: Sequence[float] | np.ndarray) -> dict[str, float]:
    r"""Fit :math:`e = c\, n^{-b}` by least squares in logarithms, with a 95 % interval of the exponent b.

    The interval is Student's, with k - 2 degrees of freedom for k points. It takes their distances from the line as
    independent chance, so it counts what is not a power law as chance, and it does not count what all points share,
    such as the strangers.

    Args:
        numbers, errors: n and e, of each training, shape (k,), k at least 3, all above 0.

    Raises:
        FacelabError: fewer points, or one number only, or one that has no logarithm.
    """
    from scipy.special import stdtrit
    from scipy.stats import linregress

    n, e = np.asarray(numbers, float), np.asarray(errors, float)
    if n.shape != e.shape or len(n) < 3 or len(np.unique(n)) < 2 or min(n.min(), e.min()) <= 0:
        raise FacelabError(f"no power law through n = {n.tolist()}, e = {e.tolist()}: 3 points above 0 are needed.")
    line = linregress(np.log(n), np.log(e))
    half = stdtrit(len(n) - 2, 0.975) * line.stderr
    return {
        "exponent": float(-line.slope),
        "low": float(-line.slope - half),
        "high": float(-line.slope + half),
        "factor": float(np.exp(line.intercept)),
        "points": len(n),
    }


def _right(runs: list[Outcome]) -> np.ndarray:
    """Return the share of each identity's test images that is named rightly, shape (seeds, identities)."""
    return np.array([by_identity(run.arrays["centroid"] == run.arrays["labels"], run.arrays["labels"]) for run in runs])
