"""The cost model: every constant is measured, and the table is arithmetic that a reader can repeat."""

import pytest

from facelab.errors import FacelabError
from facelab.study.costs import Embed, Match, constants_table, cost_tables
from facelab.study.experiment import Job

VALUES = {
    "seconds": {
        name: {"value": value, "low": value / 2, "high": 2 * value, "n": 3}
        for name, value in {
            "decode a photograph": 3.0,
            "detect in a photograph": 33.0,
            "align a face": 0.36,
            "embed a chip, small": 36.0,
            "embed a chip, large": 72.0,
            "compare a pair, 4 dimensions": 3.6e-5,
            "compare a drawn pair, 4 dimensions": 3.6e-4,
            "search, for each enrolled, 4 dimensions": 3.6e-2,
            "search in batches of 64, for each enrolled, 4 dimensions": 3.6e-3,
        }.items()
    },
    "bytes": {
        "a photograph": 5e6,
        "a chip": 2e4,
        "an embedding in a shard, 4 dimensions, float32": 16.0,
        "an identity in a gallery, 4 dimensions": 100.0,
    },
}


def test_the_table_is_arithmetic_on_the_constants():
    tables = cost_tables(VALUES, (1000, 10_000), dimensions=4, each=10, impostors=100_000)
    assert list(tables) == ["amounts", "core hours", "gigabytes"]
    assert tables["amounts"][1000].to_dict() == {
        "photographs": 1000,
        "chips and embeddings": 1000,
        "identities": 100,
        "all pairs": 499_500,
        "genuine pairs": 4500,
    }
    hours = tables["core hours"]
    assert hours.loc["decode and detect", 1000] == pytest.approx(10)
    assert hours.loc["decode and detect", "rests on"] == "decode a photograph + detect in a photograph"
    assert hours.loc["align", 10_000] == pytest.approx(1)
    assert hours.loc["embed", 1000] == pytest.approx(10)
    assert hours.loc["compare all pairs", 1000] == pytest.approx(499_500 * 1e-8)
    assert hours.loc["compare all pairs", 10_000] == pytest.approx(10_000 * 9_999 / 2 * 1e-8)  # with the square
    assert hours.loc["compare genuine pairs and a sample", 10_000] == pytest.approx(145_000 * 1e-7)
    assert hours.loc["one search of all identities", 1000] == pytest.approx(1e-3)
    assert tables["gigabytes"].loc["photographs", 1000] == pytest.approx(5)
    assert tables["gigabytes"].loc["a gallery, one template for each identity", 1000] == pytest.approx(1e-5)
    told = set(VALUES["seconds"]) | set(VALUES["bytes"])
    for name in ("core hours", "gigabytes"):
        for rests_on in tables[name]["rests on"]:
            assert set(rests_on.split(" + ")) <= told
    assert len(constants_table(VALUES)) == len(told)


def test_a_price_is_the_readers_own():
    prices = {"dollars_per_core_hour": 2.0, "dollars_per_gigabyte_month": 0.5}
    options = {"dimensions": 4, "network": "embed a chip, large"}
    tables = cost_tables(VALUES, (1000,), **options, **prices)
    assert tables["core hours"].loc["embed", 1000] == pytest.approx(20)
    assert tables["dollars"].loc["embed", 1000] == pytest.approx(40)
    assert tables["dollars"].loc["photographs, for a month", 1000] == pytest.approx(2.5)
    assert "dollars" not in cost_tables(VALUES, (1000,), **options, dollars_per_core_hour=2.0)
    with pytest.raises(FacelabError, match="the constant 'compare a pair, 512 dimensions' was not measured"):
        cost_tables(VALUES)


def test_constants_are_measured(tmp_path):
    job = Job("cpu", 1, tmp_path / "own", tmp_path / "scratch", {}, False)
    found = Embed(networks=({"name": "mobilefacenet", "size": 64, "dimensions": 16},), repeats=2).compute(job).values
    one = found["seconds"]["embed a chip, mobilefacenet"]
    assert 0 < one["low"] <= one["value"] <= one["high"]
    assert one["n"] == 2
    assert found["machine"]["cores"] >= 1
    found = Match(dimensions=(32,), images=100, gallery=200, repeats=1).compute(job).values
    assert all(one["value"] > 0 for one in found["seconds"].values())
    sizes = found["bytes"]
    exact, half = (
        sizes[f"an embedding in a shard, 32 dimensions, {precision}"] for precision in ("float32", "float16")
    )
    assert 64 < half < exact < 4 * 32 + 200
    assert 4 * 32 < sizes["an identity in a gallery, 32 dimensions"] < 4 * 32 + 2000  # also with little in the file
