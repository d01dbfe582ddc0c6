"""What a hidden check is written with. It runs in the grader and never sees an object of the student's.

>>> @check(points=2, about="the mean of the scores")
... def mean(student):
...     got = student.call("mean", np.array([0.0, 1.0, 5.0]))
...     expect(got, 2.0, wrong=[(1.0, "That is the median.")])
>>> run_check(mean, LocalStudent(["import numpy as np", "def mean(x): return np.median(x)"])).message
'That is the median.'
"""

import ast
import contextlib
import copy
import functools
import io
import signal
import sys
import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from facelab.coursework import wire
from facelab.errors import shown

# The names that a grading cell finds, beside check and np.
IN_A_CELL = ("expect", "fail", "numbers", "Failed", "CallFailed", "Undefined", "TimedOut", "Died")

Value = Any  # None, bool, int, float, str, list, dict, np.ndarray


class Failed(Exception):
    """A check does not hold; the message is the student's feedback."""


class CallFailed(Failed):
    """The student's function raised, or gave what does not travel.

    Args:
        message: the feedback.
        kinds: the names of the classes of what it raised, its own first: ``"ValueError" in failed.kinds``.
    """

    def __init__(self, message: str, kinds: Sequence[str] = ()):
        super().__init__(message)
        self.kinds = tuple(kinds)


class Undefined(Failed):
    """The submission has no such name, or it is still ``...``."""


class TimedOut(Failed):
    """The student's code took too long."""


class Died(Failed):
    """The process with the student's code ended."""


class Student(ABC):
    """A submission whose cells have run, as a check sees it."""

    cells: Sequence[str]  # the code of its cells
    quick: bool = False  # whether a check that trains may do less of it: never in a grade

    @abstractmethod
    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        """Return the reply to a request, see ``facelab.coursework.wire``.

        Raises:
            TimedOut: there is none after so many seconds.
            Died: the process ended.
        """

    def call(self, name: str, *args: Value, seconds: float = 20, tensors: bool = False, **kwargs: Value) -> Value:
        """Call a function of the student's.

        Args:
            name: the function.
            args: plain values and arrays; tuples arrive as lists.
            seconds: the call may take.
            tensors: hand arrays over as tensors of torch.
            kwargs: arguments with names.

        Returns:
            What it gave: None, bool, int, float, str, list, dict or ``np.ndarray``. Tensors come as arrays, tuples and
            sets as lists.

        Raises:
            Failed: it gave nothing that can be checked; a check need not catch it.
        """
        packed = {key: wire.pack(value) for key, value in kwargs.items()}
        request = {"call": name, "args": [wire.pack(one) for one in args], "kwargs": packed, "tensors": tensors}
        return self._value(f"{name}()", name, self.ask(request, seconds))

    def value(self, name: str) -> Value:
        """Return the value of a name of the student's, as :meth:`call` does."""
        return self._value(name, name, self.ask({"value": name}, 20))

    def uses(self, name: str) -> set[str]:
        """Return the dotted names that the code of a function uses: ``{"numpy.mean", "facelab.evaluate.wilson"}``.

        It is read from the text of the cells: also of functions of the student's that it uses in turn, with the names
        of imports resolved. It tells who took a shortcut that the task rules out, not who hides one.

        Args:
            name: a function, or a name that is assigned.
        """
        return set(used_names(tuple(self.cells), name))

    def _value(self, what: str, name: str, reply: dict[str, Any]) -> Value:
        match reply:
            case {"value": packed}:
                try:
                    value = wire.unpack(packed)
                except (ValueError, RecursionError) as error:
                    raise CallFailed(f"{what} could not be read.") from error
                if value is ...:
                    raise Undefined(f"{name} is still `...`: write your answer there.")
                return value
            case {"undefined": "..."}:
                raise Undefined(f"{name} is still `...`: write your answer there.")
            case {"undefined": str(why)}:
                because = f" The cell that should define it stopped: {why}" if why else " Keep this name."
                raise Undefined(f"{name} is not defined.{because}")
            case {"raised": str(error), "kinds": list(kinds)}:
                raise CallFailed(f"{what} stopped: {error}", [str(kind) for kind in kinds])
            case {"not_plain": str(kind)}:
                raise CallFailed(f"{what} is of type {kind}; numbers, text, lists, dicts and arrays can be checked.")
        raise CallFailed(f"{what} could not be read.")


@functools.lru_cache(maxsize=100)  # several checks ask the same
def used_names(cells: tuple[str, ...], name: str) -> frozenset[str]:
    """Return the dotted names that a function in these cells uses, see :meth:`Student.uses`.

    What is bound last counts, as when it is called: a first try of a function, or an import that a function of the same
    name replaced, is none of its names. Its parameters and variables are its own, whatever other cells call so.
    """
    imported: dict[str, str] = {}  # a name in the notebook -> what it stands for
    defined: dict[str, ast.AST] = {}
    for source in cells:
        try:
            tree = ast.parse(wire.without_magics(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                new: dict[str, ast.AST] = {statement.name: statement}
            else:
                imports, new = _imports(statement), {}
                imported |= imports
                defined = {key: value for key, value in defined.items() if key not in imports}
                for target in statement.targets if isinstance(statement, ast.Assign) else ():
                    new |= {one.id: statement.value for one in ast.walk(target) if isinstance(one, ast.Name)}  # type: ignore[attr-defined]
            defined |= new
            imported = {key: value for key, value in imported.items() if key not in new}
    if name in imported:
        return frozenset({imported[name]})
    found: set[str] = set()
    waiting, seen = [name], {name}
    while waiting:
        definition = defined.get(waiting.pop())
        if definition is None:
            continue
        inside = list(ast.walk(definition))
        stands_for = imported | _imports(definition)
        everybodys = {one for node in inside if isinstance(node, ast.Global) for one in node.names}
        own = {node.arg for node in inside if isinstance(node, ast.arg)}
        own |= {node.id for node in inside if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own -= everybodys | _imports(definition).keys()
        for node in inside:
            if not isinstance(node, ast.Name | ast.Attribute) or not (dotted := _dotted(node)):
                continue
            first, *rest = dotted.split(".")
            found.add(dotted if first in own else ".".join([stands_for.get(first, first), *rest]))
            if first in defined and first not in seen | own:
                seen.add(first)
                waiting.append(first)
    return frozenset(found)


def _imports(node: ast.AST) -> dict[str, str]:
    """Return what the imports in a piece of code bind, and what that stands for."""
    found: dict[str, str] = {}
    for one in ast.walk(node):
        if isinstance(one, ast.Import):
            for alias in one.names:
                first = alias.name.partition(".")[0]
                found[alias.asname or first] = alias.name if alias.asname else first
        elif isinstance(one, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{one.module}.{alias.name}" for alias in one.names}
    return found


def _dotted(node: ast.AST) -> str:
    """Return ``a.b.c`` of the syntax tree of that; "" for other expressions."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < 20:
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)]) if isinstance(node, ast.Name) else ""


@dataclass(frozen=True)
class Check:
    """A hidden check: a part of a question's points, and what must hold for them."""

    name: str
    points: float
    about: str  # what it looks at, as the student's feedback says it
    run: Callable[[Student], None]


def check(*, points: float, about: str) -> Callable[[Callable[[Student], None]], Check]:
    """Make a check of a function that takes the student.

    Args:
        points: for a submission for which the function ends without :class:`Failed`; no part of them for others.
        about: what it looks at, in a few words. Students read it; it gives no answer away.
    """
    if not points > 0 or not about.strip():
        raise ValueError("a check needs points above 0 and about=, what it looks at")
    return lambda function: Check(function.__name__, points, about, function)


@dataclass(frozen=True)
class Outcome:
    """What came of a check."""

    check: Check
    points: float  # earned
    message: str = ""  # for the student; "" if the check holds
    fault: str = ""  # for the author: the check itself failed, so it could not use what came


def run_check(one: Check, student: Student) -> Outcome:
    """Run a check."""
    try:
        one.run(student)
    except Failed as failed:
        return Outcome(one, 0, str(failed))
    except Exception as error:  # such as got[0] where None came: what came was of no form that the check reckons with
        return Outcome(one, 0, "What came has not the form that the task asks for.", wire.shortened(error))
    return Outcome(one, one.points)


def fail(message: str) -> NoReturn:
    """End a check that does not hold, with the feedback."""
    raise Failed(message)


def expect(
    got: Value,
    right: Value,
    *,
    rtol: float = 1e-5,
    atol: float = 1e-6,
    wrong: Sequence[tuple[Value | Callable[[Value], bool], str]] = (),
    what: str = "",
) -> None:
    """End the check, with a message, unless the value that came is the right one.

    Lists, arrays and numbers of any precision are compared by their numbers, and ``nan`` is ``nan``. Where the right
    numbers are whole, only ``atol`` counts.

    Args:
        got: the value that came.
        right: the right value. No message shows it.
        rtol: relative tolerance, of the right value.
        atol: absolute tolerance.
        wrong: pairs of a wrong value, or of a function that says whether it is this mistake, and the message that names
            the misconception; the first that fits is told.
        what: names the value in messages: "the loss".

    Raises:
        Failed: it is not the right one.
    """
    right = wire.unpack(wire.pack(right))
    if _same(got, right, rtol, atol):
        return
    for mistake, message in wrong:
        if _fits(mistake, got, rtol, atol):
            raise Failed(message)
    raise _not_right(what, _difference(got, right, rtol, atol))


def numbers(got: Value, shape: Sequence[int | None] | None = None, what: str = "") -> np.ndarray:
    """Return what came as an array of numbers, float64, so that a check can look at parts of it.

    Args:
        got: the value that came.
        shape: that it must have; None in it stands for any size.
        what: names the value in messages: "the loss".

    Raises:
        Failed: it is none, or of another shape; the message says what came.
    """
    array = _numbers(got)
    if array is not None and (shape is None or _has_shape(array, shape)):
        return array.astype(np.float64)
    wanted = "numbers"
    if shape is not None:
        wanted += f" of shape ({', '.join('any' if size is None else str(size) for size in shape)})"
    raise _not_right(what, _NOTHING if got is None else f"{_kind(got)} came, not {wanted}.")


_NOTHING = "None came; does the function end with return?"


def _not_right(what: str, why: str) -> Failed:
    what = what or "the result"
    return Failed(f"{what[0].upper()}{what[1:]} is not right: {why}")


def _has_shape(array: np.ndarray, shape: Sequence[int | None]) -> bool:
    return array.ndim == len(shape) and all(want in (None, size) for want, size in zip(shape, array.shape, strict=True))


def _fits(mistake: Any, got: Value, rtol: float, atol: float) -> bool:
    if not callable(mistake):
        return _same(got, wire.unpack(wire.pack(mistake)), rtol, atol)
    try:
        return bool(mistake(got))
    except Exception:  # what came has not the form that the function reckons with
        return False


def _numbers(value: Value) -> np.ndarray | None:
    """Return the value as an array of numbers, or None if it is none."""
    if isinstance(value, str | dict) or value is None:
        return None
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):  # lists of unequal lengths
        return None
    return array if array.dtype.kind in "biuf" else None


def _close(got: np.ndarray, right: np.ndarray, rtol: float, atol: float) -> np.ndarray:
    rtol = 0 if right.dtype.kind in "biu" else rtol
    with np.errstate(all="ignore"):
        return np.isclose(got.astype(np.float64), right.astype(np.float64), rtol=rtol, atol=atol, equal_nan=True)


def _same(got: Value, right: Value, rtol: float, atol: float) -> bool:
    got, right = (
        one.tolist() if isinstance(one, np.ndarray) and one.dtype.kind == "U" else one for one in (got, right)
    )
    if (aim := _numbers(right)) is not None:
        came = _numbers(got)
        return came is not None and came.shape == aim.shape and bool(_close(came, aim, rtol, atol).all())
    if isinstance(right, dict):
        return (
            isinstance(got, dict)
            and got.keys() == right.keys()
            and all(_same(got[key], right[key], rtol, atol) for key in right)
        )
    if isinstance(right, list | np.ndarray):
        return (
            isinstance(got, list | np.ndarray)
            and len(got) == len(right)
            and all(_same(one, other, rtol, atol) for one, other in zip(got, right, strict=True))
        )
    return type(got) is type(right) and got == right


def _kind(value: Value) -> str:
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, list | dict):
        return f"a {type(value).__name__} of length {len(value)}"
    return f"{shown(value)}, of type {type(value).__name__}"


def _difference(got: Value, right: Value, rtol: float, atol: float) -> str:
    """Say how a value differs from the right one, which is not shown."""
    if got is None:
        return _NOTHING
    aim, came = _numbers(right), _numbers(got)
    if aim is None:
        if isinstance(right, dict) and isinstance(got, dict) and got.keys() != right.keys():
            return f"the keys are {shown(list(got))}."
        return f"{_kind(got)} came." if type(got) is type(right) else f"{_kind(got)} came, a {_name(right)} is wanted."
    wanted = "True or False" if right is True or right is False else "a number"
    wanted = wanted if aim.ndim == 0 else f"numbers of shape {aim.shape}"
    if came is None:
        return f"{_kind(got)} came, {wanted} is wanted." if aim.ndim == 0 else f"{_kind(got)} came, not {wanted}."
    if came.shape != aim.shape:
        return f"{_kind(got)} came, not {wanted}."
    close = _close(came, aim, rtol, atol)
    place = tuple(int(axis[0]) for axis in np.nonzero(~np.atleast_1d(close)))
    one, other = np.atleast_1d(came)[place], np.atleast_1d(aim)[place]
    how = _how(float(one), float(other))
    if aim.ndim == 0:
        return f"{one:.6g} came, {how}."
    return f"{int(close.sum())} of {close.size} numbers are right; at {list(place)} {one:.6g} came, {how}."


def _name(right: Value) -> str:
    return "text" if isinstance(right, str) else "list" if isinstance(right, np.ndarray) else type(right).__name__


def _how(one: float, other: float) -> str:
    if not np.isfinite(one) or not np.isfinite(other):
        return "a finite number is wanted" if np.isfinite(other) else "no finite number is wanted"
    if one * other < 0:
        return "its sign is wrong"
    return "which is too large" if one > other else "which is too small"


class LocalStudent(Student):
    """A submission that runs in this process: for an author's own code, never for a student's.

    Args:
        cells: the code of its cells, in order. A cell that fails does not stop the next.
        folder: where they run, with the files of the assignment; by default the current one.
        quick: see :class:`Student`.
    """

    def __init__(self, cells: Sequence[str] = (), *, folder: Path | str = ".", quick: bool = False):
        self.names = wire.new_names()
        self.cells: list[str] = []
        self.failed: list[tuple[str, str]] = []  # source and error of each cell that failed
        self.folder, self.quick = folder, quick
        self.run(cells)

    def run(self, cells: Sequence[str], seconds: float = 120) -> None:
        """Run more cells, each for so many seconds at most."""
        for source in cells:
            self.cells.append(source)
            with self._apart():
                try:
                    with _limited(seconds):
                        error = wire.run_cell(self.names, source, len(self.cells))
                except TimedOut as out:
                    error = f"TimedOut: {out}"
            if error:
                self.failed.append((source, error))
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close("all")

    def ask(self, request: dict[str, Any], seconds: float) -> dict[str, Any]:
        with self._apart(), _limited(seconds):
            return wire.answer(self.names, request, self.failed)

    @contextlib.contextmanager
    def _apart(self) -> Iterator[None]:
        """In the student's folder, print and warn to nobody, as in the process that runs a submission."""
        nobody = io.StringIO()
        with contextlib.redirect_stdout(nobody), contextlib.redirect_stderr(nobody), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.chdir(self.folder):
                yield

    def twin(self) -> "LocalStudent":
        """Return a copy, in which other cells can run next: data is copied, functions and classes are defined anew, so
        that they see the twin's names. What cannot be copied is shared."""
        twin = LocalStudent(folder=self.folder, quick=self.quick)
        twin.cells, twin.failed = list(self.cells), list(self.failed)
        for name, value in self.names.items():
            twin.names[name] = _copied(value)
        for number, source in enumerate(self.cells, 1):
            with contextlib.suppress(Exception):
                tree = ast.parse(wire.without_magics(source))
                tree.body = [one for one in tree.body if isinstance(one, ast.FunctionDef | ast.ClassDef)]
                exec(compile(tree, f"<cell {number}>", "exec"), twin.names)
        return twin


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # a module, a generator, a tensor with a graph
        return value


class _Alarm(BaseException):
    """The time is over; no ``except Exception`` of a cell takes it."""


@contextlib.contextmanager
def _limited(seconds: float) -> Iterator[None]:
    """Raise :class:`TimedOut` in the block after so many seconds, where the system can."""
    if not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(*_: object) -> NoReturn:
        raise _Alarm

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    except _Alarm:
        raise TimedOut(f"It took more than {seconds:g} s.") from None
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
