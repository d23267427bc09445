"""Polynomials, vectors of their coefficients, the highest power first."""

from __future__ import annotations

import builtins
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.numpy.creation import asarray
from graphc.numpy.shapes import concatenate
from graphc.numpy.statistics import convolve
from graphc.ops import abs as abs
from graphc.ops.axes import as_int
from graphc.ops.coerce import cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["polyadd", "polyder", "polyint", "polymul", "polysub", "polyval", "vander"]


def _coefficients(name: str, *polynomials: Any) -> list[Tensor]:
    found = [asarray(p) for p in polynomials]
    found = [p if p.ndim else ops.reshape(p, (1,)) for p in found]
    for p in found:
        if p.ndim != 1:
            raise located(ValueError(f"{name}: expected vectors of coefficients, got {p.spec}"))
    return found


def _as_long(name: str, a1: Any, a2: Any) -> list[Tensor]:
    """Both with as many coefficients as the longer one."""
    found = _coefficients(name, a1, a2)
    count = builtins.max(p.shape[0] for p in found)
    return [ops.pad(p, (count - p.shape[0], 0)) if p.shape[0] < count else p for p in found]


def polyadd(a1: Any, a2: Any) -> Tensor:
    """The sum of two polynomials."""
    x, y = _as_long("polyadd", a1, a2)
    return x + y


def polysub(a1: Any, a2: Any) -> Tensor:
    """The difference of two polynomials."""
    x, y = _as_long("polysub", a1, a2)
    return x - y


def polymul(a1: Any, a2: Any) -> Tensor:
    """The product of two polynomials."""
    x, y = _coefficients("polymul", a1, a2)
    return convolve(x, y)


def polyval(p: Any, x: Any) -> Tensor:
    """The value of a polynomial at `x`, in floats."""
    (coefficients,) = _coefficients("polyval", p)
    at = asarray(x)
    at = at if at.dtype.is_inexact else cast(at, float32)
    total = ops.zeros_like(at)
    for i in range(coefficients.shape[0]):
        total = total * at + coefficients[i]
    return total


def polyder(p: Any, m: int = 1) -> Tensor:
    """The derivative of order `m`."""
    (found,) = _coefficients("polyder", p)
    for _ in range(as_int("polyder", m, "m", 0)):
        powers = list(range(found.shape[0] - 1, 0, -1))
        found = found[:-1] * asarray(powers) if powers else found[:0]
    return found


def polyint(p: Any, m: int = 1, k: Any = None) -> Tensor:
    """The integral of order `m`, with the constants `k`, one for each order or one for all; by default 0."""
    (found,) = _coefficients("polyint", p)
    count = as_int("polyint", m, "m", 0)
    constants = list(k) if isinstance(k, (list, tuple)) else [0.0 if k is None else k]
    constants = constants * count if len(constants) == 1 else constants
    if len(constants) != count:
        raise located(ValueError(f"polyint: expected {count} constants, got {len(constants)}"))
    for constant in constants:
        powers = asarray([float(n) for n in range(found.shape[0], 0, -1)])
        found = concatenate([found / powers, ops.reshape(cast(asarray(constant), float32), (1,))])
    return found


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:  # noqa: N803 (NumPy's name)
    """The powers of a vector as columns: N - 1 to 0, or 0 to N - 1 if `increasing`; N is its length by default."""
    value = asarray(x)
    if value.ndim != 1:
        raise located(ValueError(f"vander: expected a vector, got {value.spec}"))
    count = value.shape[0] if N is None else as_int("vander", N, "N", 0)
    powers = [ops.ones_like(value)]
    for _ in range(count - 1):
        powers.append(powers[-1] * value)
    columns = powers[:count]
    if not columns:
        return ops.zeros((value.shape[0], 0), value.dtype)
    return ops.stack(columns if increasing else columns[::-1], 1)
