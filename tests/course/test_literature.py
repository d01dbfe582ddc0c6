"""The tables of the published literature."""

from pathlib import Path

import pytest

from facelab.course.literature import COMPARISONS, literature, published
from facelab.errors import FacelabError

BIBLIOGRAPHY = (Path(__file__).parents[2] / "book" / "references.bib").read_text("utf8")


def test_every_method_is_in_the_bibliography_with_its_year() -> None:
    for row in literature().itertuples():
        assert f"{{{row.key}," in BIBLIOGRAPHY, row.key
        assert str(row.year) in BIBLIOGRAPHY.split(f"{{{row.key},")[1].split("@")[0], row.key


def test_a_result_has_a_benchmark_and_a_source_and_nothing_else_has() -> None:
    table = literature()
    assert (table["value"].notna() == table["benchmark"].notna()).all()
    assert (table["value"].notna() == table["source"].notna()).all()
    assert table["value"].dropna().between(0, 100).all()
    assert table["method"].is_unique


@pytest.mark.parametrize("comparison", COMPARISONS)
def test_a_comparison_is_complete(comparison: str) -> None:
    table = published(comparison)
    assert len(table) >= 4
    assert not table.isna().any(axis=None)


def test_the_scale_alone_moves_cfp_fp_by_almost_five_points() -> None:
    cfp = published("arcface-table-2")["CFP-FP"]
    assert cfp["Norm-softmax (s = 20)"] - cfp["Norm-softmax (s = 64)"] == pytest.approx(4.82)


def test_an_unknown_comparison_is_named() -> None:
    with pytest.raises(FacelabError, match="no comparison 'lfw'; there are: arcface-table-2"):
        published("lfw")
