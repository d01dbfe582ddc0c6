"""Files: read without surprises, written so that no good one is lost, and found where packages carry them."""

import contextlib
import errno
import hashlib
import importlib.util
import json
import math
import os
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path, PurePath
from typing import Any

from facelab.errors import FacelabError, FileNameError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_TEMPORARY = ".facelab-"  # begins the names of temporary files
_SWEPT: dict[Path, float] = {}  # folders, and when to look for left temporary files again


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well, delete it otherwise.

    The folder is made if it does not exist. A reader of ``path`` sees the old file or the whole new one, never a part,
    also when the block is interrupted (Ctrl-C) or the disk is full. What a killed process left in the folder is
    deleted; the temporary file of one that lives is locked, and stays.

    Raises:
        FacelabError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    path = Path(path)
    temporary, handle = None, None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        # The suffix stays last: writers such as matplotlib and numpy choose the format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_TEMPORARY, suffix=path.suffix)
        temporary = Path(name)
        if not _lock(handle):
            os.close(handle)  # Windows cannot rename an open file
            handle = None
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; results are meant to be shared
        yield temporary
        temporary.replace(path)
    except OSError as error:
        kind = FileNameError if error.errno == errno.ENAMETOOLONG else FacelabError
        raise kind(f"cannot write {path}: {error.strerror or error}. {_remedy(error)}") from error
    finally:
        if handle is not None:
            os.close(handle)
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _remedy(error: OSError) -> str:
    """Return what helps against a file that cannot be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "Free space or choose another folder."
    if error.errno == errno.ENAMETOOLONG:
        return "Choose a shorter name."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "You may not write there: choose another folder."
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "A file stands where a folder is needed: choose another folder."
    if error.errno == errno.EISDIR:
        return "A folder stands where the file goes: choose another name."
    return "Check the path, or choose another folder."


def _lock(handle: int) -> bool:
    """Lock an open file as long as this process holds it open; False if another process has it."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # or a file system that knows no locks: then nothing is swept there
        return False
    return True


def _sweep(folder: Path) -> None:
    """Delete the temporary files whose writers are dead: nobody holds their locks. Looks once a minute, as folders may
    be large."""
    if time.monotonic() < _SWEPT.get(folder, 0.0):
        return
    _SWEPT[folder] = time.monotonic() + 60
    for path in folder.glob(f"{_TEMPORARY}*"):
        with contextlib.suppress(OSError):  # it is gone, or belongs to somebody else
            if time.time() - path.stat().st_mtime < 2:  # its writer may be about to lock it
                continue
            handle = os.open(path, os.O_RDWR)
            try:
                if _lock(handle):
                    path.unlink()
            finally:
                os.close(handle)


RECORD = ".facelab"  # in a folder: what facelab made there
_ABOUT = "# What facelab made in this folder, and of each chip the photograph. These files it may replace."


def claim(
    folder: Path | str,
    files: Iterable[str] | Mapping[str, Path | None],
    *,
    known: Callable[[Path], bool] = lambda path: False,
) -> None:
    """Say which files facelab is about to write into a folder. What is there and not facelab's own stays as it is.

    This is the only rule for whose file an output may replace. The folder's record, a hidden text file, lists what
    facelab made there; a file that is there and not in the record belongs to the user.

    Args:
        folder: it may not exist yet.
        files: their names in the folder, ``/`` between parts; for chips the photograph that each is made of, see
            :func:`made`.
        known: says of a file that is not in the record whether its content shows that facelab made it.

    Raises:
        FacelabError: see :func:`check_claim`; nothing is written then.
    """
    folder, sources = Path(folder), files if isinstance(files, Mapping) else dict.fromkeys(files)
    check_claim(folder, sources, known=known)
    listed = made(folder)
    told = {name: os.path.relpath(source, folder) if source else "" for name, source in sources.items()}
    lines = [json.dumps([name, source]) for name, source in told.items() if listed.get(name) != source]
    if not lines:
        return
    try:
        # Before the files, so that a run that is killed knows its own again; by appending, as two runs may share a
        # folder. The last line may be cut short, so a new one is begun.
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / RECORD).open("a", encoding="utf-8") as record:
            record.write("\n".join([*([] if listed else [_ABOUT]), "", *lines, ""]))
    except OSError as error:
        raise FacelabError(f"cannot write {folder / RECORD}: {error.strerror}. Choose another folder.") from error


def check_claim(
    folder: Path | str, files: Iterable[str], *, known: Callable[[Path], bool] = lambda path: False
) -> None:
    """Check before long work what :func:`claim` will check when files are written.

    Raises:
        FacelabError: a file is there and the user's, a name leads out of the folder, or the folder is a file or cannot
            be written.
    """
    folder, names = Path(folder), list(files)
    above = next((path for path in (folder, *folder.parents) if os.path.lexists(path)), Path())
    if not above.is_dir():
        raise FacelabError(f"cannot write {folder}: {above} is a file. Give another path.")
    if not os.access(above, os.W_OK | os.X_OK):
        raise FacelabError(f"cannot write {folder}: {above} is not yours to write to. Give another path.")
    if outside := next((name for name in names if PurePath(name).is_absolute() or ".." in PurePath(name).parts), None):
        raise FacelabError(f"{outside!r} would be written outside of {folder}. Give it another name.")
    listed = made(folder)
    paths = [folder / name for name in names if name not in listed]
    theirs = [path for path in paths if os.path.lexists(path) and not known(path)]
    if theirs:
        others = f" (and {len(theirs) - 1} others)" if len(theirs) > 1 else ""
        raise FacelabError(
            f"{theirs[0]}{others} is there already, and facelab did not make it: it would be replaced. Choose another "
            "folder or name, or move it away."
        )


def made(folder: Path | str) -> dict[str, str]:
    """Return what facelab made in a folder: names in it, and for each the path from the folder to the photograph that a
    chip was made of, or ``""``."""
    try:
        text = read_bytes(Path(folder, RECORD)).decode("utf-8", errors="replace")
    except FacelabError:
        return {}
    listed = {}
    for line in text.splitlines():
        with contextlib.suppress(ValueError, TypeError):  # what is not a line of the record, such as half of one
            name, source = json.loads(line)
            listed[str(name)] = str(source)
    return listed


def remove_made(folder: Path | str, files: Iterable[str]) -> None:
    """Delete files, if facelab made them; what the user has put there stays."""
    listed = made(folder)
    for name in files:
        if name in listed and ".." not in PurePath(name).parts and not PurePath(name).is_absolute():
            Path(folder, name).unlink(missing_ok=True)


def check_apart(out: Path | str, inputs: Mapping[str, Path | str]) -> None:
    """Check that an output folder is not one that inputs are read from: what comes out would lie among them.

    Args:
        out: the folder.
        inputs: the files by their names, which are the ends of their paths.

    Raises:
        FacelabError: it is.
    """
    roots = {os.path.realpath(str(path).removesuffix(name)) for name, path in inputs.items()}
    if os.path.realpath(out) in roots:
        raise FacelabError(
            f"{out} holds the photographs themselves; choose another folder, such as {Path(out, 'out')}."
        )


def outputs_in(folder: Path | str, root: Path | str) -> set[str]:
    """Return the files that facelab made in a folder and that are no input where ``root``, which holds it, is read:
    marked pictures and figures, and chips of photographs below ``root``. Other chips are there to be read."""
    top = os.path.realpath(root)
    return {
        name
        for name, source in made(folder).items()
        if not source or Path(os.path.normpath(os.path.join(os.path.realpath(folder), source))).is_relative_to(top)
    }


def read_bytes(path: Path | str, remedy: str = "Check the path.", *, most: int = 2 << 30) -> bytes:
    """Return the content of a file of at most so many bytes, see :func:`open_file`.

    Raises:
        FacelabError: it cannot be read; the message ends with the remedy.
    """
    with open_file(path, remedy) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise FacelabError(f"cannot read {path}: it has {size:,} bytes, more than {most:,}. {remedy}")
        return file.read()


@contextlib.contextmanager
def open_file(path: Path | str, remedy: str = "Check the path.") -> Iterator[BufferedReader]:
    """Open a file for reading while the block runs. A pipe or a device is not opened: it could go on for ever.

    Raises:
        FacelabError: it cannot be read; the message ends with the remedy.
    """
    try:
        mode = os.stat(path).st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise OSError(errno.EINVAL, "it is a pipe or a device, not a file")
        with open(path, "rb") as file:
            yield file
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        if isinstance(error, FacelabError):
            raise
        raise FacelabError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}. {remedy}") from error


def write_json(path: Path | str, values: Mapping[str, Any], *, indent: int = 2, ensure_ascii: bool = True) -> None:
    """Write JSON that every reader takes. A number that is not finite is null, and the key ``not_finite`` says by its
    place (a JSON pointer, RFC 6901) what it was: ``{"/auc/low": "nan"}``."""
    found: dict[str, str] = {}

    def plain(value: Any, place: str) -> Any:
        if isinstance(value, Mapping):
            return {key: plain(one, f"{place}/{_escaped(key)}") for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [plain(one, f"{place}/{number}") for number, one in enumerate(value)]
        if isinstance(value, float) and not math.isfinite(value):
            found[place] = str(float(value))
            return None
        return value

    held = plain(values, "")
    held |= {"not_finite": found} if found else {}
    text = json.dumps(held, indent=indent, ensure_ascii=ensure_ascii, allow_nan=False)
    with atomic_write(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path | str, remedy: str = "Check the path.") -> Any:
    """Return what a JSON file holds, with the numbers that :func:`write_json` took out.

    Raises:
        FacelabError: it cannot be read, or is not JSON; the message names it.
    """
    try:
        values = json.loads(read_text(path, remedy))
    except FacelabError:
        raise
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deeply" if isinstance(error, RecursionError) else error
        raise FacelabError(f"{path} is not JSON: {reason}. {remedy}") from error
    found = values.pop("not_finite", {}) if isinstance(values, dict) else {}

    def whole(value: Any, place: str) -> Any:
        if isinstance(value, dict):
            return {key: whole(one, f"{place}/{_escaped(key)}") for key, one in value.items()}
        if isinstance(value, list):
            return [whole(one, f"{place}/{number}") for number, one in enumerate(value)]
        return {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}.get(found[place]) if place in found else value

    return whole(values, "") if found and isinstance(found, dict) else values


def _escaped(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def read_text(path: Path | str, remedy: str = "Check the path.") -> str:
    """Return a text that a user wrote: UTF-8, with or without the byte order mark that Windows editors put first.

    No other encoding is guessed: a wrong guess would be a wrong name, silently.

    Args:
        path: of the file.
        remedy: what to do if it cannot be read.

    Raises:
        FacelabError: it cannot be read, or is in another encoding; the message names that one where it can be known.
    """
    return decode_text(read_bytes(path, remedy), path)


def decode_text(data: bytes, path: object) -> str:
    """Return the text that the bytes of a file hold, as :func:`read_text` does; ``path`` is for messages."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:100]:
        kind = "UTF-32" if data[:4] in (b"\xff\xfe\0\0", b"\0\0\xfe\xff") else "UTF-16"
        kind = kind if len(data) % 2 == 0 else "no text"
        raise FacelabError(f"{path} is not UTF-8 but {kind}; save it as UTF-8.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FacelabError(
            f"{path} is not UTF-8: line {line} holds the byte {data[error.start]:#04x}, as Latin-1 (Windows) writes a "
            "letter with an accent; save it as UTF-8."
        ) from error


def check_sha256(path: Path | str, expected: str, remedy: str = "Delete it and fetch it again.") -> bytes:
    """Return the content of a file that must be a known one.

    Args:
        path: of the file.
        expected: its SHA-256, in hexadecimal digits.
        remedy: what to do if it is not there or another one.

    Raises:
        FacelabError: it cannot be read, or is another file.
    """
    data = read_bytes(path, f"Check the path. {remedy}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != expected:
        raise FacelabError(
            f"{path} is not the file that it should be (SHA-256 {digest[:12]}..., expected {expected[:12]}...), so it "
            f"is not used. {remedy}"
        )
    return data


def package_folder(package: str, what: str) -> Path:
    """Return the folder of an installed package whose files are wanted; none of its code is run.

    Args:
        package: its name.
        what: comes with it, for the message: "the photographs come".

    Raises:
        FacelabError: it is not installed.
    """
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise FacelabError(f"{what} with the package {package}, which is not installed: pip install {package}")
    return Path(spec.submodule_search_locations[0])


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def can_write(folder: Path) -> bool:
    """Whether files can be written into a folder; it is made if it does not exist."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        return os.access(folder, os.W_OK | os.X_OK)
    return False


def facelab_home() -> Path:
    """Return the folder for data that facelab makes itself: ``$FACELAB_HOME``, or the user's cache folder.

    Where that folder cannot be written (a shared installation, a user without a home), a temporary one takes its place,
    with a warning. A folder that you have named yourself is never replaced.
    """
    if home := os.environ.get("FACELAB_HOME"):
        return Path(home).expanduser()
    import platformdirs  # a machine that is told where may lack it

    folder = platformdirs.user_cache_path("facelab")
    if can_write(folder):
        return folder
    temporary = Path(tempfile.gettempdir(), f"facelab-{os.getuid() if hasattr(os, 'getuid') else 'cache'}")
    warnings.warn(
        f"{folder} cannot be written, so what facelab makes is kept in {temporary} and may be lost when the machine "
        "restarts. Set FACELAB_HOME to a folder of yours.",
        RuntimeWarning,
        stacklevel=2,
    )
    return temporary
