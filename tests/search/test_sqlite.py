"""The engine in one file: what is acknowledged stays, what is erased is gone, and what is damaged is said."""

import json
import resource
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facelab.errors import FacelabError
from facelab.search import open_gallery, sqlite

D = 64


def vectors(n: int, seed: int = 0) -> np.ndarray:
    x = np.random.default_rng(seed).normal(size=(n, D))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "faces.db"


@pytest.fixture
def gallery(path):
    with open_gallery(str(path), fingerprint="net", dimensions=D, create=True) as opened:
        yield opened


def on_disk(path: Path) -> bytes:
    """Every byte of every file beside a gallery: its -wal and -shm, and whatever else lies there."""
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def traces(vector: np.ndarray, data: bytes) -> int:
    """How many pieces of 16 bytes of a vector, in single or half precision, there are in data."""
    pieces = [bits[start : start + 16] for bits in forms(vector) for start in range(0, len(bits), 16)]
    return sum(piece in data for piece in pieces)


def forms(vector: np.ndarray) -> list[bytes]:
    return [vector.astype(kind).tobytes() for kind in ("<f4", "<f2")]


def test_erased_templates_and_names_are_in_no_byte_of_any_file(gallery, path):
    """Enough people that rows move between pages, and another process's view of them beside."""
    random, live, erased = np.random.default_rng(7), {}, []
    with open_gallery(str(path), fingerprint="net") as other:
        for step in range(150):
            if live and random.random() < 0.35:
                name = list(live)[random.integers(len(live))]
                done = gallery.erase(name)
                assert done.gone, done.why
                erased += [(name, vector) for vector in live.pop(name)]
            else:
                name = f"person-{random.integers(1 << 40):012x}" if random.random() < 0.8 or not live else min(live)
                vector = vectors(1, seed=step)
                gallery.enrol(name, vector)
                other.search(vector)
                live.setdefault(name, []).append(vector[0])
        data = on_disk(path)
    assert len(erased) > 40
    assert len(list(path.parent.iterdir())) == 3
    assert not any(traces(vector, data) or name.encode() in data for name, vector in erased)
    assert all(
        traces(vector, data) == D // 4 and name.encode() in data for name, many in live.items() for vector in many
    )


def test_while_somebody_reads_the_bytes_are_not_gone_and_it_is_said(path, monkeypatch):
    monkeypatch.setattr(sqlite, "WAIT", 0.05)
    x = vectors(2)
    with open_gallery(str(path), fingerprint="net", dimensions=D, create=True) as gallery:
        gallery.enrol("Ada", x[:1])
        gallery.enrol("Ben", x[1:])
        reader = sqlite3.connect(path, isolation_level=None)
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM templates").fetchone() == (2,)
        done = gallery.erase("Ada")
        assert not done.gone
        assert "another process has been reading faces.db" in done.why
        assert "run the same command again" in done.why
        assert traces(x[0], on_disk(path))
        again = gallery.erase("Ada")
        assert (again.templates, again.gone, again.receipt) == (0, False, "")
        reader.execute("ROLLBACK")
        again = gallery.erase("Ada")
        assert (again.templates, again.gone) == (0, True)
        assert not traces(x[0], on_disk(path))
        with pytest.raises(FacelabError, match="nobody called 'Ada'"):
            gallery.erase("Ada")
        assert [event.identity for event in gallery.audit() if event.what == "erase"] == [done.receipt]
        reader.close()


WORK = """
import sys
import numpy as np
from facelab.search import open_gallery
path, start = sys.argv[1], int(sys.argv[2])
with open_gallery(path, fingerprint="net") as gallery:
    for number in range(start, start + 100_000):
        x = np.random.default_rng(number).normal(size=(1, 64))
        gallery.enrol(f"person-{number:08d}", x)
        print("enrolled", number, flush=True)
        if number % 4 == 3:
            gallery.erase(f"person-{number:08d}")
            print("erased", number, flush=True)
"""


@pytest.mark.slow
def test_killed_while_enrolling_and_erasing_nothing_acknowledged_is_lost_or_left(path):
    open_gallery(str(path), fingerprint="net", dimensions=D, create=True).close()
    enrolled, erased, last = set(), set(), set()
    for round_ in range(3):
        start, wanted = 1000 * round_, 9 + 2 * round_
        command = [sys.executable, "-c", WORK, str(path), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            lines = [process.stdout.readline() for _ in range(wanted)]
            process.send_signal(signal.SIGKILL)
            lines += process.stdout.read().splitlines(keepends=True)
        for what, number in (line.split() for line in lines if line.endswith("\n")):
            (enrolled if what == "enrolled" else erased).add(int(number))
        last.add(max(enrolled))
        data = on_disk(path)  # before anybody opens it again
        assert not any(f"person-{number:08d}".encode() in data for number in erased)
        assert not any(traces(_vector(number), data) for number in erased)
    with open_gallery(str(path), fingerprint="net") as gallery:
        known = {int(name.removeprefix("person-")) for name in gallery.identities()}
        erasing = {number for number in last - erased if number % 4 == 3}  # done, perhaps, and not yet acknowledged
        assert enrolled - erased - erasing <= known
        assert not erased & known
        assert len(known - enrolled) <= 3  # of each round one may be written and not yet acknowledged
        for number in enrolled & known:
            [[match]] = gallery.search(_vector(number)[None])
            assert match.identity == f"person-{number:08d}"
    assert len(enrolled) > 20
    assert len(erased) >= 5


def _vector(number: int) -> np.ndarray:
    x = np.random.default_rng(number).normal(size=D)
    return (x / np.linalg.norm(x)).astype(np.float32)


READ = """
import json, sys, time
import numpy as np
from facelab.search import open_gallery
found, last = [], 0
with open_gallery(sys.argv[1], fingerprint="net") as gallery:
    print("ready", flush=True)
    while not found or found[-1] < int(sys.argv[2]):
        probe = np.random.default_rng(max(last, 1) - 1).normal(size=(1, 64))
        [matches] = gallery.search(probe, threshold=0.999)
        found.append(len(gallery.identities()))
        assert not last or matches[0].identity == f"p{last - 1}", (last, matches)  # at 0, p0 may have come since
        last = found[-1]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_one_writes_and_two_read(path):
    total = 40
    with open_gallery(str(path), fingerprint="net", dimensions=D, create=True) as gallery:
        command = [sys.executable, "-c", READ, str(path), str(total)]
        readers = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        for reader in readers:
            assert reader.stdout.readline() == "ready\n"
        for number in range(total):
            gallery.enrol(f"p{number}", np.random.default_rng(number).normal(size=(1, D)))
        for reader in readers:
            found = json.loads(reader.communicate(timeout=60)[0])
            assert found == sorted(found)
            assert found[-1] == total
        answers = sum(event.what == "search" for event in gallery.audit())
        assert answers >= 2


def test_a_full_disk_loses_nothing_and_is_one_line(gallery, path):
    """A limit on the size of a file stands for it, as every write beyond fails."""
    x = vectors(2000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    kept = 0
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, hard))
        with pytest.raises(FacelabError) as error:  # noqa: PT012
            for row in range(len(x)):
                gallery.enrol(f"p{row}", x[row : row + 1])
                kept += 1
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # nothing more fits: no answer that is not in the log
        for call in (lambda: gallery.search(x[:1]), lambda: gallery.erase("p0")):
            with pytest.raises(FacelabError, match="disk"):
                call()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert 5 < kept < len(x)
    assert "what was acknowledged before is kept" in str(error.value).lower()
    assert "\n" not in str(error.value)
    with open_gallery(str(path), fingerprint="net") as again:
        for one in (gallery, again):
            assert one.identities() == {f"p{row}": 1 for row in range(kept)}
        assert again.erase("p0").gone
    assert gallery.search(x[kept - 1 : kept])[0][0].identity == f"p{kept - 1}"


def test_a_disk_too_full_to_write_the_file_anew_is_said(gallery, path):
    x = vectors(600)
    gallery.enrol_all([f"p{row}" for row in range(600)], x)
    gallery._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
        done = gallery.erase("p7")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (done.templates, done.gone) == (1, False)
    assert "could not be written anew" in done.why
    assert gallery.erase("p7").gone
    assert not traces(x[7], on_disk(path))


def test_a_file_that_is_no_gallery_is_said(path, tmp_path):
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE cats (name)")
    connection.close()
    path.write_bytes(b"")
    (tmp_path / "text.db").write_text("Dear diary, " * 100)
    for name, said in (
        ("other.db", "is not a gallery of facelab"),
        ("faces.db", "is empty: its making was interrupted"),
        ("text.db", "it is not a file of SQLite"),
        (".", "there is no gallery"),
    ):
        with pytest.raises(FacelabError, match=said) as error:
            open_gallery(str(tmp_path / name))
        assert "\n" not in str(error.value)
    assert other.read_bytes()[:15] == b"SQLite format 3"
    with sqlite3.connect(other) as connection:
        assert connection.execute("SELECT count(*) FROM cats").fetchone() == (0,)
    connection.close()


def test_with_a_key_nothing_can_be_read_without_it(path, monkeypatch):
    pytest.importorskip("sqlcipher3", reason="sqlcipher3 is not installed: uv sync --extra test")
    x, name = vectors(300), "person-of-the-gallery"
    monkeypatch.setenv(sqlite.KEY, "it's a pass phrase")
    with open_gallery(path, fingerprint="fingerprint-of-net", dimensions=D, create=True) as gallery:
        gallery.enrol(name, x[:1])
        gallery.enrol_all([f"p{row}" for row in range(1, 300)], x[1:])
        [[match]] = gallery.search(x[:1])
        assert match.identity == name
        data = on_disk(path)
        assert len(data) > 4 * x.size
        assert not any(word in data for word in (b"SQLite format", b"CREATE TABLE", b"fingerprint", name.encode()))
        assert not any(traces(vector, data) for vector in x[:20])
        assert gallery.erase(name).gone
    for key, said in (("another", "not one that was encrypted with the key in"), (None, "or it is encrypted")):
        monkeypatch.setenv(sqlite.KEY, key) if key else monkeypatch.delenv(sqlite.KEY)
        with pytest.raises(FacelabError, match=said) as error:
            open_gallery(path)
        assert "pass phrase" not in str(error.value)
    monkeypatch.setenv(sqlite.KEY, "it's a pass phrase")
    damaged = bytearray(path.read_bytes())
    damaged[-1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(FacelabError, match="cannot use the gallery"), open_gallery(path, fingerprint=None) as gallery:
        gallery.audit(), gallery.identities(), gallery._load()


def test_a_key_without_the_library_is_said(path, monkeypatch):
    monkeypatch.setenv(sqlite.KEY, "x")
    monkeypatch.setitem(sys.modules, "sqlcipher3", None)
    with pytest.raises(FacelabError, match=r"pip install 'facelab\[encrypted\]'"):
        open_gallery(path, fingerprint="net", dimensions=D, create=True)
    assert not path.exists()


def test_another_version_of_the_schema_is_refused(gallery, path):
    gallery._connection.execute("PRAGMA user_version = 2")
    with pytest.raises(FacelabError, match=r"another version of facelab \(schema 2, this one reads 1\)"):
        open_gallery(str(path))


def test_a_changed_bit_is_said_or_changes_nothing(path, tmp_path):
    """A bit turned over anywhere: the same answers, or one clear line; never others."""
    x = vectors(40)
    with open_gallery(str(path), fingerprint="net", dimensions=D, create=True, by="Cleo") as gallery:
        gallery.enrol_all([f"person{row}" for row in range(40)], x)
        gallery.search(x[:3])
        log = gallery.audit()
        found = gallery.search(x, 3)
    whole = path.read_bytes()
    random, said = np.random.default_rng(0), []
    used = np.flatnonzero(np.frombuffer(whole, np.uint8))
    for place in [*random.choice(used, 150).tolist(), *range(0, 100, 7)]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        copy = tmp_path / "copy.db"
        copy.write_bytes(damaged)
        for end in ("-wal", "-shm"):
            copy.with_name(copy.name + end).unlink(missing_ok=True)
        try:
            with open_gallery(str(copy), fingerprint="net") as gallery:
                assert gallery.audit()[: len(log)] == log, place
                assert gallery.search(x, 3) == found, place
        except FacelabError as error:
            said.append(str(error))
    assert len(said) > 100
    assert not any("\n" in line for line in said)


def test_a_file_cut_short_is_said(gallery, path):
    gallery.enrol_all([f"person{row}" for row in range(600)], vectors(600))
    gallery.close()
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(FacelabError, match="damaged"), open_gallery(str(path), fingerprint="net") as opened:
        opened.search(vectors(1))


def test_a_gallery_whose_making_fails_leaves_no_file(path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        with pytest.raises(FacelabError, match="disk"):
            open_gallery(str(path), fingerprint="net", dimensions=D, create=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(path.parent.iterdir())


def test_only_its_owner_can_read_it(gallery, path):
    gallery.enrol("Ada", vectors(1))
    assert {file.stat().st_mode & 0o777 for file in path.parent.iterdir()} == {0o600}


def test_neither_torch_nor_an_engine_is_imported_unless_asked():
    code = (
        "import sys, facelab.search\n"
        "print([name for name in ('torch', 'sqlite3', 'psycopg', 'facelab.search.sqlite') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
