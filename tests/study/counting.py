"""An experiment of milliseconds, for tests of what all experiments share. Worker processes import it, too."""

import os
import time
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from facelab.errors import FacelabError
from facelab.study.experiment import Experiment, Job, Outcome, Run
from facelab.study.plan import Plan


class Draw(Run):
    """Draw numbers; or fail, in one of the ways that runs fail."""

    seed: int
    fail: Literal["error", "bug", "death"] | None = None
    sleep: float = 0.0

    def compute(self, job: Job) -> Outcome:
        time.sleep(self.sleep)
        job.scratch.mkdir(parents=True, exist_ok=True)
        with (job.scratch / "times").open("a") as file:
            file.write("started\n")
        if self.fail == "error":
            raise FacelabError("seed 1 is out of luck; choose another.")
        if self.fail == "bug":
            return Outcome({"never": 1 / 0})
        if self.fail == "death":
            os._exit(9)
        numbers = np.random.default_rng(self.seed).normal(size=5)
        return Outcome({"mean": float(numbers.mean()), "threads": torch.get_num_threads()}, {"numbers": numbers})


class Add(Run):
    """Add up what the needed runs drew."""

    def compute(self, job: Job) -> Outcome:
        return Outcome({"sum": float(sum(job.needed[name].arrays["numbers"].sum() for name in self.needs))})


class Counting(Experiment):
    seeds: tuple[int, ...]
    fail: dict[int, Literal["error", "bug", "death"]] = Field(default_factory=dict)
    sleep: float = 0.0
    factor: float = 1.0

    def runs(self) -> dict[str, Run]:
        draws = {f"draw-{n}": Draw(seed=n, fail=self.fail.get(n), sleep=self.sleep) for n in self.seeds}
        return {**draws, "add": Add(needs=tuple(draws))}

    def values(self, outcomes: Mapping[str, Outcome]) -> dict[str, Any]:
        means = {name: outcome.values["mean"] for name, outcome in outcomes.items() if name != "add"}
        return {"means": means, "sum": self.factor * outcomes["add"].values["sum"]}

    def tables(self, values: dict[str, Any]) -> dict[str, pd.DataFrame]:
        return {"means": pd.DataFrame({"mean": values["means"]})}


def counting(*seeds: int, threads: int = 1, **settings: Any) -> Plan:
    """Return a plan of this experiment."""
    return Plan(
        name="counting", title="Count", experiment="counting", threads=threads,
        settings=Counting(seeds=seeds, **settings),
    )  # fmt: skip
