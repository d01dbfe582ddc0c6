import json
import math
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from facelab import files
from facelab.detect.files import read_detections
from facelab.errors import FacelabError
from facelab.files import (
    RECORD,
    atomic_write,
    check_claim,
    claim,
    made,
    outputs_in,
    read_bytes,
    read_json,
    read_text,
    remove_made,
    write_json,
)
from facelab.reports.threshold import read_threshold
from facelab.train import Recipe


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


def test_a_file_that_facelab_did_not_make_is_not_claimed_and_nothing_is_written(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "roc.png").write_text("the user's")
    with pytest.raises(FacelabError, match=r"figures.roc\.png is there already, and facelab did not make it"):
        claim(tmp_path, ["report.html", "figures/roc.png"])
    assert not (tmp_path / RECORD).exists()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FacelabError, match="dangling is there"):
        claim(tmp_path, ["dangling"])


def test_what_was_claimed_may_be_replaced_also_by_two_runs_that_share_a_folder(tmp_path):
    out = tmp_path / "out"
    claim(out, ["a.json"])
    (out / "a.json").write_text("1")
    claim(out, ["b.json"])
    (out / "b.json").write_text("2")
    claim(out, ["a.json", "b.json"])
    assert made(out) == {"a.json": "", "b.json": ""}
    (out / RECORD).write_text((out / RECORD).read_text() + '["c.js')  # a line that a kill cut short
    assert made(out) == {"a.json": "", "b.json": ""}
    claim(out, ["d.json"])
    (out / "own.txt").touch()
    with pytest.raises(FacelabError, match=r"own\.txt"):
        claim(out, ["a.json", "own.txt"])
    claim(out, ["own.txt"], known=lambda path: path.name == "own.txt")
    assert {"a.json", "d.json", "own.txt"} <= set(made(out))


def test_names_that_are_not_utf_8_are_kept(tmp_path):
    name = os.fsdecode(b"M\xfcller/a.json")
    claim(tmp_path, {name: tmp_path / os.fsdecode(b"\xff.jpg")})
    assert made(tmp_path) == {name: os.fsdecode(b"\xff.jpg")}


def test_chips_are_no_input_beside_their_photographs_and_are_elsewhere(tmp_path):
    chips = tmp_path / "people" / "chips"
    claim(chips, {"ada/1.png": tmp_path / "people" / "ada" / "1.jpg", "chips.csv": None})
    assert outputs_in(chips, tmp_path / "people") == {"ada/1.png", "chips.csv"}
    assert outputs_in(chips, tmp_path) == {"ada/1.png", "chips.csv"}
    assert outputs_in(chips, chips) == {"chips.csv"}
    (tmp_path / "link").symlink_to(tmp_path / "people")
    assert outputs_in(tmp_path / "link" / "chips", tmp_path / "link") == {"ada/1.png", "chips.csv"}


def test_only_what_facelab_made_is_removed_and_only_in_the_folder(tmp_path):
    out = tmp_path / "out"
    claim(out, ["a.json"])
    (out / RECORD).write_text((out / RECORD).read_text() + '["../b.json", ""]\n')  # whoever wrote that
    for path in (out / "a.json", out / "own.json", tmp_path / "b.json"):
        path.touch()
    remove_made(out, ["a.json", "own.json", "../b.json", "gone.json"])
    assert not (out / "a.json").exists()
    assert (out / "own.json").exists()
    assert (tmp_path / "b.json").exists()


@pytest.mark.parametrize("name", ["../a.png", "ada/../../a.png", "/a.png"])
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    with pytest.raises(FacelabError, match="outside of"):
        claim(tmp_path / "out", [name])
    assert not (tmp_path / "out").exists()


def test_only_files_are_read_and_nothing_is_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(bytes(10))
    for path, message in (
        (tmp_path / "pipe", "pipe or a device"),
        (Path("/dev/zero"), "pipe or a device"),
        (tmp_path, "Is a directory"),
        (tmp_path / "nobody", "No such file"),
        ("", "No such file"),
        ("zero\0byte", "null"),
        (tmp_path / "large", "10 bytes, more than 9"),
    ):
        with pytest.raises(FacelabError, match=f"cannot read.*{message}.*Look again"):
            read_bytes(path, "Look again.", most=9)


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path):
    target = tmp_path / f"{'é' * 125}.txt"  # 254 bytes
    with atomic_write(target) as path:
        path.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("x" * 300, "Choose a shorter name"), ("file/b.txt", "A file stands where"), ("folder", "A folder stands where")],
)
def test_the_remedy_fits_the_fault(tmp_path, name, remedy):
    (tmp_path / "file").touch()
    (tmp_path / "folder" / "x").mkdir(parents=True)

    def write() -> None:
        with atomic_write(tmp_path / name):
            pass

    with pytest.raises(FacelabError, match=remedy) as raised:
        write()
    assert "Free space" not in str(raised.value)


WRITER = """
import sys, time
from pathlib import Path
from facelab.files import atomic_write
with atomic_write(Path(sys.argv[1], "b.txt")) as path:
    path.write_text("half")
    print(path.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_process_left_is_deleted_and_what_a_living_one_writes_is_not(tmp_path):
    def start() -> tuple[subprocess.Popen, Path]:
        command = [sys.executable, "-c", WRITER, str(tmp_path)]
        writer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        temporary = tmp_path / writer.stdout.readline().strip()
        os.utime(temporary, (0, 0))  # as if it had been written long ago
        return writer, temporary

    (killed, left), (living, kept) = start(), start()
    killed.kill()
    killed.communicate()
    files._SWEPT.clear()
    with atomic_write(tmp_path / "other.txt"):
        pass
    assert (left.exists(), kept.exists()) == (False, True)
    living.communicate()  # its block ends
    assert {p.name for p in tmp_path.iterdir()} == {"b.txt", "other.txt"}


def test_the_home_of_a_user_is_meant_by_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("FACELAB_HOME", "~/x")
    assert files.facelab_home() == tmp_path / "x"


def test_where_no_cache_can_be_written_a_temporary_folder_serves_and_that_is_said(monkeypatch, tmp_path):
    monkeypatch.delenv("FACELAB_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nohome")
    monkeypatch.setattr(files.tempfile, "gettempdir", lambda: str(tmp_path))
    with pytest.warns(RuntimeWarning, match=r"nohome.* cannot be written.*Set FACELAB_HOME"):
        assert files.facelab_home().parent == tmp_path


def test_numbers_that_are_not_finite_are_null_in_json_and_come_back(tmp_path):
    values = {"a/b": {"low": math.nan, "high": math.inf, "n": 3}, "rows": [1.0, -math.inf], "none": None}

    def refuse(word):
        raise AssertionError(f"{word} is not JSON (RFC 8259)")

    write_json(tmp_path / "a.json", values)
    plain = json.loads((tmp_path / "a.json").read_text(), parse_constant=refuse)
    assert plain["a/b"] == {"low": None, "high": None, "n": 3}
    assert plain["not_finite"] == {"/a~1b/low": "nan", "/a~1b/high": "inf", "/rows/1": "-inf"}
    found = read_json(tmp_path / "a.json")
    assert math.isnan(found["a/b"].pop("low"))
    assert found == {"a/b": {"high": math.inf, "n": 3}, "rows": [1.0, -math.inf], "none": None}
    write_json(tmp_path / "b.json", {"a": 1})
    assert json.loads((tmp_path / "b.json").read_text()) == {"a": 1}


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff", b"[" * 100_000, b"1" * 5000, b'{"a": 1} 2', b"nan"], ids=range(7)
)
def test_what_is_no_json_is_one_line(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FacelabError, match=r"a\.json is not (JSON|UTF-8)") as error:
        read_json(tmp_path / "a.json")
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 400


def test_a_text_of_the_user_may_have_a_byte_order_mark(tmp_path):
    (tmp_path / "a.txt").write_bytes("Größe 1\r\n".encode("utf-8-sig"))
    assert read_text(tmp_path / "a.txt") == "Größe 1\r\n"


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("latin-1", "line 2 holds the byte 0xf6, as Latin-1"),
    ],
)
def test_a_text_in_another_encoding_is_named_and_not_guessed(tmp_path, encoding, said):
    (tmp_path / "a.txt").write_bytes("size = 64\n# Größe\n".encode(encoding))
    with pytest.raises(FacelabError, match=rf"a\.txt is not UTF-8.*{said}.*save it as UTF-8"):
        read_text(tmp_path / "a.txt")


def test_a_text_that_is_not_there_is_named(tmp_path):
    for path in (tmp_path / "nothing.txt", tmp_path, "no\0name"):
        with pytest.raises(FacelabError, match=r"cannot read .*Ask somebody"):
            read_text(path, "Ask somebody.")


def test_every_text_of_the_user_is_read_so(tmp_path):
    (tmp_path / "recipe.toml").write_bytes(b"\xef\xbb\xbfsize = 64\n")
    (tmp_path / "threshold.json").write_bytes(b'\xef\xbb\xbf{"threshold": 0.35}')
    (tmp_path / "faces.json").write_bytes(b"\xef\xbb\xbf[]")
    assert Recipe.from_toml(tmp_path / "recipe.toml").size == 64
    assert read_threshold(tmp_path / "threshold.json").value == 0.35
    assert read_detections(tmp_path / "faces.json") == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"threshold": 1.1}, "is no cosine"),
        ({"threshold": -3}, "is no cosine"),
        ({"threshold": 0.3, "far": {"value": 5, "low": 0, "high": 9, "n": 3}}, "far = .* is not what"),
    ],
)
def test_a_threshold_or_rate_that_cannot_be_one_is_refused(values, said, tmp_path):
    """A distance, say, would call everybody different, and sound sure."""
    write_json(tmp_path / "threshold.json", values)
    with pytest.raises(FacelabError, match=said):
        read_threshold(tmp_path / "threshold.json")


def test_a_folder_that_cannot_be_one_is_known_before_long_work(tmp_path):
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FacelabError, match="file is a file"):
            check_claim(folder, ["chips.csv"])
    check_claim(tmp_path / "new" / "below", ["chips.csv"])
    assert not (tmp_path / "new").exists()
