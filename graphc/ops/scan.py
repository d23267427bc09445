"""Running sums, products and extremes, and sorting: what goes along an axis in sequence, by hand-made kernels.

Sums and products run in the order of the axis, so their bits are defined. Sorting is stable, and NaN counts as greater
than every number.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.dtype import float32, int32, int64
from graphc.ir import TensorType
from graphc.op import Op, define_op
from graphc.ops.axes import as_int, axis_of
from graphc.ops.coerce import as_tensor, cast, common_dtype, full_like, to_dtype
from graphc.ops.elementwise import less, less_equal
from graphc.ops.functions import logaddexp
from graphc.ops.gather import gather_elements, gather_elements_, scatter_elements_add_
from graphc.ops.shape import expand_dims, narrow, swapaxes
from graphc.ops.views import concat_, flip_, reshape_, take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "argsort", "cummax", "cummin", "cumprod", "cumsum", "logcumsumexp", "searchsorted", "sort", "top_k", "topk",
]  # fmt: skip


def _scan_type(x: TensorType, *, axis: int) -> TensorType:
    if x.dtype.is_bool or not 0 <= axis < x.ndim:
        raise TypeError(f"scan: expected numbers with an axis {axis}, got {x}")
    return x


@define_op(infer=_scan_type, name="cumsum")
def cumsum_(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The sums of the elements up to and with each one along `axis`, added one by one."""
    return np.add.accumulate(x, axis, x.dtype)


@cumsum_.def_vjp
def cumsum_vjp(ct: Tensor, y: Tensor, x: Tensor, *, axis: int) -> Any:
    return (flip_(cumsum_(flip_(ct, axes=(axis,)), axis=axis), axes=(axis,)),)


cumsum_.def_kernel("cumsum")


@define_op(infer=_scan_type, name="cumprod")
def cumprod_(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The products of the elements up to and with each one along `axis`, multiplied one by one."""
    return np.multiply.accumulate(x, axis, x.dtype)


@cumprod_.def_vjp
def cumprod_vjp(ct: Tensor, y: Tensor, x: Tensor, *, axis: int) -> Any:
    """The product of the factors before an element, times what the products after it with their cotangents come to.

    Nothing is divided, so that it is right also where elements are 0.
    """
    if not x.shape[axis]:
        return (ct,)
    before = _shifted(y, full_like(take_range(y, axis, 0, 1), 1), axis)
    return (before * _recur_back(x, ct, axis),)


cumprod_.def_kernel("cumprod")


def _shifted(x: Tensor, first: Tensor, axis: int) -> Tensor:
    """`x` one place further along the axis: without its last slice, behind `first`."""
    return concat_(first, take_range(x, axis, 0, x.shape[axis] - 1), axis=axis)


def _recur_back(factors: Tensor, terms: Tensor, axis: int) -> Tensor:
    """From the end: `y[i] = factors[i + 1] * y[i + 1] + terms[i]`, the last its term."""
    backwards, axes = flip_(factors, axes=(axis,)), (axis,)
    moved = _shifted(backwards, take_range(backwards, axis, 0, 1), axis)
    return flip_(recur_(moved, flip_(terms, axes=axes), axis=axis), axes=axes)


def _recur_type(factors: TensorType, terms: TensorType, *, axis: int) -> TensorType:
    if factors != terms:
        raise ValueError(f"recur: expected factors and terms of one type, got {factors} and {terms}")
    return _scan_type(terms, axis=axis)


@define_op(infer=_recur_type, name="recur", exact=False)
def recur_(factors: np.ndarray, terms: np.ndarray, *, axis: int) -> np.ndarray:
    """`y[i] = factors[i] * y[i - 1] + terms[i]` along `axis`, one after the other; the first is its term."""
    result = np.moveaxis(terms.copy(), axis, 0)
    for step in range(1, len(result)):
        result[step] += np.moveaxis(factors, axis, 0)[step] * result[step - 1]
    return np.ascontiguousarray(np.moveaxis(result, 0, axis))


@recur_.def_vjp
def recur_vjp(ct: Tensor, y: Tensor, factors: Tensor, terms: Tensor, *, axis: int) -> Any:
    if not terms.shape[axis]:
        return full_like(factors, 0), ct
    to_terms = _recur_back(factors, ct, axis)
    return lambda: to_terms * _shifted(y, full_like(take_range(y, axis, 0, 1), 0), axis), to_terms


recur_.def_kernel("recur")


def _cumulative_position_type(x: TensorType, *, axis: int) -> TensorType:
    if not 0 <= axis < x.ndim:
        raise ValueError(f"cummax: expected an axis {axis}, got {x}")
    return TensorType(x.shape, int64)


def _cumulative_type(x: TensorType, *, axis: int) -> TensorType:
    return TensorType(_cumulative_position_type(x, axis=axis).shape, x.dtype)


def _latest(x: np.ndarray, axis: int, beats: np.ufunc) -> np.ndarray:
    """The position along the axis of the last element that nothing before it beats, up to each one."""
    rows = np.moveaxis(x, axis, 0)
    if not len(rows):
        return np.zeros(x.shape, np.int64)
    best = (np.maximum if beats is np.greater_equal else np.minimum).accumulate(rows, 0)
    better = np.ones(rows.shape, bool)
    better[1:] = beats(rows[1:], best[:-1]) | (rows[1:] != rows[1:])
    steps = np.arange(len(rows)).reshape(-1, *(1,) * (x.ndim - 1))
    return np.moveaxis(np.maximum.accumulate(np.where(better, steps, 0), 0), 0, axis)


@define_op(infer=_cumulative_position_type, name="cumargmax")
def cumargmax_(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The int64 position of the greatest element up to and with each one along `axis`: the latest of equal ones.

    NaN is greater than every number.
    """
    return _latest(x, axis, np.greater_equal)


@define_op(infer=_cumulative_position_type, name="cumargmin")
def cumargmin_(x: np.ndarray, *, axis: int) -> np.ndarray:
    """The int64 position of the smallest element, or the latest NaN, up to and with each one along `axis`."""
    return _latest(x, axis, np.less_equal)


cumargmax_.def_kernel("cumargmax")
cumargmin_.def_kernel("cumargmin")


def _extreme_so_far(name: str, positions: Op, doc: str) -> Op:
    def meaning(x: np.ndarray, *, axis: int) -> np.ndarray:
        return np.take_along_axis(x, positions.meaning(x, axis=axis), axis)

    op = define_op(infer=_cumulative_type, name=name)(meaning)
    op.__doc__ = f"The {doc} element up to and with each one along `axis`: the latest of equal ones, or of NaNs."

    @op.def_vjp
    def vjp(ct: Tensor, y: Tensor, x: Tensor, *, axis: int) -> Any:
        return (lambda: scatter_elements_add_(full_like(x, 0), positions(x, axis=axis), ct, axis=axis),)

    op.def_kernel(name)
    return op


cummax_ = _extreme_so_far("cummax", cumargmax_, "greatest")
cummin_ = _extreme_so_far("cummin", cumargmin_, "smallest")


def _argsort_type(x: TensorType, *, descending: bool) -> TensorType:
    if x.ndim == 0:
        raise ValueError(f"argsort: expected an axis to sort along, got {x}")
    return TensorType(x.shape, int64)


@define_op(infer=_argsort_type, name="argsort")
def argsort_(x: np.ndarray, *, descending: bool) -> np.ndarray:
    """The positions of the elements along the last axis in increasing (`descending`: decreasing) order.

    Equal elements keep their order; NaN is greater than every number.
    """
    if not descending:
        return np.argsort(x, -1, kind="stable")
    backwards = np.argsort(np.flip(x, -1), -1, kind="stable")  # stable from the other end: so it is after the flip
    return np.asarray(x.shape[-1] - 1 - np.flip(backwards, -1))


argsort_.def_kernel("argsort")

COMPARED = 16
"""With so many elements, or fewer, it is best to compare with each of them."""

LEADING = 1024
"""So many positions of an order can be had without the rest of it."""


def _leading_type(x: TensorType, *, count: int, descending: bool) -> TensorType:
    if x.ndim == 0 or not 0 <= count <= min(x.shape[-1], LEADING):
        raise ValueError(f"leading: expected an axis of {count} elements or more, and at most {LEADING}, got {x}")
    return TensorType((*x.shape[:-1], count), int64)


@define_op(infer=_leading_type, name="leading")
def leading_(x: np.ndarray, *, count: int, descending: bool) -> np.ndarray:
    """The first `count` (up to LEADING) of the positions that `argsort_` gives."""
    order: np.ndarray = argsort_.meaning(x, descending=descending)
    return np.ascontiguousarray(order[..., :count])


leading_.def_kernel("leading")


def _searchsorted_type(rows: TensorType, wanted: TensorType, *, right: bool) -> TensorType:
    fits = rows.ndim == wanted.ndim == 2 and rows.shape[0] == wanted.shape[0] and rows.dtype is wanted.dtype
    if not fits or (rows.dtype.wide or rows.dtype).itemsize < 4:
        raise ValueError(f"searchsorted: expected [B, N] and [B, M] of a type of 32 or 64 bits, got {rows}, {wanted}")
    return TensorType(wanted.shape, int64)


@define_op(infer=_searchsorted_type, name="searchsorted")
def searchsorted_(rows: np.ndarray, wanted: np.ndarray, *, right: bool) -> np.ndarray:
    """How many elements of each row, which is in order, are less than each one wanted of it (`right`: or equal).

    Nothing is less than NaN.
    """
    numbers = (np.sum(row == row) for row in rows)  # NaNs come last
    found = [np.searchsorted(row[:n], w, "right" if right else "left") for row, w, n in zip(rows, wanted, numbers)]
    return np.where(wanted == wanted, np.reshape(found, wanted.shape), 0).astype(np.int64)


searchsorted_.def_kernel("searchsorted")


# Functions


def cumsum(x: Any, axis: int, dtype: Any = None) -> Tensor:
    """The running sums along `axis`, in the dtype of `x` unless `dtype` is given; of bools in int64."""
    x = as_tensor("cumsum", x)
    chosen = to_dtype(dtype, int64 if x.dtype.is_bool else x.dtype)
    return cumsum_(cast(x, chosen), axis=axis_of("cumsum", axis, x.ndim))


def cumprod(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """The running products along `dim`; bools and, without `dtype`, integers of under 64 bits in int64."""
    x = as_tensor("cumprod", input)
    chosen = to_dtype(dtype, x.dtype if x.dtype.is_inexact else int64)
    return cumprod_(cast(x, chosen), axis=axis_of("cumprod", dim, x.ndim))


def logcumsumexp(input: Any, axis: int) -> Tensor:
    """The logarithm of the sums of `exp` of the elements up to and with each one along an axis, without overflow.

    Sums of 2, 4, 8, ... neighbours are made of two halves each.

    Raises:
        TypeError: no floats. ValueError: `axis` is out of range.
    """
    x = as_tensor("logcumsumexp", input)
    if not x.dtype.is_float:
        raise located(TypeError(f"logcumsumexp: expected floats, got {x.spec}"))
    axis = axis_of("logcumsumexp", axis, x.ndim)
    n, step = x.shape[axis], 1
    while step < n:
        first, last = narrow(x, axis, 0, n - step), narrow(x, axis, step, n - step)
        x = concat_(narrow(x, axis, 0, step), logaddexp(last, first), axis=axis)
        step *= 2
    return x


def cummax(input: Any, axis: int) -> tuple[Tensor, Tensor]:
    """The greatest elements up to and with each one along `axis`, and their int64 positions.

    Of equal ones the position is the latest; from a NaN on, values are NaN. The gradient goes to the positions.
    """
    return _cumulative("cummax", cummax_, cumargmax_, input, axis)


def cummin(input: Any, axis: int) -> tuple[Tensor, Tensor]:
    """The smallest elements up to and with each one along `axis`, and their int32 positions (as in MindSpore).

    See `cummax`, whose positions are int64.
    """
    values, positions = _cumulative("cummin", cummin_, cumargmin_, input, axis)
    return values, cast(positions, int32)


def _cumulative(name: str, of_values: Op, of_positions: Op, input: Any, axis: int) -> tuple[Tensor, Tensor]:
    x = as_tensor(name, input)
    axis = axis_of(name, axis, x.ndim)
    return of_values(x, axis=axis), of_positions(x, axis=axis)


def argsort(input: Any, axis: int = -1, descending: bool = False) -> Tensor:
    """The positions of the elements along `axis` in order (stable; NaN is the greatest): int32, as in MindSpore."""
    x = as_tensor("argsort", input)
    return cast(_order("argsort", x, axis, descending), int32)


def _order(name: str, x: Tensor, axis: int, descending: bool, count: int | None = None) -> Tensor:
    """The positions along `axis` in order, or the first `count` of them, in the table's int64."""
    if not isinstance(descending, (bool, np.bool_)):
        raise located(TypeError(f"{name}: descending must be a bool, got {descending!r:.60}"))
    if x.ndim == 0:
        return full_like(cast(x, int64), 0)
    axis = axis_of(name, axis, x.ndim)
    if axis != x.ndim - 1:
        return swapaxes(_order(name, swapaxes(x, axis, -1), -1, descending, count), axis, -1)
    if count is not None and count <= LEADING:
        return leading_(x, count=count, descending=bool(descending))
    order = argsort_(x, descending=bool(descending))
    return order if count is None else take_range(order, x.ndim - 1, 0, count)


def sort(input_x: Any, axis: int = -1, descending: bool = False) -> tuple[Tensor, Tensor]:
    """The elements in order along `axis`, and the int32 positions where they were (stable; NaN is the greatest)."""
    x = as_tensor("sort", input_x)
    order = _order("sort", x, axis, descending)
    if x.ndim == 0:
        return x, cast(order, int32)
    return gather_elements_(x, order, axis=axis_of("sort", axis, x.ndim)), cast(order, int32)


def topk(
    input: Any, k: int, dim: int | None = None, largest: bool = True, sorted: bool = True
) -> tuple[Tensor, Tensor]:
    """The `k` greatest (or smallest) elements along `dim` (None: the last axis), and their int32 positions.

    Args:
        sorted: they come in order; they do so either way.
    """
    x = as_tensor("topk", input)
    if x.ndim == 0:
        x = reshape_(x, shape=(1,))
    axis = axis_of("topk", -1 if dim is None else dim, x.ndim)
    k = as_int("topk", k, "k", 0)
    if k > x.shape[axis]:
        limit = f"{x.shape[axis]} (axis {axis} of {x.spec})"
        raise located(ValueError(f"topk: k must be an int from 0 to {limit}, got {k}"))
    order = _order("topk", x, axis, largest, k)
    return gather_elements_(x, order, axis=axis), cast(order, int32)


def top_k(input_x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` greatest elements along the last axis, and their int32 positions."""
    return topk(input_x, k, -1, True, sorted)


def searchsorted(
    sorted_sequence: Any, values: Any, *, out_int32: bool = False, right: bool = False, side: str | None = None,
    sorter: Any = None,
) -> Tensor:
    """Where to insert `values` so that the last axis of `sorted_sequence` stays in order.

    Args:
        sorted_sequence: a vector, or a tensor with the leading axes of `values`; increasing along its last axis.
        right: after the elements equal to it, instead of before.
        out_int32: int32 positions instead of int64.
        side: `"left"` or `"right"`, which is another way to say `right`.
        sorter: integers like `sorted_sequence`: the order in which its rows increase, as `argsort` gives it.
    Raises:
        ValueError: shapes that do not fit, another side, or `right` with side "left".
    """
    from graphc.ops.reduce import sum_over

    rows, wanted = as_tensor("searchsorted", sorted_sequence), as_tensor("searchsorted", values)
    if side not in (None, "left", "right") or (side == "left" and right):
        raise located(ValueError(f"searchsorted: side must be 'left' or 'right' and agree with right, got {side!r}"))
    right = right or side == "right"
    if sorter is not None:
        rows = gather_elements(rows, -1, sorter)
    if rows.ndim == 0 or (rows.ndim > 1 and rows.shape[:-1] != wanted.shape[:-1]):
        raise located(ValueError(f"searchsorted: {rows.spec} has no row for each row of {wanted.spec}"))
    dtype = common_dtype((rows, wanted))
    dtype = dtype if dtype.itemsize >= 4 else float32 if dtype.is_float else int32
    rows, wanted, few = cast(rows, dtype), cast(wanted, dtype), rows.shape[-1] <= COMPARED
    if few:
        boundaries = rows if rows.ndim == 1 else expand_dims(rows, -2)
        smaller = (less_equal if right else less)(boundaries, expand_dims(wanted, -1))
        return sum_over(cast(smaller, int32 if out_int32 else int64), (wanted.ndim,))
    batch = prod(rows.shape[:-1])
    own = wanted.size // batch if batch else 0
    found = searchsorted_(
        reshape_(rows, shape=(batch, rows.shape[-1])), reshape_(wanted, shape=(batch, own)), right=bool(right)
    )
    return cast(reshape_(found, shape=wanted.shape), int32 if out_int32 else int64)
