"""``python -m facelab``: what the command ``facelab`` does, for launchers such as ``torchrun -m facelab``."""

import contextlib
import errno
import io
import os
import signal
import sys
from types import FrameType
from typing import TextIO


def main() -> None:
    """Run the command line in a process of its own; whatever ends it, it ends without a traceback.

    Ctrl-C counts from the first moment, while the program is still being loaded. A signal that asks the process to end
    lets it clean up, as Ctrl-C does. A character that the output cannot hold is written as its number.
    """
    sys.unraisablehook = lambda _: None  # what Python can only report: say, a pipe that breaks while it shuts down
    try:
        for name in ("SIGTERM", "SIGHUP"):
            if signal.getsignal(getattr(signal, name, signal.SIGINT)) is signal.SIG_DFL:  # not under nohup
                signal.signal(getattr(signal, name), _end)
        sys.stdout, sys.stderr = (_open_stream(stream) for stream in (sys.stdout, sys.stderr))
        from facelab.cli import app

        try:
            app()
        finally:
            sys.stdout.flush()  # now, while a failure can still be said
    except OSError as error:
        if error.filename is not None:
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try again at its end
        if error.errno != errno.EPIPE:  # a reader who has seen enough, as of ``| head``, needs no explanation
            _tell(f"cannot write to standard output: {error.strerror}")
        sys.exit(2)
    except BaseException as error:
        if not _is_interrupt(error):
            raise
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C ends at once
        _tell("interrupted")
        sys.exit(130)


def _open_stream(stream: TextIO | None) -> TextIO:
    if stream is None:  # it was closed before the program began
        return open(os.devnull, "w")
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return stream


def _end(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    _tell(f"ended by {signal.Signals(number).name}")
    raise SystemExit(128 + number)


def _tell(what: str) -> None:
    with contextlib.suppress(OSError):  # nobody listens
        os.write(2, f"\nfacelab: {what}. What was finished is kept; run the same command to go on.\n".encode())


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: libraries turn it into others, and typer into exit code 130."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt) or (isinstance(error, SystemExit) and error.code == 130):
            return True
        error = error.__cause__ or error.__context__
    return False


if __name__ == "__main__":
    main()
