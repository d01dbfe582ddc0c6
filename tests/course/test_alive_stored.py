"""The stored data of the interactive figures are what their command gives; what is dear to make is checked in part."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facelab.analyze import project
from facelab.course import alive
from facelab.course.alive import factors, maps
from facelab.errors import FacelabError
from facelab.evaluate import Scores, apply_threshold
from facelab.models import shipped_networks
from facelab.reports.alive import as_script, count_scores
from facelab.synth.factors import of_scene

FOLDER = Path(__file__).parents[2] / "book" / "_static" / "alive"


def stored(name: str) -> Any:
    """Return the data of a figure, as its page gets them."""
    text = (FOLDER / f"{name}.data.js").read_text("utf8")
    return json.loads(text.removeprefix(f"alive.data.{name} = ").removesuffix(";\n"))


def test_every_figure_has_its_script_and_its_data() -> None:
    scripts = {path.stem for folder in (FOLDER, alive.shared()) for path in folder.glob("*.js")}
    for name in alive.figures():
        assert {name, f"{name}.data"} <= scripts
        assert as_script(name, stored(name)) == (FOLDER / f"{name}.data.js").read_text("utf8")


def test_an_unknown_figure_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(FacelabError, match=r"'map': choose one of .*factors"):
        alive.write(tmp_path, "map")


def test_counted_scores_give_both_errors_exactly() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.uniform(-1, 1, 3000), np.arange(-200, 201) / 200, [-1.0, 1.0, 1 + 1e-12]])
    first, second = rng.integers(0, 3, (2, len(values)))
    scores = Scores(values, first, second)
    counted = count_scores(scores)
    assert sum(counted["genuine"]) + sum(counted["impostor"]) == len(scores)
    for k in range(counted["first"], 201):
        point, above = apply_threshold(scores, k / 200), k - counted["first"]
        assert sum(counted["impostor"][above:]) / point.impostor_pairs == pytest.approx(point.far)
        assert sum(counted["genuine"][above:]) / point.genuine_pairs == pytest.approx(point.tar)


def test_the_pictures_of_the_factors_fit_into_their_budget_and_their_labels() -> None:
    data = stored("factors")
    assert data["threshold"] == round(shipped_networks()[factors.NETWORK]["operating_point"]["threshold"], 3)
    assert {part: tuple(row) for part, row in data["factors"].items()} == factors.FACTORS
    total = 0
    for part, row in data["factors"].items():
        for name, strip in row.items():
            content = (FOLDER / strip["file"]).read_bytes()
            total += len(content)
            assert strip["file"] == factors.file_name(name)
            assert Image.open(io.BytesIO(content)).size == (len(strip["labels"]) * factors.SIZE, factors.SIZE)
            assert len(strip["cosines"]) == len(strip["labels"])
            if part == "scene":  # a person's need the head
                known = of_scene()[name]
                assert strip["labels"] == [known.label(value) for value in known.values]
    assert total <= 1_500_000


def test_the_plain_picture_is_like_itself() -> None:
    """Where a step of a factor is the plain picture, its cosine to that is 1, whatever frame the factor is shown in."""
    found = stored("factors")["factors"]
    plain = {"yaw": "0°", "pitch": "0°", "roll": "0°", "gaze aside": "0°", "occluder": "none", "blur, pixels": "0.3"}
    for name, label in plain.items():
        strip = found["scene"][name]
        assert strip["cosines"][strip["labels"].index(label)] == 1, name


def test_the_maps_of_noise_are_those_of_the_command() -> None:
    found = stored("maps")["spaces"]["pure noise"]["maps"]
    x = maps.noise()
    assert list(found) == list(maps.METHODS)
    again = maps.one_map(x, project(x, method="pca"))
    assert found["PCA"]["trustworthiness"] == pytest.approx(again["trustworthiness"], abs=0.002)
    np.testing.assert_allclose(found["PCA"]["points"], again["points"], atol=2)
    for stored_map in found.values():  # a map of thousandths keeps its neighbours
        points = np.array(stored_map["points"], float)
        assert points.min(axis=0).tolist() == [0, 0]
        assert points.max(axis=0).tolist() == [1000, 1000]
