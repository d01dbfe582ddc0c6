"""The page of results: each published study with where it comes from, and its numbers as the package has them."""

import sys
from pathlib import Path

import pytest

from facelab.study.results import Results, published

sys.path.append(str(Path(__file__).parents[2] / "book" / "_ext"))
LINES = pytest.importorskip("study_results").lines()


def section(name: str) -> list[str]:
    start = LINES.index(f"(study-{name})=") + 1
    return LINES[start : next((n for n in range(start, len(LINES)) if LINES[n].startswith("(study-")), len(LINES))]


@pytest.mark.parametrize("name", published())
def test_a_study_says_where_it_comes_from(name: str) -> None:
    results, lines = Results.load(name), section(name)
    assert lines[0] == f"## {results.plan['title']}"
    made = results.provenance
    for what, said in (("made by", f"`uv run {made.command}`"), ("last run", made.date[:10]), ("device", made.device)):
        assert f"| {what} | {said} |" in lines
    for change in results.plan.get("changes", ()):
        assert f"- {change['date']}: {change['reason']}" in lines
    rows = [line.count("|") - line.count(r"\|") for line in lines if line.startswith("|")]
    assert len(rows) > 8  # the facts, and a table
    assert min(rows) >= 3


def test_a_training_says_its_precision() -> None:
    assert "| precision | bf16, losses in float32 |" in section("gpu")
    assert "| precision | float32 |" in section("laptop")


def test_a_measure_stands_with_its_interval() -> None:
    row = Results.load("gpu").values["settings"]["6"]["losses"]["arcface"]["centroid"]
    told = f"{row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
    assert any(line.startswith(f"| 6 | ArcFace | {told} |") for line in section("gpu"))


def test_a_comparison_stands_with_its_corrected_p() -> None:
    pair = Results.load("gpu-112").values["settings"]["17"]["comparisons"]["accuracy"]["cosface - cross_entropy"]
    assert pair["p_holm"] < 0.05
    row = f"{pair['value']:.3f} | {pair['low']:.3f} | {pair['high']:.3f} | {pair['p_holm']:.3f} |"
    assert f"| 17 | accuracy | CosFace − cross entropy | {row}" in section("gpu-112")
    for name in ("gpu", "laptop", "noise", "gpu-ablations"):
        assert any(line.startswith("|") and "| p (Holm) |" in line for line in section(name))
