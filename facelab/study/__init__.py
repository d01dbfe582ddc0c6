"""Whole experiments: recipes in, one table of results with intervals out."""

from facelab.study.quickstart import Quickstart, run_quickstart

__all__ = ["Quickstart", "run_quickstart"]
