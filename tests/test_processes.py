"""What the environment tells of other processes; the processes themselves are tried in tests/train."""

import pytest

from facelab import processes
from facelab.errors import FacelabError

GROUP = {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


@pytest.fixture
def environment(monkeypatch):
    def tell(values: dict[str, str]) -> None:
        for name in GROUP:
            monkeypatch.delenv(name, raising=False)
        for name, value in values.items():
            monkeypatch.setenv(name, value)

    return tell


@pytest.mark.parametrize("values", [{}, {"WORLD_SIZE": ""}, {"WORLD_SIZE": "1"}, {"RANK": "3"}])
def test_alone_without_torchrun(environment, values):
    environment(values)
    assert processes.launched() == (0, 1)


def test_torchrun_tells_who_this_is(environment):
    environment(GROUP)
    assert processes.launched() == (1, 2)


@pytest.mark.parametrize(
    "values",
    [
        {"WORLD_SIZE": "4"},
        {"WORLD_SIZE": "two"},
        {"WORLD_SIZE": "-2"},
        {**GROUP, "RANK": "2"},
        {**GROUP, "MASTER_ADDR": ""},
        {name: value for name, value in GROUP.items() if name != "MASTER_PORT"},
    ],
)
def test_what_is_left_of_something_else_is_said_at_once(environment, values):
    environment(values)
    with pytest.raises(FacelabError, match=f"WORLD_SIZE={values['WORLD_SIZE']}.*unset WORLD_SIZE"):
        processes.launched()
