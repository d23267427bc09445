"""Tensors that are zero but for a few rows, as the gradient of a table of which few were looked up: listed, and whole.

The compiler's passes make them of `scatter_add` (`graphc.passes.sparse`); users have no need of them.
"""

from __future__ import annotations

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
