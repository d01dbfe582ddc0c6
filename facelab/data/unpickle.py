"""Pickles from strangers: numbers, text, bytes and plain arrays are read; nothing that they name is run.

NumPy builds an array from whatever type a file describes, also from one that cannot be, and then follows the file's
pointers; and Python's fast machine for pickles makes room for as many objects as a file claims to hold. So here the
slow machine reads, and the words with which a file asks for arrays stand for the classes below, which take numbers of
known types from bytes that are there. Format: PEP 3154 and ``pickletools``; arrays: ``numpy.ndarray.__reduce__``.
"""

import io
import math
import pickle
from typing import Any, ClassVar

import numpy as np

from facelab.errors import cut

_NUMBERS = frozenset({"b1", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"})
_OPCODES = frozenset(  # plain values, containers and memory; CALL and BUILD reach nothing but what stands below
    pickle.PROTO + pickle.FRAME + pickle.STOP + pickle.MARK + pickle.REDUCE + pickle.BUILD
    + pickle.GLOBAL + pickle.STACK_GLOBAL
    + pickle.PUT + pickle.BINPUT + pickle.LONG_BINPUT + pickle.GET + pickle.BINGET + pickle.LONG_BINGET + pickle.MEMOIZE
    + pickle.NONE + pickle.NEWTRUE + pickle.NEWFALSE + pickle.INT + pickle.BININT + pickle.BININT1 + pickle.BININT2
    + pickle.LONG + pickle.LONG1 + pickle.LONG4 + pickle.FLOAT + pickle.BINFLOAT
    + pickle.STRING + pickle.BINSTRING + pickle.SHORT_BINSTRING
    + pickle.BINBYTES + pickle.SHORT_BINBYTES + pickle.BINBYTES8 + pickle.BYTEARRAY8
    + pickle.UNICODE + pickle.BINUNICODE + pickle.SHORT_BINUNICODE + pickle.BINUNICODE8
    + pickle.EMPTY_LIST + pickle.LIST + pickle.APPEND + pickle.APPENDS
    + pickle.EMPTY_TUPLE + pickle.TUPLE + pickle.TUPLE1 + pickle.TUPLE2 + pickle.TUPLE3
)  # fmt: skip
_WORDS = {  # what a file may name, and where NumPy of any age has it
    "ndarray": ("numpy",),
    "dtype": ("numpy",),
    "_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "scalar": ("numpy.core.multiarray", "numpy._core.multiarray"),
    "_frombuffer": ("numpy.core.numeric", "numpy._core.numeric"),
    "encode": ("_codecs",),
}


def unpickle_lists(data: bytes) -> list[list[Any]]:
    """Return the lists that a pickle holds in a tuple; an array counts as a list.

    Raises:
        pickle.UnpicklingError: it names something else than numbers, text, bytes and plain arrays of them; or another
            Exception, of many kinds, where it is damaged.
    """
    return [[_value(one) for one in _value(part)] for part in _Machine(io.BytesIO(data), encoding="bytes").load()]


def _value(one: Any) -> Any:
    return one.value if isinstance(one, _Array) else one


class _Word(str):
    """A name that a file may call."""


class _Array:
    """Stands for an array, whose content comes later; an array of objects is a list."""

    value: Any = None

    def build(self, state: Any) -> None:
        _, shape, dtype, fortran, content = state
        self.value = _array(content, dtype, shape, "F" if fortran else "C")


class _Type:
    """Stands for the type of an array: its kind and size (``u1``), and the order of its bytes, which comes later."""

    order = "="

    def __init__(self, name: Any):
        self.name = name.decode("ascii") if isinstance(name, bytes) else name
        if self.name != "O8" and self.name not in _NUMBERS:
            raise pickle.UnpicklingError(f"it holds an array of type {str(self.name)[:20]!r}")

    def build(self, state: Any) -> None:
        _, order, subarray, names, fields, *_ = state
        order = order.decode("ascii") if isinstance(order, bytes) else order
        if order not in ("<", ">", "=", "|") or (subarray, names, fields) != (None, None, None):
            raise pickle.UnpicklingError("it holds an array of a type with parts")
        self.order = order.replace("|", "=")


class _Machine(pickle._Unpickler):  # the slow one
    stack: list[Any]
    dispatch: ClassVar[dict[int, Any]] = {code: pickle._Unpickler.dispatch[code] for code in _OPCODES}

    def find_class(self, module: str, name: str) -> _Word:
        if module not in _WORDS.get(name, ()):
            raise pickle.UnpicklingError(f"it asks for {cut(module)}.{cut(name)}")
        return _Word(name)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = _call(self.stack[-1], arguments)

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Array | _Type):
            raise pickle.UnpicklingError("it changes something that is no array")
        self.stack[-1].build(state)

    dispatch[pickle.REDUCE[0]], dispatch[pickle.BUILD[0]] = load_reduce, load_build


def _call(word: Any, arguments: Any) -> Any:
    if isinstance(word, _Word) and isinstance(arguments, tuple):
        match str(word), *arguments:
            case "_reconstruct", _Word(), _, _:
                return _Array()
            case "dtype", name, *_:
                return _Type(name)
            case "scalar", _Type() as dtype, content:
                return _array(content, dtype, (), "C")[()]
            case "_frombuffer", content, _Type() as dtype, shape, order:
                return _array(content, dtype, shape, order)
            case "encode", str() as text, "latin1":
                return text.encode("latin1")
    raise pickle.UnpicklingError("it calls something that makes no array")


def _array(content: Any, dtype: Any, shape: Any, order: Any) -> Any:
    sizes = tuple(shape)
    if not (
        isinstance(dtype, _Type) and order in ("C", "F") and all(type(size) is int and size >= 0 for size in sizes)
    ):
        raise pickle.UnpicklingError("it holds an array without a type or a shape")
    if dtype.name == "O8" and isinstance(content, list) and sizes == (len(content),):
        return content
    numbers = None if dtype.name == "O8" else np.dtype(dtype.order + dtype.name)
    if numbers is None or not isinstance(content, bytes | bytearray):
        raise pickle.UnpicklingError("it holds an array whose content is something else")
    if len(content) != math.prod(sizes) * numbers.itemsize:
        raise pickle.UnpicklingError(f"it holds an array with {len(content)} bytes that do not fit its shape")
    return np.frombuffer(content, numbers).reshape(sizes, order=order)


class _Wrapped:
    """Stands for an array that joblib has written behind its description."""

    value: Any = None


class _JoblibMachine(_Machine):
    dispatch: ClassVar[dict[int, Any]] = dict(_Machine.dispatch)
    for _code in (pickle.EMPTY_DICT, pickle.SETITEM, pickle.SETITEMS):
        dispatch[_code[0]] = pickle._Unpickler.dispatch[_code[0]]

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="bytes")
        self._file = file

    def find_class(self, module: str, name: str) -> _Word:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return _Word(name)
        return super().find_class(module, name)

    def load_newobj(self) -> None:
        arguments, word = self.stack.pop(), self.stack.pop()
        if word != "NumpyArrayWrapper" or arguments != ():
            raise pickle.UnpicklingError("it makes something that is no array")
        self.stack.append(_Wrapped())

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], _Wrapped):
            super().load_build()
            return
        state, dtype = self.stack.pop(), None
        dtype = state.get("dtype") if isinstance(state, dict) else None
        if not isinstance(dtype, _Type) or dtype.name == "O8":
            raise pickle.UnpicklingError("it holds an array of objects")
        shape = tuple(state["shape"])
        if state.get("numpy_array_alignment_bytes"):
            self._file.read(self._file.read(1)[0])
        if not all(type(size) is int and size >= 0 for size in shape):
            raise pickle.UnpicklingError("it holds an array without a shape")
        content = self._file.read(math.prod(shape) * np.dtype(dtype.name).itemsize)
        self.stack[-1].value = _array(content, dtype, shape, state["order"])

    dispatch[pickle.NEWOBJ[0]], dispatch[pickle.BUILD[0]] = load_newobj, load_build


def unpickle_joblib(data: bytes) -> np.ndarray:
    """Return the one array that joblib has written, not compressed (``joblib.numpy_pickle``).

    Raises:
        pickle.UnpicklingError: it names or holds something else than a plain array of numbers; or another Exception, of
            many kinds, where it is damaged.
    """
    held = _JoblibMachine(io.BytesIO(data)).load()
    if not isinstance(held, _Wrapped) or not isinstance(held.value, np.ndarray):
        raise pickle.UnpicklingError("it holds something else than an array")
    return held.value
