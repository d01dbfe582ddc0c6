"""The study of intervals: its runs give its table; and what is published of it holds."""

import pytest

from facelab.evaluate.coverage import POPULATIONS, PROTOCOLS, simulate_intervals
from facelab.study.coverage import coverage_table
from facelab.study.plan import Plan
from facelab.study.report import make_report
from facelab.study.results import Results
from facelab.study.runner import run_plan

PLAN = {
    "name": "small",
    "title": "small",
    "experiment": "coverage",
    "settings": {
        "populations": ["near the ceiling"],
        "identities": [10, 12],
        "protocols": ["errors"],
        "datasets": 10,
        "replicates": 20,
    },
}


def test_the_table_counts_what_was_simulated(tmp_path):
    folder = run_plan(Plan.parse(PLAN), tmp_path, device="cpu")
    values = make_report(folder).values
    found = simulate_intervals("near the ceiling", 12, ["errors"], datasets=10, replicates=20)
    for name, simulated in found.items():
        measured = values["near the ceiling"]["12"][name]
        assert measured["value"] == simulated.held.mean()
        assert measured["n"] == 10
        assert coverage_table(values, "width", 3)["near the ceiling", 12][name] == round(simulated.width, 3)
    assert coverage_table(values).shape == (len(found), 2)
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"coverage.csv", "width.csv"}


@pytest.mark.parametrize("population", POPULATIONS)
def test_published_intervals_hold_the_truth(population):
    """But for small differences near the ceiling, which the chapter names."""
    results = Results.load("coverage")
    assert set(results.plan["settings"]["protocols"]) == set(PROTOCOLS)
    for identities, measures in results.values[population].items():
        assert int(identities) in results.plan["settings"]["identities"]
        for name, found in measures.items():
            if "independent" in name or "over " in name:
                continue
            least = 0.8 if (population, name) == ("near the ceiling", "difference of AUC") else 0.86
            assert found["value"] >= least, (identities, name)
            assert found["n"] == 300 or name == "FRR ratio of two groups" or found["n"] > 290
        apart = [found["value"] for name, found in measures.items() if "independent" in name]
        assert max(apart) < 0.91
