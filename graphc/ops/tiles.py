"""Tiles: windows of images under a linear map along each dimension, and images made of such tiles.

    to_tiles      [N, C, *S] -> [N, *p, C, *T]      each window of q elements becomes p, by a p x q matrix
    from_tiles    [N, *q, C, *T] -> [N, C, *(p T)]  each tile of q elements becomes p neighbours, by a p x q matrix

The compiler convolves with fewer multiplications so (`graphc.passes.winograd`); users have no need of them. Both sum up
what they read along the first dimension, then along the next; of each sum first the terms that are added.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import define_op

Ints = tuple[int, ...]
Matrix = tuple[tuple[float, ...], ...]


def _check(name: str, x: TensorType, ndim: int, matrix: Matrix, attrs: tuple[Ints, ...]) -> None:
    if not x.dtype.is_float or x.ndim != ndim or len({len(row) for row in matrix}) != 1:
        raise ValueError(f"{name}: expected a float tensor of {ndim} dimensions and a matrix, got {x} and {matrix}")
    if len({len(a) for a in attrs}) != 1:
        raise ValueError(f"{name}: expected a number for each spatial dimension, got {attrs}")


def _to_tiles_type(x: TensorType, *, matrix: Matrix, step: int, low: Ints, count: Ints) -> TensorType:
    _check("to_tiles", x, 2 + len(low), matrix, (low, count))
    made = (len(matrix),) * len(low)
    return TensorType((x.shape[0], *made, x.shape[1], *count), x.dtype)


@define_op(infer=_to_tiles_type, exact=False)
def to_tiles(x: np.ndarray, *, matrix: Matrix, step: int, low: Ints, count: Ints) -> np.ndarray:
    """Windows under a matrix along each dimension: B^T d B, for two of them. Beyond the input there are zeros.

    Args:
        x: float `[N, C, *S]`.
        matrix: p rows of q numbers.
        step: from window to window, along each dimension.
        low: how many elements before the input the first window begins.
        count: how many windows there are, T.
    Returns:
        `[N, *(p, ...), C, *T]`.
    """
    found, spatial = x, len(low)
    for d, (lo, n) in enumerate(zip(low, count, strict=True)):
        at = np.arange(n)[:, None] * step - lo + np.arange(len(matrix[0]))
        windows = np.take(found, at, 2 + d, mode="clip")
        there = ((at >= 0) & (at < x.shape[2 + d])).reshape(*at.shape, *(1 for _ in found.shape[3 + d :]))
        found = np.tensordot(np.where(there, windows, 0), np.array(matrix, x.dtype), ((3 + d,), (1,)))
    return np.ascontiguousarray(np.moveaxis(found, range(2 + spatial, 2 + 2 * spatial), range(1, 1 + spatial)))


@to_tiles.def_unrolled
def to_tiles_unrolled(x: TensorType, *, matrix: Matrix, step: int, low: Ints, count: Ints) -> Ints:
    return (1, *(len(matrix),) * len(low), 1, *(1,) * len(low))


@to_tiles.def_lower
def to_tiles_lower(b: Any, index: Any, x: Any, *, matrix: Matrix, step: int, low: Ints, count: Ints) -> Any:
    spatial = len(low)
    n, c = index[0], index[1 + spatial]
    first = [t * step - lo for t, lo in zip(index[2 + spatial :], low, strict=True)]

    def element(place: Ints) -> Any:
        at = [f + p for f, p in zip(first, place, strict=True)]
        inside = [(i, 0, extent) for i, extent in zip(at, x.shape[2:], strict=True)]
        return b.inside(inside, lambda: x([n, c, *at]), b.const(0, x.dtype))

    return _mapped(b, matrix, index[1 : 1 + spatial], element)


def _from_tiles_type(t: TensorType, *, matrix: Matrix) -> TensorType:
    spatial = (t.ndim - 2) // 2
    _check("from_tiles", t, 2 + 2 * spatial, matrix, (t.shape[1 : 1 + spatial],))
    if any(n != len(matrix[0]) for n in t.shape[1 : 1 + spatial]):
        raise ValueError(f"from_tiles: expected tiles of {len(matrix[0])} along each dimension, got {t}")
    return TensorType((t.shape[0], t.shape[1 + spatial], *(n * len(matrix) for n in t.shape[2 + spatial :])), t.dtype)


@define_op(infer=_from_tiles_type, exact=False)
def from_tiles(t: np.ndarray, *, matrix: Matrix) -> np.ndarray:
    """Tiles under a matrix along each dimension, side by side: A^T m A, for two dimensions.

    Args:
        t: float `[N, *(q, ...), C, *T]`.
        matrix: p rows of q numbers.
    Returns:
        `[N, C, *(p T)]`.
    """
    spatial, made = (t.ndim - 2) // 2, len(matrix)
    found = t
    for _ in range(spatial):  # the first dimension of the tiles becomes the last
        found = np.tensordot(found, np.array(matrix, t.dtype), ((1,), (1,)))
    order = [0, 1, *(a for d in range(spatial) for a in (2 + d, 2 + spatial + d))]
    images, channels, count = t.shape[0], t.shape[1 + spatial], t.shape[2 + spatial :]
    return found.transpose(order).reshape(images, channels, *(n * made for n in count))


@from_tiles.def_unrolled
def from_tiles_unrolled(t: TensorType, *, matrix: Matrix) -> Ints:
    return (1, 1, *(len(matrix),) * ((t.ndim - 2) // 2))


@from_tiles.def_lower
def from_tiles_lower(b: Any, index: Any, t: Any, *, matrix: Matrix) -> Any:
    n, c, *places = index
    tile = [i // len(matrix) for i in places]
    return _mapped(b, matrix, [i % len(matrix) for i in places], lambda place: t([n, *place, c, *tile]))


def _mapped(b: Any, matrix: Matrix, rows: Sequence[Any], element: Callable[[Ints], Any]) -> Any:
    """The element at `rows` of what the matrix makes of `element(place)` along each dimension, the first innermost."""
    if not rows:
        return element(())

    def row(number: int) -> Any:
        def column(place: int) -> Any:
            return _mapped(b, matrix, rows[:-1], lambda before: element((*before, place)))

        return _combined(b, matrix[number], column)

    return _chosen(b, rows[-1], [partial(row, number) for number in range(len(matrix))])


def _combined(b: Any, weights: Sequence[float], term: Callable[[int], Any]) -> Any:
    """The sum of the terms times their weights, what is added first."""
    order = sorted((n for n, w in enumerate(weights) if w), key=lambda n: weights[n] < 0)
    total = None
    for n in order:
        value, weight = term(n), abs(weights[n])
        value = value if weight == 1 else value * b.const(weight, value.dtype)
        if total is None:
            total = value if weights[n] > 0 else -value
        else:
            total = total + value if weights[n] > 0 else total - value
    return total


def _chosen(b: Any, number: Any, choices: Sequence[Callable[[], Any]]) -> Any:
    """The choice of a number, which may be known by now."""
    least, most = number.bounds
    value = choices[most]()
    for n in reversed(range(least, most)):
        value = b.inside([(number, n, n + 1)], choices[n], value)
    return value
