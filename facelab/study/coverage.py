"""How often does a 95 % interval hold the truth, and how wide is it? Counted on simulated data sets.

Populations whose truth is known (:mod:`facelab.evaluate.coverage`), data sets of few and of many identities, every
measure of :mod:`facelab.evaluate` that has an interval.
"""

import itertools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, field_validator

from facelab.errors import FacelabError
from facelab.evaluate.coverage import POPULATIONS, PROTOCOLS, simulate_intervals
from facelab.study.experiment import Experiment, Job, Outcome, Run

if TYPE_CHECKING:
    import pandas as pd


class Simulate(Run):
    """Simulate data sets of one population and one size, and measure each."""

    population: str
    identities: int
    protocols: tuple[str, ...]
    datasets: int
    replicates: int
    seed: int

    def compute(self, job: Job) -> Outcome:
        del job
        found = simulate_intervals(
            self.population,
            self.identities,
            self.protocols,
            datasets=self.datasets,
            replicates=self.replicates,
            seed=self.seed,
        )
        return Outcome(
            {
                measure: {"truth": simulated.truth, "width": simulated.width, **simulated.coverage.as_dict()}
                for measure, simulated in found.items()
            }
        )


class Coverage(Experiment):
    """Every measure on data sets of each population and size."""

    populations: tuple[Literal[*POPULATIONS], ...] = Field(min_length=1)  # type: ignore[valid-type]
    identities: tuple[int, ...] = Field(min_length=1)
    protocols: tuple[Literal[*PROTOCOLS], ...] = tuple(PROTOCOLS)  # type: ignore[valid-type]
    datasets: int = Field(300, ge=10)
    replicates: int = Field(200, ge=20, description="draws of identities for each interval")
    seed: int = 0

    @field_validator("identities")
    @classmethod
    def _check_identities(cls, identities: tuple[int, ...]) -> tuple[int, ...]:
        if few := [number for number in identities if number < 10]:
            raise FacelabError(f"{few[0]} identities: give 10 or more")
        return identities

    def runs(self) -> dict[str, Run]:
        return {
            _name(population, identities): Simulate(
                population=population,
                identities=identities,
                protocols=self.protocols,
                datasets=self.datasets,
                replicates=self.replicates,
                seed=self.seed,
            )
            for identities, population in itertools.product(self.identities, self.populations)
        }

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        """By population, by number of identities, by measure: the truth, the share of intervals that hold it with its
        own interval (n counts data sets), and their mean width."""
        return {
            population: {
                str(identities): outcomes[_name(population, identities)].values for identities in self.identities
            }
            for population in self.populations
        }

    def tables(self, values: dict[str, Any]) -> "dict[str, pd.DataFrame]":
        return {"coverage": coverage_table(values), "width": coverage_table(values, "width", digits=3)}


def coverage_table(values: dict[str, Any], field: str = "value", digits: int = 2) -> "pd.DataFrame":
    """Return a row for each measure and a column for each population and number of identities.

    Args:
        values: of the study's results.
        field: ``"value"``, the share of intervals that hold the truth; ``"width"``, their mean width; ``"truth"``.
        digits: to round to.
    """
    import pandas as pd

    columns = {
        (population, int(identities)): {measure: found[field] for measure, found in measured.items()}
        for population, sizes in values.items()
        for identities, measured in sizes.items()
    }
    return pd.DataFrame(columns).rename_axis(columns=["population", "identities"]).round(digits)


def _name(population: str, identities: int) -> str:
    return f"{population.replace(' ', '-')}-{identities}"
