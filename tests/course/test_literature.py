"""The tables of the published literature."""

import re
from pathlib import Path

import pytest

from facelab.course.literature import COMPARISONS, literature, published
from facelab.errors import FacelabError

BOOK = Path(__file__).parents[2] / "book"
BIBLIOGRAPHY = (BOOK / "references.bib").read_text("utf8")
CARDS = sorted((BOOK / "literature").glob("*.md"))


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


def test_every_method_has_a_card_that_cites_it() -> None:
    for row in literature().itertuples():
        page, _, label = row.card.partition("#")
        (card,) = re.findall(
            rf"^\({label}\)=\n### (.+?)(?=^\(card-|^## |\Z)",
            (BOOK / "literature" / page).read_text("utf8"),
            re.M | re.S,
        )
        assert row.key in card, row.method


def test_every_card_says_what_was_new_what_is_left_and_a_result() -> None:
    cards = [card for page in CARDS for card in re.split(r"^(?=\(card-)|^## ", page.read_text("utf8"), flags=re.M)]
    cards = [card for card in cards if card.startswith("(card-")]
    assert len(cards) > 30
    for card in cards:
        assert re.findall(r"\*\*(Idea|What it fixed|What it left|Result)\.?\*\*", card) == [
            "Idea",
            "What it fixed",
            "What it left",
            "Result",
        ], card[:60]


@pytest.mark.parametrize("page", CARDS, ids=lambda path: path.stem)
def test_a_page_of_the_literature_can_be_read_in_one_sitting(page: Path) -> None:
    assert len(page.read_text("utf8").split()) <= 2500


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
