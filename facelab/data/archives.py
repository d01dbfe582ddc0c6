"""Where the files of a data set lie: a folder, or the archive that it came in, read in place.

An archive is an index of names and positions: nothing of it is written under its own names, so a name cannot lead
anywhere. Of zip and tar each file is read where it lies. A tar that was compressed as a whole has no such places: it
is unpacked once, to one plain tar in facelab's cache folder.
"""

import bz2
import functools
import gzip
import hashlib
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from fnmatch import translate
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from facelab.data.images import SUFFIXES, decode_named
from facelab.errors import FacelabError, ImageError, cut
from facelab.files import atomic_write, facelab_home, open_file, read_bytes
from facelab.progress import progress_bar

MOST = 2 << 30  # bytes of one file that is read whole
RATIO = 200  # bytes that may come out of one that goes in: pictures hardly shrink, texts some tenfold
SLACK = 256 << 20  # bytes that may come out whatever goes in
_CHUNK = 1 << 20
_SHOWN = 64 << 20  # bytes of an archive from which on a bar is shown
_COMPRESSED: dict[bytes, tuple[str, Any]] = {
    b"\x1f\x8b": ("gzip", gzip.open),
    b"BZh": ("bzip2", bz2.open),
    b"\xfd7zXZ": ("xz", lzma.open),
}
_AGAIN = "Get the whole file again."


class Place(Protocol):
    """Files by name, ``/`` between parts, from the top of a folder or an archive."""

    path: Path

    @property
    def names(self) -> list[str]: ...

    def __contains__(self, name: object) -> bool: ...

    def read(self, name: str, *, most: int = MOST) -> bytes: ...


def open_place(path: Path | str) -> Place:
    """Return the files of a folder, or of a zip or tar archive.

    Raises:
        FacelabError: it is neither, or an archive that is damaged or would harm; the message names what is wrong.
    """
    path = Path(path)
    return Folder(path) if path.is_dir() else open_archive(path)


class Folder:
    """The files below a folder; hidden ones are left out."""

    def __init__(self, path: Path | str):
        self.path = Path(path)

    @functools.cached_property
    def names(self) -> list[str]:
        found: list[str] = []
        for folder, folders, files in os.walk(self.path, followlinks=True):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            within = os.path.relpath(folder, self.path).replace(os.sep, "/")
            if within.count("/") > 8:
                folders.clear()  # links in a ring
            found += (f"{within}/{name}".removeprefix("./") for name in sorted(files) if not name.startswith("."))
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self.path / name).is_file()

    def read(self, name: str, *, most: int = MOST) -> bytes:
        return check_page(read_bytes(self.path / name, _AGAIN, most=most), self.path / name)


class Archive:
    """The files in a zip or tar archive, by name; :func:`open_archive` makes it. Safe to use in threads and processes.

    Args:
        path: of the archive, for messages.
        file: in which the bytes are: the archive, or the unpacked one.
        names: of the files.
        where: of each file, int64: where its bytes, or in a zip its header, begin; how many there are; how many come
            out; whether they are deflated; their CRC-32, or -1. Shape (n, 5).
        headed: whether a header stands before the bytes, as in a zip.
    """

    def __init__(self, path: Path, file: Path, names: list[str], where: np.ndarray, *, headed: bool):
        self.path, self.file, self.names, self._where, self._headed = path, file, names, where, headed

    @functools.cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.names)}

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __reduce__(self) -> Any:  # another process reads the index itself
        return open_archive, (self.path,)

    def size(self, name: str) -> int:
        """Return how many bytes a file has."""
        return int(self._where[self._row(name), 2])

    def span(self, name: str) -> tuple[Path, int, int] | None:
        """Return in which file on disk the bytes of a file lie, where they begin, and how many there are; None if they
        are deflated. For what is too large to be read whole."""
        begin, packed, _, deflated, _ = map(int, self._where[self._row(name)])
        if deflated:
            return None
        with open(self.file, "rb") as file:
            return self.file, self._begin(file, begin, name), packed

    def read(self, name: str, *, most: int = MOST) -> bytes:
        """Return the bytes of a file.

        Raises:
            FacelabError: there is no such file, it has more than ``most`` bytes, or it is damaged.
        """
        begin, packed, size, deflated, crc = map(int, self._where[self._row(name)])
        if size > most:
            raise FacelabError(f"{self.path}: {cut(name)} has {size:,} bytes, more than {most:,}.")
        with open_file(self.file, _AGAIN) as file:
            file.seek(self._begin(file, begin, name))
            data = file.read(packed)
        if deflated:
            try:
                machine = zlib.decompressobj(-zlib.MAX_WBITS)
                data = machine.decompress(data, size + 1)
            except zlib.error as error:
                raise FacelabError(f"{self.path}: {cut(name)} is damaged ({error}). {_AGAIN}") from error
        if len(data) != size or (crc >= 0 and zlib.crc32(data) != crc):
            raise FacelabError(f"{self.path}: {cut(name)} is damaged or cut short. {_AGAIN}")
        return check_page(data, f"{self.path}: {cut(name)}")

    def _row(self, name: str) -> int:
        if name not in self._rows:
            raise FacelabError(f"{self.path} holds no file {cut(name)}.")
        return self._rows[name]

    def _begin(self, file: IO[bytes], begin: int, name: str) -> int:
        """Return where the bytes of a file begin; in a zip they follow a header of their own."""
        if not self._headed:
            return begin
        file.seek(begin)
        header = file.read(30)
        if len(header) < 30 or header[:4] != b"PK\x03\x04":
            raise FacelabError(f"{self.path}: {cut(name)} does not lie where the index says. {_AGAIN}")
        return begin + 30 + sum(struct.unpack_from("<HH", header, 26))


class StoredImages(Sequence[np.ndarray]):
    """Pictures in a folder or archive as a sequence of RGB arrays, each decoded when it is asked for.

    Args:
        place: where they are.
        names: of the pictures there.
    """

    def __init__(self, place: Place, names: Sequence[str]):
        self.place, self.names = place, names

    def __len__(self) -> int:
        return len(self.names)

    def encoded(self, index: int) -> bytes:
        """Return the bytes of a picture as they are kept."""
        try:
            return self.place.read(self.names[index])
        except ImageError:
            raise
        except FacelabError as error:
            raise ImageError(str(error)) from error

    def __getitem__(self, index: int) -> np.ndarray:  # type: ignore[override]
        return decode_named(self.encoded(index), f"{self.place.path}: {cut(self.names[index])}")


def check_page(data: bytes, what: object) -> bytes:
    """Return the bytes of a file, unless they are a web page or a pointer that was saved in its place.

    Raises:
        FacelabError: they are; the message says what to do.
    """
    start = data[:256].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head")):
        raise FacelabError(
            f"{what} is a web page (HTML) that was saved in place of the file: open its address in a browser, confirm "
            "what the page asks, and get the file again."
        )
    if start.startswith(b"version https://git-lfs"):
        raise FacelabError(f"{what} is a pointer of Git LFS, not the file itself: run git lfs pull.")
    return data


def is_archive(path: Path | str) -> bool:
    """Say whether a file is a zip or tar archive, compressed or not, by its first bytes."""
    return bool(_kind(Path(path)))


def _kind(path: Path) -> str:
    if not path.is_file():
        return ""
    with open_file(path) as file:
        start = file.read(512)
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return "zip"
    if _is_tar(start):
        return "tar"
    return next((name for magic, (name, _) in _COMPRESSED.items() if start.startswith(magic)), "")


def _is_tar(start: bytes) -> bool:
    """Whether the first 512 bytes are the header of a file in a tar: by its sum, as old archives have no name."""
    said = start[148:156].strip(b" \0")
    octal = len(start) >= 512 and re.fullmatch(rb"[0-7]+", said)
    return bool(octal) and int(said, 8) == sum(start[:148]) + 8 * 32 + sum(start[156:512])


def open_archive(path: Path | str) -> Archive:
    """Return the files in an archive: zip, tar, or tar compressed with gzip, bzip2 or xz, known by their first bytes.

    The index is read once for each archive, and again when the file changes.

    Raises:
        FacelabError: it is none of these, damaged or cut short; or it holds a name that leads out of it, a link, a
            device, one name twice, an encrypted file, or more than its size can honestly hold.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise FacelabError(f"{path} is neither a folder nor a file. Check the path.")
    about = path.stat()
    return _indexed(path, about.st_size, about.st_mtime_ns, str(facelab_home()))


@functools.lru_cache(maxsize=4)
def _indexed(path: Path, size: int, changed: int, home: str) -> Archive:
    kind = _kind(path)
    if not kind:
        with open_file(path) as opened:
            check_page(opened.read(256), path)
        raise FacelabError(f"{path} is no zip or tar archive. {'It is empty. ' if not size else ''}{_AGAIN}")
    if kind == "zip":
        return _zip(path, size)
    file = path if kind == "tar" else _unpacked(path, size, changed, kind)
    return _tar(path, file)


def _zip(path: Path, size: int) -> Archive:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, struct.error) as error:
        raise FacelabError(f"{path} is no whole zip archive ({error}): it was cut short. {_AGAIN}") from error
    names, where = [], np.empty((len(members), 5), np.int64)
    for row, one in enumerate(members):
        mode = one.external_attr >> 16
        _check_kind(path, one.filename, link=stat.S_ISLNK(mode), other=bool(stat.S_IFMT(mode)) and not (
            stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode)
        ))  # fmt: skip
        raw = one.filename if one.flag_bits & 0x800 else one.filename.encode("cp437", "surrogateescape")
        name = raw if isinstance(raw, str) else raw.decode("utf-8", "surrogateescape")
        if one.is_dir():
            _plain(path, name)
            name = ""
        elif one.flag_bits & 0x1:
            raise FacelabError(
                f"{path}: {cut(name)} is encrypted. Unpack the archive with its password, give the folder."
            )
        elif one.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FacelabError(f"{path}: {cut(name)} is packed in a rare way. Unpack the archive yourself.")
        names.append(name and _plain(path, name))
        deflated = one.compress_type == zipfile.ZIP_DEFLATED
        where[row] = one.header_offset, one.compress_size, one.file_size, deflated, one.CRC
        if not deflated and one.compress_size != one.file_size:
            raise FacelabError(f"{path}: {cut(name)} is damaged: its two sizes differ. {_AGAIN}")
    if where[:, 1].sum() > size:
        raise FacelabError(f"{path}: its files share their bytes, as in a zip bomb; it is not read.")
    _check_amount(path, int(where[:, 2].sum()), size)
    return _archive(path, path, names, where, headed=True)


def _tar(path: Path, file: Path) -> Archive:
    names, where = [], []
    try:
        with tarfile.open(file, "r:", encoding="utf-8", errors="surrogateescape") as archive:
            for one in archive:
                archive.members = []  # type: ignore[attr-defined] # tarfile keeps each, and there may be millions
                link = one.issym() or one.islnk()
                _check_kind(path, one.name, link=link, other=not (link or one.isreg() or one.isdir()))
                if one.issparse():
                    raise FacelabError(
                        f"{path}: {cut(one.name)} has holes (sparse). Unpack the archive, give the folder."
                    )
                name = _plain(path, one.name)
                if one.isreg():
                    names.append(name)
                    where.append((one.offset_data, one.size, one.size, 0, -1))
            end = archive.offset
        whole = file.stat().st_size
        if end >= whole or any(start + size > whole for start, size, *_ in where[-1:]):
            raise FacelabError(f"{path} ends without the mark of its end: it was cut short. {_AGAIN}")
    except (tarfile.TarError, OSError, ValueError, EOFError, RecursionError) as error:
        if isinstance(error, FacelabError):
            raise
        raise FacelabError(f"{path} is no whole tar archive ({error}): damaged or cut short. {_AGAIN}") from error
    return _archive(path, file, names, np.array(where, np.int64).reshape(-1, 5), headed=False)


def _archive(path: Path, file: Path, names: list[str], where: np.ndarray, *, headed: bool) -> Archive:
    # Folders, and what file managers add to archives.
    kept = [row for row, name in enumerate(names) if name and not name.startswith("__MACOSX/") and not _hidden(name)]
    names = [names[row] for row in kept]
    if len(set(names)) < len(names):
        seen: set[str] = set()
        twice = next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise FacelabError(f"{path} holds two files {cut(twice)}: it is not clear which one counts. {_AGAIN}")
    if not names:
        raise FacelabError(f"{path} holds no file. {_AGAIN}")
    return Archive(path, file, names, where[kept], headed=headed)


def _hidden(name: str) -> bool:
    return any(part.startswith(".") for part in name.split("/"))


def _plain(path: Path, name: str) -> str:
    """Return a name with ``/`` between its parts; refuse one that leads out of the archive."""
    parts = [part for part in name.replace("\\", "/").split("/") if part not in ("", ".")]
    if name.startswith(("/", "\\")) or ".." in parts or (parts and re.fullmatch("[A-Za-z]:", parts[0])):
        raise FacelabError(f"{path}: the name {cut(name)!r} leads out of the archive; it is not read.")
    return "/".join(parts)


def _check_kind(path: Path, name: str, *, link: bool, other: bool) -> None:
    if link or other:
        what = "a link" if link else "a device or a pipe"
        raise FacelabError(f"{path}: {cut(name)} is {what}, and archives of pictures hold none; it is not read.")


def _check_amount(path: Path, out: int, size: int) -> None:
    if out > RATIO * size + SLACK:
        raise FacelabError(
            f"{path}: {size:,} bytes would become {out:,} or more, as in a zip bomb; it is not read. If it is honest, "
            "unpack it yourself, and give the folder."
        )


def _unpacked(path: Path, size: int, changed: int, kind: str) -> Path:
    """Return the plain tar of a compressed one, in the cache folder; it is unpacked when it is first asked for."""
    key = hashlib.sha256(f"{path} {size} {changed}".encode("utf-8", "surrogateescape")).hexdigest()[:16]
    target = facelab_home() / "archives" / f"{path.name.split('.')[0][:40]}-{key}.tar"
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    room, out = shutil.disk_usage(target.parent).free, 0
    opener = next(opener for name, opener in _COMPRESSED.values() if name == kind)
    with (
        open_file(path) as packed,
        atomic_write(target) as temporary,
        progress_bar(f"unpack {path.name}", size, show_progress=size > _SHOWN) as bar,
        temporary.open("wb") as plain,
    ):
        try:
            with opener(packed) as stream:
                done = 0
                while chunk := stream.read(_CHUNK):
                    if not out and not _is_tar(chunk[:512]):
                        raise FacelabError(f"{path} is packed with {kind}, but is no tar archive inside.")
                    out += len(chunk)
                    _check_amount(path, out, packed.tell())
                    if out > room:
                        raise FacelabError(
                            f"{path} does not fit into {target.parent}, where it is unpacked: free space."
                        )
                    plain.write(chunk)
                    bar.update(packed.tell() - done)
                    done = packed.tell()
        except (EOFError, OSError, zlib.error, lzma.LZMAError) as error:
            if isinstance(error, FacelabError) or getattr(error, "errno", None):
                raise
            raise FacelabError(f"{path} is damaged or cut short ({error}). {_AGAIN}") from error
    return target


class Layout:
    """What lies in a place, as far as it takes to know whose layout that is: not each of millions of pictures.

    Attributes:
        path: of the place, as given.
        names: files and folders (these end in ``/``), ``/`` between parts.
    """

    _FOLDERS, _DEPTH, _PICTURES = 64, 3, 100

    def __init__(self, path: str):
        self.path = path

    @functools.cached_property
    def is_folder(self) -> bool:
        return Path(self.path).is_dir()

    @functools.cached_property
    def is_archive(self) -> bool:
        return not self.is_folder and is_archive(self.path)

    @functools.cached_property
    def names(self) -> list[str]:
        if self.is_archive:
            files = open_archive(self.path).names
            above = {name[: match.end()] for name in files for match in re.finditer("/", name)}
            return [*above, *files]
        found, queue = [], [""] if self.is_folder else []
        for within in queue:  # broad before deep
            folders, pictures = [], 0
            try:
                with os.scandir(Path(self.path, within)) as entries:
                    for entry in entries:
                        if entry.name.startswith("."):
                            continue
                        if os.path.splitext(entry.name)[1].lower() in SUFFIXES:
                            pictures += 1
                            if pictures > self._PICTURES:
                                continue
                            found.append(within + entry.name)
                        elif entry.is_dir():
                            folders.append(f"{within}{entry.name}/")
                        else:
                            found.append(within + entry.name)
            except OSError:
                continue
            found += folders
            if within.count("/") < self._DEPTH:
                queue += sorted(folders)[: max(0, self._FOLDERS - len(queue))]
        return found

    def has(self, *patterns: str) -> bool:
        """Say whether for each pattern something is called so, at any depth: ``identity_CelebA*.txt``, ``txts/*/``."""
        return all(any(map(re.compile(f"(?s:.*/)?{translate(one)}").match, self.names)) for one in patterns)
