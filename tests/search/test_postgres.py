"""What is PostgreSQL's own: bytes on disk, rights, a server that goes away, addresses that hold secrets."""

import subprocess
import sys
import threading

import numpy as np
import pytest

from facelab.cli import app
from facelab.errors import FacelabError
from facelab.search import open_gallery, postgres

D = 128  # 512 bytes a template: short enough for the server's statistics to copy it
psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: uv sync --extra test")


def vectors(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, D))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def create(address: str, **options):
    return open_gallery(address, fingerprint="net", dimensions=D, create=True, **options)


def bytes_of(template: np.ndarray) -> list[bytes]:
    """A piece of a template (shape (D,)) as it stands in a row, and as it comes over the wire."""
    return [template[8:24].astype(order).tobytes() for order in ("<f4", ">f4")]


@pytest.fixture
def filled(database):
    """A gallery of 60 people, all of it on disk."""
    x = vectors(60)
    with create(database) as gallery:
        gallery.enrol_all([f"person-{row:04d}" for row in range(60)], x)
        gallery.search(x[17:18])
        yield gallery, x


def test_no_byte_of_an_erased_template_or_name_is_left_in_any_file(server, filled):
    gallery, x = filled
    needles = [*bytes_of(x[17]), b"person-0017"]
    assert any("pg_wal/" in name for name in server.holding(*needles))
    server.run("ANALYZE")
    server.run("CHECKPOINT")
    assert any("base/" in name for name in server.holding(*needles))
    done = gallery.erase("person-0017")
    assert done.gone, done.why
    assert "no WAL file from before is left" in done.why
    assert server.holding(*needles) == []
    assert server.holding(*bytes_of(x[18]))


def test_deleted_alone_it_stays_in_a_file(server, filled):
    """Why an erasure needs all that it does: this is what a plain DELETE leaves."""
    _, x = filled
    server.run("CHECKPOINT")
    server.run("DELETE FROM facelab.templates WHERE id <= 30")
    server.run("VACUUM facelab.templates")
    server.run("CHECKPOINT")
    assert any("base/" in name for name in server.holding(*(bytes_of(row)[0] for row in x[:30])))


def test_bytes_of_an_enrolment_that_was_cut_off_go_with_those_of_the_next(server, database):
    """A row whose transaction has failed stays in its page, and nobody asks for it any more."""
    x, name = vectors(1, seed=7), "Ada Lovelace"
    with create(database) as gallery:
        for statement in (
            "CREATE FUNCTION facelab.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON facelab.events DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW WHEN (new.what = 'enrol') EXECUTE FUNCTION facelab.refuse()",
        ):
            server.run(statement)
        for _ in range(3):
            with pytest.raises(FacelabError, match="refused"):
                gallery.enrol(name, x)
        server.run("CHECKPOINT")
        assert any("base/" in file for file in server.holding(*bytes_of(x[0])))
        server.run("DROP TRIGGER refuse ON facelab.events")
        gallery.enrol(name, x)
        assert gallery.identities() == {name: 1}
        assert gallery.erase(name).gone
    assert server.holding(*bytes_of(x[0]), name.encode()) == []


def test_old_files_kept_for_use_again_are_said_and_then_emptied(server, filled):
    _, x = filled
    address, server.settings["wal_recycle"] = server.address(), "on"
    try:
        server.stop()
        server.start()
        with open_gallery(address) as again:
            server.run("CHECKPOINT")
            done = again.erase("person-0017")
            assert (done.templates, done.gone) == (1, False)
            assert "ALTER SYSTEM SET wal_recycle = off" in done.why
            assert server.holding(*bytes_of(x[17]))
    finally:
        server.stop()
        server.settings["wal_recycle"] = "off"
        server.start()
    with open_gallery(address) as again:
        done = again.erase("person-0017")
    assert (done.templates, done.gone) == (0, True), done.why
    assert server.holding(*bytes_of(x[17])) == []


def test_a_setting_of_the_session_alone_is_not_believed(server, filled):
    gallery, _ = filled
    gallery._connection.execute("SET wal_recycle = off")
    assert not gallery.erase("person-0001").gone


def test_whoever_may_still_see_the_rows_is_waited_for_and_said(server, filled):
    gallery, x = filled
    with psycopg.connect(server.address()) as other:
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT count(*) FROM pg_class")
        done = gallery.erase("person-0003")
        assert not done.gone
        assert "another session of the database holds a transaction open" in done.why
        server.run("CHECKPOINT")
        assert server.holding(*bytes_of(x[3]))
    assert gallery.erase("person-0003").gone
    assert server.holding(*bytes_of(x[3])) == []


def test_a_wal_file_that_the_server_keeps_is_named(server, filled):
    gallery, _ = filled
    server.run("SELECT pg_create_physical_replication_slot('copy', true)")
    try:
        done = gallery.erase("person-0005")
        assert not done.gone
        assert "the server keeps" in done.why
        assert "replication slot" in done.why
    finally:
        server.run("SELECT pg_drop_replication_slot('copy')")
    done = gallery.erase("person-0005")
    assert done.gone, done.why


def test_a_role_without_rights_is_told_which_to_ask_for(server):
    server.run("CREATE ROLE app LOGIN")
    server.run("CREATE DATABASE app OWNER app")
    x = vectors(3)
    with create(server.address("app", "app")) as gallery:
        gallery.enrol_all(["a", "b", "c"], x)
        done = gallery.erase("a")
        assert not done.gone
        for grant in (
            "GRANT pg_checkpoint TO app;",
            "GRANT EXECUTE ON FUNCTION pg_switch_wal() TO app;",
            "GRANT pg_monitor TO app;",
        ):
            assert grant in done.why
            server.run(grant, "app")
        assert gallery.erase("a").gone
    server.run("CREATE ROLE guest LOGIN")
    with pytest.raises(FacelabError, match="permission denied for schema facelab"):
        open_gallery(server.address("app", "guest"))


def test_a_database_that_is_no_gallery_or_of_another_version_is_one_line(server, database):
    with pytest.raises(FacelabError, match='database "nowhere" does not exist'):
        open_gallery(server.address("nowhere"))
    server.run("CREATE SCHEMA facelab")
    with pytest.raises(FacelabError, match="is not a gallery of facelab"):
        open_gallery(database)
    with pytest.raises(FacelabError, match="is there already"):
        create(database)
    server.run("CREATE TABLE facelab.about (fingerprint text)")
    with pytest.raises(FacelabError, match="is not a gallery of facelab"):
        open_gallery(database)
    server.run("DROP SCHEMA facelab CASCADE")
    create(database).close()
    server.run("UPDATE facelab.about SET value = '0' WHERE key = 'schema'")
    with pytest.raises(FacelabError, match=r"another version of facelab \(schema 0, this one reads 1\)"):
        open_gallery(database)


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://ada:s3cret@127.0.0.1:1/faces",
        "postgresql://ada@127.0.0.1:1/faces?password=s3cret",
        "postgresql://ada:@s3cret@127.0.0.1:1/faces",
        "postgresql://ada:s3cret/1@127.0.0.1:1/faces",
        "postgresql://ada:1/s3cret@127.0.0.1:1/faces",
        "postgresql://ada:%s3cret@127.0.0.1:1/faces",
        "postgresql://ada:a?s3cret@127.0.0.1:1/faces",
        "mysql://ada:s3cret@127.0.0.1:1/faces",
    ],
)
def test_no_message_shows_a_password(address):
    with pytest.raises(FacelabError) as error:
        open_gallery(address)
    said = error.value
    while said is not None:
        assert "s3cret" not in str(said)
        said = None if said.__suppress_context__ and said.__cause__ is None else said.__cause__ or said.__context__


def test_the_address_in_messages_has_neither_user_nor_password(server, filled):
    with open_gallery(server.address().replace("owner@", "owner:s3cret@")) as other:
        assert "s3cret" not in repr(other)
        assert "owner" not in repr(other)
        with pytest.raises(FacelabError, match=r"nobody called 'x' is in postgresql:///postgres\?host=/") as error:
            other.erase("x")
    assert "s3cret" not in str(error.value)


def test_the_command_line_shows_no_password_either(server, filled, capsys):
    address = server.address().replace("owner@", "owner:s3cret@")
    for words in (["list", address], ["audit", address], ["erase", address, "person-0009"]):
        with pytest.raises(SystemExit) as end:
            app(["gallery", *words])
        assert end.value.code == 0
    said = capsys.readouterr()
    assert "searched exactly" in said.out
    assert "The bytes are gone" in said.out
    with pytest.raises(SystemExit):
        app(["gallery", "erase", address, "nobody"])
    assert "s3cret" not in said.out + said.err + capsys.readouterr().err


def test_a_server_that_went_away_is_one_line_and_the_next_call_works(server, filled):
    gallery, x = filled
    number = gallery.enrol("Ada", vectors(1, seed=5))
    server.stop()
    with pytest.raises(FacelabError, match="the next call connects again"):
        gallery.search(x[:1])
    with pytest.raises(FacelabError, match="cannot reach the gallery postgresql:///postgres"):
        gallery.search(x[:1])
    server.start()
    assert gallery.search(vectors(1, seed=5))[0][0].identity == "Ada"
    assert gallery.enrol("Ada", x[:1]) > number


def test_an_approximate_search_is_asked_for_and_says_how_often_it_finds(server, database, monkeypatch):
    n, d = 1000, 128
    names = [name for name in map(str, range(40 * n)) if postgres._bucket(name) == 0][:n]  # one part, one graph
    x = np.random.default_rng(1).normal(size=(n, d))  # not the numbers in which recall() turns them
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    monkeypatch.setattr(postgres, "BREADTH", 4)
    with open_gallery(database, fingerprint="net", dimensions=d, create=True, index="hnsw") as gallery:
        gallery.enrol_all(names, x)
        server.run("ANALYZE")
        gallery._connection.execute("SET enable_seqscan = off")  # a small table is read faster than its index
        stated = gallery.recall()
        assert 0.2 < stated.value < 1
        assert f"approximately, by HNSW: it finds the nearest of the exact scan in {stated} of" in gallery.how()
        noise = np.random.default_rng(4).normal(size=(200, d)) / np.sqrt(d)
        probes = 0.5 * x[:200] + np.sqrt(0.75) * noise
        nearest = [names[row] for row in (probes @ x.T).argmax(axis=1)]
        answers = [found[0].identity for found in gallery.search(probes)]
        share = sum(answer == name for answer, name in zip(answers, nearest, strict=True)) / 200
        assert 0.2 < share < 1
        assert stated.value == pytest.approx(share, abs=0.16)  # nearly four standard errors of both
        assert gallery.erase(names[5]).gone
    assert server.holding(*bytes_of(x[5])) == []
    with pytest.raises(FacelabError, match="HNSW takes 2,000 dimensions at most"):
        open_gallery(database, fingerprint="net", dimensions=2001, create=True, index="hnsw")


def test_an_exact_search_stays_exact_beside_an_index_that_somebody_made(server, filled):
    gallery, x = filled
    server.run("CREATE INDEX ON facelab.templates USING hnsw (vector vector_ip_ops)")
    gallery._connection.execute("SET enable_seqscan = off")
    assert "exactly" in gallery.how()
    plan = gallery._connection.execute(
        "EXPLAIN SELECT -(vector <#> %s) AS score FROM facelab.templates ORDER BY score DESC LIMIT 4", (x[0],)
    ).fetchall()
    assert "_vector_idx" not in str(plan)
    with pytest.raises(FacelabError, match="is searched exactly"):
        gallery.recall()


ENROL = """
import sys
import numpy as np
from facelab.search import open_gallery
x = np.random.default_rng(1).normal(size=(40, 128))
with open_gallery(sys.argv[1], fingerprint="net") as gallery:
    for round in range(10**6):
        gallery.enrol_all([f"{round}-{row}" for row in range(40)], x)
        print(round, flush=True)
"""


def test_a_client_killed_while_it_enrols_loses_nothing_acknowledged_and_leaves_nothing_half(server, database):
    with create(database) as gallery:
        process = subprocess.Popen([sys.executable, "-c", ENROL, database], stdout=subprocess.PIPE, text=True)
        try:
            for _ in range(5):
                process.stdout.readline()
            process.kill()
            acknowledged = 5 + len(process.stdout.readlines())
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        server.run(  # its last call may be at work yet
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'facelab' "
            f"AND pid <> {gallery._connection.info.backend_pid}"
        )
        kept = gallery.identities()
        rounds = {name.split("-")[0] for name in kept}
        assert {str(number) for number in range(acknowledged)} <= rounds
        assert len(rounds) <= acknowledged + 1
        assert kept == {f"{number}-{row}": 1 for number in rounds for row in range(40)}
        assert sum(event.what == "enrol" for event in gallery.audit()) == len(kept)


def test_two_writers_of_the_same_names_and_one_who_erases(server, database):
    with create(database) as gallery, open_gallery(database, fingerprint="net") as other:
        names, x, wrong = ["a", "b", "c"], vectors(3), []

        def enrol(one, order):
            try:
                for _ in range(15):
                    one.enrol_all(order, x)
            except FacelabError as error:
                wrong.append(error)

        threads = [
            threading.Thread(target=enrol, args=(one, order)) for one, order in ((gallery, names), (other, names[::-1]))
        ]
        for thread in threads:
            thread.start()
        with open_gallery(database) as third:
            erased = 0
            for _ in range(3):
                try:
                    erased += third.erase("b").templates
                except FacelabError as error:
                    if "nobody called" not in str(error):
                        raise
        for thread in threads:
            thread.join()
        assert not wrong
        left = gallery.identities()
        assert (left["a"], left["c"], left.get("b", 0) + erased) == (30, 30, 30)
        log = [event for event in gallery.audit() if event.what == "enrol"]
        assert sum(event.identity == "b" for event in log) == left.get("b", 0)


def test_nothing_of_it_is_imported_for_a_file(tmp_path):
    code = (
        "import sys; from facelab.search import open_gallery; "
        f"open_gallery({str(tmp_path / 'a.db')!r}, fingerprint='net', dimensions=2, create=True).close(); "
        "print([name for name in sys.modules if name.split('.')[0] in ('psycopg', 'pgvector')])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
