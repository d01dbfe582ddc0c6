"""A folder of embeddings: what it holds is what the network says, whoever wrote it and however often it was stopped."""

import json
import os
import signal
import threading
import time

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from facelab.align import make_chips
from facelab.cli import app
from facelab.data.images import write_image
from facelab.embeddings import Embeddings, StoredPairs, write_embedding_shards
from facelab.errors import FacelabError
from facelab.models import pretrained
from facelab.models.files import embed_faces
from facelab.sources import open_pictures

AS_CHIPS = {"images": "chips", "device": "cpu", "workers": 1}


def written(out) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir()) if not path.name.startswith(".")}


def test_a_folder_holds_what_the_network_says(network, chips, tmp_path, toy_chips):
    opened = open_pictures([chips])
    report = write_embedding_shards(network, opened, tmp_path / "out", per_shard=5, **AS_CHIPS)
    assert (report.written, report.kept, report.shards) == (13, 0, 3)
    found = Embeddings(tmp_path / "out")
    assert len(found) == 13
    assert found.names == {0: "a", 1: "b", 2: "c"}
    assert found.labels.tolist() == [*np.repeat([0, 1, 2], 4), -1]
    assert (found.about.dimensions, found.about.precision, found.about.flip) == (128, "float32", False)
    assert found.about.recipe["embedding_dim"] == 128
    assert not found.trained_on.any()
    expected = embed_faces(pretrained(network, device="cpu"), opened.faces)
    everything = found.select(np.arange(13))
    np.testing.assert_allclose(everything.embeddings, expected, atol=1e-5)
    assert everything.files == opened.faces.files
    some = found.select(np.array([1, 12]))
    assert (some.labels.tolist(), some.files) == ([0, -1], ["a/01.png", "lonely.png"])
    by_identity = dict(found.by_identity())
    assert list(by_identity) == ["a", "b", "c"]
    np.testing.assert_array_equal(by_identity["b"], everything.embeddings[4:8])  # it lies in two shards
    schema = pq.read_schema(tmp_path / "out" / "shard-00001.parquet")
    assert str(schema.field("embedding").type) == "fixed_size_list<element: float>[128]"
    assert json.loads(schema.metadata[b"facelab"])["fingerprint"] == found.about.fingerprint  # a shard alone says it


def test_a_run_goes_on_and_comes_to_the_same_bytes(network, chips, tmp_path, monkeypatch):
    opened = open_pictures([chips])
    write_embedding_shards(network, opened, tmp_path / "whole", per_shard=5, **AS_CHIPS)
    import facelab.embeddings.shards as room

    keep, kept = room.keep_shard, []

    def stop_after_one(*arguments):
        if kept:
            raise KeyboardInterrupt
        kept.append(keep(*arguments))

    monkeypatch.setattr(room, "keep_shard", stop_after_one)
    with pytest.raises(KeyboardInterrupt):
        write_embedding_shards(network, opened, tmp_path / "out", per_shard=5, **AS_CHIPS)
    monkeypatch.undo()
    with pytest.raises(FacelabError, match=r"no whole shard-00001\.parquet: run the same facelab embed again"):
        Embeddings(tmp_path / "out")
    first = (tmp_path / "out" / "shard-00000.parquet").stat().st_mtime_ns
    report = write_embedding_shards(network, opened, tmp_path / "out", per_shard=5, **AS_CHIPS)
    assert (report.written, report.kept) == (8, 5)
    assert (tmp_path / "out" / "shard-00000.parquet").stat().st_mtime_ns == first
    assert written(tmp_path / "out") == written(tmp_path / "whole")
    damaged = bytearray((tmp_path / "out" / "shard-00002.parquet").read_bytes())
    damaged[40] ^= 1
    (tmp_path / "out" / "shard-00002.parquet").write_bytes(damaged)
    with pytest.raises(FacelabError, match=r"shard-00002\.parquet in .* is damaged; run the same facelab embed again"):
        Embeddings(tmp_path / "out").read(2)
    assert write_embedding_shards(network, opened, tmp_path / "out", per_shard=5, **AS_CHIPS).written == 3
    assert written(tmp_path / "out") == written(tmp_path / "whole")


def test_another_network_or_set_is_refused(network, chips, tmp_path):
    opened, out = open_pictures([chips]), tmp_path / "out"
    write_embedding_shards(network, opened, out, **AS_CHIPS)
    before = written(out)
    for options in ({"flip": True}, {"precision": "float16"}):
        with pytest.raises(FacelabError, match="holds another set"):
            write_embedding_shards(network, opened, out, **AS_CHIPS, **options)
    with pytest.raises(FacelabError, match="fingerprint="):
        write_embedding_shards("synthfaces-cross-entropy", opened, out, **AS_CHIPS)
    (chips / "a" / "00.png").rename(chips / "b" / "00.png")
    with pytest.raises(FacelabError, match="rows="):
        write_embedding_shards(network, open_pictures([chips]), out, **AS_CHIPS)
    assert written(out) == before
    with pytest.raises(FacelabError, match="holds no embeddings that facelab embed wrote"):
        Embeddings(chips)
    with pytest.raises(FacelabError, match="would do nothing: chips is taken as aligned chips"):
        write_embedding_shards(network, open_pictures([chips]), out, which="all", **AS_CHIPS)


def test_float16_at_an_address(network, chips):
    opened = open_pictures([chips])
    exact = embed_faces(pretrained(network, device="cpu"), opened.faces)
    write_embedding_shards(network, opened, "memory://embeddings/half", precision="float16", per_shard=6, **AS_CHIPS)
    found = Embeddings("memory://embeddings/half").select(np.arange(13)).embeddings
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, exact.astype(np.float16))
    assert len(fsspec.filesystem("memory").ls("/embeddings/half")) == 7  # three shards, their checksums, the recipe


@pytest.mark.slow
def test_photographs_are_detected_by_the_worker(network, orl, mtcnn, tmp_path, capsys):
    for row in (0, 1, 10):
        write_image(tmp_path / "people" / orl.table["identity"][row] / f"{row}.png", orl[row][0])
    write_image(tmp_path / "people" / "s02" / "nobody.png", np.full((80, 80, 3), 120, np.uint8))
    with pytest.raises(SystemExit) as stop:
        app(["embed", str(network), str(tmp_path / "people"), "--out", str(tmp_path / "out"), "--per-shard", "1",
             "--device", "cpu", "--workers", "1", "--images", "photographs"])  # fmt: skip
    assert stop.value.code == 0
    assert "4 images written" in capsys.readouterr().out
    found = Embeddings(tmp_path / "out")
    assert (len(found), found.sizes) == (3, [1, 1, 1, 0])  # no face is found in the last
    expected = embed_faces(pretrained(network, device="cpu"), make_chips(orl.select([0, 1, 10]), mtcnn)[0])
    np.testing.assert_allclose(found.select(np.arange(3)).embeddings, expected, atol=1e-4)


@pytest.mark.slow
def test_a_killed_worker_of_a_cluster_changes_nothing(network, chips, tmp_path):
    """A process of a Dask cluster is killed while it works; the one that takes its place does that shard again."""
    distributed = pytest.importorskip("dask.distributed")
    opened = open_pictures([chips])
    write_embedding_shards(network, opened, tmp_path / "here", per_shard=1, **AS_CHIPS)
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        victim, out, there = next(iter(cluster.workers.values())).pid, tmp_path / "dask", []

        def kill():
            while len(list(out.glob("*.parquet"))) < 3:  # it is at work
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)
            there.append(len(list(out.glob("*.parquet"))))

        killer = threading.Thread(target=kill, daemon=True)
        killer.start()
        options = {"backend": "dask", "address": cluster.scheduler_address, "device": "cpu", "images": "chips"}
        write_embedding_shards(network, opened, out, per_shard=1, **options)
        killer.join()
        found = Embeddings(out)
        rows = np.flatnonzero(found.labels >= 0)
        counts = StoredPairs(found, rows, workers=None, backend="dask", address=cluster.scheduler_address).count()
    assert there[0] < 13
    assert written(out) == written(tmp_path / "here")
    here = StoredPairs(found, rows).count()
    np.testing.assert_array_equal([counts.genuine, counts.impostor], [here.genuine, here.impostor])
