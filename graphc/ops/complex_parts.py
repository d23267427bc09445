"""The table's three ops on complex numbers: `complex` puts a real and an imaginary part together, `real` and `imag`
take them apart again.

Everything else that is done with complex numbers is done with their parts (`graphc.ops.complex_rules`); so kernels
never see one, and a derivative is one of real functions. The cotangent of a complex tensor is complex too: its parts
are the derivatives by the real and by the imaginary part, as in PyTorch. So a step against it makes a real loss less.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dtype import DType, complex_of, float32, float64
from graphc.ir import TensorType
from graphc.op import Later, define_op
from graphc.ops.coerce import agree, full_like
from graphc.ops.elementwise import add, neg, square
from graphc.tensor import Tensor


def _complex_type(re: TensorType, im: TensorType) -> TensorType:
    if re != im or re.dtype not in (float32, float64):
        raise TypeError(f"complex: expected a real and an imaginary part of one float type, got {re} and {im}")
    return TensorType(re.shape, complex_of(re.dtype))


def _of_parts(dtype: DType) -> DType:
    return dtype if dtype is float64 else float32


@define_op(infer=_complex_type, coerce=agree("complex", _of_parts), traits="moves", name="complex")
def complex_(re: np.ndarray, im: np.ndarray) -> np.ndarray:
    """The complex numbers of these real and imaginary parts: complex128 of float64, else complex64."""
    made = np.empty(re.shape, complex_of(_FLOATS[re.dtype]).np)
    made.real, made.imag = re, im
    return made


_FLOATS = {float32.np: float32, float64.np: float64}


def _part_type(name: str) -> Callable[[TensorType], TensorType]:
    def infer(x: TensorType) -> TensorType:
        if x.dtype.wide is None or not x.dtype.is_complex:
            raise TypeError(f"{name}: expected complex numbers, got {x}")
        return TensorType(x.shape, x.dtype.wide)

    return infer


@define_op(infer=_part_type("real"), traits="moves", name="real")
def real_(x: np.ndarray) -> np.ndarray:
    """The real part of every complex number."""
    return x.real


@define_op(infer=_part_type("imag"), traits="moves", name="imag")
def imag_(x: np.ndarray) -> np.ndarray:
    """The imaginary part of every complex number."""
    return x.imag


@complex_.def_vjp
def complex_vjp(ct: Tensor, z: Tensor, re: Tensor, im: Tensor) -> Any:
    return lambda: real_(ct), lambda: imag_(ct)


@real_.def_vjp
def real_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    return (Later(_as_part, (ct,), {"imaginary": False}, _as_parts),)


@imag_.def_vjp
def imag_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    return (Later(_as_part, (ct,), {"imaginary": True}, _as_parts),)


def _as_part(ct: Tensor, *, imaginary: bool) -> Tensor:
    """A complex number of which one part is given, and the other 0."""
    return complex_(full_like(ct, 0), ct) if imaginary else complex_(ct, full_like(ct, 0))


def _as_parts(cts: Sequence[Later]) -> Tensor:
    """The sum of such numbers: of each part by itself, so that no zeros are added."""
    sums: dict[bool, Tensor] = {}
    for ct in reversed(cts):
        (value,), imaginary = ct.operands, ct.attrs["imaginary"]
        sums[imaginary] = sums[imaginary] + value if imaginary in sums else value
    either = next(iter(sums.values()))
    return complex_(*(sums[part] if part in sums else full_like(either, 0) for part in (False, True)))


def conjugate(x: Tensor) -> Tensor:
    """The complex numbers with the other sign of the imaginary part; of a real tensor itself."""
    return complex_(real_(x), neg(imag_(x))) if x.dtype.is_complex else x


def squares(x: Tensor) -> Tensor:
    """The squares of the absolute values: real numbers."""
    return add(square(real_(x)), square(imag_(x))) if x.dtype.is_complex else square(x)
