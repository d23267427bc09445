"""Diagonals and bands of matrices, products of batches, and combinations: what takes a few ops of the table."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.ops.arrays import diag_embed
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, element, full_like
from graphc.ops.complex_parts import conjugate
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import greater_equal, less_equal, logical_and, select, sub
from graphc.ops.gather import gather
from graphc.ops.linalg import matmul
from graphc.ops.scatter import diagonal_scatter
from graphc.ops.shape import diagonal, meshgrid, moveaxis, reshape, stack, swapaxes
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "adjoint", "batch_dot", "cartesian_prod", "diagflat", "matrix_band_part", "matrix_diag", "matrix_diag_part",
    "matrix_set_diag",
]  # fmt: skip


def adjoint(x: Any) -> Tensor:
    """The last two axes exchanged, and complex numbers conjugated."""
    return swapaxes(conjugate(as_tensor("adjoint", x)), -1, -2)


def diagflat(input: Any, offset: int = 0) -> Tensor:
    """The matrix with the elements of `input`, flattened, on a diagonal."""
    return diag_embed(reshape(as_tensor("diagflat", input), (-1,)), offset)


def cartesian_prod(*inputs: Any) -> Tensor:
    """All choices of one element from each vector, the last changing fastest: `[*N]` to `[prod(N), count]`."""
    vectors = [as_tensor("cartesian_prod", v) for v in inputs]
    if not vectors or any(v.ndim != 1 for v in vectors):
        raise located(ValueError(f"cartesian_prod: expected vectors, got {', '.join(str(v.spec) for v in vectors)}"))
    if len(vectors) == 1:
        return vectors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*vectors, indexing="ij")], -1)


def matrix_band_part(x: Any, lower: int, upper: int) -> Tensor:
    """Matrices `[..., M, N]` with 0 beyond `lower` diagonals below the main one and `upper` above it (< 0: all)."""
    matrices = _matrices("matrix_band_part", x)
    row, column = row_and_column(matrices.shape)
    kept = full_like(greater_equal(row, row), True)
    below, above = as_int("matrix_band_part", lower, "lower"), as_int("matrix_band_part", upper, "upper")
    if below >= 0:
        kept = logical_and(kept, less_equal(sub(row, column), below))
    if above >= 0:
        kept = logical_and(kept, less_equal(sub(column, row), above))
    return select(kept, matrices, 0)


def matrix_diag(
    x: Any, k: Any = 0, num_rows: Any = -1, num_cols: Any = -1, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """Matrices `[..., num_rows, num_cols]` with vectors on diagonals and `padding_value` elsewhere.

    Args:
        x: `[..., L]` for one diagonal; for several `[..., D, L]`, the uppermost first, L the length of the longest.
        k: the diagonal, > 0 above the main one, < 0 below it; or the pair of the lowest and the uppermost of several.
        num_rows, num_cols: the extents; -1 for both: the smallest square; for one: as small as can be.
        align: at which end of their row of `x` shorter diagonals lie, "LEFT" or "RIGHT": those above the main one,
            then those below it. What is beyond them is not read.
    Raises:
        ValueError: `x` has no such diagonals, or an unknown `align`.
    """
    values, (lo, hi) = as_tensor("matrix_diag", x), _diagonals("matrix_diag", k, align)
    several = hi > lo
    if values.ndim < 1 + several or (several and values.shape[-2] != hi - lo + 1):
        wanted = f"[..., {hi - lo + 1}, L]" if several else "[..., L]"
        raise located(ValueError(f"matrix_diag: expected {wanted}, got {values.spec}"))
    length = values.shape[-1]
    rows, columns = as_int("matrix_diag", num_rows, "num_rows"), as_int("matrix_diag", num_cols, "num_cols")
    least = length + max(-hi, 0), length + max(lo, 0)  # extents in which the longest diagonal has its length
    if rows == columns == -1:
        rows = columns = max(least)
    rows, columns = least[0] if rows == -1 else rows, least[1] if columns == -1 else columns
    filler = element("matrix_diag", padding_value, values.dtype)
    lead = values.shape[: values.ndim - 1 - several]
    return _with_diagonals("matrix_diag", broadcast(filler, (*lead, rows, columns)), values, lo, hi, align)


def matrix_diag_part(x: Any, k: Any = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """The diagonals of matrices, as `matrix_diag` takes them; shorter ones of several are filled with `padding_value`.

    Returns:
        `[..., L]` for one diagonal, else `[..., D, L]`.
    """
    name = "matrix_diag_part"
    matrices, (lo, hi) = _matrices(name, x), _diagonals(name, k, align)
    if lo == hi:
        return diagonal(matrices, lo, -2, -1)
    rows, columns = matrices.shape[-2:]
    row, column = _places(rows, columns, lo, hi, align)
    parts = np.full((hi - lo + 1, _longest(rows, columns, lo, hi)), -1)
    inside = row >= 0
    parts[row[inside], column[inside]] = np.flatnonzero(inside)
    flat = reshape(matrices, (*matrices.shape[:-2], rows * columns))
    found = gather(flat, Tensor(np.maximum(parts, 0)), -1)
    return select(broadcast(Tensor(parts >= 0), found.shape), found, element(name, padding_value, found.dtype))


def matrix_set_diag(x: Any, diagonal: Any, k: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Matrices with the vectors `diagonal` in the place of their diagonals `k`; see `matrix_diag`."""
    name = "matrix_set_diag"
    lo, hi = _diagonals(name, k, align)
    return _with_diagonals(name, _matrices(name, x), as_tensor(name, diagonal), lo, hi, align)


def _with_diagonals(name: str, matrices: Tensor, values: Tensor, lo: int, hi: int, align: str) -> Tensor:
    """Matrices with the diagonals `lo` to `hi` taken from `values`."""
    rows, columns = matrices.shape[-2:]
    longest = _longest(rows, columns, lo, hi)
    wanted = (*matrices.shape[:-2], *((hi - lo + 1,) if hi > lo else ()), longest)
    if values.shape != wanted:
        what = f"diagonals {lo} to {hi}" if hi > lo else f"diagonal {lo}"
        raise located(ValueError(f"{name}: {what} of {matrices.spec} are {list(wanted)}, got {values.spec}"))
    if lo == hi:
        return diagonal_scatter(matrices, values, lo, -2, -1)
    row, column = _places(rows, columns, lo, hi, align)
    flat = reshape(values, (*values.shape[:-2], -1))
    found = gather(flat, Tensor(np.where(row >= 0, row * longest + column, 0)), -1)
    return select(broadcast(Tensor(row >= 0), matrices.shape), found, matrices)


def _longest(rows: int, columns: int, lo: int, hi: int) -> int:
    """The length of the longest of the diagonals `lo` to `hi`."""
    return min(rows + min(hi, 0), columns - max(lo, 0))


def _places(rows: int, columns: int, lo: int, hi: int, align: str) -> tuple[np.ndarray, np.ndarray]:
    """Where each element of a matrix lies among its diagonals `[D, L]`, row (-1 for none) and column."""
    i, j = np.indices((rows, columns))
    number = j - i
    length = np.minimum(rows + np.minimum(number, 0), columns - np.maximum(number, 0))
    above, below = (side == "RIGHT" for side in align.split("_"))
    right = np.where(number > 0, above, np.where(number < 0, below, above and below))
    column = np.minimum(i, j) + np.where(right, _longest(rows, columns, lo, hi) - length, 0)
    return np.where((number >= lo) & (number <= hi), hi - number, -1), column


def _matrices(name: str, x: Any) -> Tensor:
    tensor = as_tensor(name, x)
    if tensor.ndim < 2:
        raise located(ValueError(f"{name}: expected [..., M, N], got {tensor.spec}"))
    return tensor


def _diagonals(name: str, k: Any, align: str) -> tuple[int, int]:
    """The lowest and the uppermost diagonal."""
    if align not in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"):
        raise located(ValueError(f"{name}: align must be two of LEFT and RIGHT, got {align!r}"))
    given = as_ints(name, k, "k")
    if len(given) not in (1, 2) or given[0] > given[-1]:
        raise located(ValueError(f"{name}: k must be a diagonal, or the lowest and the uppermost, got {k!r}"))
    return given[0], given[-1]


def batch_dot(x1: Any, x2: Any, axes: Any = None) -> Tensor:
    """For each sample of the first axis the sums of products over one axis of each.

    Args:
        x1, x2: `[N, ...]` of at least two dimensions.
        axes: the axis to sum over, or one of each; by default the last of `x1` and the second to last of `x2` (the
            last of a matrix).
    Returns:
        `[N, ...]`: the other axes of `x1`, then those of `x2`; of two matrices `[N, 1]`.
    """
    a, b = as_tensor("batch_dot", x1), as_tensor("batch_dot", x2)
    if a.ndim < 2 or b.ndim < 2 or a.shape[0] != b.shape[0]:
        raise located(ValueError(f"batch_dot: expected [N, ...] and [N, ...], got {a.spec} and {b.spec}"))
    pair = (a.ndim - 1, max(b.ndim - 2, 1)) if axes is None else as_ints("batch_dot", axes, "axes")
    pair = pair * 2 if len(pair) == 1 else pair
    if len(pair) != 2:
        raise located(ValueError(f"batch_dot: axes must be one axis or two, got {axes!r:.60}"))
    first, second = axis_of("batch_dot", pair[0], a.ndim), axis_of("batch_dot", pair[1], b.ndim)
    if not first or not second or a.shape[first] != b.shape[second]:
        raise located(ValueError(f"batch_dot: axes {first} of {a.spec} and {second} of {b.spec} do not fit"))
    left, right = moveaxis(a, first, -1), moveaxis(b, second, -1)
    count, summed = a.shape[0], a.shape[first]
    product = matmul(reshape(left, (count, -1, summed)), swapaxes(reshape(right, (count, -1, summed)), 1, 2))
    shape = (count, *left.shape[1:-1], *right.shape[1:-1])
    return reshape(product, shape if len(shape) > 1 else (count, 1))
