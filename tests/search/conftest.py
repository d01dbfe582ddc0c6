"""Where the galleries of the tests are: a parameter for each engine."""

import pytest

ENGINES = ["sqlite"]


@pytest.fixture(params=ENGINES)
def address(request, tmp_path) -> str:
    """The address of a gallery that does not exist yet."""
    return str(tmp_path / "faces.db")
