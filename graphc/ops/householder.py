"""Reflections that make a matrix triangular, as LAPACK keeps them: `geqrf`, and `orgqr` and `ormqr` of what it gives.

Reflection k is `I - tau[k] v v^T`; v is 0 before position k, 1 there, and then what column k has below its diagonal.
"""

from __future__ import annotations

from typing import Any

from graphc.ops.coerce import as_tensor, broadcast, widely
from graphc.ops.creation import arange, eye
from graphc.ops.elementwise import equal, greater, greater_equal, less, select, sqrt, square
from graphc.ops.linalg import matrices
from graphc.ops.reduce import sum_over
from graphc.ops.shape import expand_dims, stack
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["geqrf", "orgqr", "ormqr"]


def _matrices(name: str, input: Any) -> Tensor:
    x = as_tensor(name, input)
    if not x.dtype.is_float or x.ndim < 2:
        raise located(TypeError(f"{name}: expected matrices of floats [..., M, N], got {x.spec}"))
    return x


def _reflected(x: Tensor, v: Tensor, tau: Tensor) -> Tensor:
    """`(I - tau v v^T) x` of matrices `[..., M, N]`, for v `[..., M]` and tau `[...]`."""
    column = expand_dims(v, -1)
    return x - column * expand_dims(expand_dims(tau, -1), -1) * matrices("reflection", expand_dims(v, -2), x)


@widely
def geqrf(input: Any) -> tuple[Tensor, Tensor]:
    """A matrix made triangular by reflections: R and, below it, their vectors; and their factors tau.

    Args:
        input: `[..., M, N]`, floats. Its steps are as many as rows or columns and stand in a graph one by one.
    Returns:
        `[..., M, N]` and `[..., min(M, N)]`.
    """
    x = _matrices("geqrf", input)
    rows, columns = x.shape[-2:]
    place = arange(rows)
    found, factors = [], []
    for k in range(min(rows, columns)):
        column = x[..., k]
        pivot = column[..., k]
        below = greater(place, k)
        rest = select(below, column, 0.0)
        beyond = sum_over(square(rest), (rest.ndim - 1,))
        nothing = equal(beyond, 0.0)  # no reflection is needed
        length = sqrt(select(nothing, 1.0, square(pivot) + beyond))
        corner = select(greater_equal(pivot, 0.0), -length, length)
        tau = select(nothing, 0.0, (corner - pivot) / corner)
        scale = select(nothing, 0.0, 1.0 / select(nothing, 1.0, pivot - corner))
        v = rest * expand_dims(scale, -1)
        x = _reflected(x, select(equal(place, k), 1.0, v), tau)
        found.append(select(below, v, x[..., k]))
        factors.append(tau)
    if not found:
        return x, x.new_zeros((*x.shape[:-2], 0))
    rest_of_rows = [x[..., k] for k in range(len(found), columns)]
    return stack([*found, *rest_of_rows], -1), stack(factors, -1)


def _vectors(name: str, input: Any, tau: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
    """The matrices, the factors, and the vectors `[..., M]` of the reflections."""
    x, factors = _matrices(name, input), as_tensor(name, tau)
    fits = factors.ndim == x.ndim - 1 and factors.shape[:-1] == x.shape[:-2] and factors.dtype is x.dtype
    if not fits or factors.shape[-1] > min(x.shape[-2:]):
        raise located(ValueError(f"{name}: expected [..., M, N] with factors [..., K], K <= M, N, got {x.spec} and "
                                 f"{factors.spec}"))
    place = arange(x.shape[-2])
    vectors = [
        select(less(place, k), 0.0, select(equal(place, k), 1.0, x[..., k])) for k in range(factors.shape[-1])
    ]
    return x, factors, vectors


@widely
def orgqr(input: Any, input2: Any) -> Tensor:
    """The first N columns of the product of the reflections that `geqrf` gives.

    Args:
        input: `[..., M, N]`, M >= N, whose columns hold the vectors.
        input2: the factors `[..., K]`, K <= N.
    Returns:
        `[..., M, N]`.
    """
    x, factors, vectors = _vectors("orgqr", input, input2)
    rows, columns = x.shape[-2:]
    if columns > rows:
        raise located(ValueError(f"orgqr: expected at least as many rows as columns, got {x.spec}"))
    result = broadcast(eye(rows, columns, x.dtype), x.shape)
    for k in reversed(range(len(vectors))):
        result = _reflected(result, vectors[k], factors[..., k])
    return result


@widely
def ormqr(input: Any, tau: Any, other: Any, left: bool = True, transpose: bool = False) -> Tensor:
    """The product of `other` with Q, the product of the reflections that `geqrf` gives.

    Args:
        input: `[..., M, N]`, whose columns hold the vectors.
        tau: the factors `[..., K]`, K <= M, N.
        other: `[..., M, P]`, or `[..., P, M]` if Q is on the right.
        left: `Q @ other` rather than `other @ Q`.
        transpose: Q's transpose in place of Q.
    """
    x, factors, vectors = _vectors("ormqr", input, tau)
    matrix = _matrices("ormqr", other)
    turned = matrix if left else matrix.swapaxes(-1, -2)
    if turned.shape[:-1] != x.shape[:-1] or matrix.dtype is not x.dtype:
        side = "rows" if left else "columns"
        raise located(ValueError(f"ormqr: expected as many {side} as the rows of {x.spec}, got {matrix.spec}"))
    order = range(len(vectors)) if left == transpose else reversed(range(len(vectors)))
    for k in order:
        turned = _reflected(turned, vectors[k], factors[..., k])
    return turned if left else turned.swapaxes(-1, -2)
