"""Reductions: sum, prod, max, min, any, all and the positions of extremes; and what is made of them.

A reduction of the table reduces the axes `run = (lo, hi)`, that is lo, lo + 1, ..., hi - 1, as one axis in row-major
order; the result does not have them. A reduction over axes that are apart is several, the last run first. So the order
in which floats are added follows from shapes alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import prod as product
from typing import Any

import numpy as np

from graphc.dtype import DType, bool_, int32, int64
from graphc.ir import TensorType
from graphc.op import MOST_TERMS, TABLE, Filled, Op, define_op
from graphc.ops.axes import as_ints, axes_of, axis_of
from graphc.ops.coerce import as_tensor, cast, full_like, scalar, to_dtype, to_float, widely
from graphc.ops.complex_parts import squares
from graphc.ops.elementwise import (
    abs_,
    equal,
    exp,
    isfinite,
    log,
    maximum,
    minimum,
    not_equal,
    pow,
    select,
    sqrt,
    square,
    stop_gradient,
)
from graphc.ops.gather import gather_elements_
from graphc.ops.scan import argsort_, cumprod_
from graphc.ops.shape import concat, moveaxis, reshape
from graphc.ops.views import broadcast_to_, flip_, reshape_, take_range, unravel
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmax_with_value", "argmin", "argmin_with_value", "count_nonzero",
    "logsumexp", "max", "mean", "median", "min", "norm", "prod", "reduce_mean", "reduce_sum", "std", "std_mean", "sum",
    "var", "var_mean",
]  # fmt: skip

Run = tuple[int, int]


# The table


def _reduced(
    name: str, allowed: Callable[[DType], bool], wanted: str, result: DType | None = None, empty: bool = True
) -> Callable[..., TensorType]:
    def infer(x: TensorType, *, run: Run) -> TensorType:
        lo, hi = run
        if not allowed(x.dtype):
            raise TypeError(f"{name}: expected {wanted}, got {x}")
        if not 0 <= lo <= hi <= x.ndim:
            raise ValueError(f"{name}: axes {lo} to {hi} are out of range for {x}")
        if not empty and 0 in x.shape[lo:hi]:
            raise ValueError(f"{name}: no elements to choose from, axes {lo} to {hi} of {x}")
        return TensorType(x.shape[:lo] + x.shape[hi:], result or x.dtype)

    return infer


def _merged(x: np.ndarray, run: Run) -> np.ndarray:
    """`x` with the axes of the run as one, the last."""
    lo, hi = run
    count = product(x.shape[lo:hi])
    return np.moveaxis(x.reshape(*x.shape[:lo], count, *x.shape[hi:]), lo, -1)


def _reduction(
    name: str, meaning: Callable[..., Any], infer: Callable[..., TensorType], exact: bool, what: str
) -> Op:
    def over_run(x: np.ndarray, *, run: Run) -> np.ndarray:
        return np.asarray(meaning(_merged(x, run)))

    op = define_op(infer=infer, exact=exact, traits="reduction", name=name)(over_run)
    op.__doc__ = f"{what} the axes lo to hi - 1, `run = (lo, hi)`, which the result does not have."

    @op.def_lower
    def lower(b: Any, index: Any, x: Any, *, run: Run) -> Any:
        lo, hi = run
        extents = x.shape[lo:hi]
        reduce = getattr(b, name)
        return reduce(product(extents), lambda k: x([*index[:lo], *unravel(k, extents), *index[lo:]]))

    @op.def_filled
    def filled(x: TensorType, *, run: Run) -> Filled | None:
        lo, hi = run
        if name not in _NEUTRAL or product(x.shape[lo:hi]) > MOST_TERMS:
            return None
        shape = product(x.shape[:lo]), product(x.shape[lo:hi]), product(x.shape[hi:])
        return Filled((shape,), (_NEUTRAL[name](x.dtype),), {"run": (1, 2)})

    return op


def _number(dtype: DType) -> bool:
    return not dtype.is_bool


def _any(dtype: DType) -> bool:
    return True


def _is_bool(dtype: DType) -> bool:
    return dtype.is_bool


# name: (meaning over the last axis, type rule, whether exact, what it is)
_REDUCTIONS: dict[str, tuple[Callable[..., Any], Callable[..., TensorType], bool, str]] = {
    "sum": (lambda x: x.sum(-1, dtype=x.dtype), _reduced("sum", _number, "numbers"), False, "The sum over"),
    "prod": (lambda x: x.prod(-1, dtype=x.dtype), _reduced("prod", _number, "numbers"), False, "The product over"),
    "max": (lambda x: x.max(-1), _reduced("max", _any, "", empty=False), False, "The greatest element, or NaN, over"),
    "min": (lambda x: x.min(-1), _reduced("min", _any, "", empty=False), False, "The smallest element, or NaN, over"),
    "any": (lambda x: x.any(-1), _reduced("any", _is_bool, "bools"), True, "Whether any element is true over"),
    "all": (lambda x: x.all(-1), _reduced("all", _is_bool, "bools"), True, "Whether all elements are true over"),
    "argmax": (
        lambda x: x.argmax(-1), _reduced("argmax", _any, "", int64, empty=False), True,
        "The row-major position of the first greatest element, or NaN, over",
    ),
    "argmin": (
        lambda x: x.argmin(-1), _reduced("argmin", _any, "", int64, empty=False), True,
        "The row-major position of the first smallest element, or NaN, over",
    ),
}  # fmt: skip

_NEUTRAL: dict[str, Callable[[DType], Any]] = {
    "sum": lambda dtype: 0,
    "prod": lambda dtype: 1,
    "max": lambda dtype: _extremes(dtype)[0],
    "min": lambda dtype: _extremes(dtype)[1],
}
"""What a further element must be to make no difference."""


def _extremes(dtype: DType) -> tuple[Any, Any]:
    """The least and the greatest element."""
    if dtype.is_float:
        return -math.inf, math.inf
    return (False, True) if dtype.is_bool else (np.iinfo(dtype.np).min, np.iinfo(dtype.np).max)


sum_, prod_, max_, min_, any_, all_, argmax_, argmin_ = (_reduction(name, *row) for name, row in _REDUCTIONS.items())


def spread(y: Tensor, shape: tuple[int, ...], run: Run) -> Tensor:
    """A reduction's result, repeated along the axes that it had lost."""
    lo, hi = run
    kept = reshape_(y, shape=(*shape[:lo], *(1,) * (hi - lo), *shape[hi:]))
    return broadcast_to_(kept, shape=shape)


@sum_.def_vjp
def sum_vjp(ct: Tensor, y: Tensor, x: Tensor, *, run: Run) -> Any:
    return (spread(ct, x.shape, run),)


@max_.def_vjp
@min_.def_vjp
def extreme_vjp(ct: Tensor, y: Tensor, x: Tensor, *, run: Run) -> Any:
    """An equal share for each of the elements that are the extreme one."""
    chosen = equal(x, spread(y, x.shape, run))
    share = ct / sum_(cast(chosen, ct.dtype), run=run)
    return (select(chosen, spread(share, x.shape, run), full_like(x, 0)),)


# Over any axes


def _runs(axes: tuple[int, ...]) -> list[Run]:
    """Increasing axes as runs of neighbours, the last first."""
    runs: list[Run] = []
    for axis in axes:
        if runs and runs[-1][1] == axis:
            runs[-1] = (runs[-1][0], axis + 1)
        else:
            runs.append((axis, axis + 1))
    return runs[::-1]


def reduce_over(op: Op, x: Tensor, axes: tuple[int, ...], keep: bool = False) -> Tensor:
    """`op` over increasing `axes`; `keep` leaves them with extent 1.

    Raises:
        TypeError: `keep`, the public functions' `keepdims`, is no bool.
    """
    _check_keep(op.name, keep)
    result = x
    for run in _runs(axes):
        result = op(result, run=run)
    if keep and axes:
        result = reshape_(result, shape=tuple(1 if d in axes else n for d, n in enumerate(x.shape)))
    return result


def _check_keep(name: str, keep: Any) -> None:
    if keep is not True and keep is not False and not isinstance(keep, np.bool_):
        raise located(TypeError(f"{name}: keepdims must be a bool, got {keep!r:.60}"))


def sum_over(x: Tensor, axes: tuple[int, ...], keep: bool = False) -> Tensor:
    """The sum over increasing `axes`."""
    return reduce_over(sum_, x, axes, keep)


@prod_.def_vjp
def prod_vjp(ct: Tensor, y: Tensor, x: Tensor, *, run: Run) -> Any:
    """The cotangent times the products of the elements before and of those after, so that zeros do no harm."""
    lo, hi = run
    count = product(x.shape[lo:hi])
    flat = reshape_(x, shape=(*x.shape[:lo], count, *x.shape[hi:]))
    one = full_like(take_range(flat, lo, 0, 1 if count else 0), 1)

    def before(rows: Tensor) -> Tensor:
        return concat([one, take_range(cumprod_(rows, axis=lo), lo, 0, count - 1 if count else 0)], lo)

    after = flip_(before(flip_(flat, axes=(lo,))), axes=(lo,))
    others = reshape_(before(flat) * after, shape=x.shape)
    return (spread(ct, x.shape, run) * others,)


# Functions: sums and products


def sum(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over the axes `dim` (an int, several, or None for all).

    Args:
        input: tensor; bools and integers are summed in int64.
        keepdim: leave the axes with extent 1.
        dtype: the dtype to sum in.
    """
    x = as_tensor("sum", input)
    return sum_over(cast(x, to_dtype(dtype, _wide(x.dtype))), axes_of("sum", dim, x.ndim), keepdim)


def prod(input: Any, axis: Any = None, keep_dims: bool = False, dtype: Any = None) -> Tensor:
    """The product over the axes: see `sum`; bools and integers are multiplied in int64 unless `dtype` is given."""
    x = as_tensor("prod", input)
    return reduce_over(prod_, cast(x, to_dtype(dtype, _wide(x.dtype))), axes_of("prod", axis, x.ndim), keep_dims)


def _wide(dtype: DType) -> DType:
    return dtype if dtype.is_inexact else int64


@widely
def mean(x: Any, axis: Any = None, keep_dims: bool = False) -> Tensor:
    """The mean over the axes: the sum divided by how many.

    Args:
        x: tensor of any type.
        axis: an int, several, or None for all.
        keep_dims: leave these axes with extent 1.
    Returns:
        Tensor in the float type of `x`; float32 of bools and integers.
    Raises:
        TypeError, ValueError: an axis is no int, out of range, or named twice.
    """
    operand = as_tensor("mean", x)
    axes = axes_of("mean", axis, operand.ndim)
    total = sum_over(cast(operand, to_float(operand.dtype)), axes, keep_dims)
    return total / product(operand.shape[a] for a in axes)


def reduce_sum(x: Any, axis: Any = ()) -> Tensor:
    """The sum over the axes (all for `()`), in the dtype of `x`."""
    x = as_tensor("reduce_sum", x)
    return sum(x, axis, dtype=int64 if x.dtype.is_bool else x.dtype)


@widely
def reduce_mean(x: Any, axis: Any = ()) -> Tensor:
    """The mean over the axes (all for `()`)."""
    return mean(x, axis)


@widely
def var(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes: the sum of the squared distances from the mean, divided by the count less `ddof`.

    Args:
        input, axis, keepdims: as in `mean`.
        ddof: an int or a bool: 0 for the variance of these numbers, 1 for an estimate of where they were drawn from.
    Returns:
        Tensor in the float type of `input`, or of its parts; float32 of bools and integers.
    """
    x = as_tensor("var", input)
    x = cast(x, to_float(x.dtype))
    axes = axes_of("var", axis, x.ndim)
    count = product(x.shape[a] for a in axes) - int(ddof)
    return sum_over(squares(x - mean(x, axes, True)), axes, keepdims) / count if axes else full_like(squares(x), 0)


@widely
def std(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes: the square root of `var`, with its arguments; where it is 0, so is its
    derivative."""
    return _root(var(input, axis, ddof, keepdims), sqrt)


@widely
def var_mean(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The pair of `var` and `mean`, with the arguments of `var`."""
    return var(input, axis, ddof, keepdims), mean(input, axis, keepdims)


@widely
def std_mean(input: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The pair of `std` and `mean`, with the arguments of `var`."""
    return std(input, axis, ddof, keepdims), mean(input, axis, keepdims)


@widely
def logsumexp(input: Any, dim: Any, keepdim: bool = False) -> Tensor:
    """`log(sum(exp(input)))` over the axes, without overflow: the greatest element is taken out first."""
    x = as_tensor("logsumexp", input)
    x = cast(x, to_float(x.dtype))
    axes = axes_of("logsumexp", dim, x.ndim)
    top = stop_gradient(reduce_over(max_, x, axes, True))
    shift = select(isfinite(top), top, 0.0)
    total = log(sum_over(exp(x - shift), axes, True)) + shift
    return total if keepdim else reshape(total, tuple(n for d, n in enumerate(x.shape) if d not in axes))


def count_nonzero(x: Any, axis: Any = (), keep_dims: bool = False, dtype: Any = None) -> Tensor:
    """How many elements are not 0.

    Args:
        x: tensor of any type.
        axis: over which axes they are counted; all for `()`.
        keep_dims: leave these axes with extent 1.
        dtype: of the result, int32 by default.
    """
    x = as_tensor("count_nonzero", x)
    chosen = to_dtype(dtype, int32)
    return sum_over(cast(not_equal(x, 0), chosen), axes_of("count_nonzero", axis, x.ndim), keep_dims)


# Functions: truth


def any(input: Any, axis: Any = None, keep_dims: bool = False) -> Tensor:
    """Whether any element over the axes is true (not 0)."""
    x = as_tensor("any", input)
    return reduce_over(any_, cast(x, bool_), axes_of("any", axis, x.ndim), keep_dims)


def all(input: Any, axis: Any = None, keep_dims: bool = False) -> Tensor:
    """Whether all elements over the axes are true (not 0)."""
    x = as_tensor("all", input)
    return reduce_over(all_, cast(x, bool_), axes_of("all", axis, x.ndim), keep_dims)


# Functions: extremes


def amax(input: Any, axis: Any = None, keepdims: bool = False, *, initial: Any = None, where: Any = None) -> Tensor:
    """The greatest element over the axes (None: all), NaN if any is NaN.

    Args:
        initial: a number that takes part too.
        where: a bool tensor that says which elements take part; it needs `initial`.
    """
    return _extreme("amax", max_, maximum, input, axis, keepdims, initial, where)


def amin(input: Any, axis: Any = None, keepdims: bool = False, *, initial: Any = None, where: Any = None) -> Tensor:
    """The smallest element over the axes; see `amax`."""
    return _extreme("amin", min_, minimum, input, axis, keepdims, initial, where)


def max(input: Any, axis: int | None = None, keepdims: bool = False, *, initial: Any = None, where: Any = None) -> Any:
    """The pair `(values, indices)`: the greatest elements along an axis, and where they are.

    Args:
        axis: an int: `indices` are the int64 positions of the first greatest elements, and the gradient goes to these;
            or None: the greatest element of all, and 0 for its index, both `[]` whatever `keepdims`, as in MindSpore.
        keepdims, initial, where: as `amax`.
    """
    if axis is None:
        return amax(input, None, initial=initial, where=where), scalar(0, int64)
    return _with_position("max", argmax_, maximum, input, axis, keepdims, initial, where)


def min(input: Any, axis: int | None = None, keepdims: bool = False, *, initial: Any = None, where: Any = None) -> Any:
    """The pair `(values, indices)` of the smallest elements along an axis; see `max`."""
    if axis is None:
        return amin(input, None, initial=initial, where=where), scalar(0, int64)
    return _with_position("min", argmin_, minimum, input, axis, keepdims, initial, where)


def _chosen(name: str, input: Any, initial: Any, where: Any) -> Tensor:
    """The elements that take part; `initial` in place of the others."""
    x = as_tensor(name, input)
    if where is None:
        return x
    if initial is None:
        raise located(ValueError(f"{name}: where needs initial, the result where it leaves no element"))
    return select(where, x, initial)


def _extreme(
    name: str, op: Op, join: Op, input: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Tensor:
    x = _chosen(name, input, initial, where)
    result = reduce_over(op, x, axes_of(name, axis, x.ndim), keepdims)
    return result if initial is None else join(result, initial)


def _with_position(
    name: str, op: Op, join: Op, input: Any, axis: int, keepdims: bool, initial: Any, where: Any
) -> tuple[Tensor, Tensor]:
    _check_keep(name, keepdims)
    x = _chosen(name, input, initial, where)
    axis = axis_of(name, axis, x.ndim or 1)
    flat = reshape(x, x.shape or (1,))
    positions = reduce_over(op, flat, (axis,), True)
    values = gather_elements_(flat, positions, axis=axis)
    values = values if initial is None else join(values, initial)
    kept = flat.shape[:axis] + (1,) * (keepdims and x.ndim > 0) + flat.shape[axis + 1 :]
    return reshape(values, kept), reshape(positions, kept)


def argmax_with_value(input: Any, axis: int = 0, keep_dims: bool = False) -> tuple[Tensor, Tensor]:
    """The int64 positions of the first greatest elements along an axis, and these elements."""
    values, positions = max(input, axis, keep_dims)
    return positions, values


def argmin_with_value(input: Any, axis: int = 0, keep_dims: bool = False) -> tuple[Tensor, Tensor]:
    """The int64 positions of the first smallest elements along an axis, and these elements."""
    values, positions = min(input, axis, keep_dims)
    return positions, values


def argmax(input: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The int64 position of the first greatest element (or NaN) along `dim`; None: in the flat tensor."""
    return _position("argmax", argmax_, input, dim, keepdim)


def argmin(input: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The int32 position (as in MindSpore; `argmax` gives int64) of the first smallest element (or NaN) along `axis`.

    None: in the flat tensor.
    """
    return cast(_position("argmin", argmin_, input, axis, keepdims), int32)


def _position(name: str, op: Op, input: Any, axis: int | None, keep: bool) -> Tensor:
    x = as_tensor(name, input)
    axes = axes_of(name, None, x.ndim) if axis is None or x.ndim == 0 else (axis_of(name, axis, x.ndim),)
    return reduce_over(op, x, axes, keep)


def median(input: Any, axis: int = -1, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The median (the lower one of an even number) along an axis, and its int64 position."""
    x = as_tensor("median", input)
    axis = axis_of("median", axis, x.ndim or 1)
    flat = reshape(x, x.shape or (1,))
    order = argsort_(moveaxis(flat, axis, -1), descending=False)
    middle = moveaxis(take_range(order, flat.ndim - 1, (flat.shape[axis] - 1) // 2, 1), -1, axis)
    values = gather_elements_(flat, middle, axis=axis)
    kept = flat.shape[:axis] + (1,) * (keepdims and x.ndim > 0) + flat.shape[axis + 1 :]
    return reshape(values, kept), reshape(middle, kept)


# Functions: norms


@widely
def norm(
    A: Any, ord: Any = None, dim: Any = None, keepdim: bool = False, *, dtype: Any = None,  # noqa: N803 (MindSpore's name)
) -> Tensor:
    """The norm of vectors or matrices.

    Args:
        A: tensor.
        ord: None (the 2-norm of all elements); for one axis a number p, `inf`, `-inf` or 0 (how many are not 0); for
            two axes `"fro"`, 1, -1, `inf` or `-inf` (greatest or smallest sum of absolute values of columns or rows),
            2, -2 (greatest or smallest singular value) or `"nuc"` (their sum).
        dim: the axis of vectors, the two axes of matrices, or None: all axes.
        keepdim: leave the axes with extent 1.
        dtype: the dtype to compute in.
    Raises:
        ValueError: an `ord` that does not fit the axes.
    """
    x = as_tensor("norm", A)
    x = cast(x, to_dtype(dtype, to_float(x.dtype)))
    x = abs_(x) if x.dtype.is_complex and ord not in (2, -2, "nuc") else x
    axes = tuple(range(x.ndim)) if dim is None else tuple(axis_of("norm", a, x.ndim) for a in as_ints("norm", dim))
    if ord is None or (ord == "fro" and len(axes) == 2):
        return _root_of_squares(x, tuple(sorted(axes)), keepdim)
    if len(axes) == 1 and not isinstance(ord, str):
        return _vector_norm(x, float(ord), axes, keepdim)
    if len(axes) == 2 and not isinstance(ord, str) and abs(ord) in (1, math.inf):
        rows, columns = axes
        inner, outer = (rows, columns) if abs(ord) == 1 else (columns, rows)
        extreme = max_ if ord > 0 else min_
        sums = sum_over(abs_(x), (inner,), True)
        result = reduce_over(extreme, sums, (outer,), True)
        return result if keepdim else reshape(result, tuple(n for d, n in enumerate(x.shape) if d not in axes))
    if len(axes) == 2 and ord in (2, -2, "nuc"):
        result = _of_singular_values(moveaxis(x, axes, (-2, -1)), ord)
        return reshape(result, tuple(1 if d in axes else n for d, n in enumerate(x.shape))) if keepdim else result
    raise located(ValueError(f"norm: ord {ord!r} is not available over axes {axes} of {x.spec}"))


def _of_singular_values(x: Tensor, ord: Any) -> Tensor:
    """The sum of the singular values of matrices, the greatest (2) or the smallest."""
    found = TABLE["svd"](x)  # which stands on matrix products, and they on this module
    found = take_range(found, x.ndim - 1, x.shape[-2], 1)
    values = reshape(found, found.shape[:-1])
    if ord == "nuc":
        return sum_over(values, (values.ndim - 1,))
    count = values.shape[-1]
    if not count:
        raise located(ValueError(f"norm: matrices without elements have no singular values, got {x.spec}"))
    one = take_range(values, values.ndim - 1, 0 if ord == 2 else count - 1, 1)
    return reshape(one, one.shape[:-1])


def _vector_norm(x: Tensor, p: float, axes: tuple[int, ...], keep: bool) -> Tensor:
    if p == 2:
        return _root_of_squares(x, axes, keep)
    if p == 0:
        return sum_over(cast(not_equal(x, 0), x.dtype), axes, keep)
    size = abs_(x)
    if math.isinf(p):
        return reduce_over(max_ if p > 0 else min_, size, axes, keep)
    if p == 1:
        return sum_over(size, axes, keep)
    total = sum_over(pow(size, p), axes, keep)
    return _root(total, lambda t: pow(t, 1 / p)) if p > 0 else pow(total, 1 / p)


def _root_of_squares(x: Tensor, axes: tuple[int, ...], keep: bool) -> Tensor:
    return _root(sum_over(square(x), axes, keep), sqrt)


def _root(total: Tensor, root: Callable[[Tensor], Tensor]) -> Tensor:
    """A root of sums of powers; its derivative at 0 is 0, where that of the root alone is infinite."""
    zero = equal(total, 0)
    return select(zero, total, root(select(zero, 1.0, total)))
