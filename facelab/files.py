"""Files: written so that a half-written one never replaces a good one, and found where packages carry them."""

import contextlib
import hashlib
import importlib.util
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from facelab.errors import FacelabError


@contextlib.contextmanager
def atomic_write(path: Path | str) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it to ``path`` when the block ends well, delete it otherwise.

    The folder is made if it does not exist. A reader of ``path`` sees the old file or the whole new one, never a part,
    also when the block is interrupted (Ctrl-C) or the disk is full.

    Raises:
        FacelabError: the folder cannot be written or the disk is full; the old file is untouched.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The suffix stays last: writers such as matplotlib and numpy choose the format by it.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        temporary = Path(name)
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes private files; results are meant to be shared
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise FacelabError(
            f"cannot write {path}: {error.strerror or error}. Free space or choose another folder."
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def check_sha256(path: Path | str, expected: str, remedy: str = "Delete it and fetch it again.") -> bytes:
    """Return the content of a file that must be a known one.

    Args:
        path: of the file.
        expected: its SHA-256, in hexadecimal digits.
        remedy: what to do if it is not there or another one.

    Raises:
        FacelabError: it cannot be read, or is another file.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FacelabError(f"cannot read {path}: {error.strerror}. Check the path. {remedy}") from error
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


def facelab_home() -> Path:
    """Return the folder for data that facelab makes itself: ``$FACELAB_HOME``, or the user's cache folder."""
    if home := os.environ.get("FACELAB_HOME"):
        return Path(home)
    import platformdirs  # a machine that is told where may lack it

    return platformdirs.user_cache_path("facelab")
