"""Whole experiments: plans in, one table of results with intervals out."""
