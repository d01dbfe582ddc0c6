"""Experiments: a plan (TOML) -> runs -> results with intervals -> files that the package publishes.

A kind of experiment is one file here, with an :class:`~facelab.study.experiment.Experiment` (what a plan sets, which
runs that makes, how they become a table) and its :class:`~facelab.study.experiment.Run` (what one run computes), and a
row in ``plan.py``. All else is common: plans, folders of runs that go on where they stopped, runs beside each other,
reports, published results. What computes is imported from its own file, so that reading results loads no torch.
"""

from facelab.study.plan import Plan, plans
from facelab.study.results import Results, published

__all__ = ["Plan", "Results", "plans", "published"]
