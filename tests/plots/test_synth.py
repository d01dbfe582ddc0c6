"""The figures of SynthFaces show what they say."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from facelab.data.faceset import FaceSet
from facelab.plots.synth import attribute_spread, people_by_scenes, relatives


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


def test_relatives_resemble_more_than_strangers() -> None:
    """Look-alikes share colours and hair, so their pictures lie nearer than strangers' in the mean."""
    figure = relatives((3, 8), size=48)
    pictures = np.array([axes.images[0].get_array().astype(float) for axes in figure.axes]).reshape(2, 7, -1)
    distance = np.abs(pictures - pictures[:, :1]).mean(axis=(0, 2))
    assert distance[3:5].mean() < 0.6 * distance[5:7].mean()
