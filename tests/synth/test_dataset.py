import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from facelab.errors import FacelabError
from facelab.synth import COLUMNS, Ranges, SynthRecipe, load_synthfaces, make
from facelab.synth import recipe as recipes
from facelab.synth.recipe import choose
from facelab.synth.shards import Store, check_shard, to_parquet

pytestmark = pytest.mark.slow


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.glob("shard-*"))}


def test_one_and_two_workers_give_the_same_bytes(small_recipe, small_set, tmp_path):
    make(small_recipe, tmp_path / "two", workers=2)
    assert len(contents(small_set)) == 2 * small_recipe.shards == 4
    assert contents(tmp_path / "two") == contents(small_set)


def test_loads_as_a_faceset(small_recipe, small_set):
    faces = load_synthfaces(small_set)
    assert len(faces) == 210
    assert len(faces.identities) == 3
    image, label = faces[100]
    assert image.shape == (32, 32, 3)
    assert image.dtype == np.uint8
    assert faces.identities[label] == "p00001"
    assert faces.table["landmarks"].iloc[0].shape == (5, 2)
    assert (faces.table.groupby("identity")["split"].first() == ["closed", "closed", "held-out"]).all()
    first, second = faces.split(train=17, seed=0)
    assert len(first) == 51
    assert len(second) == 159


def test_every_column_is_documented_and_pandas_reads_it(small_set):
    import pyarrow.parquet as pq

    path = small_set / "shard-00000.parquet"
    table = pd.read_parquet(path)
    assert set(table.columns) == set(COLUMNS)
    schema = pq.read_schema(path)
    for field in schema:
        assert field.metadata[b"description"].decode() == COLUMNS[field.name]
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["image"] == {"_type": "Image"}
    assert set(features) == set(COLUMNS)


def test_pictures_depend_on_seed_identity_and_image_alone(small_set, tmp_path):
    """Another number of identities and pictures gives the same first pictures."""
    make(
        SynthRecipe(identities=1, images=3, seed=5, size=32, supersampling=1, ranges=Ranges(occluders=0.4)),
        tmp_path / "few",
    )
    few, many = load_synthfaces(tmp_path / "few"), load_synthfaces(small_set)
    for k in range(3):
        assert np.array_equal(few[k][0], many[k][0])


def test_damaged_shard_is_named_and_rendered_again(small_recipe, small_set, tmp_path):
    good = contents(small_set)
    shard = small_set / "shard-00001.parquet"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 0xFF
    shard.write_bytes(bytes(data))
    with pytest.raises(FacelabError, match=r"shard-00001.parquet .* is damaged"):
        load_synthfaces(small_set)
    report = make(small_recipe, small_set)
    assert report.repaired == ("shard-00001.parquet",)
    assert report.rendered == 70
    assert report.kept == 140
    assert "shard-00001.parquet" in str(report)
    assert contents(small_set) == good


def test_second_run_renders_nothing(small_recipe, small_set):
    report = make(small_recipe, small_set)
    assert report.rendered == 0
    assert report.kept == 210
    assert report.repaired == ()


KILLED = """
import sys
from facelab.synth import Ranges, SynthRecipe, make
if __name__ == "__main__":
    make(SynthRecipe(identities=3, images=70, seed=5, size=32, supersampling=1, held_out=1,
    ranges=Ranges(occluders=0.4)), sys.argv[1])
"""


def test_killed_run_resumes_to_the_same_shards(small_recipe, small_set, tmp_path):
    folder = tmp_path / "killed"
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(folder)], start_new_session=True)
    deadline = time.monotonic() + 120
    while not (folder / "shard-00000.parquet").exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (folder / "shard-00001.parquet.json").exists(), "killed too late to test anything"
    assert check_shard(Store(folder), 1) == "missing"
    make(small_recipe, folder)
    assert contents(folder) == contents(small_set)


def test_sets_of_an_older_generator_stay_in_the_cache_and_disturb_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("FACELAB_HOME", str(tmp_path))
    asked = {"identities": 1, "images": 1, "size": 48}
    with monkeypatch.context() as old:
        old.setattr(recipes, "GENERATOR", recipes.GENERATOR - 1)
        recipe, before = choose(**asked)
        make(recipe, before)
    recipe, now = choose(**asked)
    assert make(recipe, now).rendered == 1
    for folder, generator in [(before, recipes.GENERATOR - 1), (now, recipes.GENERATOR)]:
        assert json.loads(Store(folder).read("recipe.json"))["generator"] == generator


def test_another_recipe_in_the_same_folder_is_refused(small_recipe, small_set):
    with pytest.raises(FacelabError, match=r"holds another set .*seed=5, not 6"):
        make(SynthRecipe(**(small_recipe.__dict__ | {"seed": 6})), small_set)


@pytest.mark.parametrize("name", ["identities", "images", "size", "supersampling"])
def test_zero_is_refused_with_its_name(name):
    with pytest.raises(FacelabError, match=f"{name}=0; give 1 or more"):
        SynthRecipe(**({"identities": 2, "images": 2} | {name: 0}))


def test_nothing_is_rendered_among_the_users_photographs(small_recipe, tmp_path):
    """The folder would be read as rendered faces from then on, and the photographs would be gone from every verb."""
    (tmp_path / "ada").mkdir()
    with pytest.raises(FacelabError, match="holds other files, such as ada"):
        make(small_recipe, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ada"]


def test_read_only_folder_is_a_clear_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(FacelabError, match=r"cannot write .*choose another folder"):
        make(SynthRecipe(1, 1), tmp_path / "file" / "set")


def test_full_disk_is_a_clear_error_and_leaves_no_half_shard(tmp_path, monkeypatch):
    import errno
    from pathlib import Path

    write = Path.write_bytes

    def full(self, data):
        if self.suffix == ".parquet":
            write(self, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(FacelabError, match=r"No space left on device. Free space"):
        make(SynthRecipe(1, 2, size=32, supersampling=1), tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["recipe.json"]


@pytest.mark.parametrize(
    "text",
    ["mine", "[1]", "[" * 100_000, "", json.dumps(SynthRecipe(1, 2).to_json() | {"ranges": 5}), '{"kind": "chips"}'],
)
def test_a_recipe_json_of_another_program_is_said_and_stays(tmp_path, text):
    (tmp_path / "recipe.json").write_text(text)
    for read in (lambda: make(SynthRecipe(1, 2), tmp_path), lambda: load_synthfaces(tmp_path)):
        with pytest.raises(FacelabError, match=r"recipe\.json|holds another set") as error:
            read()
        assert "delete" not in str(error.value)
    assert (tmp_path / "recipe.json").read_text() == text


def test_missing_set_tells_how_to_make_it(tmp_path):
    with pytest.raises(FacelabError, match=r"facelab synth"):
        load_synthfaces(tmp_path / "nothing")


def test_any_fsspec_address(tmp_path):
    recipe = SynthRecipe(1, 2, size=32, supersampling=1)
    make(recipe, "memory://synth-test/set")
    make(recipe, tmp_path / "set")
    remote, local = load_synthfaces("memory://synth-test/set"), load_synthfaces(tmp_path / "set")
    assert np.array_equal(remote.array(), local.array())


def test_relatives_are_recorded(tmp_path):
    make(SynthRecipe(4, 1, size=32, supersampling=1, relatives="siblings"), tmp_path / "set")
    table = load_synthfaces(tmp_path / "set").table
    assert table["relative_of"].tolist() == ["", "p00000", "", "p00002"]


def test_empty_lists_survive_parquet():
    rows = [{"boxes": [], "occluder": []}, {"boxes": [1.0], "occluder": ["hat"]}]
    import io

    table = pd.read_parquet(io.BytesIO(to_parquet(rows)))
    assert table["occluder"].map(list).tolist() == [[], ["hat"]]


@pytest.fixture
def environment_as_before():
    """Dask's cluster sets OMP_NUM_THREADS=1 in this process; a notebook tested later would train on one core."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.usefixtures("environment_as_before")
def test_dask_cluster_gives_the_same_bytes(small_recipe, small_set, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        make(small_recipe, tmp_path / "dask", backend="dask", address=cluster.scheduler_address)
    assert contents(tmp_path / "dask") == contents(small_set)


def test_ray_gives_the_same_bytes(small_recipe, small_set, tmp_path):
    ray = pytest.importorskip("ray")
    ray.init(num_cpus=2, include_dashboard=False)
    try:
        make(small_recipe, tmp_path / "ray", backend="ray", address=ray.get_runtime_context().gcs_address)
    finally:
        ray.shutdown()
    assert contents(tmp_path / "ray") == contents(small_set)


def test_hugging_face_datasets_reads_the_shards(small_set, tmp_path):
    """In a process of its own: the library patches PyTorch and must not look for its hub."""
    program = f"""
import datasets
faces = datasets.load_dataset("parquet", data_files={str(small_set / "shard-*.parquet")!r}, split="train")
print(len(faces), faces[100]["image"].size, faces[100]["identity"], len(faces[100]["landmarks"]))
"""
    environment = os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "210 (32, 32) p00001 10", done.stderr


@pytest.mark.parametrize(
    ("out", "settings", "message"),
    [
        ("set", {"backend": "spark"}, r"'spark'"),
        ("set", {"backend": "dask", "address": "127.0.0.1:9:9"}, r"no dask cluster answers at '127.0.0.1:9:9'"),
        ("pigeon://set", {}, r"cannot open pigeon://set: .*pigeon"),
    ],
)
def test_places_that_do_not_exist_are_refused(out, settings, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FacelabError, match=message):
        make(SynthRecipe(2, 1, size=32), out, **settings)
    assert not (tmp_path / "set").exists()
