import pytest

from facelab.device import resolve_device
from facelab.errors import FacelabError


@pytest.mark.parametrize(
    "name", ["meta", "hpu", "xla", "vulkan", "privateuseone", "lazy", "fpga", "", "abacus", "cpu:x"]
)
def test_a_device_that_cannot_compute_here_is_refused(name):
    with pytest.raises(FacelabError, match="cannot be used here; use 'cpu', or 'auto'"):
        resolve_device(name)


def test_the_cpu_is_always_there():
    assert resolve_device("cpu").type == "cpu"
