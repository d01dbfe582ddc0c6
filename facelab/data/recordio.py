"""RecordIO, in which InsightFace and MXNet pack millions of pictures: ``train.rec``, ``train.idx``, ``property``.

Formats: ``dmlc/recordio.h`` of dmlc-core (a record: magic, three bits of kind and 29 of length, content, zeros up to a
multiple of four), ``mxnet/recordio.py`` (what stands before a picture), InsightFace's ``src/data/face2rec2.py``.
"""

import hashlib
import struct
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path, PurePath

import numpy as np
import pandas as pd

from facelab.data.archives import Archive, open_place
from facelab.data.cache import remembered
from facelab.data.faceset import FaceSet
from facelab.data.images import decode_named
from facelab.data.pieces import LargeFile, number_columns
from facelab.errors import FacelabError, ImageError, count, cut, shown
from facelab.progress import progress_bar

MAGIC = struct.pack("<I", 0xCED7230A)
_HEADER = struct.Struct("<IfQQ")  # IRHeader of MXNet: how many labels follow (0: the one here), label, two numbers
_EXACT = 1 << 24  # whole numbers up to here are exact as float32
_SAMPLE = 256  # records that are looked at when a set is opened
_BLOCK = 1 << 14  # records whose labels are read at a time
# Identities and images -> what it is, if both agree. Counts: arcface_torch/configs of InsightFace.
_WITHDRAWN = {
    (85_742, 5_822_653): "MS1MV2, which was made of MS-Celeb-1M",
    (93_431, 5_179_510): "MS1MV3, which was made of MS-Celeb-1M",
    (360_232, 17_091_657): "Glint360K, part of which was made of MS-Celeb-1M",
}


class Records:
    """The records of a ``.rec`` file, by their position in bytes."""

    def __init__(self, file: LargeFile):
        self.file = file

    def read(self, position: int) -> bytes:
        """Return the content of a record; of one in several parts the whole, with the magic that stood between them.

        Raises:
            FacelabError: there is no whole record at this position.
        """
        parts: list[bytes] = []
        while True:
            start = self.file.read(position, 8)
            if len(start) < 8:
                raise FacelabError(
                    f"{self.file.title} has {self.file.size:,} bytes and no record at position {position:,}: it is "
                    "truncated, or the index is of another file. Get both again."
                )
            magic, (word,) = start[:4], struct.unpack_from("<I", start, 4)
            kind, length = word >> 29, word & ((1 << 29) - 1)  # 0: whole, 1: first part, 2: middle, 3: last
            if magic != MAGIC or kind not in ((2, 3) if parts else (0, 1)):
                raise FacelabError(
                    f"{self.file.title} has no record at position {position:,}: the index is of another file, or the "
                    "file is damaged. Get both again."
                )
            content = self.file.read(position + 8, length)
            if len(content) < length:
                raise FacelabError(
                    f"{self.file.title} is truncated: the record at position {position:,} has {length:,} bytes, and "
                    f"{len(content):,} are there. Get it again."
                )
            parts.append(content)
            if kind in (0, 3):
                return MAGIC.join(parts)
            position += 8 + (length + 3) // 4 * 4

    def labels(self, positions: np.ndarray) -> np.ndarray:
        """Return the first label of each record, shape (n,), float64; the pictures are not read.

        Raises:
            FacelabError: see :meth:`read`, or it is no record of a picture.
        """
        starts = [self.file.read(position, 36) for position in positions.tolist()]
        words = np.frombuffer(b"".join(start.ljust(36, b"\0") for start in starts), "<u4").reshape(-1, 9)
        labels = np.where(words[:, 2] > 0, words[:, 8], words[:, 3]).astype("<u4").view("<f4").astype(np.float64)
        plain = (words[:, 0] == np.frombuffer(MAGIC, "<u4")) & (words[:, 1] >= 28)  # a whole record that is long enough
        plain &= words[:, 1] >> 29 == 0
        for row in np.flatnonzero(~plain):
            labels[row] = unpack(self.read(int(positions[row])))[0][0]
        return labels


def unpack(content: bytes) -> tuple[np.ndarray, bytes]:
    """Return the labels of a record, float32, and the bytes of its picture; none in a header.

    Raises:
        FacelabError: it is too short for what it announces.
    """
    if len(content) < _HEADER.size:
        raise FacelabError(f"it has {count(len(content), 'byte')}, and no picture of MXNet.")
    number, label, _, _ = _HEADER.unpack_from(content)
    start = _HEADER.size + 4 * number
    if start > len(content):
        raise FacelabError(f"it announces {number:,} labels in {count(len(content), 'byte')}.")
    labels = np.frombuffer(content, "<f4", number, _HEADER.size) if number else np.array([label], np.float32)
    return labels, content[start:]


class RecordImages(Sequence[np.ndarray]):
    """The pictures of a ``.rec`` file, each read and decoded when it is asked for.

    Args:
        records: of the file.
        keys, positions: of each picture, shape (n,).
    """

    def __init__(self, records: Records, keys: np.ndarray, positions: np.ndarray):
        self.records, self.keys, self.positions = records, keys, positions

    def __len__(self) -> int:
        return len(self.positions)

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a picture as they are kept."""
        try:
            return unpack(self.records.read(int(self.positions[index])))[1]
        except FacelabError as error:
            raise ImageError(f"{self._name(index)}: {error}") from error

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return decode_named(self.encoded(index), self._name(index))

    def take(self, rows: Sequence[int]) -> "RecordImages":
        """Return some of the pictures, by position."""
        return RecordImages(self.records, self.keys[rows], self.positions[rows])

    def _name(self, index: int) -> str:
        return f"{self.records.file.title} record {self.keys[index]}"


def load_recordio(path: Path | str, *, show_progress: bool = False) -> FaceSet:
    """Load a RecordIO set: of InsightFace (with a header record), or of ``im2rec`` (without one).

    Nothing is kept in memory but where each picture lies and who is on it. Identities are the labels of the records,
    as text with leading zeros, so that their order is that of the numbers; numbers that do not occur take no place. Of
    several labels the first is the identity. The table has the columns ``identity`` (categorical) and ``record``, its
    key in the index.

    Where there is no header, every record is looked at for its label, once: the labels are remembered in facelab's
    cache.

    Args:
        path: the ``.rec`` file, or a folder or archive with ``train.rec`` or one other. The ``.idx`` lies beside it.
        show_progress: show a bar while labels are read.

    Raises:
        FacelabError: a file is missing or damaged, the index is of another file, or a label is no whole number.
    """
    found = _found(path)
    keys, positions = read_index(found.index, found.where)
    records = Records(found.rec)
    _check_positions(records, keys, positions)
    if (head := _header(records, keys, positions)) is not None:
        keys, positions, labels = _of_ranges(records, keys, positions, head, show_progress)
    else:
        labels = _of_each(records, positions, show_progress)
    wrong = ~((labels >= 0) & (labels < _EXACT) & (labels == np.floor(labels)))
    if wrong.any():
        row = int(wrong.argmax())
        raise FacelabError(
            f"{found.rec.title} record {keys[row]} has the label {labels[row]:g}, which is no number of an identity: "
            "facelab reads records with one label, or with InsightFace's two."
        )
    numbers, codes = np.unique(labels.astype(np.int32), return_inverse=True)
    digits = len(str(numbers.max(initial=0)))
    names = pd.Categorical.from_codes(codes, [f"{number:0{digits}d}" for number in numbers.tolist()])
    _compare(found, len(numbers))
    if known := _WITHDRAWN.get((len(numbers), len(keys))):
        warnings.warn(
            f"{path} has the counts of {known}. Its publisher withdrew MS-Celeb-1M in 2019: the people were not asked. "
            "See facelab data card web-scale.",
            stacklevel=2,
        )
    table = pd.DataFrame({"identity": names, "record": keys.astype(np.int32) if keys[-1] < 1 << 31 else keys})
    return FaceSet(found.name, RecordImages(records, keys, positions), table)


@dataclass(frozen=True)
class _Found:
    """The files of a set.

    Attributes:
        rec: the pictures.
        index: what the ``.idx`` holds.
        where: the ``.idx`` is, for messages.
        property: what the file of this name holds, if there is one of this set.
        name: of the set.
    """

    rec: LargeFile
    index: bytes
    where: str
    property: str | None
    name: str


def _found(path: Path | str) -> _Found:
    """Return the files of the ``.rec`` file that a path means: itself, or of a folder or archive the only one.

    Raises:
        FacelabError: there is none, or several, or no index.
    """
    path = Path(path)
    file = path.name if path.suffix == ".rec" else ""
    place = open_place(path.parent if file else path)
    if not file:
        recs = [name for name in place.names if name.endswith(".rec")]
        found = [name for name in recs if PurePath(name).name == "train.rec"] or recs
        if len(found) != 1:
            names = f": {found[0]} and {found[1]}; give one of them" if found else ""
            raise FacelabError(f"{path} holds {count(len(found), 'file')} .rec{names}.")
        file = found[0]
    base = file.removesuffix(".rec")
    beside, title = base.rpartition("/")[0], f"{path}: {file}" if isinstance(place, Archive) else str(place.path / file)
    if f"{base}.idx" not in place:
        raise FacelabError(
            f"{title.removesuffix('.rec')}.idx is missing: it says where each picture lies. Get it with the .rec, or "
            "make it with rec2idx.py of MXNet."
        )
    if isinstance(place, Archive):
        if (span := place.span(file)) is None:
            raise FacelabError(f"{title} is deflated, so no picture can be read by its place: unpack the archive.")
        rec = LargeFile(*span, title)
    else:
        rec = LargeFile(place.path / file)
    stem = PurePath(base).name
    about = f"{beside}/property".removeprefix("/")
    told = place.read(about).decode("latin1") if stem == "train" and about in place else None
    name = (PurePath(beside).name or place.path.name.partition(".")[0]) if stem == "train" else stem
    return _Found(rec, place.read(f"{base}.idx", most=4 << 30), f"{title.removesuffix('.rec')}.idx", told, name)


def of_insightface(path: str) -> bool:
    """Whether a set of this path holds chips, as those of InsightFace do: ``property`` lies there, or a header is
    first."""
    try:
        found = _found(path)
        return found.property is not None or not unpack(Records(found.rec).read(0))[1]
    except FacelabError:
        return False


def read_index(data: bytes, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the keys of an index and the positions of their records in bytes, in the order of the keys.

    Args:
        data: what the file holds.
        where: it is, for messages.

    Raises:
        FacelabError: a line is not ``KEY<tab>POSITION``, or a key stands twice; the message has its number.
    """
    keys, positions = number_columns(data, where, 2, "\t")
    order = np.argsort(keys, kind="stable")
    keys, positions = keys[order], positions[order]
    if (twice := np.flatnonzero(np.diff(keys) == 0)).size:
        raise FacelabError(f"{where} lists the key {keys[twice[0]]} twice, again in line {order[twice[0] + 1] + 1}.")
    places = np.argsort(positions, kind="stable")
    if (twice := np.flatnonzero(np.diff(positions[places]) == 0)).size:
        one, two = keys[places[twice[0]]], keys[places[twice[0] + 1]]
        raise FacelabError(f"{where} has the keys {one} and {two} at one position, {positions[places[twice[0]]]:,}.")
    return keys, positions


def _check_positions(records: Records, keys: np.ndarray, positions: np.ndarray) -> None:
    """Check the places of all records and the beginnings of some: another file has its records elsewhere.

    Raises:
        FacelabError: a position is past the end or none of a record.
    """
    size, path = records.file.size, records.file.title
    last = int(positions.argmax())
    if positions[last] + 8 > size:
        raise FacelabError(
            f"{path} has {size:,} bytes, but its index has record {keys[last]} at position {positions[last]:,}: the "
            ".rec is truncated, or the index is of another one. Get both again."
        )
    for row in np.unique(np.linspace(0, len(keys) - 1, _SAMPLE).astype(int)).tolist():
        start = records.file.read(int(positions[row]), 4)
        if start != MAGIC:
            raise FacelabError(
                f"{path} has no record at position {positions[row]:,}, where its index has record {keys[row]}: it "
                "is the index of another file, or one of them is damaged. Get both again."
            )
    records.read(int(positions[last]))  # whole, or the file is truncated


def _header(records: Records, keys: np.ndarray, positions: np.ndarray) -> np.ndarray | None:
    """Return the labels of the header record, or None where there is none: it has key 0 and no picture.

    Its flag tells nothing: pictures with two labels have one too, and may begin at key 0.
    """
    if keys[0]:
        return None
    labels, data = _unpacked(records, 0, int(positions[0]))
    return labels if not data else None


def _unpacked(records: Records, key: int, position: int) -> tuple[np.ndarray, bytes]:
    try:
        return unpack(records.read(position))
    except FacelabError as error:
        raise FacelabError(f"{records.file.title} record {key}: {error!s}") from error


def _of_ranges(
    records: Records, keys: np.ndarray, positions: np.ndarray, head: np.ndarray, show_progress: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return keys, positions and labels of the pictures of a set of InsightFace.

    After the header come the pictures, then a record without one for each identity: the range of its pictures. So who
    is on each is known from few records, if the pictures at both ends of each range have one label, and the ranges
    hold every picture once. Otherwise every record is looked at.
    """
    low, high = 1, len(keys)  # the first record after the pictures lies in between
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _unpacked(records, keys[middle], int(positions[middle]))[1] else (low, middle)
    images = low - 1
    rounded = np.spacing(head[0]) if head[0] >= _EXACT else 0
    if not images or (len(head) > 1 and abs(head[0] - keys[images] - 1) > rounded):
        raise FacelabError(
            f"{records.file.title}: its index lists {images:,} pictures, its header {head[0] - 1:,.0f}: one of the two "
            "is of another set, or cut. Get both again."
        )
    pictures, ranges = slice(1, low), range(low, len(keys))
    ends = [_range_of(records, int(keys[row]), int(positions[row])) for row in ranges]
    starts, stops = np.searchsorted(keys[pictures], np.array(ends, float).reshape(-1, 2).T)
    order = np.argsort(starts, kind="stable")
    starts, stops = starts[order], stops[order]
    whole = len(starts) and not starts[0] and stops[-1] == images and (starts[1:] == stops[:-1]).all()
    if whole and (stops > starts).all() and keys[images] < _EXACT:
        first, last = (records.labels(positions[pictures][rows]) for rows in (starts, stops - 1))
        if (first == last).all() and len(np.unique(first)) == len(first):
            return keys[pictures], positions[pictures], np.repeat(first, stops - starts)
    return keys[pictures], positions[pictures], _of_each(records, positions[pictures], show_progress)


def _range_of(records: Records, key: int, position: int) -> tuple[float, float]:
    labels, data = _unpacked(records, key, position)
    if data or len(labels) < 2 or not np.isfinite(labels[:2]).all():
        return 0, 0
    return float(labels[0]), float(labels[1])


def _of_each(records: Records, positions: np.ndarray, show_progress: bool) -> np.ndarray:
    """Return the label of each record; they are remembered."""
    blocks = [positions[start : start + _BLOCK] for start in range(0, len(positions), _BLOCK)]

    def make() -> dict[str, np.ndarray]:
        shown = show_progress and len(blocks) > 1
        with ThreadPool() as pool, progress_bar("read labels", len(positions), show_progress=shown) as bar:
            parts = []
            for part in pool.imap(records.labels, blocks):
                parts.append(part)
                bar.update(len(part))
        return {"labels": np.concatenate(parts)}

    places = hashlib.sha256(positions.tobytes()).hexdigest()
    return remembered(f"labels of records, 1, {places}", [records.file.path], make)["labels"]


def _compare(found: _Found, identities: int) -> None:
    """Say, in a UserWarning, that ``property`` promises another number of identities."""
    if found.property is None:
        return
    first = found.property.partition("\n")[0].split(",")[0].strip()
    if not (first.isascii() and first.isdigit()):
        raise FacelabError(
            f"{found.rec.title}: property beside it begins with {cut(shown(first))}; expected identities, height, "
            "width: 85742,112,112."
        )
    if int(first) != identities:
        warnings.warn(
            f"{found.rec.title}: property promises {first} identities; the records are of {identities}, which are "
            "read.",
            stacklevel=3,
        )
