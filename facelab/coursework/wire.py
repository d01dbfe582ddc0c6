"""What goes between the grader and the process that runs a submission: requests and replies in JSON.

Standard library only, as the process that runs a submission may hold nothing else. A request is one of

    {"call": name, "args": [packed, ...], "kwargs": {name: packed}, "tensors": bool}
    {"value": name}

and a reply one of

    {"value": packed}
    {"undefined": why}                   no such name; why is the error of a cell, "", or "..." where it is still that
    {"raised": error, "kinds": [...]}    the student's exception, shortened; the names of its classes, its own first
    {"not_plain": type}                  the value is of a type that does not travel

:func:`pack` makes JSON of None, bool, int, float, str, lists, dicts and arrays. Numbers of NumPy become numbers;
tensors and columns of pandas become arrays; tuples and sets (sorted, if they can be) become lists.
"""

import ast
import base64
import contextlib
import math
import re
import sys
import types
from collections.abc import Sequence
from typing import Any

Names = dict[str, Any]  # the global names of a notebook

_LONGEST = 300  # characters of an error that are shown


class NotPlain(TypeError):
    """A value of a type that does not travel; the message is the name of the type."""


def pack(value: Any) -> Any:
    """Return a value as JSON can hold it. Whoever reads it gets plain values, whatever the classes were.

    Raises:
        NotPlain: the value, or one in it, is of another type.
    """
    kind = type(value)
    if value is None or kind in (bool, int, float, str):
        return value
    if isinstance(value, bool | int | float | str):  # a subclass: what it holds, not what it says
        numpy = sys.modules.get("numpy")
        if numpy and isinstance(value, numpy.generic):
            return value.item()
        base: Any = next(base for base in (int, float, str) if isinstance(value, base))
        return base(value)
    if isinstance(value, list | tuple):
        return [pack(one) for one in value]
    if isinstance(value, set | frozenset):
        try:
            return [pack(one) for one in sorted(value)]
        except TypeError:
            return [pack(one) for one in value]
    if isinstance(value, dict):
        return {"dict": [[pack(key), pack(one)] for key, one in value.items()]}
    if value is ...:
        return {"unanswered": True}
    return _packed_array(value)


def _packed_array(value: Any) -> Any:
    numpy, torch, pandas = (sys.modules.get(name) for name in ("numpy", "torch", "pandas"))
    if torch and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype in (torch.bfloat16, torch.float16) else value).numpy()
    elif pandas and isinstance(value, pandas.DataFrame):
        return {"dict": [[pack(name), pack(value[name])] for name in value]}
    elif pandas and isinstance(value, pandas.Series | pandas.Index):
        value = value.to_numpy()
    if numpy and isinstance(value, numpy.generic) and value.dtype.kind in "biufU":
        return pack(value.item())
    if numpy and isinstance(value, numpy.ndarray):
        if value.dtype.kind in "biuf":
            value = value.astype(value.dtype.newbyteorder("<"))
            data = base64.b64encode(numpy.ascontiguousarray(value).tobytes()).decode("ascii")
            return {"array": data, "dtype": value.dtype.str, "shape": list(value.shape)}
        if value.dtype.kind == "U":
            return {"texts": value.ravel().tolist(), "shape": list(value.shape)}
        if value.dtype.kind == "O":
            return pack(value.tolist())
    raise NotPlain(type(value).__name__)


def unpack(packed: Any) -> Any:
    """Return the value that was packed; arrays as ``np.ndarray``.

    Raises:
        ValueError: this is not what :func:`pack` makes.
    """
    if packed is None or isinstance(packed, bool | int | float | str):
        return packed
    if isinstance(packed, list):
        return [unpack(one) for one in packed]
    match packed:
        case {"dict": list(pairs)}:
            try:
                return {_key(unpack(key)): unpack(value) for key, value in pairs}
            except TypeError as error:
                raise ValueError(str(error)) from error
        case {"array": str(data), "dtype": str(name), "shape": list(shape)}:
            import numpy as np

            if not re.fullmatch(r"[<|][biuf]\d{1,2}", name) or not all(type(size) is int for size in shape):
                raise ValueError(f"an array of type {name[:20]}")
            _check_empty(shape)
            try:
                return np.frombuffer(base64.b64decode(data), np.dtype(name)).reshape(shape).copy()
            except TypeError as error:
                raise ValueError(str(error)) from error
        case {"texts": list(texts), "shape": list(shape)}:
            import numpy as np

            if not all(type(text) is str for text in texts) or not all(type(size) is int for size in shape):
                raise ValueError("an array of text")
            _check_empty(shape)
            if len(texts) * max(map(len, texts), default=0) > 1 << 24:  # every text takes as much as the longest
                raise ValueError("an array of texts too long")
            return np.array(texts, np.str_).reshape(shape)
        case {"unanswered": True}:
            return ...
    raise ValueError("not a packed value")


def _check_empty(shape: list[int]) -> None:
    """Raise ValueError for an array that holds nothing, but would be endless lists."""
    if 0 in shape and math.prod(abs(size) for size in shape if size) > 1 << 24:
        raise ValueError("an array of too many empty rows")


def _key(key: Any) -> Any:
    return tuple(key) if isinstance(key, list) else key


def run_cell(names: Names, source: str, number: int) -> str:
    """Run the code of a cell; what it prints goes where this process prints.

    Args:
        names: the global names of the notebook, which the cell changes.
        source: its code. Lines of IPython (``%matplotlib inline``, ``!pip``) are left out.
        number: the cell's, for messages.

    Returns:
        The error that ended it, shortened; "" if it ran to its end.
    """
    try:
        exec(compile(without_magics(source), f"<cell {number}>", "exec"), names)
    except (Exception, SystemExit) as error:
        return shortened(error)
    return ""


def without_magics(source: str) -> str:
    """Return the code of a cell without the lines that only IPython understands; lines keep their numbers."""
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        compile(source, "<cell>", "exec", ast.PyCF_ONLY_AST)
        return source  # Python as it is; a line of it may begin with %
    lines = source.split("\n")
    if lines[0].startswith("%%") and not re.match(r"%%(time|timeit|capture|prun)\b", lines[0]):
        return ""  # another language, or a file to be written
    return "\n".join(re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in lines)


def shortened(error: BaseException) -> str:
    """Return an error as one line: its type, its message, and where in the notebook it came."""
    try:
        message = " ".join(str(error).split())
    except Exception:  # a __str__ of the student's
        message = ""
    message = message if len(message) <= _LONGEST else f"{message[:_LONGEST]}..."
    where, step = "", error.__traceback__
    if isinstance(error, SyntaxError):
        where = f" (line {error.lineno} of its cell)" if error.lineno else ""
        message = error.msg or ""
    while step is not None:
        if step.tb_frame.f_code.co_filename.startswith("<cell "):
            where = f" (line {step.tb_lineno} of its cell)"
        step = step.tb_next
    return f"{type(error).__name__}: {message}{where}" if message else f"{type(error).__name__}{where}"


def answer(names: Names, request: dict[str, Any], failed: Sequence[tuple[str, str]] = ()) -> dict[str, Any]:
    """Answer a request.

    Args:
        names: the global names of the notebook, after its cells.
        request: see above; it comes from the grader and is trusted.
        failed: source and error of each cell that failed, which may be why a name is not there.
    """
    name = request.get("call") or request["value"]
    if name not in names:
        return {"undefined": next((error for source, error in failed if re.search(rf"\b{name}\b", source)), "")}
    value = names[name]
    try:
        if "call" in request and value is not ...:
            value = value(
                *(_argument(one, request) for one in request["args"]),
                **{key: _argument(one, request) for key, one in request["kwargs"].items()},
            )
        return {"undefined": "..."} if value is ... else {"value": pack(value)}
    except NotPlain as error:
        return {"not_plain": str(error)}
    except (Exception, SystemExit) as error:
        return {"raised": shortened(error), "kinds": [kind.__name__ for kind in type(error).__mro__[:-1]]}


def _argument(packed: Any, request: dict[str, Any]) -> Any:
    value = unpack(packed)
    if request.get("tensors") and type(value).__name__ == "ndarray" and value.dtype.kind != "U":
        import torch

        return torch.from_numpy(value)
    return value


def new_names() -> Names:
    """Return the global names of a notebook before its first cell."""
    return types.ModuleType("__main__").__dict__
