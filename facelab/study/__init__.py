"""Experiments: a plan (TOML) -> runs -> results with intervals -> files that the package publishes.

A kind of experiment is one file here, with an :class:`~facelab.study.experiment.Experiment` (what a plan sets, which
runs that makes, how they become a table) and its :class:`~facelab.study.experiment.Run` (what one run computes), and a
row in :mod:`facelab.study.plan`. All else is common: plans, folders of runs that go on where they stopped, runs beside
each other, reports, published results. Import what you need from its module; that loads no more than it must.
"""
