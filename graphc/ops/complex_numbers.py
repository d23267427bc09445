"""Complex numbers: their parts, sizes and directions, and how they are made of such."""

from __future__ import annotations

from typing import Any

from graphc.ops import complex_rules
from graphc.ops.coerce import as_float, as_tensor, full_like
from graphc.ops.complex_parts import complex_, conjugate, imag_, real_
from graphc.ops.elementwise import atan2
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["angle", "complex", "conj", "imag", "is_complex", "isreal", "polar", "real", "view_as_real"]


def complex(input: Any, other: Any) -> Tensor:
    """The complex numbers of these real and imaginary parts, which broadcast.

    Args:
        input, other: real tensors or numbers.
    Returns:
        complex128 if a part is float64, else complex64.
    Raises:
        TypeError: a part is complex itself.
    """
    parts = [as_tensor("complex", part) for part in (input, other)]
    if any(part.dtype.is_complex for part in parts):
        raise located(TypeError(f"complex: expected real parts, got {' and '.join(str(part.spec) for part in parts)}"))
    return complex_(*parts)


def polar(abs: Any, angle: Any) -> Tensor:
    """The complex numbers of these sizes and directions (radians): `abs * exp(i * angle)`."""
    return complex_rules.polar(as_float("polar", abs), as_float("polar", angle))


def real(input: Any) -> Tensor:
    """The real part; of a real tensor itself."""
    x = as_tensor("real", input)
    return real_(x) if x.dtype.is_complex else x


def imag(input: Any) -> Tensor:
    """The imaginary part; of a real tensor zeros."""
    x = as_tensor("imag", input)
    return imag_(x) if x.dtype.is_complex else full_like(x, 0)


def conj(input: Any) -> Tensor:
    """The complex number with the other sign of its imaginary part; of a real tensor itself."""
    return conjugate(as_tensor("conj", input))


def angle(input: Any) -> Tensor:
    """The direction in radians, in [-pi, pi]: of real numbers 0, of negative ones pi."""
    x = as_float("angle", input)
    return complex_rules.direction(x) if x.dtype.is_complex else atan2(full_like(x, 0), x)


def view_as_real(input: Any) -> Tensor:
    """The parts of complex numbers `[...]` side by side, `[..., 2]`.

    Raises:
        TypeError: they are not complex.
    """
    x = as_tensor("view_as_real", input)
    if not x.dtype.is_complex:
        raise located(TypeError(f"view_as_real: expected complex numbers, got {x.spec}"))
    return complex_rules.to_parts(x)


def is_complex(input: Any) -> bool:
    """Whether the dtype is complex."""
    return as_tensor("is_complex", input).dtype.is_complex


def isreal(input: Any) -> Tensor:
    """Whether the imaginary part of an element is 0: bool; of a real tensor it is."""
    return imag(input) == 0
