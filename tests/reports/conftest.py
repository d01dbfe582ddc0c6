"""A network trained for a few steps, chips of people whom it has not seen, and the command that measures it."""

import json
import re
from pathlib import Path

import pytest

from facelab.cli import app
from facelab.data import load_folder
from facelab.data.images import write_image
from facelab.train import Checkpoint, Recipe, fit


@pytest.fixture(scope="session")
def checkpoint(orl_chips, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("train") / "small.pt"
    seen = orl_chips.select(orl_chips.labels < 10)
    fit(Recipe.parse({"size": 32, "embedding_dim": 16, "epochs": 3, "batch_size": 25}), seen, checkpoint=path)
    return path


def _write_chips(chips, path: Path) -> Path:
    for row in range(len(chips)):
        identity, photo = chips.table.iloc[row][["identity", "photo"]]
        write_image(path / identity / f"{identity}_{photo:04d}.png", chips[row][0])
    return path


@pytest.fixture(scope="session")
def write_chips():
    """Write a set as LFW names its files; return the folder."""
    return _write_chips


@pytest.fixture(scope="session")
def folder(orl_chips, tmp_path_factory) -> Path:
    """Chips of 12 identities that the network has not seen."""
    return _write_chips(orl_chips.select(orl_chips.labels >= 28), tmp_path_factory.mktemp("chips") / "unseen")


@pytest.fixture(scope="session")
def truth(checkpoint, folder):
    """Embeddings and labels of the folder, without the command."""
    faces, bad = load_folder(folder)
    assert not bad
    return Checkpoint.load(checkpoint).embedder()(faces.resized(32), normalize=False).astype(float), faces.labels


def _run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        app(["evaluate", *map(str, arguments), "--device", "cpu", "--replicates", "20"])
    return stop.value.code


@pytest.fixture(scope="session")
def run():
    """Run the command; return its exit code."""
    return _run


@pytest.fixture(scope="session")
def read_results():
    """Read results.json of a report's folder."""
    return lambda report: json.loads((report / "results.json").read_text())


@pytest.fixture(scope="session")
def check_page():
    """Check that the page is one file, and that each figure can be heard; return its HTML."""

    def check(report: Path, figures: set[str]) -> str:
        html = (report / "report.html").read_text()
        assert {path.stem for path in (report / "figures").iterdir()} == figures
        assert html.count('<img src="data:image/svg+xml;base64,') == len(figures)
        assert len(re.findall(r'alt="[^"]{20,}"', html)) == len(figures)
        assert not re.findall(r'(?:src|href)="http', html)
        assert html.count("<main>") == html.count("</main>") == 1
        assert not re.findall(r">\s*(nan|inf)", html)
        return html

    return check
