"""Rows that data names: tensors that are zero but for a few, listed and whole; and rows added from where they lie.

The compiler's passes `sparse` and `rows` make these ops of `scatter_add`; users have no need of them.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.dtype import int32
from graphc.ir import TensorType
from graphc.loop_builder import Reader
from graphc.op import define_op
from graphc.ops.gather import check_positions


def _first_places_type(positions: TensorType, *, extent: int, name: str) -> TensorType:
    if not positions.dtype.is_int:
        raise TypeError(f"first_places: expected integer positions, got {positions}")
    return TensorType((extent,), int32)


@define_op(infer=_first_places_type, traits="checks")
def first_places(positions: np.ndarray, *, extent: int, name: str) -> np.ndarray:
    """For each of `extent` rows the number of the first of the positions that names it; -1 where none does.

    Args:
        positions: integers of any shape, in row-major order.
        name: of the op in whose place it checks them.
    Raises:
        IndexError: a position outside [0, extent).
    """
    check_positions(name, positions, extent)
    result, flat = np.full(extent, -1, np.int32), positions.reshape(-1)
    result[flat[::-1]] = np.arange(flat.size, dtype=np.int32)[::-1]
    return result


first_places.def_kernel("first_places")


def _rows_or_zero_type(rows: TensorType, places: TensorType) -> TensorType:
    if rows.ndim < 1 or places.ndim != 1 or not places.dtype.is_int:
        raise ValueError(f"rows_or_zero: expected rows and integers, the place of each, got {rows} and {places}")
    return TensorType((*places.shape, *rows.shape[1:]), rows.dtype)


@define_op(infer=_rows_or_zero_type)
def rows_or_zero(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The rows at `places`; zeros where a place is negative.

    Args:
        rows: `[N, ...]`; places: integers `[M]`; of `N` at least one.
    Raises:
        IndexError: a place that is not less than N.
    """
    check_positions("rows_or_zero", np.maximum(places, 0), rows.shape[0])
    result = np.zeros((*places.shape, *rows.shape[1:]), rows.dtype)
    result[places >= 0] = rows[places[places >= 0]]
    return result


@rows_or_zero.def_lower
def rows_or_zero_lower(b: Any, index: Any, rows: Any, places: Any) -> Any:
    place, first = places(index[:1]), b.const(0, places.dtype)
    none = b.fn("lt", place, first)
    within = Reader(places.shape, places.dtype, lambda at: b.select(none, first, place))  # some row: it does not count
    row = rows([b.gathered(within, index[:1], rows.shape[0]), *index[1:]])
    return b.select(none, b.const(0, rows.dtype), row)


def _scatter_add_rows_type(
    x: TensorType, positions: TensorType, source: TensorType, rows: TensorType, *factors: TensorType, name: str
) -> TensorType:
    count, columns = positions.size, prod(x.shape[1:])
    fits = positions.dtype.is_int and rows.dtype.is_int and rows.size == count and x.ndim and source.ndim
    fits = fits and prod(source.shape[1:]) == columns and all(f.dtype is x.dtype for f in (source, *factors))
    each = [f.size // max(count, 1) for f in factors]
    if not fits or len(factors) > 1 or any(f.size != n * count or columns % max(n, 1) for f, n in zip(factors, each)):
        given = ", ".join(map(str, (positions, source, rows, *factors)))
        raise ValueError(f"scatter_add_rows: {given} do not fit {x}")
    return x


@define_op(infer=_scatter_add_rows_type, traits="checks")
def scatter_add_rows(
    x: np.ndarray, positions: np.ndarray, source: np.ndarray, rows: np.ndarray, *factors: np.ndarray, name: str
) -> np.ndarray:
    """`x` with rows of `source`, times factors, added to its rows at `positions`, in the row-major order of these.

    That is `scatter_add(x, positions, gather(source, rows) * factors)`, whose updates need not be stored.

    Args:
        x: `[N, ...]`; positions: integers `[P...]` in [0, N).
        source: `[M, ...]`, each row with as many elements as one of `x`.
        rows: as many integers as positions; where one is not in [0, M), which others check, nothing is added.
        factors: none, or as many for each of the positions as divide a row evenly: each for a part of it.
        name: of the op in whose place it checks positions.
    Raises:
        IndexError: a position outside [0, N).
    """
    check_positions(name, positions, x.shape[0])
    inside = ((rows >= 0) & (rows < source.shape[0])).reshape(-1)
    columns, at = prod(x.shape[1:]), rows.reshape(-1)[inside]
    updates = source.reshape(source.shape[0], columns)[at]
    for given in factors:
        parts = given.reshape(positions.size, -1)[inside]
        updates = (updates.reshape(*parts.shape, -1) * parts[:, :, None]).reshape(at.size, columns)
    result = x.reshape(x.shape[0], columns).copy()
    np.add.at(result, positions.reshape(-1)[inside], updates)
    return result.reshape(x.shape)


scatter_add_rows.def_kernel("scatter_add_rows")
