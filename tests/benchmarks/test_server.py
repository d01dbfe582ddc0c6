"""The gallery on a server beside the one in a file; that the answers are the same is tested in tests/search.

``pytest tests/benchmarks/test_server.py --benchmark-only --benchmark-columns=median,rounds -s``. All in one run, with
20,000 random templates of 512 dimensions (the worst case of an approximate search) and probes at a cosine of 0.5.
"""

import time
from collections.abc import Iterator

import numpy as np
import pytest

from facelab.search import Gallery, open_gallery

N, D = 20_000, 512
pytest.importorskip("psycopg", reason="psycopg is not installed: uv sync --extra test")


def unit_vectors(n: int, seed: int) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, D)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.fixture(scope="module", params=["file", "server, exact", "server, hnsw"])
def gallery(request, tmp_path_factory) -> Iterator[Gallery]:
    from postgres_server import running

    templates = unit_vectors(N, 0)
    # As a server is run: its default buffers, and every commit on disk.
    with running(fsync="on", shared_buffers="128MB", maintenance_work_mem="512MB") as server:
        kind, _, index = request.param.partition(", ")
        address = str(tmp_path_factory.mktemp("gallery") / "faces.db") if kind == "file" else server.address()
        options = {"index": index} if index else {}
        with open_gallery(address, fingerprint="net", dimensions=D, create=True, **options) as opened:
            start = time.perf_counter()
            opened.enrol_all([f"p{row:05d}" for row in range(N)], templates)
            print(f"\n{request.param}: {N:,} enrolled in {time.perf_counter() - start:.1f} s; searched {opened.how()}")
            if kind == "server":
                server.run("ANALYZE")
            yield opened


@pytest.mark.parametrize("batch", [1, 32])
def test_search(benchmark, gallery, batch):
    benchmark.group = f"search, {batch} at once"
    probes = 0.5 * unit_vectors(N, 0)[:batch] + np.sqrt(0.75) * unit_vectors(batch, 1)
    benchmark.pedantic(gallery.search, (probes,), rounds=10 if batch == 1 else 3, warmup_rounds=1)


@pytest.mark.parametrize("number", [1, 10])
def test_erase(benchmark, gallery, number):
    benchmark.group = f"erase, {number} at once"
    names = sorted(gallery.identities())

    def erase() -> None:
        assert all(one.gone for one in gallery.erase_all([names.pop() for _ in range(number)]))

    benchmark.pedantic(erase, rounds=2)
