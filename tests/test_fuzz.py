"""Files that are damaged at random, and readers: each gives a value or one clear line, never more, in bounded memory.

The readers run in a process of their own, as one that crashes must not end the tests. Which inputs there are is decided
by numbers: ``FACELAB_FUZZ="png 1234" pytest tests/test_fuzz.py`` does one again, ``FACELAB_FUZZ_SECONDS=600`` looks at
many more.
"""

import io
import json
import multiprocessing
import os
import pickle
import resource
import time
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from facelab.data import FaceSet, load_bin, read_pairs
from facelab.data.images import read_image
from facelab.detect.files import read_detections
from facelab.errors import FacelabError
from facelab.reports.threshold import read_threshold
from facelab.study.results import Results
from facelab.train import Checkpoint, Recipe

SECONDS = float(os.environ.get("FACELAB_FUZZ_SECONDS", "4"))  # of a processor, for all readers together
MEMORY = 400 << 20  # bytes that a reader may take for a file of some kilobytes
PIXELS = "1000000"  # the limit of pixels, see facelab.data.images.max_pixels

PICTURE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
WORDS = [
    b"1e999",
    b"-1",
    b"NaN",
    b"Infinity",
    b"9" * 5000,
    b"[" * 5000,
    b'"',
    b"\0",
    "²".encode(),
    b"\xff\xfe",
    b"null",
]
WORDS += [b"true", b"{}", b"0", b"4294967296", b"1e308", b"\n", b"=", b".", b"a" * 300]
LARGE = [b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\x00\x00\x00\x00", b"\x7f\xff\xff\xff"]


@dataclass
class Reader:
    """A reader, files that it reads, and how they are damaged."""

    name: str
    read: Callable[[Path], object]
    files: list[bytes]
    damage: Callable[[np.random.Generator, bytes], bytes]


def damaged(random: np.random.Generator, data: bytes) -> bytes:
    """Change a file in one to four places."""
    for _ in range(random.integers(1, 5)):
        at = int(random.integers(0, len(data) + 1))
        end = min(len(data), at + int(random.choice([1, 2, 4, 16, len(data)])))
        kind, old = random.integers(6), data[at:end]
        if kind == 0:  # one bit
            new = bytes([old[0] ^ 1 << int(random.integers(8)), *old[1:]]) if old else b""
        elif kind < 4:
            new = (b"", random.bytes(end - at), old * 2)[kind - 1]
        else:
            new = (LARGE, WORDS)[kind - 4][random.integers(len((LARGE, WORDS)[kind - 4]))]
        data = data[:at] + new + data[end if random.random() < 0.7 else at :]
    return data


def damaged_part(random: np.random.Generator, data: bytes) -> bytes:
    """Damage one part of an archive, and write it with a checksum that is right: what is behind it is read then."""
    if random.random() < 0.2:
        return damaged(random, data)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as archive, zipfile.ZipFile(out, "w") as other:
        chosen = "data.pkl" if random.random() < 0.8 else str(random.choice(archive.namelist()))
        for name in archive.namelist():
            part = archive.read(name)
            other.writestr(name, damaged(random, part) if name.endswith(chosen) else part)
    return out.getvalue()


def pictures(suffix: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, {"jpg": "JPEG", "tif": "TIFF", "jp2": "JPEG2000"}.get(suffix, suffix.upper()))
    return file.getvalue()


def readers() -> list[Reader]:
    names = [f"{name}/{name}_{number:04d}.png" for name in ("Ann", "Bo") for number in (1, 2)]
    table = pd.DataFrame({"identity": ["Ann", "Ann", "Bo", "Bo"], "file": names})
    faces = FaceSet("people", [PICTURE] * 4, table)
    chips = [cv2.imencode(".jpg", PICTURE)[1] for _ in range(4)]
    bins = [
        pickle.dumps((form, labels), protocol=protocol)
        for protocol in (0, 2, 5)
        for form, labels in (([bytes(chip) for chip in chips], [True, False]), (chips, np.array([True, False])))
    ]
    recipe = Recipe.parse({"size": 32, "embedding_dim": 8})
    state = Checkpoint(recipe, ["a"], "", step=1, steps_per_epoch=2, network={"x": torch.ones(4)})
    saved = io.BytesIO()
    torch.save({**state.__dict__, "recipe": recipe.model_dump(), "format": 3}, saved)
    face = {"box": [1.0, 2.0, 30.0, 40.5], "score": 0.99, "landmarks": [[1.5, 2.5]] * 5}
    rate = {"value": 0.01, "low": 0.0, "high": 0.02, "n": 100}
    point = {"threshold": 0.35, "asked": 0.01, "far": rate, "frr": rate}
    result = {"operating_point": point, "data": {"name": "a"}, "recipe": recipe.model_dump()}
    toml = [b'size = 64\nseed = 3\n[loss]\nname = "arcface"\nscale_warmup = [1, 0.5]\n[augmentation]\nflip = 0.5']
    pairs = [b"2\t1\nAnn\t1\t2\nAnn\t1\tBo\t1\nBo\t1\t2\nBo\t2\tAnn\t2\n", b"Ann_0001.png Ann_0002.png 1\n"]
    provenance = dict.fromkeys(("command", "date", "device", "facelab", "torch"), "x")
    study = {"plan": {}, "values": {"auc": [1, None]}, "provenance": provenance, "not_finite": {"/values/auc/1": "nan"}}

    def every_picture(path: Path) -> None:
        found, _ = load_bin(path)
        for number in range(len(found)):
            found[number]

    def text(*values: object) -> list[bytes]:
        return [json.dumps(value).encode() for value in values]

    formats = ("jpg", "png", "gif", "tif", "bmp", "ppm", "webp", "jp2", "avif")
    return [
        *(Reader(suffix, read_image, [pictures(suffix)], damaged) for suffix in formats),
        Reader("bin", every_picture, bins, damaged),
        Reader("pairs", lambda path: read_pairs(path, faces), pairs, damaged),
        Reader("recipe", Recipe.from_toml, toml, damaged),
        Reader("checkpoint", Checkpoint.load, [saved.getvalue()], damaged_part),
        Reader("threshold", read_threshold, text({"threshold": 0.35}, result), damaged),
        Reader("detections", read_detections, text([face], []), damaged),
        Reader("results", Results.load, text(study), damaged),
    ]


def case(reader: Reader, number: int) -> bytes:
    random = np.random.default_rng([number, len(reader.name), *reader.name.encode()])
    return reader.damage(random, reader.files[random.integers(len(reader.files))])


def fault(reader: Reader, number: int, path: Path) -> str | None:
    """Read one damaged file; return what is wrong with how that ended."""
    path.write_bytes(case(reader, number))
    try:
        reader.read(path)
    except FacelabError as error:
        if len(str(error).splitlines()) > 1 or len(str(error)) > 1000 + len(str(path)):
            return f"its message is no line: {str(error)[:500]}"
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, MemoryError):
                return "it asks for more memory than there is"
            cause = cause.__cause__
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return None


def look(folder: Path, seconds: float, answer: "multiprocessing.connection.Connection") -> None:
    """Read damaged files for some seconds; what the process of its own does."""
    warnings.simplefilter("ignore")
    os.environ["FACELAB_MAX_PIXELS"] = PIXELS
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # decoders of pictures talk
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2 * MEMORY, used + 2 * MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    peak, faults, read = _peak(), [], 0
    known = readers()
    for reader in known:
        end, number = time.process_time() + seconds / len(known), 0
        while time.process_time() < end and len(faults) < 20:
            (folder / "now").write_text(f"{reader.name} {number}")
            if wrong := fault(reader, number, folder / f"file.{reader.name}"):
                faults.append(f"{reader.name} {number}: {wrong}")
            if _peak() - peak > MEMORY:
                faults.append(f"{reader.name} {number}: it takes {(_peak() - peak) >> 20} MB")
                peak = _peak()
            number += 1
        read += number
    answer.send((read, faults))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def test_damaged_files_are_one_clear_line(tmp_path):
    asked = os.environ.get("FACELAB_FUZZ")
    if asked:
        name, number = asked.split()
        reader = next(reader for reader in readers() if reader.name == name)
        assert fault(reader, int(number), tmp_path / f"file.{name}") is None
        return
    context = multiprocessing.get_context("fork")  # it need not import everything again
    ours, theirs = context.Pipe()
    process = context.Process(target=look, args=(tmp_path, SECONDS, theirs))
    process.start()
    theirs.close()
    ended = ours.poll(60 + 20 * SECONDS)
    now = (tmp_path / "now").read_text() if (tmp_path / "now").exists() else "nothing"
    try:
        assert ended, f"the reader hangs at {now}"
        try:
            read, faults = ours.recv()
        except EOFError:
            process.join(10)
            pytest.fail(f"the reader died (exit code {process.exitcode}) at {now}")
    finally:
        process.kill()
        process.join()
    assert not faults, "\n".join(faults)
    assert read > 100 * SECONDS


def test_the_process_of_the_readers_tells_what_went_wrong(tmp_path):
    """A reader that raises, one that says too much, and one that is right."""

    def raises(path):
        raise KeyError("x")

    def says_too_much(path):
        raise FacelabError("two\nlines")

    def is_right(path):
        raise FacelabError("one line")

    found = [
        fault(Reader("x", read, [b"abc"], damaged), 0, tmp_path / "x") for read in (raises, says_too_much, is_right)
    ]
    assert found[0].startswith("KeyError")
    assert "no line" in found[1]
    assert found[2] is None
