"""The errors that a user can mend. The command line prints them as one line, without a traceback."""

import reprlib

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """Return a value as a message shows it, in one line: cut where it is long or deep, whoever wrote it."""
    return _SHORT.repr(value)


def cut(text: str) -> str:
    """Return a name from a file as a message shows it, in one line: its beginning where it is long."""
    text = "".join(
        sign if sign >= " " and sign not in "\x7f\x85\u2028\u2029" else repr(sign)[1:-1] for sign in text[:101]
    )
    return text if len(text) <= 100 else f"{text[:80]}..."


class FacelabError(ValueError):
    """Bad input. The message names the value and the remedy."""


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 image``, ``1024 images``, ``2 identities``.

    Args:
        number: how many.
        one: the noun for one.
        many: for another number; ``one`` with an s if not given.
    """
    return f"{number} {one if number == 1 else many or f'{one}s'}"


class FileNameError(FacelabError):
    """A name that the file system does not take; files of other names can be written."""


class NoFaceError(FacelabError):
    """Photographs in none of which a face is found."""


class ImageError(FacelabError):
    """A file that is missing or cannot be decoded as an image."""
