"""The element types of tensors: `graphc.float32` and its siblings, and the promotion between them."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import ml_dtypes
import numpy as np


class DType:
    """The type of a tensor's elements.

    Attributes:
        name: MindSpore's name, e.g. `float32`.
        short: the name in graph text, e.g. `f32`.
        np: the NumPy dtype.
        itemsize: bytes per element.
        kind: NumPy's letter for a float, an integer with a sign or without one, a bool and a complex number: `f`, `i`,
            `u`, `b`, `c`. The array's own is another for bfloat16, which NumPy does not know for a float.
        is_float, is_int, is_bool, is_complex: what kind it is.
        is_inexact: whether it is a float or complex, and so has derivatives.
        wide: the type that ops compute in, whose results are rounded (of integers wrapped) to this one; of a complex
            type that of its real and imaginary part; None for those that are computed in as they are.
    """

    __slots__ = (
        "is_bool", "is_complex", "is_float", "is_inexact", "is_int", "itemsize", "kind", "name", "np", "short", "wide",
    )  # fmt: skip

    def __init__(self, name: str, short: str, wide: DType | None = None, of: type[np.generic] | None = None) -> None:
        """`of` is NumPy's scalar type where NumPy itself has none of the name."""
        self.name, self.short, self.wide = name, short, wide
        self.np = np.dtype(of or name)
        self.itemsize = self.np.itemsize
        self.kind = "f" if of else self.np.kind
        kinds = ("f", "iu", "b", "c", "fc")
        self.is_float, self.is_int, self.is_bool, self.is_complex, self.is_inexact = (self.kind in k for k in kinds)

    def __str__(self) -> str:
        return self.name.capitalize().replace("Uint", "UInt").replace("Bf", "BF")

    def __repr__(self) -> str:
        return f"graphc.{self.name}"

    def __reduce__(self) -> tuple[Any, ...]:
        return dtype_of, (self.name,)


Type = DType  # MindSpore's name of the class

float32 = DType("float32", "f32")
float64 = DType("float64", "f64")
int32 = DType("int32", "i32")
int64 = DType("int64", "i64")
uint8 = DType("uint8", "u8")
bool_ = DType("bool", "bool")
float16 = DType("float16", "f16", float32)
bfloat16 = DType("bfloat16", "bf16", float32, ml_dtypes.bfloat16)
int8 = DType("int8", "i8", int32)
int16 = DType("int16", "i16", int32)
uint16 = DType("uint16", "u16", int32)
uint32 = DType("uint32", "u32", int64)
complex64 = DType("complex64", "c64", float32)
complex128 = DType("complex128", "c128", float64)

ALL = (
    float32, float64, float16, bfloat16, int32, int64, int8, int16, uint8, uint16, uint32, bool_, complex64, complex128,
)  # fmt: skip
_BY_NP = {d.np: d for d in ALL}
_BY_SHORT = {d.short: d for d in ALL}


def dtype_of(value: Any) -> DType:
    """The DType for a DType, a NumPy dtype or its name, or the Python types `float`, `int`, `bool`, `complex`.

    Raises:
        TypeError: graphc has no such element type; the message lists those it has.
    """
    if isinstance(value, DType):
        return value
    if value is float:
        return float32
    found = None
    if value is not None:  # which NumPy takes for float64
        with suppress(TypeError, ValueError):
            found = _BY_NP.get(np.dtype(value).newbyteorder("="))
    if found is None:
        raise TypeError(f"dtype: expected one of {', '.join(d.name for d in ALL)}, got {value!r:.80}")
    return found


def float_info(dtype: DType) -> Any:
    """What `numpy.finfo` says of a float type (`eps`, `tiny`, `max`), also of one that NumPy does not know."""
    return ml_dtypes.finfo(dtype.np)  # type: ignore[no-untyped-call]


def finite_limits(dtype: DType) -> tuple[float, float]:
    """The least and the greatest finite number of a type; of integers, as ints."""
    if dtype.is_float:
        limits = float_info(dtype)
        return float(limits.min), float(limits.max)
    return int(np.iinfo(dtype.np).min), int(np.iinfo(dtype.np).max)


def from_short(short: str) -> DType:
    """The DType whose text form is `short` (`f32`)."""
    return _BY_SHORT[short]


def promote(x: DType, y: DType) -> DType:
    """The type of a binary op's result where its operands' types differ.

    A float wins over an integer (and keeps its own width: float16 with int64 is float16, as in MindSpore), the wider
    of two floats wins (float16 and bfloat16 make float32), of two integers the least type that holds both, and `bool`
    gives way to everything. A complex type wins over all others; what its parts are follows from these rules.
    """
    if x is y:
        return x
    if x.is_complex or y.is_complex:
        return complex_of(promote(part_of(x), part_of(y)))
    if x.is_float != y.is_float:
        return x if x.is_float else y
    if x.is_float and x.itemsize == y.itemsize:  # neither holds the other's numbers
        return x.wide or x
    return _BY_NP[np.promote_types(x.np, y.np)]


def sum_type(dtype: DType) -> DType:
    """The type of a sum of products of two numbers of a type: float32 of bfloat16, whose products it holds exactly."""
    return float32 if dtype is bfloat16 else dtype


def part_of(dtype: DType) -> DType:
    """The type of the real part: of a real type itself."""
    return dtype.wide or dtype if dtype.is_complex else dtype


def complex_of(dtype: DType) -> DType:
    """The complex type of which numbers of a real type are parts: complex128 for float64, otherwise complex64."""
    return complex128 if part_of(dtype) is float64 else complex64


def dtype_to_nptype(type_: DType) -> type[np.generic]:
    """NumPy's scalar type of an element type: `numpy.float32` for float32."""
    return dtype_of(type_).np.type


def dtype_to_pytype(type_: DType) -> type:
    """Python's type of an element type: `float` for float32 and float64, `int` for integers, `bool`, `complex`."""
    dtype = dtype_of(type_)
    if dtype.is_complex:
        return complex
    return float if dtype.is_float else int if dtype.is_int else bool


def pytype_to_dtype(obj: Any) -> DType:
    """The element type that holds all values of Python's `float`, `int`, `bool` or `complex`, or of a NumPy type.

    Raises:
        TypeError: there is none.
    """
    return float64 if obj is float else dtype_of(obj)


_LETTERS = {"int": "i", "uint": "u", "float": "f", "complex": "c"}
_KINDS = {name: tuple(d for d in ALL if d.kind == kind) for name, kind in _LETTERS.items()}

SYNONYMS: dict[str, Any] = {
    "bool": bool_, "byte": int8, "ubyte": uint8, "short": int16, "ushort": uint16, "int": int32, "int_": int64,
    "intc": int32, "uint": uint32, "uintc": uint32, "long": int64, "half": float16, "float": float32, "single": float32,
    "double": float64, "number_type": sum(_KINDS.values(), ()),
    "int_type": _KINDS["int"], "uint_type": _KINDS["uint"], "float_type": _KINDS["float"],
    "complex_type": _KINDS["complex"], "all_types": ALL,
}  # fmt: skip
"""Other names of element types, and of groups of them, by which `graphc.dtype` gives them too."""

_ABSENT = {"uint64", "float8_e4m3fn", "float8_e5m2"}


def missing(module: str, name: str) -> AttributeError:
    """The error for a name that a module lacks: it says more where the name is one of MindSpore's element types."""
    if name in _ABSENT:
        return AttributeError(f"graphc has no {name}: its element types are {', '.join(d.name for d in ALL)}")
    return AttributeError(f"module {module!r} has no attribute {name!r}")


def __getattr__(name: str) -> Any:
    if name in SYNONYMS:
        return SYNONYMS[name]
    raise missing(__name__, name)
