"""Statistics, of which some leave out NaN; histograms; series: differences, integrals, filters, interpolation."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy

from graphc import ops
from graphc.dtype import float32, int32
from graphc.numpy.creation import array, asarray
from graphc.numpy.dtypes import to
from graphc.numpy.reductions import max as greatest
from graphc.numpy.reductions import min as smallest
from graphc.numpy.reductions import sum as total
from graphc.numpy.shapes import atleast_2d, concatenate, ravel
from graphc.ops import abs as abs
from graphc.ops.axes import as_ints
from graphc.ops.coerce import cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "convolve", "corrcoef", "correlate", "cov", "cumprod", "digitize", "ediff1d", "gradient", "histogram",
    "histogram2d", "histogram_bin_edges", "histogramdd", "interp", "nancumsum", "nanmax", "nanmean", "nanmin", "nanstd",
    "nanvar", "searchsorted", "sometrue", "trapz", "unwrap",
]  # fmt: skip


def _floats(x: Any) -> Tensor:
    value = asarray(x)
    return value if value.dtype.is_float else cast(value, float32)


# Without NaN


def _filled(a: Any, value: float) -> Tensor:
    x = asarray(a)
    return ops.where(ops.isnan(x), value, x) if x.dtype.is_inexact else x


def nanmax(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The greatest element over the axes that is not NaN; -inf where all are."""
    return to(greatest(_filled(a, -math.inf), axis, keepdims), dtype)


def nanmin(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest element over the axes that is not NaN; inf where all are."""
    return to(smallest(_filled(a, math.inf), axis, keepdims), dtype)


def _counted(x: Tensor, axis: Any, keepdims: bool) -> Tensor:
    return total(cast(ops.logical_not(ops.isnan(x)), x.dtype), axis, None, keepdims)


def nanmean(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The mean over the axes of what is not NaN; NaN where all is."""
    x = _floats(a)
    return to(total(_filled(x, 0.0), axis, None, keepdims) / _counted(x, axis, keepdims), dtype)


def nanvar(a: Any, axis: Any = None, dtype: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes of what is not NaN; the divisor is their count less `ddof`."""
    x = _floats(a)
    apart = _filled(ops.square(x - nanmean(x, axis, None, True)), 0.0)
    return to(total(apart, axis, None, keepdims) / (_counted(x, axis, keepdims) - ddof), dtype)


def nanstd(a: Any, axis: Any = None, dtype: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes of what is not NaN; see `nanvar`."""
    return to(ops.sqrt(nanvar(a, axis, None, ddof, keepdims)), dtype)


def _running(function: Any, a: Any, axis: int | None, dtype: Any) -> Tensor:
    x = to(asarray(a), dtype)
    x = x if x.dtype.is_float or x.dtype.itemsize >= 4 else cast(x, int32)
    result: Tensor = function(ravel(x) if axis is None else x, 0 if axis is None else axis, x.dtype)
    return result


def nancumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The sums up to and with each element along an axis, where NaN counts as 0; by default of the flat tensor."""
    return _running(ops.cumsum, _filled(a, 0.0), axis, dtype)


def cumprod(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The products up to and with each element along an axis, by default of the flat tensor."""
    return _running(ops.cumprod, a, axis, dtype)


def sometrue(a: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether any element over the axes is not 0."""
    x = asarray(a)
    return ops.any(ops.not_equal(x, 0), tuple(range(x.ndim)) if axis is None else axis, keepdims)


# Of several variables


def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None, fweights: Any = None,
    aweights: Any = None, dtype: Any = None,
) -> Tensor:
    """The covariances of variables, the rows of `m` and `y` (the columns unless `rowvar`).

    Args:
        bias: divide by the count instead of one less; `ddof`, if given, says by how much less.
        fweights: how often each observation is there, integers; aweights: how much each counts.
    """
    x = _floats(m)
    rows = x if rowvar or x.ndim < 2 else ops.swapaxes(x, 0, 1)
    if y is not None:
        other = _floats(y)
        rows = concatenate([atleast_2d(rows), atleast_2d(other if rowvar or other.ndim < 2 else other.T)])
    less = ddof if ddof is not None else 0 if bias else 1
    weights = (None if w is None else asarray(w) for w in (fweights, aweights))
    counts, shares = weights
    return to(ops.cov(rows, correction=less, fweights=counts, aweights=shares), dtype)


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, dtype: Any = None) -> Tensor:
    """The correlations of variables, as `cov` takes them."""
    found = cov(x, y, rowvar)
    if not found.ndim:
        return to(found / found, dtype)
    spread = ops.sqrt(ops.diagonal(found))
    return to(found / ops.expand_dims(spread, 1) / ops.expand_dims(spread, 0), dtype)


# Histograms


def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Tensor:
    """The edges of `bins` bins of equal width over `range`, by default from the smallest to the greatest element.

    Args:
        bins: how many, or the edges themselves.
        weights: changes nothing: edges do not depend on it.
    """
    if not isinstance(bins, int):
        return cast(asarray(bins), float32)
    if bins < 1:
        raise located(ValueError(f"histogram: bins must be positive, got {bins}"))
    if range is None:
        values = _floats(a)
        low, high = (smallest(values), greatest(values)) if values.size else (asarray(0.0), asarray(1.0))
    else:
        low, high = asarray(float(range[0])), asarray(float(range[1]))
    even = cast(ops.equal(low, high), float32) * 0.5
    low, high = cast(low, float32) - even, cast(high, float32) + even
    shares = asarray(numpy.linspace(0.0, 1.0, bins + 1).astype(numpy.float32))
    return low + (high - low) * shares


def _bin_of(values: Tensor, edges: Tensor) -> Tensor:
    """The number of the bin of each value, from 0; the last holds its upper edge; -1 or their count if in none."""
    count = edges.shape[0] - 1
    place = cast(ops.searchsorted(edges, cast(values, edges.dtype), right=True), int32) - 1
    return ops.where(ops.equal(cast(values, edges.dtype), edges[count]), count - 1, place)


def histogram(
    a: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool = False
) -> tuple[Tensor, Tensor]:
    """How many elements lie in each bin (or the sum of their weights), in float32, and the bins' edges.

    Args:
        bins, range: as in `histogram_bin_edges`.
        density: instead such that the sum of counts times widths is 1.
    """
    counts, (edges,) = histogramdd([ravel(a)], [bins], None if range is None else [range], weights, density)
    return counts, edges


def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """`histogramdd` of points (x, y): the counts and the edges along both."""
    counts, (first, second) = histogramdd([x, y], bins, range, weights, density)
    return counts, first, second


def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, weights: Any = None, density: bool = False
) -> tuple[Tensor, list[Tensor]]:
    """How many points lie in each cell of a grid, in float32, and the edges along each axis.

    Args:
        sample: `[N, D]`, or D vectors `[N]`.
        bins: how many bins along each axis, one number for all, or a number or edges for each.
        range: None, or for each axis None or (lowest, highest).
        weights: `[N]`, what each point counts.
        density: counts divided by their sum and by the cells' volume.
    """
    axes = (
        list(ops.unstack(_floats(sample), 1)) if isinstance(sample, (Tensor, numpy.ndarray))
        else [ravel(column) for column in sample]
    )  # fmt: skip
    each = [bins] * len(axes) if isinstance(bins, int) else list(bins)
    ranges = [None] * len(axes) if range is None else list(range)
    if len(each) != len(axes) or len(ranges) != len(axes):
        raise located(ValueError(f"histogram: expected bins and ranges for {len(axes)} axes, got {bins!r}, {range!r}"))
    edges = [histogram_bin_edges(x, b, r) for x, b, r in zip(axes, each, ranges, strict=True)]
    shape = tuple(e.shape[0] - 1 for e in edges)
    place: Any = 0
    inside: Any = True
    for x, e, count in zip(axes, edges, shape, strict=True):
        at = _bin_of(x, e)
        inside = ops.logical_and(inside, ops.logical_and(ops.greater_equal(at, 0), ops.less(at, count)))
        place = place * count + at
    counted = ops.ones(axes[0].shape, float32) if weights is None else cast(ravel(weights), float32)
    size = math.prod(shape)
    sums = ops.unsorted_segment_sum(ops.where(inside, counted, 0.0), ops.where(inside, place, 0), size)
    found = ops.reshape(sums, shape)
    if density:
        found = found / total(found)
        for axis, e in enumerate(edges):
            widths = e[1:] - e[:-1]
            found = found / ops.reshape(widths, tuple(-1 if d == axis else 1 for d in builtins.range(len(shape))))
    return found, edges


def digitize(x: Any, bins: Any, right: bool = False) -> Tensor:
    """The number of the bin of each element, int32: how many edges it is not below; `bins` may also descend.

    Args:
        right: bins hold their upper edge, not their lower one.
    """
    edges = asarray(bins)
    falling = edges.shape[0] > 1 and bool((edges[0] > edges[edges.shape[0] - 1]).asnumpy())
    values = asarray(x)
    if falling:
        return edges.shape[0] - cast(ops.searchsorted(ops.flip(edges, (0,)), values, right=not right), int32)
    return cast(ops.searchsorted(edges, values, right=not right), int32)


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Tensor:
    """Where to insert `v` into the vector `a` so that it stays in order: int32."""
    ordered = asarray(a) if sorter is None else ops.gather(asarray(a), asarray(sorter), 0)
    if side not in ("left", "right"):
        raise located(ValueError(f"searchsorted: side must be 'left' or 'right', got {side!r}"))
    return cast(ops.searchsorted(ordered, asarray(v), side=side), int32)


# Series


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Tensor:
    """The differences of neighbours in the flat tensor, with `to_begin` before and `to_end` after them."""
    flat = ravel(ary)
    parts = [flat[1:] - flat[:-1]]
    if to_begin is not None:
        parts.insert(0, cast(ravel(to_begin), flat.dtype))
    if to_end is not None:
        parts.append(cast(ravel(to_end), flat.dtype))
    return concatenate(parts)


def trapz(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral along an axis by the trapezoidal rule, at places `x` or `dx` apart."""
    return ops.trapz(_floats(y), None if x is None else _floats(x), dx=dx, dim=axis)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """The slopes along each axis: of the neighbours on both sides, at the edges of the one there is.

    Args:
        varargs: how far apart neighbours are: one number, or one for each axis.
        axis: an axis or several; by default all.
        edge_order: 1.
    Returns:
        A tensor for one axis, else a list.
    """
    if edge_order != 1:
        raise located(ValueError(f"gradient: edge_order must be 1, got {edge_order}"))
    x = _floats(f)
    axes = tuple(range(x.ndim)) if axis is None else as_ints("gradient", axis, "axis")
    steps = list(varargs) * len(axes) if len(varargs) == 1 else list(varargs) or [1.0] * len(axes)
    if len(steps) != len(axes):
        raise located(ValueError(f"gradient: got {len(varargs)} distances for {len(axes)} axes"))
    found = []
    for along, step in zip(axes, steps, strict=True):
        n = x.shape[along]
        if n < 2:
            raise located(ValueError(f"gradient: expected at least 2 elements along axis {along}, got {x.spec}"))
        first, last = ops.narrow(x, along, 0, 1), ops.narrow(x, along, n - 1, 1)
        inner = (ops.narrow(x, along, 2, n - 2) - ops.narrow(x, along, 0, n - 2)) / 2.0
        parts = [ops.narrow(x, along, 1, 1) - first, inner, last - ops.narrow(x, along, n - 2, 1)]
        found.append(ops.concat([p for p in parts if p.size], along) / step)
    return found[0] if len(found) == 1 else found


def interp(x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None) -> Tensor:
    """Values at `x` on the line through the points (xp, fp), of which `xp` ascends.

    Args:
        left, right: the values before the first and after the last point, by default theirs.
    """
    at, places, values = _floats(x), _floats(xp), _floats(fp)
    count = places.shape[0]
    if places.shape != values.shape or places.ndim != 1 or not count:
        raise located(ValueError(f"interp: expected vectors of points, got {places.spec} and {values.spec}"))
    if count == 1:
        found = ops.broadcast_to(values, at.shape) if at.ndim else values[0]
    else:
        place = cast(ops.searchsorted(places, at, right=True), int32)
        upper = ops.clamp(place, 1, count - 1)
        x0, x1 = ops.gather(places, upper - 1, 0), ops.gather(places, upper, 0)
        y0, y1 = ops.gather(values, upper - 1, 0), ops.gather(values, upper, 0)
        found = y0 + (ops.clamp(at, places[0], places[count - 1]) - x0) * ((y1 - y0) / (x1 - x0))
    found = found if left is None else ops.where(at < places[0], left, found)
    return found if right is None else ops.where(at > places[count - 1], right, found)


def convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    """The sums of products of `a` with `v` reversed, at every shift.

    Args:
        mode: "full", all shifts with an overlap; "same", the middle ones, as many as the longer has elements; "valid",
            those where they overlap completely.
    """
    return correlate(a, ops.flip(asarray(v), (0,)), mode)


def correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    """The sums of products of `a` with `v` at every shift; see `convolve`."""
    x, y = asarray(a), asarray(v)
    if x.ndim != 1 or y.ndim != 1 or not x.size or not y.size:
        raise located(ValueError(f"correlate: expected two vectors, got {x.spec} and {y.spec}"))
    if mode not in ("full", "same", "valid"):
        raise located(ValueError(f"correlate: mode must be 'full', 'same' or 'valid', got {mode!r}"))
    if x.shape[0] < y.shape[0]:
        return ops.flip(correlate(y, x, mode), (0,))
    n, k = x.shape[0], y.shape[0]
    margin = {"full": (k - 1, k - 1), "same": (k // 2, k - 1 - k // 2), "valid": (0, 0)}[mode]
    padded = ops.pad(x, margin) if k > 1 else x
    count = n + margin[0] + margin[1] - k + 1
    windows = ops.gather(padded, array(numpy.add.outer(numpy.arange(count), numpy.arange(k)).astype(numpy.int32)), 0)
    return ops.matmul(windows, y)


def unwrap(p: Any, discont: float = math.pi, axis: int = -1) -> Tensor:
    """Angles along an axis such that neighbours differ by at most `discont`, by adding turns of 2 pi."""
    x = _floats(p)
    apart = ops.diff(x, 1, axis)
    within = ops.floor_mod(apart + math.pi, 2 * math.pi) - math.pi
    within = ops.where(ops.logical_and(ops.equal(within, -math.pi), apart > 0), math.pi, within)
    corrections = ops.where(ops.abs(apart) < discont, 0.0, within - apart)
    first = ops.narrow(x, axis, 0, 1)
    rest = ops.narrow(x, axis, 1, x.shape[axis] - 1) + ops.cumsum(corrections, axis % x.ndim)
    return ops.concat([first, rest], axis % x.ndim)

