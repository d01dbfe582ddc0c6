import resource

import pytest

from facelab.errors import FacelabError
from facelab.files import atomic_write


def test_writes_and_makes_folders(tmp_path):
    with atomic_write(tmp_path / "a" / "b.txt") as path:
        path.write_text("new")
    assert (tmp_path / "a" / "b.txt").read_text() == "new"
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["b.txt"]


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_interruption_keeps_the_old_file_and_leaves_no_part(tmp_path, interruption):
    target = tmp_path / "b.txt"
    target.write_text("old")

    def interrupted() -> None:
        with atomic_write(target) as path:
            path.write_text("half")
            raise interruption

    with pytest.raises(interruption):
        interrupted()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


def test_full_disk_is_a_clear_error_and_keeps_the_old_file(tmp_path):
    target = tmp_path / "b.bin"
    target.write_bytes(b"old")

    def write() -> None:
        with atomic_write(target) as path:
            path.write_bytes(bytes(100_000))

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))  # the system refuses the write, as a full disk does
    try:
        with pytest.raises(FacelabError, match=r"b\.bin.*File too large.*Free space"):
            write()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.bin"]


def test_a_file_where_a_folder_is_needed_is_a_clear_error(tmp_path):
    (tmp_path / "file").touch()

    def write() -> None:
        with atomic_write(tmp_path / "file" / "b.txt"):
            pass

    with pytest.raises(FacelabError, match="cannot write"):
        write()
