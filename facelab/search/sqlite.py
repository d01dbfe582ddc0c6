"""The gallery in one file: the standard library's SQLite keeps it, NumPy searches all of it."""

import contextlib
import os
import sqlite3
import sys
import zlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np

from facelab.errors import FacelabError
from facelab.search.gallery import Event, Gallery, Match

APPLICATION = 0x666C6761  # "flga": the mark in the header of the file by which it is known again
SCHEMA = 1
BLOCK = 8192  # templates in one piece of memory, so that one more needs no copy of all
PAGE = 32768  # bytes: 15 templates of 512 dimensions; with 4096 a file is twice as large
WAIT = 30.0  # seconds for another process that writes
KEY = "FACELAB_GALLERY_KEY"  # the environment's, so that it is in no file and no list of commands

_TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE identities (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE templates (
    id INTEGER PRIMARY KEY AUTOINCREMENT, identity INTEGER NOT NULL, vector BLOB NOT NULL, checksum INTEGER NOT NULL
);
CREATE INDEX templates_of ON templates (identity);
CREATE TABLE events (
    id INTEGER PRIMARY KEY, at TEXT NOT NULL, what TEXT NOT NULL, identity TEXT NOT NULL, number INTEGER NOT NULL,
    by TEXT NOT NULL, score REAL, threshold REAL, checksum INTEGER NOT NULL
);
CREATE INDEX events_of ON events (identity);
"""


class SqliteGallery(Gallery):
    """A gallery in a file; with ``-wal`` and ``-shm`` behind its name, two more while it is open.

    Several processes may use it at once. Each keeps the templates in memory (4 bytes a number: 205 MB for 100,000 of
    512 dimensions), and looks before each search whether others have changed them.

    With a pass phrase in the environment (``FACELAB_GALLERY_KEY``) the file is encrypted by SQLCipher (extra
    ``encrypted``). Who loses the phrase loses the gallery.
    """

    @classmethod
    def create(
        cls, address: str, fingerprint: str, dimensions: int, event: Event, *, index: str, shards: Sequence[str]
    ) -> None:
        path = Path(address)
        if index != "exact" or shards:
            raise FacelabError(f"{path}: a file is searched exactly and has no shards; a server may, postgresql://...")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # embeddings are for the owner alone
        except FileExistsError:
            raise FacelabError(f"{path} is there already. Choose another name, or move it away.") from None
        except OSError as error:
            raise FacelabError(f"cannot write {path}: {error.strerror}. Choose another folder.") from error
        try:
            with _told(path), contextlib.closing(_connect(path)) as connection:
                connection.execute(f"PRAGMA page_size = {PAGE}")
                connection.execute("PRAGMA journal_mode = WAL")
                about = {"fingerprint": fingerprint, "dimensions": dimensions, "erasures": 0, "unclean": 0}
                about["checksum"] = _checksum(fingerprint, dimensions)
                with _transaction(connection):
                    for statement in _TABLES.split(";"):
                        connection.execute(statement)
                    connection.executemany("INSERT INTO about VALUES (?, ?)", about.items())
                    _log(connection, [event])
                    connection.execute(f"PRAGMA application_id = {APPLICATION}")
                    connection.execute(f"PRAGMA user_version = {SCHEMA}")
        except BaseException:
            for end in ("", "-wal", "-shm"):
                path.with_name(path.name + end).unlink(missing_ok=True)
            raise

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.path = Path(address)
        if not self.path.is_file():
            raise FacelabError(
                f"there is no gallery {self.path}. Check the path, or create it: facelab gallery create {self.path} "
                "--network NETWORK."
            )
        with _told(self.path):
            self._connection = _connect(self.path)
        try:
            with _told(self.path):
                (mark,) = self._connection.execute("PRAGMA application_id").fetchone()
                (schema,) = self._connection.execute("PRAGMA user_version").fetchone()
                if mark != APPLICATION:
                    (empty,) = self._connection.execute("SELECT count(*) = 0 FROM sqlite_schema").fetchone()
                    raise FacelabError(
                        f"{self.path} is empty: its making was interrupted. Delete it, and create it again."
                        if empty
                        else f"{self.path} is not a gallery of facelab. Check the path."
                    )
                if schema != SCHEMA:
                    raise FacelabError(
                        f"{self.path} is a gallery of another version of facelab (schema {schema}, this one reads "
                        f"{SCHEMA}). Take that version."
                    )
                about = dict(self._connection.execute("SELECT key, value FROM about"))
                if _checksum(about.get("fingerprint"), about.get("dimensions")) != about.get("checksum"):
                    raise sqlite3.DatabaseError("what it says of its network has changed since it was written")
                self.fingerprint, self.dimensions = about["fingerprint"], about["dimensions"]
        except BaseException:
            self._connection.close()
            raise
        self._forget()

    def close(self) -> None:
        self._connection.close()
        self._forget()

    def _forget(self) -> None:
        self._erasures, self._newest = -1, 0  # as of the templates in memory
        self._blocks: list[np.ndarray] = []
        self._owners = np.zeros(0, dtype=np.int64)
        self._names: dict[int, str] = {}

    def _add(self, identities: list[str], templates: np.ndarray, events: list[Event]) -> list[int]:
        numbers = []
        with _told(self.path), _transaction(self._connection) as connection:
            for name, template in zip(identities, templates, strict=True):
                connection.execute("INSERT INTO identities (name) VALUES (?) ON CONFLICT DO NOTHING", (name,))
                (owner,) = connection.execute("SELECT id FROM identities WHERE name = ?", (name,)).fetchone()
                vector = template.astype("<f4").tobytes()
                inserted = connection.execute(
                    "INSERT INTO templates (identity, vector, checksum) VALUES (?, ?, checksum(?, ?))",
                    (owner, vector, name, vector),
                )
                numbers.append(int(inserted.lastrowid or 0))
            _log(connection, events)
        return numbers

    def _nearest(self, probes: np.ndarray, k: int) -> list[list[Match]]:
        self._load()
        number = len(self._owners)
        if not number:
            return [[] for _ in probes]
        found = []
        step = max(1, (8 << 20) // number)  # probes whose scores take 32 MB
        for start in range(0, len(probes), step):
            part = probes[start : start + step]
            scores = np.empty((len(part), number), np.float32)
            for row, block in zip(range(0, number, BLOCK), self._blocks, strict=True):
                size = min(BLOCK, number - row)
                np.matmul(part, block[:size].T, out=scores[:, row : row + size])
            found += [self._best(one, k) for one in scores]
        return found

    def _best(self, scores: np.ndarray, k: int) -> list[Match]:
        """Return the k best identities from the score of every template, shape (n,)."""
        size = k
        while True:
            size = min(len(scores), 4 * size)
            least = np.partition(scores, len(scores) - size)[len(scores) - size]
            rows = np.flatnonzero(scores >= least)  # with all that tie with the last one, so that none wins by chance
            owners = np.unique(self._owners[rows])
            if len(owners) >= k or size == len(scores):
                break
        best = np.full(len(owners), -np.inf, np.float32)
        np.maximum.at(best, np.searchsorted(owners, self._owners[rows]), scores[rows])
        matches = [
            Match(self._names[owner], max(-1.0, min(1.0, float(score))))
            for owner, score in zip(owners.tolist(), best, strict=True)
        ]
        return sorted(matches, key=lambda match: (-match.score, match.identity))[:k]

    def _load(self) -> None:
        """Bring into memory what is new; after an erasure, by whomever, all of it."""
        with _told(self.path), _transaction(self._connection, "DEFERRED") as connection:
            (erasures,) = connection.execute("SELECT value FROM about WHERE key = 'erasures'").fetchone()
            if erasures != self._erasures:
                self._forget()
            known = max(self._names, default=0)
            self._names |= dict(connection.execute("SELECT id, name FROM identities WHERE id > ?", (known,)))
            rows = connection.execute(
                "SELECT id, identity, vector, checksum FROM templates WHERE id > ? ORDER BY id", (self._newest,)
            )
            owners: list[int] = []
            for number, owner, vector, checksum in rows:
                if _checksum(self._names.get(owner), vector) != checksum:
                    self._forget()
                    raise sqlite3.DatabaseError("a template or its name has changed since it was written")
                place = (len(self._owners) + len(owners)) % BLOCK
                if place == 0:
                    self._blocks.append(np.empty((BLOCK, self.dimensions), np.float32))
                self._blocks[-1][place] = np.frombuffer(vector, "<f4")
                owners.append(owner)
                self._newest = number
            self._owners = np.concatenate([self._owners, np.array(owners, np.int64)])
            self._erasures = erasures

    def _write(self, events: list[Event]) -> None:
        with _told(self.path), _transaction(self._connection) as connection:
            _log(connection, events)

    def _remove(self, identity: str, receipt: str, event: Event) -> int:
        with _told(self.path), _transaction(self._connection) as connection:
            row = connection.execute("SELECT id FROM identities WHERE name = ?", (identity,)).fetchone()
            if row is None:
                return 0
            number = connection.execute("DELETE FROM templates WHERE identity = ?", row).rowcount
            connection.execute("DELETE FROM identities WHERE id = ?", row)
            connection.execute(
                "UPDATE events SET identity = ?1, checksum = checksum(at, what, ?1, number, by, score, threshold) "
                "WHERE identity = ?2",
                (receipt, identity),
            )
            _log(connection, [Event(event.when, event.what, event.identity, number, event.by)])
            connection.execute("UPDATE about SET value = value + 1 WHERE key = 'erasures'")
            connection.execute("UPDATE about SET value = 1 WHERE key = 'unclean'")
        self._forget()
        return number

    def _unclean(self) -> bool:
        with _told(self.path):
            return bool(self._connection.execute("SELECT value FROM about WHERE key = 'unclean'").fetchone()[0])

    def _clean(self) -> tuple[bool, str]:
        wal = f"{self.path.name}-wal"
        again = "Then run the same command again"
        try:
            # Deleted rows are overwritten (secure_delete); but a row that SQLite has moved between pages may have left
            # a trace, as 2 of 1,000 templates were seen to. So the whole file is written anew. It is not read here to
            # look for them: a process that opens and closes the file drops the locks that SQLite has on it.
            self._connection.execute("VACUUM")
            busy, *_ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except _errors() as error:
            return False, f"{self.path.name} could not be written anew: {_reason(error)}. {_remedy(error)} {again}"
        if busy:
            return False, (
                f"another process has been reading {self.path.name} for {WAIT:g} seconds, so {wal} still holds them. "
                f"End that process. {again}"
            )
        with _told(self.path), _transaction(self._connection) as connection:
            connection.execute("UPDATE about SET value = 0 WHERE key = 'unclean'")
        return True, f"{self.path.name} was written anew without them, and {wal} was emptied"

    def _identities(self) -> dict[str, int]:
        with _told(self.path):
            return dict(
                self._connection.execute(
                    "SELECT name, count(*) FROM identities JOIN templates ON identity = identities.id GROUP BY name"
                )
            )

    def _events(self) -> list[Event]:
        with _told(self.path):
            rows = self._connection.execute(
                "SELECT checksum, at, what, identity, number, by, score, threshold FROM events ORDER BY id"
            ).fetchall()
            if any(_checksum(*rest) != checksum for checksum, *rest in rows):
                raise sqlite3.DatabaseError("a line of its log has changed since it was written")
        return [Event(datetime.fromisoformat(at), *rest) for _, at, *rest in rows]


def _connect(path: Path) -> sqlite3.Connection:
    key = os.environ.get(KEY)
    library: Any = _cipher() if key else sqlite3
    connection = library.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw",
        uri=True,
        timeout=WAIT,
        isolation_level=None,
        check_same_thread=False,  # a gallery has a lock of its own
    )
    if key:
        connection.execute("PRAGMA cipher_log_level = NONE")  # an error is raised, that is enough
        connection.execute("PRAGMA key = '{}'".format(key.replace("'", "''")))
        connection.execute(f"PRAGMA cipher_page_size = {PAGE}")
    connection.create_function("checksum", -1, _checksum, deterministic=True)
    connection.execute("PRAGMA synchronous = FULL")  # what is acknowledged is on disk
    connection.execute("PRAGMA wal_autocheckpoint = 128")  # pages: so the log beside the file stays at some 4 MB
    connection.execute("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    return connection


def _cipher() -> Any:
    """Return SQLCipher, which is SQLite with every page encrypted and signed."""
    try:
        from sqlcipher3 import dbapi2
    except ImportError as error:
        raise FacelabError(
            f"{KEY} is set, and a gallery that is encrypted needs SQLCipher: pip install 'facelab[encrypted]'. For a "
            "gallery that is not, unset it."
        ) from error
    return dbapi2


def _errors() -> tuple[type[Exception], ...]:
    """Return what SQLite or SQLCipher raises; UnicodeDecodeError of a name that is damaged."""
    cipher = sys.modules.get("sqlcipher3.dbapi2")
    return (sqlite3.Error, UnicodeDecodeError, *([cipher.Error] if cipher else []))


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, kind: str = "IMMEDIATE") -> Iterator[sqlite3.Connection]:
    """Run a block as a whole or not at all."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _log(connection: sqlite3.Connection, events: list[Event]) -> None:
    connection.executemany(
        "INSERT INTO events (at, what, identity, number, by, score, threshold, checksum) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, checksum(?1, ?2, ?3, ?4, ?5, ?6, ?7))",
        [
            (one.when.isoformat(), one.what, one.identity, one.number, one.by, one.score, one.threshold)
            for one in events
        ],
    )


def _checksum(*values: object) -> int:
    """Return what a changed bit in a row changes: SQLite itself has no checksums."""
    checksum = 0
    for value in values:
        checksum = zlib.crc32(value if isinstance(value, bytes) else f"{value}\0".encode(), checksum)
    return checksum


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into one clear line."""
    try:
        yield
    except _errors() as error:
        raise FacelabError(f"cannot use the gallery {path}: {_reason(error)}. {_remedy(error)}") from error


def _code(error: Exception) -> int | None:
    code = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # without what only tells where in SQLite


def _reason(error: Exception) -> str:
    return {
        sqlite3.SQLITE_NOTADB: (
            f"it is not one that was encrypted with the key in {KEY}"
            if os.environ.get(KEY)
            else "it is not a file of SQLite, or it is encrypted"
        ),
        sqlite3.SQLITE_CORRUPT: "it is damaged",
        sqlite3.SQLITE_FULL: "the disk is full",
        sqlite3.SQLITE_BUSY: f"another process has been writing for {WAIT:g} seconds",
    }.get(_code(error) or 0, f"{'it is damaged: ' if _code(error) is None else ''}{error}")


def _remedy(error: Exception) -> str:
    return {
        sqlite3.SQLITE_NOTADB: f"Check the path, and the key in {KEY}.",
        sqlite3.SQLITE_FULL: "Free space; what was acknowledged before is kept.",
        sqlite3.SQLITE_IOERR: "Is the disk full? What was acknowledged before is kept.",
        sqlite3.SQLITE_BUSY: "Wait for it, or end it.",
        sqlite3.SQLITE_READONLY: "Give yourself the right to write it: also a search writes, into the log.",
        sqlite3.SQLITE_CANTOPEN: "Check the path, and that you may write into its folder.",
    }.get(_code(error) or 0, "Take it from a backup, or enrol anew.")
