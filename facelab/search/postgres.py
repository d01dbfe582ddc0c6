"""The gallery on a server: PostgreSQL keeps it, the extension pgvector searches it; many machines may share one.

It may lie on several servers (*shards*): one holds the names and the log, and asks the others for templates by
``postgres_fdw``. A person's templates lie on one of them.
"""

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Any

import numpy as np

from facelab.errors import FacelabError, cut
from facelab.evaluate import Estimate, wilson
from facelab.evaluate.checks import unit
from facelab.search.cleaning import clean
from facelab.search.connection import OLDEST_PGVECTOR, connect, read_address, reason, shown_address, told
from facelab.search.gallery import Event, Gallery, Match

if TYPE_CHECKING:
    from psycopg import Connection

APPLICATION = "facelab.search"  # the mark by which the tables are known again
SHARD = "facelab.search shard"
SCHEMA = 1
PARTS = 16  # tables of templates: an erasure writes anew the one in which all of a name's are
WIDEST_PLAIN = 1900  # dimensions of a row that fits into a page of 8 kB
WIDEST_HNSW = 2000  # pgvector's limit
TURNED = 0.5  # cosine of a difficult picture and the template of the same person
BREADTH = 100  # candidates that HNSW keeps in each part (hnsw.ef_search)

_ABOUT = "CREATE SCHEMA facelab; CREATE TABLE facelab.about (key text PRIMARY KEY, value text NOT NULL);"

# Of names and templates no statistics are kept: ANALYZE copies values of up to 1 kB into the table pg_statistic, where
# no erasure would find them. The log knows an identity by its number, so that a name stands in one table only.
_TABLES = """
CREATE TABLE facelab.identities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text COLLATE "C" NOT NULL UNIQUE,
    erased boolean NOT NULL DEFAULT false
);
ALTER TABLE facelab.identities ALTER name SET STATISTICS 0;
CREATE TABLE facelab.events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL, what text NOT NULL, identity bigint,
    number integer NOT NULL, by text NOT NULL, score double precision, threshold double precision
);
CREATE SEQUENCE facelab.numbers;
CREATE TABLE facelab.pending (batch bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
CREATE TABLE facelab.leaving (identity bigint PRIMARY KEY, bucket integer NOT NULL);
"""
_UNCLEAN = "CREATE TABLE facelab.unclean (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, part text NOT NULL);"
_COLUMNS = "id bigint NOT NULL, identity bigint NOT NULL, bucket integer NOT NULL, batch bigint"


class PostgresGallery(Gallery):
    """A gallery in the schema ``facelab`` of a database. A connection that was lost is made anew by the next call.

    Attributes:
        address: without user, password and options: messages show it.
        index: ``exact``, or ``hnsw``: an approximate search, see :meth:`recall`.
        shards: the addresses, as messages show them, of the servers that hold the templates; empty if this one does.
    """

    index: str
    shards: list[str]

    @classmethod
    def create(
        cls,
        address: str,
        fingerprint: str,
        dimensions: int,
        event: Event,
        *,
        index: str,
        shards: Sequence[str],
    ) -> None:
        if index not in ("exact", "hnsw"):
            raise FacelabError(f"index = {cut(index)!r}; give exact or hnsw.")
        if index == "hnsw" and dimensions > WIDEST_HNSW:
            raise FacelabError(f"HNSW takes {WIDEST_HNSW:,} dimensions at most, not {dimensions:,}: search exactly.")
        if len(shards) > PARTS:
            raise FacelabError(f"{len(shards)} shards; give {PARTS} at most.")
        shown_address(address)  # says what is wrong with it, or that psycopg is not installed
        import psycopg

        about = {
            "application": APPLICATION, "schema": SCHEMA, "fingerprint": fingerprint, "dimensions": dimensions,
            "index": index, "shards": len(shards),
        }  # fmt: skip
        made: list[Connection[Any]] = []
        with contextlib.ExitStack() as stack:
            try:
                for shard in shards:
                    parts = _templates(dimensions, index)
                    made.append(stack.enter_context(_made(shard, about | {"application": SHARD}, parts)))
                tables = _TABLES + (_UNCLEAN if shards else _templates(dimensions, index))
                connection = stack.enter_context(_made(address, about, tables))
                made.append(connection)
                with connection.transaction():
                    for number, shard in enumerate(shards):
                        _join(connection, number, len(shards), shard, dimensions)
                    _log(connection, [event])
            except BaseException:
                for connection in made:
                    with contextlib.suppress(psycopg.Error):
                        connection.execute("DROP SCHEMA facelab CASCADE")
                raise

    def __init__(self, address: str) -> None:
        self._conninfo = address
        super().__init__(shown_address(address))
        with told(self.address):
            self._connection = self._open()

    def _open(self) -> "Connection[Any]":
        """Connect, and see that it is the gallery that it was."""
        import psycopg
        from pgvector.psycopg import register_vector

        connection = connect(self._conninfo)
        try:
            schema, about = connection.execute(
                "SELECT to_regnamespace('facelab'), to_regclass('facelab.about')"
            ).fetchall()[0]
            if schema is None:
                raise FacelabError(
                    f"there is no gallery {self.address}. Check the address, or create it: facelab gallery create "
                    f"{self.address} --network NETWORK."
                )
            known: dict[str, str] = {}
            with contextlib.suppress(psycopg.errors.UndefinedColumn):
                known = dict(connection.execute("SELECT key, value FROM facelab.about").fetchall()) if about else {}
            if known.get("application") == SHARD:
                raise FacelabError(f"{self.address} is a shard: a part of a gallery. Open the gallery that it is of.")
            if known.get("application") != APPLICATION:
                raise FacelabError(
                    f"{self.address} is not a gallery of facelab, though it has a schema called facelab. Check the "
                    "address."
                )
            if known["schema"] != str(SCHEMA):
                raise FacelabError(
                    f"{self.address} is a gallery of another version of facelab (schema {cut(known['schema'])}, this "
                    f"one reads {SCHEMA}). Take that version."
                )
            before = self.__dict__.get("_known", known)
            if known != before:
                raise FacelabError(f"{self.address} is another gallery than before. Open it again.")
            self._known, self.fingerprint, self.dimensions = known, known["fingerprint"], int(known["dimensions"])
            self.index, self.exact = known["index"], known["index"] == "exact"
            self._shards = _read_shards(connection) if known["shards"] != "0" else []
            self.shards = [shown_address(shard) for shard in self._shards]
            if len(self.shards) != int(known["shards"]):
                raise FacelabError(
                    f"{self.address} has {known['shards']} shards, and your role may use {len(self.shards)} of them: "
                    "give it a user mapping for each."
                )
            register_vector(connection)
            return connection
        except BaseException:
            connection.close()
            raise

    @contextlib.contextmanager
    def _server(self) -> Iterator["Connection[Any]"]:
        """Give a connection that lives, and turn the server's errors into one clear line."""
        import psycopg

        with told(self.address):
            if self._connection.closed:
                self._connection = self._open()
            try:
                yield self._connection
            except (psycopg.errors.SqlclientUnableToEstablishSqlconnection, psycopg.errors.ConnectionFailure) as error:
                if not self.shards or self._connection.closed:
                    raise
                raise FacelabError(
                    f"{self._away()} ({reason(error)}), so there is no answer. Start it again."
                ) from None

    def _away(self) -> str:
        """Return which shards do not answer, in words."""
        away = []
        for address, shown in zip(self._shards, self.shards, strict=True):
            try:
                connect(address).close()
            except FacelabError:
                away.append(shown)
        return f"{self.address} does not reach its shard {' and '.join(away) or 'any more, or did not for a moment'}"

    def close(self) -> None:
        self._connection.close()

    def _add(self, identities: list[str], templates: np.ndarray, events: list[Event]) -> list[int]:
        with self._server() as connection:
            batch = self._begin(connection)
            with connection.transaction():
                if (
                    batch is not None
                    and not connection.execute("DELETE FROM facelab.pending WHERE batch = %s", (batch,)).rowcount
                ):
                    raise FacelabError(f"{self.address} was being tidied. Run the same command again.")
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
                    "COPY facelab.templates (id, identity, bucket, batch, vector) FROM STDIN (FORMAT BINARY)"
                ) as copy:
                    copy.set_types(["bigint", "bigint", "integer", "bigint", "vector"])
                    for number, name, template in zip(numbers, identities, templates, strict=True):
                        copy.write_row((number, owners[name], _bucket(name), batch, template))
                _log(connection, events)
        return numbers

    def _begin(self, connection: "Connection[Any]") -> int | None:
        """Announce templates that go to shards; return the number of the batch, None without shards.

        Each server ends its transaction for itself. So what a shard has is believed only when the first server has
        deleted the announcement, in the transaction that ends last. What was announced by one who died is deleted.
        """
        if not self.shards:
            return None
        with connection.transaction():
            dead = connection.execute("SELECT batch FROM facelab.pending FOR UPDATE SKIP LOCKED").fetchall()
            for batch in dead:
                connection.execute("DELETE FROM facelab.templates WHERE batch = %s", batch)
                connection.execute("DELETE FROM facelab.pending WHERE batch = %s", batch)
        ((batch,),) = connection.execute("INSERT INTO facelab.pending DEFAULT VALUES RETURNING batch").fetchall()
        return int(batch)

    def _nearest(self, probes: np.ndarray, k: int) -> list[list[Match]]:
        with self._server() as connection:
            return [self._best(connection, probe, k, self.index) for probe in probes]

    def _best(self, connection: "Connection[Any]", probe: np.ndarray, k: int, index: str) -> list[Match]:
        size = k
        while True:
            size *= 4
            rows = self._rows(connection, probe, size, index)
            best: dict[str, float] = {}
            for name, score in rows:
                if name is not None:
                    best.setdefault(name, score)
            found = sorted(best.items(), key=lambda one: (-one[1], one[0]))
            # Whoever ties with the last row may stand behind it, so only those before it are sure.
            if len(rows) < size or sum(score > rows[-1][1] for score in best.values()) >= k:
                return [Match(name, max(-1.0, min(1.0, float(score)))) for name, score in found[:k]]

    def _rows(
        self, connection: "Connection[Any]", probe: np.ndarray, size: int, index: str
    ) -> list[tuple[str | None, float]]:
        """Return the name and the score of the nearest templates, the nearest first; None of one that does not count:
        it is being enrolled or erased."""
        order = "score DESC"  # with its minus sign it keeps the server from any index: the scan is exact
        if index == "hnsw":
            order = "vector <#> %(probe)s"
            connection.execute(f"SET hnsw.ef_search = {max(BREADTH, min(size, 1000))}")
        # Asked of each shard by itself, so that it sorts, and sends no more than the best.
        tables = [f"facelab.templates_{number}" for number in range(len(self.shards))] or ["facelab.templates"]
        nearest = " UNION ALL ".join(
            f"(SELECT identity, batch, -(vector <#> %(probe)s) AS score FROM {table} ORDER BY {order} LIMIT %(size)s)"
            for table in tables
        )
        return connection.execute(
            "SELECT CASE WHEN erased OR pending.batch IS NOT NULL THEN NULL ELSE name END, score "
            f"FROM ({nearest}) AS nearest LEFT JOIN facelab.identities ON identity = identities.id "
            "LEFT JOIN facelab.pending USING (batch) ORDER BY score DESC LIMIT %(size)s",
            {"probe": probe, "size": size},
        ).fetchall()

    def how(self) -> str:
        if self.exact:
            return super().how()
        if not self.identities():
            return "approximately, by HNSW; how often it finds the nearest cannot be measured while nobody is enrolled"
        return (
            f"approximately, by HNSW: it finds the nearest of the exact scan in {self.recall()} of searches (a sample "
            f"of its own templates, each turned to a cosine of {TURNED})"
        )

    def recall(self, sample: int = 200, cosine: float = TURNED, seed: int = 0) -> Estimate:
        """Return how often an approximate search finds the identity that the exact scan finds.

        The probes are templates of a random sample, each turned in a random direction to the cosine that a picture of
        the same person may have. (The templates themselves are no test: the graph leads to each of its own points.) It
        depends on who is enrolled: measure again when the gallery has grown.

        Args:
            sample: how many templates are asked; all if there are fewer.
            cosine: of a probe and its template.
            seed: of the sample and the directions.

        Raises:
            FacelabError: the search is exact, or nobody is enrolled.
        """
        if self.exact:
            raise FacelabError(f"{self.address} is searched exactly: there is nothing to measure.")
        with self._lock, self._server() as connection:
            numbers = connection.execute(
                "SELECT id FROM facelab.templates ORDER BY hashint8extended(id, %s) LIMIT %s", (seed, sample)
            ).fetchall()
            if not numbers:
                raise FacelabError(f"nobody is enrolled in {self.address}: enrol first.")
            rows = connection.execute(
                "SELECT vector::real[] FROM facelab.templates WHERE id = ANY(%s) ORDER BY id",
                ([number for (number,) in numbers],),
            ).fetchall()
            templates = np.array([vector for (vector,) in rows], dtype=np.float64)
            noise = np.random.default_rng(seed).normal(size=templates.shape)
            noise -= np.sum(noise * templates, axis=1, keepdims=True) * templates
            probes = (cosine * templates + np.sqrt(1 - cosine**2) * unit(noise)).astype(np.float32)
            exact, found = (
                [self._best(connection, probe, 1, index)[:1] for probe in probes] for index in ("exact", self.index)
            )
        same = sum(
            [one.identity for one in a] == [one.identity for one in b] for a, b in zip(exact, found, strict=True)
        )
        return wilson(same, len(probes))

    def _write(self, events: list[Event]) -> None:
        with self._server() as connection, connection.transaction():
            _log(connection, events)

    def _remove(self, identity: str, receipt: str, event: Event) -> int:
        with self._server() as connection, connection.transaction():
            row = connection.execute(
                "UPDATE facelab.identities SET name = %s, erased = true WHERE name = %s RETURNING id",
                (receipt, identity),
            ).fetchone()
            if row is None:
                return 0
            bucket = _bucket(identity)
            if self.shards:
                ((number,),) = connection.execute(
                    "SELECT count(*) FROM facelab.templates WHERE identity = %s AND bucket = %s", (*row, bucket)
                ).fetchall()
                connection.execute("INSERT INTO facelab.leaving VALUES (%s, %s)", (*row, bucket))
            else:
                number = _delete(connection, row[0], bucket)
            _log(connection, [Event(event.when, event.what, event.identity, number, event.by)])
            connection.execute("INSERT INTO facelab.unclean (part) VALUES ('facelab.identities')")
        return int(number)

    def _unclean(self) -> bool:
        with self._server() as connection:
            ((unclean,),) = connection.execute(
                "SELECT EXISTS (SELECT FROM facelab.unclean) OR EXISTS (SELECT FROM facelab.leaving)"
            ).fetchall()
            return bool(unclean)

    def _clean(self) -> tuple[bool, str]:
        with self._server() as connection:
            said = []
            leaving = connection.execute("SELECT identity, bucket FROM facelab.leaving").fetchall()
            for number, (address, shown) in enumerate(zip(self._shards, self.shards, strict=True)):
                here = [row for row in leaving if row[1] % len(self.shards) == number]
                if here:
                    try:
                        with told(shown), contextlib.closing(connect(address)) as shard:
                            for row in here:
                                with shard.transaction():
                                    _delete(shard, *row)
                            said.append((shown, *clean(shard)))
                    except FacelabError as error:
                        said.append((shown, False, str(error)))
            if all(gone for _, gone, _ in said):
                connection.execute(
                    "DELETE FROM facelab.leaving WHERE identity = ANY(%s)", ([row[0] for row in leaving],)
                )
            said.append((self.address, *clean(connection)))
        if not self.shards:
            return said[0][1:]
        return all(gone for _, gone, _ in said), "; ".join(f"{shown}: {why}" for shown, _, why in said)

    def _identities(self) -> dict[str, int]:
        with self._server() as connection:
            return dict(
                connection.execute(
                    "SELECT name, count(*) FROM facelab.templates JOIN facelab.identities ON identity = identities.id "
                    "LEFT JOIN facelab.pending USING (batch) WHERE pending.batch IS NULL AND NOT erased GROUP BY name"
                ).fetchall()
            )

    def _events(self) -> list[Event]:
        with self._server() as connection:
            rows = connection.execute(
                "SELECT at, what, coalesce(name, ''), number, by, score, threshold FROM facelab.events "
                "LEFT JOIN facelab.identities ON identity = identities.id ORDER BY events.id"
            ).fetchall()
        return [Event(at.astimezone(UTC), *rest) for at, *rest in rows]


def _bucket(name: str) -> int:
    """Return the part in which the templates of a name are: also those of an enrolment that was cut off, whose bytes
    are in its pages."""
    return zlib.crc32(name.encode()) % PARTS


def _templates(dimensions: int, index: str) -> str:
    """Return the statements that make the table of templates, in parts."""
    # A vector that stands in its row, and not beside the table (TOAST), is read twice as fast, and by several workers.
    storage = "PLAIN" if dimensions <= WIDEST_PLAIN else "EXTERNAL"
    parts = "".join(
        f"CREATE TABLE facelab.templates_{part} PARTITION OF facelab.templates FOR VALUES IN ({part});"
        for part in range(PARTS)
    )
    return (
        f"{_UNCLEAN} CREATE TABLE facelab.templates ({_COLUMNS}, vector vector({dimensions}) STORAGE {storage} "
        f"NOT NULL) PARTITION BY LIST (bucket); {parts}"
        "ALTER TABLE facelab.templates ALTER vector SET STATISTICS 0;"  # and of every part
        "CREATE INDEX ON facelab.templates (identity);"
        + "CREATE INDEX ON facelab.templates USING hnsw (vector vector_ip_ops);"
        * (index == "hnsw")
    )


@contextlib.contextmanager
def _made(address: str, about: dict[str, Any], tables: str) -> Iterator["Connection[Any]"]:
    """Make a schema with its tables; give the connection."""
    import psycopg

    shown = shown_address(address)
    with told(shown), contextlib.closing(connect(address)) as connection:
        try:
            with connection.transaction():
                version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
                if version is None:
                    connection.execute("CREATE EXTENSION vector")
                elif tuple(map(int, version[0].split(".")[:2])) < OLDEST_PGVECTOR:
                    raise FacelabError(
                        f"{shown} has pgvector {version[0]}; it needs {'.'.join(map(str, OLDEST_PGVECTOR))} or newer."
                    )
                connection.execute(_ABOUT + tables)
                for key, value in about.items():
                    connection.execute("INSERT INTO facelab.about VALUES (%s, %s)", (key, str(value)))
        except (psycopg.errors.DuplicateSchema, psycopg.errors.UniqueViolation):
            raise FacelabError(
                f"{shown} is there already: the database has a schema called facelab. Take another database."
            ) from None
        except (psycopg.errors.UndefinedFile, psycopg.errors.FeatureNotSupported):
            raise FacelabError(
                f"{shown}: the server has no extension pgvector. Install it there, or take the image pgvector/pgvector."
            ) from None
        except psycopg.errors.InsufficientPrivilege as error:
            raise FacelabError(
                f"cannot create a gallery in {shown}: {reason(error)}. An administrator of the server runs CREATE "
                "EXTENSION vector in this database, and GRANT CREATE ON DATABASE to your role."
            ) from None
        yield connection


def _join(connection: "Connection[Any]", number: int, shards: int, address: str, dimensions: int) -> None:
    """Make one of the shards a part of the table of templates."""
    from psycopg.sql import SQL, Composed, Identifier, Literal

    def options(values: dict[str, Any]) -> Composed:
        return SQL(", ").join(
            SQL("{} {}").format(Identifier(key), Literal(str(value))) for key, value in values.items()
        )

    parts = read_address(address)
    login: dict[str, Any] = {key: parts.pop(key) for key in ("user", "password", "sslcert", "sslkey") if key in parts}
    server: dict[str, Any] = {
        "extensions": "vector",
        "batch_size": 100,
        "options": f"-c hnsw.ef_search={BREADTH}",
    } | parts
    name = Identifier(f"facelab_{number}")
    if number == 0:
        connection.execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw")
        connection.execute(
            f"CREATE TABLE facelab.templates ({_COLUMNS}, vector vector({dimensions}) NOT NULL) "
            "PARTITION BY LIST (bucket)"
        )
    for statement in (
        SQL("CREATE SERVER {} FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({})").format(name, options(server)),
        SQL("CREATE USER MAPPING FOR CURRENT_USER SERVER {} OPTIONS ({})").format(name, options(login)),
        SQL(
            "CREATE FOREIGN TABLE {} PARTITION OF facelab.templates FOR VALUES IN ({}) SERVER {} "
            "OPTIONS (schema_name 'facelab', table_name 'templates')"
        ).format(
            Identifier("facelab", f"templates_{number}"),
            SQL(", ").join(Literal(bucket) for bucket in range(number, PARTS, shards)),
            name,
        ),
        SQL("SELECT 1 FROM {} LIMIT 1").format(Identifier("facelab", f"templates_{number}")),  # is it reached?
    ):
        connection.execute(statement)


def _read_shards(connection: "Connection[Any]") -> list[str]:
    """Return how this role logs in to each shard, as the server itself does."""
    from psycopg.conninfo import make_conninfo

    rows = connection.execute(
        "SELECT srvoptions, umoptions FROM pg_foreign_table JOIN pg_foreign_server ON pg_foreign_server.oid = ftserver "
        "JOIN pg_user_mappings ON srvid = ftserver WHERE umuser IN (0, current_user::regrole) AND ftrelid IN "
        "(SELECT inhrelid FROM pg_inherits WHERE inhparent = 'facelab.templates'::regclass) "
        "ORDER BY length(pg_foreign_server.srvname), pg_foreign_server.srvname"
    ).fetchall()
    ours = ("extensions", "batch_size", "options")
    read = [dict(option.split("=", 1) for options in row for option in options or ()) for row in rows]
    return [make_conninfo(**{key: value for key, value in one.items() if key not in ours}) for one in read]


def _delete(connection: "Connection[Any]", identity: int, bucket: int) -> int:
    """Delete the templates of an identity, and say which table is unclean; return how many they were."""
    number = connection.execute(
        "DELETE FROM facelab.templates WHERE identity = %s AND bucket = %s", (identity, bucket)
    ).rowcount
    connection.execute("INSERT INTO facelab.unclean (part) VALUES (%s)", (f"facelab.templates_{bucket}",))
    return number


def _log(connection: "Connection[Any]", events: list[Event]) -> None:
    """Add lines to the log."""
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
