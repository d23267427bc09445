"""Inverses and determinants of square matrices, by Gaussian elimination with partial pivoting.

The table has `inverse`, and `lu`, whose diagonal has the determinant for its product. A matrix without
inverse is not an error: the result has infinite or NaN elements, and the determinant is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_tensor, full_like
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import abs_, equal, less, log, select, sign
from graphc.ops.linalg import matmul_
from graphc.ops.reduce import prod_, sum_over
from graphc.ops.shape import diagonal
from graphc.ops.triangles import tril, triu
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "det", "inverse", "log_matrix_determinant", "logdet", "matrix_determinant", "matrix_power",
    "slogdet",
]  # fmt: skip


def square_type(name: str) -> Callable[[TensorType], TensorType]:
    """The type rule of an op of that name: of float matrices `[..., N, N]` the type that they have."""

    def infer(x: TensorType) -> TensorType:
        if not x.dtype.is_float:
            raise TypeError(f"{name}: expected floats, got {x}")
        if x.ndim < 2 or x.shape[-1] != x.shape[-2]:
            raise ValueError(f"{name}: expected square matrices [..., N, N], got {x}")
        return x

    return infer


@define_op(infer=square_type("inverse"), exact=False, name="inverse")
def inverse_(x: np.ndarray) -> np.ndarray:
    """The inverse of each matrix `[..., N, N]`; with infinite elements or NaN where there is none."""
    return np.asarray(np.linalg.inv(x))


@inverse_.def_vjp
def inverse_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """`-y^T ct y^T`: M. Giles, "Collected matrix derivative results" (2008), 2.2.3."""
    return (-matmul_(matmul_(y, ct, transpose_a=True), y, transpose_b=True),)


inverse_.def_kernel("inverse")


@define_op(infer=square_type("lu"), exact=False, name="lu")
def lu_(x: np.ndarray) -> np.ndarray:
    """The factors L and U of each matrix `[..., N, N]` after some rows have changed places, in one: L below U.

    The diagonal of L, which is 1, is left out. Of two rows that change places the one that moves down changes its sign
    too, so that the product of the diagonal of U is the determinant of `x`.
    """
    result = np.array(x, copy=True)
    if not x.size:
        return result
    for m in result.reshape(-1, *x.shape[-2:]):
        for k in range(len(m)):
            pivot = k + int(np.argmax(np.abs(m[k:, k])))
            if pivot != k:
                m[[k, pivot]] = m[[pivot, k]]
                m[pivot] = -m[pivot]
            m[k + 1 :, k] = m[k + 1 :, k] / m[k, k] if m[k, k] else 0
            m[k + 1 :, k + 1 :] -= np.outer(m[k + 1 :, k], m[k, k + 1 :])
    return result


@lu_.def_vjp
def lu_vjp(ct: Tensor, y: Tensor, x: Tensor) -> Any:
    """`P^T L^-T (tril(L^T dL, -1) + triu(dU U^T)) U^-T` for `P x = L U`, with `P^T L^-T = x^-T U^T`.

    S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2010), proposition 6.
    """
    upper = triu(y)
    row, column = row_and_column(y.shape)
    lower = select(less(column, row), y, select(less(row, column), full_like(y, 0), full_like(y, 1)))
    inner = tril(matmul_(lower, tril(ct, -1), transpose_a=True), -1) + triu(matmul_(triu(ct), upper, transpose_b=True))
    outer = matmul_(matmul_(upper, inner, transpose_a=True), inverse_(upper), transpose_b=True)
    return (matmul_(inverse_(x), outer, transpose_a=True),)


lu_.def_kernel("lu")


def _diagonal(x: Tensor) -> Tensor:
    """The diagonal of U, whose product is the determinant."""
    return diagonal(lu_(x), 0, -2, -1)


def inverse(input: Any) -> Tensor:
    """The inverse of square matrices.

    Args:
        input: floats `[..., N, N]`.
    Returns:
        `[..., N, N]`; elements are infinite or NaN where a matrix has no inverse.
    Raises:
        TypeError: `input` is not of floats.
        ValueError: the last two dimensions differ, or are not there.
    """
    return inverse_(as_tensor("inverse", input))


def det(input: Any) -> Tensor:
    """The determinant of square matrices, floats `[..., N, N]`, in the shape `[...]`.

    Its gradient needs the inverse: it is not finite where the determinant is 0.
    """
    found = _diagonal(_checked("det", input))
    return prod_(found, run=(found.ndim - 1, found.ndim))


def slogdet(input: Any) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, and the logarithm of its size (-inf for 0), of floats `[..., N, N]`."""
    found = _diagonal(_checked("slogdet", input))
    signs = prod_(sign(found), run=(found.ndim - 1, found.ndim))
    return signs, sum_over(log(abs_(found)), (found.ndim - 1,))


def logdet(input: Any) -> Tensor:
    """The logarithm of the determinant of floats `[..., N, N]`; NaN where it is negative."""
    signs, size = slogdet(input)
    return select(less(signs, 0), float("nan"), size)


def matrix_determinant(input: Any) -> Tensor:
    """As `det`."""
    return det(input)


def log_matrix_determinant(input: Any) -> tuple[Tensor, Tensor]:
    """As `slogdet`."""
    return slogdet(input)


def matrix_power(input: Any, n: int) -> Tensor:
    """Square matrices multiplied by themselves: the identity for `n` 0, powers of the inverse for `n` < 0.

    Args:
        input: floats `[..., N, N]`.
        n: an int.
    """
    x = _checked("matrix_power", input)
    n = as_int("matrix_power", n, "n")
    if n == 0:
        row, column = row_and_column(x.shape)
        return select(equal(row, column), full_like(x, 1), full_like(x, 0))
    factor, rest, result = (inverse_(x) if n < 0 else x), abs(n), None
    while True:
        if rest % 2:
            result = factor if result is None else matmul_(result, factor)
        rest //= 2
        if not rest:
            assert result is not None
            return result
        factor = matmul_(factor, factor)


def _checked(name: str, input: Any) -> Tensor:
    x = as_tensor(name, input)
    try:
        square_type(name)(x.spec)
    except (TypeError, ValueError) as error:
        raise located(error) from None
    return x
