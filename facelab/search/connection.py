"""A connection to PostgreSQL by an address, whose errors are one clear line each that shows no secret."""

import contextlib
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from facelab.errors import FacelabError

if TYPE_CHECKING:
    from psycopg import Connection

OLDEST_SERVER = 15  # the first with the role pg_checkpoint
OLDEST_PGVECTOR = (0, 7)
PATIENCE = 10  # seconds for a server to answer
_SAMPLE = "postgresql://USER@HOST/DATABASE"


def shown_address(address: str) -> str:
    """Return what messages may show of an address: neither user nor password nor options.

    Raises:
        FacelabError: it cannot be read. No message of libpq's is passed on: it could show a piece of the password.
    """
    parts = read_address(address)
    host, port, database = (str(parts.get(name) or "") for name in ("host", "port", "dbname"))
    if "@" in host + database or not re.fullmatch(r"[\d,]*", port):  # a password with such signs was cut at them
        raise _unreadable()
    folder = host.startswith("/")  # of a socket
    shown = f"postgresql://{'' if folder else host}{f':{port}' if port else ''}/{quote(database)}"
    return f"{shown}?host={host}" if folder else shown


def read_address(address: str) -> dict[str, Any]:
    """Return the parts of an address by their names in libpq."""
    try:
        import pgvector.psycopg  # noqa: F401
        import psycopg.conninfo
    except ImportError as error:
        raise FacelabError(
            f"a gallery on a server needs psycopg and pgvector ({error.name} is not installed): pip install "
            "'facelab[server]'"
        ) from None
    try:
        return psycopg.conninfo.conninfo_to_dict(address)
    except psycopg.ProgrammingError:
        raise _unreadable() from None


def _unreadable() -> FacelabError:
    return FacelabError(
        f"the address of the gallery cannot be read; give {_SAMPLE}. In a password, write % as %25, @ as %40, / as "
        "%2F, : as %3A, ? as %3F; better, keep it in the file ~/.pgpass."
    )


def connect(address: str) -> "Connection[Any]":
    """Return a connection in which each statement stands for itself, outside of a block ``transaction()``.

    Raises:
        FacelabError: the server cannot be reached, is too old, or the database is not in UTF-8.
    """
    import psycopg

    parts, shown = read_address(address), shown_address(address)
    try:
        connection = psycopg.connect(
            address,
            autocommit=True,
            prepare_threshold=None,  # a pooler may stand between
            connect_timeout=parts.get("connect_timeout", PATIENCE),
            application_name=parts.get("application_name", "facelab"),
            client_encoding="utf8",
        )
    except psycopg.Error as error:
        raise FacelabError(
            f"cannot reach the gallery {shown}: {reason(error)}. Does the server run, and does the database exist?"
        ) from None
    major = connection.info.server_version // 10000
    encoding = connection.info.parameter_status("server_encoding")
    if major >= OLDEST_SERVER and encoding == "UTF8":
        return connection
    connection.close()
    if encoding != "UTF8":
        raise FacelabError(f"the database {shown} has the encoding {encoding}; create one with UTF8.")
    raise FacelabError(f"{shown} runs PostgreSQL {major}; it needs {OLDEST_SERVER} or newer.")


@contextlib.contextmanager
def told(shown: str) -> Iterator[None]:
    """Turn the server's errors into one clear line."""
    import psycopg

    try:
        yield
    except psycopg.errors.ReadOnlySqlTransaction:
        raise FacelabError(f"{shown} is a replica, or takes no changes: also a search writes, into the log.") from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise FacelabError(
            f"cannot use the gallery {shown}: {reason(error)}. Take the role that created it, or let it GRANT you the "
            "right."
        ) from None
    except psycopg.OperationalError as error:
        raise FacelabError(
            f"the gallery {shown} cannot be used: {reason(error)}. What was acknowledged is kept, and the next call "
            "connects again. Of a call that writes, look whether it was done before you repeat it."
        ) from None
    except psycopg.Error as error:
        raise FacelabError(f"cannot use the gallery {shown}: {reason(error)}. Is it a gallery, and whole?") from None


def reason(error: Any) -> str:
    """Return the first line of what the server says, without values of rows."""
    return " ".join((error.diag.message_primary or str(error)).split()).rstrip(".")
