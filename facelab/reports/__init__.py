"""One run, one page: the quickstart, and the evaluation of a network under a protocol."""

from facelab.reports.quickstart import Quickstart, run_quickstart

__all__ = ["Quickstart", "run_quickstart"]
