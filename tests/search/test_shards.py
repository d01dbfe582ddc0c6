"""A gallery whose templates lie on two servers: right answers, erasure where they are, never a part of an answer."""

from collections.abc import Iterator

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.search import open_gallery

D = 32
NAMES = [f"person-{row:04d}" for row in range(40)]
pytest.importorskip("psycopg", reason="psycopg is not installed: uv sync --extra test")


def vectors(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, D))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def bytes_of(template: np.ndarray) -> list[bytes]:
    return [template[8:24].astype(order).tobytes() for order in ("<f4", ">f4")]


@pytest.fixture(scope="module")
def second() -> Iterator[object]:
    from postgres_server import running

    with running() as started:
        yield started


@pytest.fixture
def shards(server, second) -> list[str]:
    """The addresses of a database beside that of the gallery, and of one on another server; both empty."""
    if not server.run("SELECT 1 FROM pg_database WHERE datname = 'shard'"):
        server.run("CREATE DATABASE shard")
    server.run("DROP SCHEMA IF EXISTS facelab CASCADE", "shard")
    server.run("DROP EXTENSION IF EXISTS postgres_fdw CASCADE")
    second.run("DROP SCHEMA IF EXISTS facelab CASCADE")
    return [server.address("shard"), second.address()]


def create(address: str, shards: list[str], **options):
    return open_gallery(address, fingerprint="net", dimensions=D, create=True, shards=shards, **options)


@pytest.fixture
def filled(database, shards):
    x = vectors(40)
    with create(database, shards) as gallery:
        gallery.enrol_all(NAMES, x)
        yield gallery, x


def shard_of(server, second, name: str):
    """Return the server that has the templates of a name, and its database."""
    ((number,),) = server.run(f"SELECT id FROM facelab.identities WHERE name = '{name}'")
    for one, database in ((server, "shard"), (second, "postgres")):
        if one.run(f"SELECT 1 FROM facelab.templates WHERE identity = {number}", database):
            return one, database
    raise AssertionError(name)


def test_two_shards_answer_as_one_gallery(server, second, filled, database):
    gallery, x = filled
    counts = [
        one.run("SELECT count(*) FROM facelab.templates", name)[0][0]
        for one, name in ((server, "shard"), (second, "postgres"))
    ]
    assert sum(counts) == 40
    assert min(counts) > 8
    gallery.enrol(NAMES[0], vectors(1, seed=3))
    cosines = vectors(6, seed=1) @ np.vstack([x, vectors(1, seed=3)]).T
    owners = [*NAMES, NAMES[0]]
    for k in (1, 3, 50):
        for found, row in zip(gallery.search(vectors(6, seed=1), k), cosines, strict=True):
            best = {owner: max(c for c, o in zip(row, owners, strict=True) if o == owner) for owner in NAMES}
            expected = sorted(best.items(), key=lambda one: -one[1])[:k]
            assert [match.identity for match in found] == [name for name, _ in expected]
            assert [match.score for match in found] == pytest.approx([score for _, score in expected], abs=2e-6)
    assert gallery.identities() == dict.fromkeys(NAMES, 1) | {NAMES[0]: 2}
    with open_gallery(database, fingerprint="net") as again:
        assert again.search(x[7:8])[0][0].identity == NAMES[7]
        assert len(again.shards) == 2


def test_a_shard_sorts_and_sends_the_best_alone(server, filled):
    probe = f"'[{','.join(['0.5'] * D)}]'"
    plan = server.run(
        f"EXPLAIN (VERBOSE, COSTS OFF) SELECT identity, -(vector <#> {probe}) AS score FROM facelab.templates_1 "
        "ORDER BY score DESC LIMIT 4"
    )
    remote = next(line for (line,) in plan if "Remote SQL" in line)
    assert "ORDER BY" in remote
    assert "LIMIT 4" in remote


def test_an_erased_template_is_in_no_byte_of_either_server(server, second, filled):
    gallery, x = filled
    for row in (3, 4, 5, 6):
        where, _ = shard_of(server, second, NAMES[row])
        where.run("CHECKPOINT")
        assert where.holding(*bytes_of(x[row]))
    done = gallery.erase_all([NAMES[row] for row in (3, 4, 5, 6)])
    assert all(one.gone and one.templates == 1 for one in done), done[0].why
    for row in (3, 4, 5, 6):
        for one in (server, second):
            assert one.holding(*bytes_of(x[row]), NAMES[row].encode()) == []
    assert gallery.search(x[3:4])[0][0].identity != NAMES[3]
    assert len(gallery.identities()) == 36


def test_a_shard_that_is_away_is_named_and_no_answer_is_a_part_of_one(server, second, filled):
    gallery, x = filled
    there = next(name for name in NAMES if shard_of(server, second, name)[0] is second)
    gallery.search(x[:1])
    second.stop()
    try:
        for call in (
            lambda: gallery.search(x[:1]),
            lambda: gallery.enrol_all(NAMES, x),
            gallery.identities,
        ):
            with pytest.raises(FacelabError, match="does not reach its shard postgresql:///postgres") as error:
                call()
            assert str(second.folder) in str(error.value)
    finally:
        second.start()
    assert gallery.identities() == dict.fromkeys(NAMES, 1)
    assert gallery.search(x[:1])[0][0].identity == NAMES[0]
    assert gallery.erase(there).gone


@pytest.mark.parametrize("which", [0, 1])
def test_an_enrolment_that_one_shard_refuses_at_its_end_leaves_nothing_on_the_other(server, second, filled, which):
    gallery, _ = filled
    new, more, other = [f"new-{row}" for row in range(20)], vectors(20, seed=9), vectors(40, seed=8)
    one, database = ((server, "shard"), (second, "postgres"))[which]
    one.run(
        "CREATE FUNCTION facelab.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$",
        database,
    )
    one.run(
        "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON facelab.templates DEFERRABLE INITIALLY DEFERRED "
        "FOR EACH ROW EXECUTE FUNCTION facelab.refuse()",
        database,
    )
    with pytest.raises(FacelabError, match="refused"):
        gallery.enrol_all([*new, *NAMES], np.vstack([more, other]))
    assert gallery.identities() == dict.fromkeys(NAMES, 1)
    assert {match.identity for match in gallery.search(more[:1], 60)[0]} == set(NAMES)
    assert max(found[0].score for found in gallery.search(np.vstack([more, other]))) < 0.99
    one.run("DROP TRIGGER refuse ON facelab.templates", database)
    gallery.enrol(new[0], more[:1])
    total = sum(
        a_server.run("SELECT count(*) FROM facelab.templates", name)[0][0]
        for a_server, name in ((server, "shard"), (second, "postgres"))
    )
    assert total == 41
    assert gallery.identities() == dict.fromkeys(NAMES, 1) | {new[0]: 1}


def test_a_gallery_whose_shard_cannot_be_made_leaves_nothing(server, second, database, shards):
    with pytest.raises(FacelabError, match='database "nowhere" does not exist'):
        create(database, [shards[0], second.address("nowhere")])
    with create(database, shards) as gallery:
        assert gallery.identities() == {}
    with pytest.raises(FacelabError, match="is a shard: a part of a gallery"):
        open_gallery(shards[0])
