"""The gallery on a server: PostgreSQL keeps it, the extension pgvector searches it; many machines may share one.

What an erasure needs there is more than ``DELETE``: a deleted row stays in its page and in its index until the table is
written anew, and in the server's log of changes (the WAL) until that file is deleted. :meth:`PostgresGallery._clean`
does all of it, and says what its role may not do, and which copies it cannot see.
"""

import contextlib
import re
import time
from collections.abc import Iterator
from datetime import UTC
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np

from facelab.errors import FacelabError, count, cut
from facelab.search.gallery import Event, Gallery, Match

if TYPE_CHECKING:
    from psycopg import Connection

APPLICATION = "facelab.search"  # the mark by which the tables are known again
SCHEMA = 1
PARTS = 16  # an erasure writes anew only the parts that held the templates
WIDEST_PLAIN = 1900  # dimensions of a row that fits into a page of 8 kB
WAIT = 30  # seconds for others who hold a table
OLDEST_SERVER = 150000  # PostgreSQL 15: the first with the role pg_checkpoint
_SAMPLE = "postgresql://USER@HOST/DATABASE"

# Of names and templates no statistics are kept: ANALYZE copies values of up to 1 kB into the table pg_statistic, where
# no erasure would find them.
_TABLES = """
CREATE SCHEMA facelab;
CREATE TABLE facelab.about (key text PRIMARY KEY, value text NOT NULL);
CREATE TABLE facelab.identities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE
);
ALTER TABLE facelab.identities ALTER name SET STATISTICS 0;
CREATE TABLE facelab.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, what text NOT NULL, identity bigint,
    number integer NOT NULL, by text NOT NULL, score double precision, threshold double precision
);
CREATE TABLE facelab.unclean (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, part text NOT NULL);
CREATE SEQUENCE facelab.numbers;
"""


class PostgresGallery(Gallery):
    """A gallery in the schema ``facelab`` of a database. A connection that was lost is made anew by the next call.

    Attributes:
        address: without user, password and options: messages show it.
    """

    @classmethod
    def create(cls, address: str, fingerprint: str, dimensions: int, event: Event) -> None:
        _, shown = _read_address(address)
        import psycopg

        with _told(shown), contextlib.closing(_connect(address, shown)) as connection:
            try:
                with connection.transaction():
                    if not connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'vector'").fetchone():
                        connection.execute("CREATE EXTENSION vector")
                    connection.execute(_TABLES)
                    _make_templates(connection, dimensions)
                    about = {
                        "application": APPLICATION, "schema": SCHEMA, "fingerprint": fingerprint,
                        "dimensions": dimensions,
                    }  # fmt: skip
                    for key, value in about.items():
                        connection.execute("INSERT INTO facelab.about VALUES (%s, %s)", (key, str(value)))
                    _log(connection, [event])
            except (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation):
                raise FacelabError(
                    f"{shown} is there already: the database has a schema called facelab. Take another database."
                ) from None
            except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
                raise FacelabError(
                    f"{shown}: the server has no extension pgvector. Install it there, or take the image pgvector/"
                    "pgvector."
                ) from None
            except psycopg.errors.InsufficientPrivilege as error:
                raise FacelabError(
                    f"cannot create a gallery in {shown}: {_reason(error)}. An administrator of the server runs CREATE "
                    "EXTENSION vector in this database, and GRANT CREATE ON DATABASE to your role."
                ) from None

    def __init__(self, address: str) -> None:
        self._conninfo, shown = address, _read_address(address)[1]
        super().__init__(shown)
        with _told(self.address):
            self._connection = self._open()

    def _open(self) -> "Connection[Any]":
        """Connect, and see that it is the gallery that it was."""
        import psycopg
        from pgvector.psycopg import register_vector

        connection = _connect(self._conninfo, self.address)
        try:
            schema, about = connection.execute(
                "SELECT to_regnamespace('facelab'), to_regclass('facelab.about')"
            ).fetchone() or (None, None)
            if schema is None:
                raise FacelabError(
                    f"there is no gallery {self.address}. Check the address, or create it: facelab gallery create "
                    f"{self.address} --network NETWORK."
                )
            told = {}
            with contextlib.suppress(psycopg.errors.UndefinedColumn):
                told = dict(connection.execute("SELECT key, value FROM facelab.about").fetchall()) if about else {}
            if told.get("application") != APPLICATION:
                raise FacelabError(
                    f"{self.address} is not a gallery of facelab, though it has a schema called facelab. Check the "
                    "address."
                )
            if told["schema"] != str(SCHEMA):
                raise FacelabError(
                    f"{self.address} is a gallery of another version of facelab (schema {cut(told['schema'])}, this "
                    f"one reads {SCHEMA}). Take that version."
                )
            fingerprint, dimensions = told["fingerprint"], int(told["dimensions"])
            if (fingerprint, dimensions) != (
                getattr(self, "fingerprint", fingerprint), getattr(self, "dimensions", dimensions)
            ):  # fmt: skip
                raise FacelabError(f"{self.address} is another gallery than before. Open it again.")
            self.fingerprint, self.dimensions = fingerprint, dimensions
            register_vector(connection)
            return connection
        except BaseException:
            connection.close()
            raise

    @contextlib.contextmanager
    def _server(self) -> Iterator["Connection[Any]"]:
        """Give a connection that lives, and turn the server's errors into one clear line."""
        with _told(self.address):
            if self._connection.closed:
                self._connection = self._open()
            yield self._connection

    def close(self) -> None:
        self._connection.close()

    def _add(self, identities: list[str], templates: np.ndarray, events: list[Event]) -> list[int]:
        with self._server() as connection, connection.transaction():
            # A known name is written again, so that nobody can erase it until this has ended.
            owners = dict(
                connection.execute(
                    "INSERT INTO facelab.identities (name) SELECT unnest(%s::text[]) "
                    "ON CONFLICT (name) DO UPDATE SET name = excluded.name RETURNING name, id",
                    (identities,),
                ).fetchall()
            )
            rows = connection.execute(
                "SELECT nextval('facelab.numbers') FROM generate_series(1, %s)", (len(identities),)
            ).fetchall()
            numbers = [int(number) for (number,) in rows]
            with connection.cursor().copy(
                "COPY facelab.templates (id, identity, vector) FROM STDIN (FORMAT BINARY)"
            ) as copy:
                copy.set_types(["bigint", "bigint", "vector"])
                for number, name, template in zip(numbers, identities, templates, strict=True):
                    copy.write_row((number, owners[name], template))
            _log(connection, events)
        return numbers

    def _nearest(self, probes: np.ndarray, k: int) -> list[list[Match]]:
        with self._server() as connection:
            return [self._best(connection, probe, k) for probe in probes]

    def _best(self, connection: "Connection[Any]", probe: np.ndarray, k: int) -> list[Match]:
        size = k
        while True:
            size *= 4
            # The minus sign keeps the server from any index that somebody may have made: the scan is exact.
            rows = connection.execute(
                "SELECT name, score FROM (SELECT identity, -(vector <#> %s) AS score FROM facelab.templates "
                "ORDER BY score DESC LIMIT %s) AS nearest JOIN facelab.identities ON identity = identities.id",
                (probe, size),
            ).fetchall()
            best: dict[str, float] = {}
            for name, score in rows:
                best[name] = max(score, best.get(name, -np.inf))
            found = sorted(best.items(), key=lambda one: (-one[1], one[0]))
            # Whoever ties with the last row may stand behind it, so only those before it are sure.
            if len(rows) < size or sum(score > min(row[1] for row in rows) for score in best.values()) >= k:
                return [Match(name, max(-1.0, min(1.0, float(score)))) for name, score in found[:k]]

    def _write(self, events: list[Event]) -> None:
        with self._server() as connection, connection.transaction():
            _log(connection, events)

    def _remove(self, identity: str, receipt: str, event: Event) -> int:
        with self._server() as connection, connection.transaction():
            row = connection.execute(
                "UPDATE facelab.identities SET name = %s WHERE name = %s RETURNING id", (receipt, identity)
            ).fetchone()
            if row is None:
                return 0
            parts = [
                part
                for (part,) in connection.execute(
                    "DELETE FROM facelab.templates WHERE identity = %s RETURNING tableoid::regclass::text", row
                )
            ]
            _log(connection, [Event(event.when, event.what, event.identity, len(parts), event.by)])
            connection.execute(
                "INSERT INTO facelab.unclean (part) SELECT unnest(%s::text[])",
                ([*sorted(set(parts)), "facelab.identities"],),
            )
        return len(parts)

    def _unclean(self) -> bool:
        with self._server() as connection:
            return connection.execute("SELECT 1 FROM facelab.unclean LIMIT 1").fetchone() is not None

    def _clean(self) -> tuple[bool, str]:
        import psycopg

        again = "Then run the same command again."
        with self._server() as connection:
            rows = connection.execute("SELECT id, part FROM facelab.unclean").fetchall()
            try:
                for part in sorted({part for _, part in rows}):
                    if _rewrite(connection, part):
                        return False, (
                            "another session of the database holds a transaction open that began before, and could "
                            f"still see them, so {part} keeps them. End it. {again}"
                        )
            except psycopg.errors.LockNotAvailable:
                return False, f"another session has held {part} for {WAIT} seconds. End it. {again}"
            except psycopg.errors.InsufficientPrivilege as error:
                return False, f"{_reason(error)}: the owner of the tables erases. {again}"
            hindered = _empty_wal(connection)
            if hindered:
                return False, f"the tables were written anew without them, but {hindered} {again}"
            connection.execute("DELETE FROM facelab.unclean WHERE id = ANY(%s)", ([number for number, _ in rows],))
            return True, (
                f"{count(len({part for _, part in rows}), 'table')} and their indexes were written anew without them, "
                f"and no WAL file from before is left{_copies(connection)}"
            )

    def _identities(self) -> dict[str, int]:
        with self._server() as connection:
            return dict(
                connection.execute(
                    "SELECT name, count(*) FROM facelab.templates JOIN facelab.identities ON identity = identities.id "
                    "GROUP BY name"
                ).fetchall()
            )

    def _events(self) -> list[Event]:
        with self._server() as connection:
            rows = connection.execute(
                "SELECT at, what, coalesce(name, ''), number, by, score, threshold FROM facelab.events "
                "LEFT JOIN facelab.identities ON identity = identities.id ORDER BY events.id"
            ).fetchall()
        return [Event(at.astimezone(UTC), *rest) for at, *rest in rows]


def _make_templates(connection: "Connection[Any]", dimensions: int) -> None:
    """Make the table of templates, in parts."""
    # A vector that stands in its row, and not beside the table (TOAST), is read twice as fast, and by several workers.
    storage = "PLAIN" if dimensions <= WIDEST_PLAIN else "EXTERNAL"
    connection.execute(
        f"CREATE TABLE facelab.templates (id bigint NOT NULL, identity bigint NOT NULL, "
        f"vector vector({dimensions}) STORAGE {storage} NOT NULL) PARTITION BY HASH (id);"
        "CREATE INDEX templates_of ON facelab.templates (identity);"
    )
    for part in range(PARTS):
        connection.execute(
            f"CREATE TABLE facelab.templates_{part} PARTITION OF facelab.templates "
            f"FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part})"
        )
    connection.execute("ALTER TABLE facelab.templates ALTER vector SET STATISTICS 0")  # and of every part


def _log(connection: "Connection[Any]", events: list[Event]) -> None:
    """Add lines to the log. They know an identity by its number, so that a name stands in one table only."""
    connection.execute(
        "INSERT INTO facelab.events (at, what, identity, number, by, score, threshold) "
        "SELECT at, what, identities.id, number, by, score, threshold FROM unnest(%s::timestamptz[], %s::text[], "
        "%s::text[], %s::integer[], %s::text[], %s::double precision[], %s::double precision[]) WITH ORDINALITY "
        "AS new(at, what, name, number, by, score, threshold, line) LEFT JOIN facelab.identities USING (name) "
        "ORDER BY line",
        [
            [getattr(event, field) for event in events]
            for field in ("when", "what", "identity", "number", "by", "score", "threshold")
        ],
    )


def _rewrite(connection: "Connection[Any]", part: str) -> int:
    """Write a table and its indexes anew; return how many deleted rows had to stay, as others could still see them."""
    kept = 0

    def read(notice: Any) -> None:
        nonlocal kept  # "0 dead row versions cannot be removed yet", in the server's language
        number = re.search(r"\d+", notice.message_detail or "")
        kept += int(number[0]) if number else 0

    connection.execute(f"SET lock_timeout = '{WAIT}s'")
    connection.add_notice_handler(read)
    try:
        for pause in (0.1, 0.4, 1.5, 0):  # a session that has just ended is gone a moment later
            kept = 0
            connection.execute(f"VACUUM (FULL, VERBOSE) {part}")
            if not kept:
                break
            time.sleep(pause)
    finally:
        connection.remove_notice_handler(read)
        if not connection.closed:
            connection.execute("RESET lock_timeout")
    return kept


def _empty_wal(connection: "Connection[Any]") -> str:
    """Have the server delete its WAL files of until now; return what hindered it, with the remedy, or nothing."""
    recycle, source, role, switch, checkpoint, monitor = (
        connection.execute(
            "SELECT setting, source, quote_ident(current_user), has_function_privilege('pg_switch_wal()', 'EXECUTE'), "
            "pg_has_role('pg_checkpoint', 'USAGE'), has_function_privilege('pg_ls_waldir()', 'EXECUTE') "
            "FROM pg_settings WHERE name = 'wal_recycle'"
        ).fetchone()
        or (None,) * 6
    )
    if recycle != "off" or source not in ("configuration file", "command line"):  # set for a session, it has no effect
        return (
            "the server keeps old WAL files for use again, with what is in them. An administrator runs ALTER SYSTEM "
            "SET wal_recycle = off, and SELECT pg_reload_conf()."
        )
    missing = [f"GRANT pg_checkpoint TO {role};"] * (not checkpoint)
    missing += [f"GRANT EXECUTE ON FUNCTION pg_switch_wal() TO {role};"] * (not switch)
    missing += [f"GRANT pg_monitor TO {role};"] * (not monitor)
    if missing:
        return (
            f"the WAL holds them until the server deletes its files, which this role may not ask for or see. An "
            f"administrator runs {' '.join(missing)}"
        )
    # Go on to a file of which nothing is on disk yet: files of the next names may be old ones, kept for use again
    # before wal_recycle was off.
    last = max(_wal_files(connection))
    while True:
        connection.execute("SELECT pg_logical_emit_message(false, 'facelab', '')")  # a file without a record stays
        ((current,),) = connection.execute("SELECT pg_walfile_name(pg_current_wal_insert_lsn())").fetchall()
        if current[8:] > last[8:]:  # behind the number of the timeline
            break
        connection.execute("SELECT pg_switch_wal()")
    connection.execute("CHECKPOINT")
    left = [name for name in _wal_files(connection) if name[8:] < current[8:]]
    if left:
        return (
            f"the server keeps {count(len(left), 'WAL file')} from before ({left[0]}): for a replication slot, an "
            "archive that does not take them, or wal_keep_size. Mend that."
        )
    return ""


def _wal_files(connection: "Connection[Any]") -> list[str]:
    rows = connection.execute("SELECT name FROM pg_ls_waldir() ORDER BY name").fetchall()
    return [name for (name,) in rows if re.match(r"[0-9A-F]{24}(?!\.backup)", name)]


def _copies(connection: "Connection[Any]") -> str:
    """Return a sentence about the copies that the server makes elsewhere, or nothing."""
    archive, replicas, slots, statements, slow = connection.execute(
        "SELECT current_setting('archive_mode'), (SELECT count(*) FROM pg_stat_replication), "
        "(SELECT count(*) FROM pg_replication_slots), current_setting('log_statement'), "
        "current_setting('log_min_duration_statement')"
    ).fetchone() or ("off", 0, 0, "none", "-1")
    known = [f"its WAL goes to an archive (archive_mode = {archive})"] * (archive != "off")
    known += [f"{count(max(replicas, slots), 'replica')} may hold them"] * bool(replicas or slots)
    known += ["it writes statements, and what they are about, into its log file"] * (
        statements in ("mod", "all") or slow != "-1"
    )
    return f". What others hold was not looked at: {'; '.join(known)}. Erase there, too" if known else ""


def _read_address(address: str) -> tuple[dict[str, Any], str]:
    """Return the parts of an address, and what of it messages may show: neither user nor password nor options.

    No message of libpq's own is passed on: it could show a piece of the password.
    """
    try:
        import pgvector.psycopg  # noqa: F401
        import psycopg.conninfo
    except ImportError as error:
        raise FacelabError(
            f"a gallery on a server needs psycopg and pgvector ({error.name} is not installed): pip install "
            "'facelab[server]'"
        ) from None
    try:
        parts = psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        parts = {"host": "@"}
    host, port, database = (str(parts.get(name) or "") for name in ("host", "port", "dbname"))
    if "@" in host + database or not re.fullmatch(r"[\d,]*", port):
        raise FacelabError(
            f"the address of the gallery cannot be read; give {_SAMPLE}. In a password, write % as %25, @ as %40, / as "
            "%2F, : as %3A, ? as %3F; better, keep it in the file ~/.pgpass."
        )
    folder = host.startswith("/")
    shown = f"postgresql://{'' if folder else host}{f':{port}' if port else ''}/{quote(database)}"
    return parts, shown + (f"?host={host}" if folder else "")


def _connect(address: str, shown: str) -> "Connection[Any]":
    import psycopg

    parts, _ = _read_address(address)
    try:
        connection = psycopg.connect(
            address,
            autocommit=True,
            prepare_threshold=None,  # a pooler may stand between
            connect_timeout=parts.get("connect_timeout", 10),
            application_name=parts.get("application_name", "facelab"),
            client_encoding="utf8",
        )
    except psycopg.Error as error:
        raise FacelabError(
            f"cannot reach the gallery {shown}: {_reason(error)}. Does the server run, and does the database exist?"
        ) from None
    try:
        if connection.info.server_version < OLDEST_SERVER:
            raise FacelabError(
                f"{shown} runs PostgreSQL {connection.info.server_version // 10000}; 15 or newer is needed."
            )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            raise FacelabError(f"the database {shown} has the encoding {encoding}; create one with UTF8.")
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _told(shown: str) -> Iterator[None]:
    """Turn the server's errors into one clear line."""
    import psycopg

    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction:
        raise FacelabError(f"{shown} is a replica, or takes no changes: also a search writes, into the log.") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise FacelabError(
            f"cannot use the gallery {shown}: {_reason(error)}. Take the role that created it, or let it GRANT you the "
            "right."
        ) from None
    except psycopg.OperationalError as error:
        raise FacelabError(
            f"the gallery {shown} cannot be used: {_reason(error)}. What was acknowledged is kept; the next call "
            "connects again. Of a call that writes, look whether it was done before you repeat it."
        ) from None
    except psycopg.Error as error:
        raise FacelabError(
            f"cannot use the gallery {shown}: {_reason(error)}. Take it from a backup, or enrol anew."
        ) from None


def _reason(error: "Any") -> str:
    said = error.diag.message_primary or str(error)
    return " ".join(said.split()).rstrip(".")
