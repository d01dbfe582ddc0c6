"""The figures of SynthFaces show what they say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from facelab.data.faceset import FaceSet
from facelab.plots import attribute_spread, one_factor_at_a_time, people_by_scenes, relatives
from facelab.synth.vary import Varied

pytestmark = pytest.mark.slow


def faces(count: int = 12) -> FaceSet:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"identity": [f"p{i // 4}" for i in range(count)]})
    for column in ("melanin", "age", "femaleness", "yaw", "light_azimuth", "distance"):
        table[column] = rng.random(count)
    return FaceSet("test", rng.integers(0, 255, (count, 16, 16, 3), dtype=np.uint8), table)


def test_people_by_scenes_shows_one_row_per_identity() -> None:
    figure = people_by_scenes(faces(), people=3, scenes=4)
    assert isinstance(figure, Figure)
    shown = [axes.images[0].get_array() for axes in figure.axes]
    assert len(shown) == 12
    assert np.array_equal(shown[5], faces()[5][0])


def test_attribute_spread_counts_people_once() -> None:
    figure = attribute_spread(faces())
    people, pictures = figure.axes[0], figure.axes[3]
    assert sum(bar.get_height() for bar in people.patches) == 3
    assert sum(bar.get_height() for bar in pictures.patches) == 12


def test_rows_of_images_carry_their_labels() -> None:
    images = [np.full((8, 8, 3), i, np.uint8) for i in range(2)]
    row = Varied(["low", "high"], images)
    for figure, words in (
        (one_factor_at_a_time({"blur": row, "noise": row}), ["low", "blur", "high", "low", "noise", "high"]),
        (relatives([row, row]), ["low", "high", "", ""]),
    ):
        assert [axes.images[0].get_array().max() for axes in figure.axes] == [0, 1, 0, 1]
        assert [text.get_text() for axes in figure.axes for text in axes.texts] == words


def test_factors_that_fill_half_a_row_share_it() -> None:
    short, long = (Varied(["x"] * n, [np.zeros((8, 8, 3), np.uint8)] * n) for n in (2, 4))
    figure = one_factor_at_a_time({"a": short, "b": short, "c": short, "d": long, "e": short})
    where = {ax.texts[1].get_text(): ax.get_position() for ax in figure.axes if len(ax.texts) == 2}
    assert where["a"].y0 == pytest.approx(where["b"].y0)
    assert where["b"].y0 > where["c"].y0 > where["d"].y0 > where["e"].y0
    assert where["a"].x0 == pytest.approx(where["c"].x0)
    assert where["c"].x0 < where["b"].x0
    assert len(figure.axes) == 12
