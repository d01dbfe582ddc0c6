"""Runs a submission inside the sandbox: executes the cells of its notebook, then answers calls with plain values.

A program of its own, with the standard library only until the submission wants more. Grader and worker speak over one
descriptor in frames: four bytes with the length, then JSON. A message of the grader has ``id`` and either ``cell``,
``number`` and ``skipped`` (why it is not executed, or "") or ``request`` (see :mod:`facelab.coursework.wire`); the
answer has the same ``id`` and a ``reply``.

The code of a student runs in this process and can change all of it. So nothing here protects a grade: that is done by
what stays outside, in the grader, which never evaluates what comes from here (see :mod:`facelab.coursework.sandbox`).
"""

import builtins
import contextlib
import itertools
import json
import os
import random
import struct
import sys
import types
from collections.abc import Callable
from typing import Any

from facelab.coursework import wire

LARGEST = 16 << 20  # bytes of a frame


def frame(message: Any) -> bytes:
    """Return a message as it travels.

    Raises:
        ValueError: it is too long, or no JSON.
    """
    data = json.dumps(message).encode("ascii")
    if len(data) > LARGEST:
        raise ValueError(f"{len(data) / 1e6:.0f} MB; at most {LARGEST / 1e6:.0f} MB can be handed over")
    return struct.pack(">I", len(data)) + data


class Worker:
    """Executes cells in one namespace, ``__main__``, and answers.

    Args:
        channel: the descriptor to speak over.
    """

    def __init__(self, channel: int):
        self._channel, self._pid = channel, os.getpid()
        self._failed: list[tuple[str, str]] = []  # source and error of each cell that failed
        module = sys.modules["__main__"] = types.ModuleType("__main__")
        self._names = module.__dict__
        self._names["display"] = lambda *values, **_: print(*values)
        sys.modules["otter"] = _otter()

    def run(self) -> None:
        """Answer until the grader goes away."""
        while (message := self._receive()) is not None:
            try:
                data = frame({"id": message["id"], "reply": self._reply(message)})
            except BaseException as error:  # whatever a submission raises is its answer
                told = {"raised": wire.shortened(error), "kinds": [type(error).__name__]}
                data = frame({"id": message["id"], "reply": told})
            if os.getpid() != self._pid:  # a copy that a submission made of this process
                os._exit(0)
            self._send(data)

    def _reply(self, message: dict[str, Any]) -> dict[str, Any]:
        if "cell" not in message:
            return wire.answer(self._names, message["request"], self._failed)
        try:
            error = message["skipped"] or wire.run_cell(self._names, message["cell"], message["number"])
        except BaseException as other:  # KeyboardInterrupt, and what a submission derives from it
            error = wire.shortened(other)
        if error:
            self._failed.append((message["cell"], error))
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
            if pyplot := sys.modules.get("matplotlib.pyplot"):
                pyplot.close("all")  # as a notebook does after each cell
        return {"value": error}

    def _receive(self) -> dict[str, Any] | None:
        head = self._read(4)
        body = self._read(struct.unpack(">I", head)[0]) if head else None
        return json.loads(body) if body else None

    def _read(self, size: int) -> bytes | None:
        parts = []
        while size:
            part = os.read(self._channel, min(size, 1 << 20))
            if not part:
                return None
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._channel, rest) :]


def _otter() -> types.ModuleType:
    """Return what stands for otter-grader here: the checks that a student runs are not run again for the grade."""

    class Notebook:
        def __init__(self, *_: Any, **__: Any):
            pass

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *_, **__: None

    module = types.ModuleType("otter")
    module.Notebook = Notebook  # type: ignore[attr-defined]
    return module


def main(channel: int) -> None:
    """Serve on a descriptor until its other end is closed."""
    os.set_inheritable(channel, False)
    random.seed(0)
    with contextlib.suppress(ImportError):
        import numpy

        # What a submission draws without a seed is the same each time.
        numpy.random.seed(0)  # noqa: NPY002
        new, seeds = numpy.random.default_rng, itertools.count()
        numpy.random.default_rng = lambda seed=None: new(next(seeds) if seed is None else seed)
    builtins.exit = builtins.quit = sys.exit  # type: ignore[assignment]
    Worker(channel).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
