"""The element types of tensors: `graphc.float32` and its siblings, and the promotion between them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np


class DType:
    """The type of a tensor's elements.

    Attributes:
        name: MindSpore's name, e.g. `float32`.
        short: the name in graph text, e.g. `f32`.
        np: the NumPy dtype.
        itemsize: bytes per element.
        is_float, is_int, is_bool: its kind.
    """

    __slots__ = ("is_bool", "is_float", "is_int", "itemsize", "name", "np", "short")

    def __init__(self, name: str, short: str) -> None:
        self.name, self.short = name, short
        self.np = np.dtype(name)
        self.itemsize = self.np.itemsize
        self.is_float, self.is_int, self.is_bool = (self.np.kind in kinds for kinds in ("f", "iu", "b"))

    def __str__(self) -> str:
        return self.name.capitalize().replace("Uint", "UInt")

    def __repr__(self) -> str:
        return f"graphc.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype_of, (self.name,)


float32 = DType("float32", "f32")
float64 = DType("float64", "f64")
int32 = DType("int32", "i32")
int64 = DType("int64", "i64")
uint8 = DType("uint8", "u8")
bool_ = DType("bool", "bool")

ALL = (float32, float64, int32, int64, uint8, bool_)
_BY_NP = {d.np: d for d in ALL}
_BY_SHORT = {d.short: d for d in ALL}


def dtype_of(value: Any) -> DType:
    """The DType for a DType, a NumPy dtype or its name, or the Python types `float`, `int`, `bool`.

    Raises:
        TypeError: graphc has no such element type; the message lists those it has.
    """
    if isinstance(value, DType):
        return value
    if value is float:
        return float32
    found = None
    if value is not None:  # which NumPy takes for float64
        with suppress(TypeError):
            found = _BY_NP.get(np.dtype(value).newbyteorder("="))
    if found is None:
        raise TypeError(f"dtype: expected one of {', '.join(d.name for d in ALL)}, got {value!r}")
    return found


def from_short(short: str) -> DType:
    """The DType whose text form is `short` (`f32`)."""
    return _BY_SHORT[short]


def promote(x: DType, y: DType) -> DType:
    """The type of a binary op's result where its operands' types differ.

    A float wins over an integer (and keeps its own width: float32 with int64 is float32, as in MindSpore), the wider
    of two floats or of two signed integers wins, `uint8` gives way to signed integers, and `bool` to everything.
    """
    if x is y:
        return x
    order = (bool_, uint8, int32, int64, float32, float64)
    return max(x, y, key=order.index)


def dtype_to_nptype(type_: DType) -> type[np.generic]:
    """NumPy's scalar type of an element type: `numpy.float32` for float32."""
    return dtype_of(type_).np.type


def dtype_to_pytype(type_: DType) -> type:
    """Python's type of an element type: `float` for float32 and float64, `int` for integers, `bool`."""
    dtype = dtype_of(type_)
    return float if dtype.is_float else int if dtype.is_int else bool


def pytype_to_dtype(obj: Any) -> DType:
    """The element type that holds all values of Python's `float`, `int` or `bool`, or of a NumPy type.

    Raises:
        TypeError: there is none.
    """
    return float64 if obj is float else dtype_of(obj)


SYNONYMS: dict[str, Any] = {
    "bool": bool_, "ubyte": uint8, "int": int32, "intc": int32, "long": int64,
    "float": float32, "single": float32, "double": float64, "number_type": (int32, int64, uint8, float32, float64),
    "int_type": (int32, int64), "uint_type": (uint8,), "float_type": (float32, float64),
    "all_types": (bool_, int32, int64, uint8, float32, float64),
}  # fmt: skip
"""Other names of element types, and of groups of them, by which `graphc.dtype` gives them too."""

_ABSENT = {
    "int8", "int16", "uint16", "uint32", "uint64", "float16", "half", "bfloat16", "complex64", "complex128",
    "float8_e4m3fn", "float8_e5m2",
}  # fmt: skip


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a module lacks: it says more where the name is one of MindSpore's element types."""
    if name in _ABSENT:
        return AttributeError(f"graphc has no {name}: its element types are {', '.join(d.name for d in ALL)}")
    return AttributeError(f"module {module!r} has no attribute {name!r}")


def __getattr__(name: str) -> Any:
    if name in SYNONYMS:
        return SYNONYMS[name]
    raise missing(__name__, name)
