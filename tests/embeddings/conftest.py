"""A network of the package, chips, and folders of embeddings."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from facelab import __version__
from facelab.convert import describe_rows
from facelab.data import FaceSet
from facelab.data.images import write_image
from facelab.embeddings.shards import EmbeddingShards, to_parquet
from facelab.evaluate.coverage import POPULATIONS
from facelab.synth.shards import Store, claim, keep_shard
from facelab.train import Recipe


@pytest.fixture(scope="session")
def network() -> str:
    return "synthfaces-arcface"


@pytest.fixture
def chips(tmp_path, toy_chips):
    """Twelve chips of three identities, and one of nobody known."""
    for row, identity in enumerate(toy_chips.table["identity"]):
        write_image(tmp_path / "chips" / identity / f"{row:02d}.png", toy_chips[row][0])
    write_image(tmp_path / "chips" / "lonely.png", toy_chips[0][0])
    return tmp_path / "chips"


def _store(address: str) -> str:
    x, labels = POPULATIONS["look-alikes"].draw(60, np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(len(x))  # an identity lies in several shards
    x, labels = np.append(x[order], x[:5], axis=0), np.append(labels[order], np.full(5, -1))
    identity = [f"p{label:02d}" if label >= 0 else "" for label in labels]
    table = pd.DataFrame({"identity": identity, "file": [f"{k}.png" for k in range(len(x))]})
    faces = FaceSet("people", np.zeros((len(x), 1, 1, 3), np.uint8), table)
    recipe = EmbeddingShards(
        **vars(describe_rows(faces, 64)),
        fingerprint="0123456789abcdef",
        flip=False,
        recipe=Recipe.parse({"embedding_dim": 8}).model_dump(mode="json"),
        dimensions=8,
        precision="float32",
        how="drawn",
        credit="",
        facelab=__version__,
    )
    labelled = FaceSet(faces.name, faces.images, table.assign(label=labels, trained_on=labels == 3))
    claim(Store(address), recipe)
    for shard in range(recipe.shards):
        rows = recipe.range_of(shard)
        data = to_parquet(recipe, x[rows], labelled.select(rows))
        keep_shard(Store(address), shard, data, len(rows))
    return address


@pytest.fixture(scope="session")
def store_people() -> Callable[[str], str]:
    """Write embeddings of 60 people, five each, and of five pictures of nobody known, as shards; return the address."""
    return _store
