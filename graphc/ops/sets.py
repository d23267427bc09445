"""Counts, runs and choices of elements, and matrices laid out from vectors: what takes a few ops of the table."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from graphc.dtype import float64, int64
from graphc.ops.axes import as_int, axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, common_dtype, scalar
from graphc.ops.creation import arange
from graphc.ops.elementwise import div, equal, floor, greater_equal, less, less_equal, logical_and, mul, pow_, select
from graphc.ops.gather import gather_, scatter_add_
from graphc.ops.linalg import outer
from graphc.ops.reduce import amax, amin
from graphc.ops.selection import takes_no_note, with_value
from graphc.ops.shape import concat, expand_dims, reshape
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "aminmax", "block_diag", "combinations", "ger", "histc", "unique_consecutive", "vander",
]  # fmt: skip


def aminmax(input: Any, *, axis: int | None = 0, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The smallest and the greatest elements along an axis (None: of all); NaN if any is NaN."""
    x = as_tensor("aminmax", input)
    along = axis if x.ndim else None
    return amin(x, along, keepdims), amax(x, along, keepdims)


def histc(input: Any, bins: int = 100, min: float = 0.0, max: float = 0.0) -> Tensor:
    """How many elements lie in each of `bins` intervals of equal width, in the dtype of `input`.

    An element on a bound counts in the interval above it, one at the last bound in the last. NaN counts nowhere.

    Args:
        input: tensor of any shape.
        bins: the number of intervals.
        min, max: the ends of the intervals; elements beyond them do not count. Where both are 0, they are the smallest
            and the greatest element; where they are equal, the intervals go from 1 below to 1 above.
    Returns:
        `[bins]`.
    Raises:
        TypeError: `input` is of bools.
        ValueError: `bins` is less than 1, or `min` is greater than `max`.
    """
    x = as_tensor("histc", input)
    if x.dtype.is_bool:
        raise located(TypeError(f"histc: expected numbers, got {x.spec}"))
    bins = as_int("histc", bins, "bins", 1)
    if min > max:
        raise located(ValueError(f"histc: min must not be greater than max, got {min} and {max}"))
    values = reshape(cast(x, float64 if x.dtype.is_int else x.dtype), (x.size,))
    low, high = (scalar(end, values.dtype) for end in (min, max))
    if min == max == 0 and x.size:
        low, high = amin(values), amax(values)
    flat = equal(low, high)
    low, high = select(flat, low - 1, low), select(flat, high + 1, high)
    inside = logical_and(greater_equal(values, low), less_equal(values, high))
    place = cast(floor(div(mul(values - low, bins), high - low)), int64)
    place = select(less(place, bins), place, bins - 1)
    return scatter_add_(
        broadcast(scalar(0, x.dtype), (bins,)), select(inside, place, 0), cast(inside, x.dtype)
    )  # fmt: skip


def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The elements without those that are equal to the one before them. Eager mode only: how many depends on values.

    Args:
        input: tensor.
        return_inverse: give, for each element, the int64 position of its own in the result, too.
        return_counts: give, for each element of the result, its int64 number of equal ones in a row, too.
        dim: the axis whose slices are compared; None: the elements of the flat tensor.
    Returns:
        The result: a vector, or `input` with fewer slices along `dim`; with either option a tuple that starts with it.
        The positions have the shape of `input`, or are a vector with `dim`.
    """
    x = as_tensor("unique_consecutive", input)
    axis = 0 if dim is None else axis_of("unique_consecutive", dim, x.ndim)
    rows = reshape(x, (x.size,)) if dim is None else x
    values = np.moveaxis(with_value("unique_consecutive", rows), axis, 0)
    fresh = np.ones(len(values), bool)
    if values.ndim == 1:
        np.not_equal(values[1:], values[:-1], out=fresh[1:])
    else:
        fresh[1:] = (values[1:] != values[:-1]).any(axis=tuple(range(1, values.ndim)))
    starts = np.flatnonzero(fresh)
    if takes_no_note():
        found = [Tensor.wrap(np.moveaxis(values, 0, axis).take(starts, axis))]
    else:
        found = [gather_(rows, Tensor.wrap(starts), axis=axis)]
    if return_inverse:
        positions = np.cumsum(fresh) - 1
        found.append(Tensor(positions.reshape(x.shape) if dim is None else positions))
    if return_counts:
        found.append(Tensor(np.diff(np.append(starts, len(values)))))
    return tuple(found) if len(found) > 1 else found[0]


def ger(input: Any, vec2: Any) -> Tensor:
    """As `outer`: `[M]` and `[N]` to their products `[M, N]`."""
    return outer(input, vec2)


def vander(x: Any, N: int | None = None) -> Tensor:  # noqa: N803 (MindSpore's name)
    """The powers of the elements of a vector from N - 1 down to 0, each in a column: `[M]` to `[M, N]`.

    Args:
        x: vector; bools and integers become int64.
        N: the number of columns; by default as many as rows.
    Raises:
        ValueError: `x` is no vector, or `N` is less than 1.
    """
    vector = as_tensor("vander", x)
    if vector.ndim != 1:
        raise located(ValueError(f"vander: expected a vector, got {vector.spec}"))
    count = vector.size if N is None else as_int("vander", N, "N", 1)
    vector = cast(vector, vector.dtype if vector.dtype.is_float else int64)
    return pow_(expand_dims(vector, 1), cast(arange(count - 1, -1, -1), vector.dtype))


def block_diag(*inputs: Any) -> Tensor:
    """A matrix with the tensors along its diagonal, one after the other, and 0 elsewhere.

    Args:
        inputs: tensors of at most 2 dimensions; vectors and scalars are rows.
    Returns:
        Matrix of the dtype that they promote to.
    Raises:
        ValueError: there are none, or one has more dimensions.
    """
    if not inputs:
        raise located(ValueError("block_diag: expected at least one tensor"))
    tensors = [as_tensor("block_diag", t) for t in inputs]
    if any(t.ndim > 2 for t in tensors):
        shown = ", ".join(str(t.spec) for t in tensors)
        raise located(ValueError(f"block_diag: expected tensors of at most 2 dimensions, got {shown}"))
    dtype = common_dtype(tuple(tensors))
    blocks = [reshape(cast(t, dtype), (1,) * (2 - t.ndim) + t.shape) for t in tensors]
    width, before, rows = sum(m.shape[1] for m in blocks), 0, []
    for m in blocks:
        sides = [broadcast(scalar(0, dtype), (m.shape[0], n)) for n in (before, width - before - m.shape[1])]
        rows.append(concat([sides[0], m, sides[1]], 1))
        before += m.shape[1]
    return concat(rows, 0)


def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Tensor:
    """All choices of `r` elements of a vector, in its order, each as a row: `[count, r]`.

    Args:
        input: vector.
        r: how many elements a choice has.
        with_replacement: an element may be chosen more than once.
    Raises:
        ValueError: `input` is no vector, or `r` is less than 1.
    """
    x = as_tensor("combinations", input)
    if x.ndim != 1:
        raise located(ValueError(f"combinations: expected a vector, got {x.spec}"))
    r = as_int("combinations", r, "r", 1)
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    positions = np.array(list(choose(range(x.size), r)), np.int64).reshape(-1, r)
    return gather_(x, Tensor(positions), axis=0)
