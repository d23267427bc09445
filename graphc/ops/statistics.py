"""Ranks, quantiles, covariances and norms of slices: what takes a few ops of the table."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import int32, int64
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, scalar, to_dtype, to_float
from graphc.ops.complex_parts import conjugate
from graphc.ops.elementwise import (
    add,
    div,
    equal,
    floor,
    greater,
    isfinite,
    isnan,
    less,
    logical_and,
    logical_not,
    maximum,
    minimum,
    mul,
    select,
    sub,
)
from graphc.ops.gather import gather, gather_elements
from graphc.ops.linalg import matmul
from graphc.ops.reduce import amax, amin, norm, sum_over
from graphc.ops.scan import argsort_, searchsorted
from graphc.ops.shape import expand_dims, moveaxis, reshape, swapaxes
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "bucketize", "cov", "intopk", "kthvalue", "matrix_norm", "nanmedian", "nanquantile", "pdist", "quantile", "renorm",
    "trapz", "vector_norm",
]  # fmt: skip


def _in_rows(name: str, input: Any, axis: int | None) -> tuple[Tensor, int, tuple[int, ...]]:
    """Floats with the axis last (all axes as one for None), where the axis was, and the other extents around it."""
    x = as_tensor(name, input)
    x = cast(x, to_float(x.dtype))
    if axis is None or x.ndim == 0:
        return reshape(x, (x.size,)), 0, ()
    at = axis_of(name, axis, x.ndim)
    return moveaxis(x, at, -1), at, x.shape


def quantile(input: Any, q: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The values below which the parts `q` of the elements lie, between two elements by linear interpolation.

    Args:
        input: floats.
        q: a number in [0, 1], or a vector of them `[Q]`.
        axis: the axis to rank along; None: all elements.
        keepdims: leave the axis with extent 1.
    Returns:
        As a reduction of `input`; for a vector `q` with an axis `[Q]` in front. NaN where an element is NaN.
    """
    return _quantile("quantile", input, q, axis, keepdims, ignore=False)


def nanquantile(input: Any, q: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """As `quantile`, of the elements that are not NaN; NaN where there is none."""
    return _quantile("nanquantile", input, q, axis, keepdims, ignore=True)


def _quantile(name: str, input: Any, q: Any, axis: int | None, keepdims: bool, ignore: bool) -> Tensor:
    rows, at, shape = _in_rows(name, input, axis)
    x = as_tensor(name, input)
    parts = cast(q, rows.dtype) if isinstance(q, Tensor) else Tensor(q, rows.dtype)
    if parts.ndim > 1 or not rows.shape[-1]:
        raise located(ValueError(f"{name}: expected elements and a number or a vector q, got {x.spec}, {parts.spec}"))
    if not isinstance(q, Tensor) and not all(0 <= p <= 1 for p in np.atleast_1d(q)):
        raise located(ValueError(f"{name}: q must be in [0, 1], got {q!r}"))
    unknown = isnan(rows)
    order = argsort_(rows, descending=False)  # NaN is the greatest
    ranked = gather_elements(rows, -1, order)
    known = cast(sum_over(cast(logical_not(unknown), int64), (rows.ndim - 1,), True), rows.dtype)
    last = maximum(known - 1, 0.0) if ignore else broadcast(scalar(rows.shape[-1] - 1.0, rows.dtype), known.shape)
    many = reshape(parts, (parts.size,))
    place = mul(last, broadcast(many, (*known.shape[:-1], parts.size)))
    below = floor(place)
    low = gather_elements(ranked, -1, cast(below, int64))
    high = gather_elements(ranked, -1, cast(minimum(below + 1, last), int64))
    value = add(low, mul(sub(high, low), sub(place, below)))
    value = select(equal(low, high), low, value)  # of infinities
    spoilt = equal(known, 0.0) if ignore else less(known, float(rows.shape[-1]))
    value = select(spoilt, float("nan"), value)
    value = moveaxis(value, -1, 0)  # [Q, other extents]
    if keepdims:
        ones = (1,) * x.ndim if not shape else (*shape[:at], 1, *shape[at + 1 :])
        value = reshape(value, (parts.size, *ones))
    return value if parts.ndim else reshape(value, value.shape[1:])


def nanmedian(input: Any, axis: int = -1, keepdims: bool = False) -> tuple[Tensor, Tensor]:
    """The median (the lower one of an even number) of the elements that are not NaN, and its int64 position."""
    rows, at, shape = _in_rows("nanmedian", input, axis)
    order = argsort_(rows, descending=False)
    known = sum_over(cast(logical_not(isnan(rows)), int64), (rows.ndim - 1,), True)
    return _ranked(rows, at, shape, order, maximum((known - 1) // 2, 0), keepdims)


def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> tuple[Tensor, Tensor]:
    """The k-th smallest element along an axis (k from 1), and its int64 position.

    Raises:
        ValueError: there are no k elements.
    """
    x = as_tensor("kthvalue", input)
    at, shape = (axis_of("kthvalue", dim, x.ndim), x.shape) if x.ndim else (0, ())
    rows = moveaxis(x, at, -1) if x.ndim else reshape(x, (1,))
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= rows.shape[-1]:
        raise located(ValueError(f"kthvalue: k must be in 1 to {rows.shape[-1]}, got {k!r}"))
    rank = broadcast(scalar(k - 1, int64), (*rows.shape[:-1], 1))
    return _ranked(rows, at, shape, argsort_(rows, descending=False), rank, keepdim)


def _ranked(
    rows: Tensor, at: int, shape: tuple[int, ...], order: Tensor, rank: Tensor, keep: bool
) -> tuple[Tensor, Tensor]:
    """The elements of a rank in each row, and their positions."""
    place = gather_elements(order, -1, rank)
    value = gather_elements(rows, -1, place)
    kept = (1,) * len(shape) if not shape else (*shape[:at], *(1,) * keep, *shape[at + 1 :])
    return reshape(value, kept), reshape(place, kept)


def bucketize(input: Any, boundaries: Any, *, right: bool = False) -> Tensor:
    """The int32 number of the interval that each element lies in: 0 below the first boundary.

    Args:
        input: tensor.
        boundaries: increasing numbers: a list or a vector.
        right: an element on a boundary belongs to the interval above it.
    """
    return searchsorted(boundaries, input, out_int32=True, right=right)


def intopk(x1: Any, x2: Any, k: int) -> Tensor:
    """Whether the score of each sample's class is among the `k` greatest: `[N, C]` and classes `[N]` to bools `[N]`.

    Scores equal to it do not count against it; a score that is not finite is not among them.
    """
    scores, classes = as_tensor("intopk", x1), as_tensor("intopk", x2)
    if scores.ndim != 2 or classes.shape != scores.shape[:1]:
        raise located(ValueError(f"intopk: expected [N, C] and [N], got {scores.spec} and {classes.spec}"))
    own = gather_elements(scores, 1, expand_dims(classes, 1))
    above = sum_over(cast(greater(scores, own), int32), (1,))
    return logical_and(less(above, k), reshape(isfinite(own), classes.shape))


def trapz(y: Any, x: Any = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The area under points along an axis, by trapezia.

    Args:
        y: heights.
        x: where they are, of the shape of `y` or a vector along `dim`; by default `dx` apart.
    """
    heights = as_tensor("trapz", y)
    heights = cast(heights, to_float(heights.dtype))
    at = axis_of("trapz", dim, heights.ndim)
    count = heights.shape[at] - 1
    if count < 1:
        return sum_over(mul(heights, 0), (at,))
    means = div(add(heights.narrow(at, 1, count), heights.narrow(at, 0, count)), 2.0)
    if x is None:
        return sum_over(mul(means, dx), (at,))
    places = cast(as_tensor("trapz", x), heights.dtype)
    if places.ndim == 1:
        places = reshape(places, (-1, *(1,) * (heights.ndim - 1 - at)))
    along = at - heights.ndim
    steps = sub(places.narrow(along, 1, count), places.narrow(along, 0, count))
    return sum_over(mul(means, steps), (at,))


def cov(input: Any, *, correction: int = 1, fweights: Any = None, aweights: Any = None) -> Tensor:
    """The covariances of the rows of a matrix, each an observed quantity: `[M, N]` to `[M, M]`; of a vector a scalar.

    Args:
        correction: what the divisor is less than the number (or weight) of observations.
        fweights: how often each observation counts: integers `[N]`.
        aweights: how much each observation counts: floats `[N]`.
    """
    x = as_tensor("cov", input)
    if x.ndim > 2:
        raise located(ValueError(f"cov: expected at most two dimensions, got {x.spec}"))
    rows = reshape(cast(x, to_float(x.dtype)), x.shape if x.ndim == 2 else (1, x.size))
    count = rows.shape[1]
    weights = [cast(as_tensor("cov", w), rows.dtype) for w in (fweights, aweights) if w is not None]
    if any(w.shape != (count,) for w in weights):
        raise located(ValueError(f"cov: expected weights of {count} observations, got {weights[0].spec}"))
    if not weights:
        centred = sub(rows, div(sum_over(rows, (1,), True), count))
        return _covariances(centred, centred, max(count - correction, 0), x.ndim)
    each = mul(*weights) if len(weights) == 2 else weights[0]
    total = sum_over(each, (0,))
    centred = sub(rows, div(sum_over(mul(rows, each), (1,), True), total))
    if aweights is None:
        divisor = sub(total, correction)
    else:
        divisor = sub(total, div(mul(sum_over(mul(each, weights[-1]), (0,)), correction), total))
    return _covariances(mul(centred, each), centred, maximum(divisor, 0.0), x.ndim)


def _covariances(weighted: Tensor, centred: Tensor, divisor: Any, ndim: int) -> Tensor:
    found = div(matmul(weighted, swapaxes(conjugate(centred), 0, 1)), divisor)
    return found if ndim == 2 else reshape(found, ())


def pdist(input: Any, p: float = 2.0) -> Tensor:
    """The distances, by norm `p`, of each row of `[N, M]` from those after it: `[N * (N - 1) / 2]`."""
    x = as_tensor("pdist", input)
    if x.ndim != 2:
        raise located(ValueError(f"pdist: expected [N, M], got {x.spec}"))
    first, second = np.triu_indices(x.shape[0], 1)
    return norm(sub(gather(x, Tensor(first), 0), gather(x, Tensor(second), 0)), p, -1)


def renorm(input: Any, p: float, axis: int, maxnorm: float) -> Tensor:
    """`input` with those of its slices along `axis` whose norm `p` is above `maxnorm` scaled down to it."""
    x = as_tensor("renorm", input)
    at = axis_of("renorm", axis, x.ndim)
    slices = reshape(moveaxis(x, at, 0), (x.shape[at], -1))
    lengths = norm(slices, p, 1, True)
    scale = select(greater(lengths, maxnorm), div(maxnorm, add(lengths, 1e-7)), 1.0)
    return moveaxis(reshape(mul(slices, scale), moveaxis(x, at, 0).shape), 0, at)


def vector_norm(x: Any, ord: Any = 2, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm `ord` of the elements over the axes (None: all) as one vector.

    Args:
        ord: a number, `inf`, `-inf`, or 0 (how many are not 0).
        dtype: the dtype to compute in.
    """
    value = as_tensor("vector_norm", x)
    value = cast(value, to_dtype(dtype, to_float(value.dtype)))
    chosen = range(value.ndim) if axis is None else as_ints("vector_norm", axis, "axis")
    axes = sorted(axis_of("vector_norm", a, value.ndim) for a in chosen)
    rest = [n for d, n in enumerate(value.shape) if d not in axes]
    rows = reshape(moveaxis(value, axes, list(range(-len(axes), 0))), (*rest, -1)) if axes else expand_dims(value, -1)
    found = norm(rows, float(ord), -1)
    return reshape(found, tuple(1 if d in axes else n for d, n in enumerate(value.shape)) if keepdims else tuple(rest))


def matrix_norm(
    A: Any, ord: Any = "fro", axis: Any = (-2, -1), keepdims: bool = False, *, dtype: Any = None,  # noqa: N803
) -> Tensor:
    """The norm of matrices over two axes: `"fro"`, `"nuc"`, 1, -1, 2, -2, `inf` or `-inf`; see `norm`."""
    return norm(A, ord, tuple(as_ints("matrix_norm", axis, "axis")), keepdims, dtype=dtype)


def peak_to_peak(self: Tensor, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The greatest element less the smallest over the axes (None: all)."""
    return sub(amax(self, axis, keepdims), amin(self, axis, keepdims))
