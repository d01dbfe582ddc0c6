"""Where the galleries of the tests are: a parameter for each engine."""

from collections.abc import Iterator

import pytest

ENGINES = ["sqlite", "postgres"]


@pytest.fixture(scope="session")
def server() -> Iterator[object]:
    """A PostgreSQL server, started when the first test asks for it."""
    pytest.importorskip("pgvector", reason="pgvector is not installed: uv sync --extra test")
    pytest.importorskip("psycopg", reason="psycopg is not installed: uv sync --extra test")
    from postgres_server import running

    with running() as started:
        yield started


@pytest.fixture
def database(server) -> str:
    """The address of a database without a gallery."""
    server.run("DROP SCHEMA IF EXISTS facelab CASCADE")
    return server.address()


@pytest.fixture(params=ENGINES)
def address(request, tmp_path) -> str:
    """The address of a gallery that does not exist yet."""
    return str(tmp_path / "faces.db") if request.param == "sqlite" else request.getfixturevalue("database")
