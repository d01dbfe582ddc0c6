"""The errors that a user can mend. The command line prints them as one line, without a traceback."""


class FacelabError(ValueError):
    """Bad input. The message names the value and the remedy."""


class ImageError(FacelabError):
    """A file that is missing or cannot be decoded as an image."""
