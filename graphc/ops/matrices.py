"""Diagonals and bands of matrices, products of batches, and combinations: what takes a few ops of the table."""

from __future__ import annotations

from typing import Any

from graphc.dispatch import located
from graphc.ops.arrays import diag_embed
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, full_like
from graphc.ops.creation import row_and_column
from graphc.ops.elementwise import greater_equal, less_equal, logical_and, select, sub
from graphc.ops.linalg import matmul
from graphc.ops.scatter import diagonal_scatter
from graphc.ops.shape import diagonal, meshgrid, moveaxis, reshape, stack, swapaxes
from graphc.tensor import Tensor

__all__ = [
    "adjoint", "batch_dot", "cartesian_prod", "diagflat", "matrix_band_part", "matrix_diag", "matrix_diag_part",
    "matrix_set_diag",
]  # fmt: skip


def adjoint(x: Any) -> Tensor:
    """The last two axes exchanged: no dtype is complex."""
    return swapaxes(x, -1, -2)


def diagflat(input: Any, offset: int = 0) -> Tensor:
    """The matrix with the elements of `input`, flattened, on a diagonal."""
    return diag_embed(reshape(as_tensor("diagflat", input), (-1,)), offset)


def cartesian_prod(*inputs: Any) -> Tensor:
    """All choices of one element from each vector, the last changing fastest: `[*N]` to `[prod(N), count]`."""
    vectors = [as_tensor("cartesian_prod", v) for v in inputs]
    if not vectors or any(v.ndim != 1 for v in vectors):
        raise located(ValueError(f"cartesian_prod: expected vectors, got {', '.join(str(v.type) for v in vectors)}"))
    if len(vectors) == 1:
        return vectors[0]
    return stack([reshape(grid, (-1,)) for grid in meshgrid(*vectors, indexing="ij")], -1)


def matrix_band_part(x: Any, lower: int, upper: int) -> Tensor:
    """Matrices `[..., M, N]` with 0 beyond `lower` diagonals below the main one and `upper` above it (< 0: all)."""
    matrices = _matrices("matrix_band_part", x)
    row, column = row_and_column(matrices.shape)
    kept = full_like(greater_equal(row, row), True)
    if lower >= 0:
        kept = logical_and(kept, less_equal(sub(row, column), int(lower)))
    if upper >= 0:
        kept = logical_and(kept, less_equal(sub(column, row), int(upper)))
    return select(kept, matrices, 0)


def matrix_diag(
    x: Any, k: int = 0, num_rows: int = -1, num_cols: int = -1, padding_value: Any = 0, align: str = "RIGHT_LEFT"
) -> Tensor:
    """Matrices `[..., num_rows, num_cols]` with vectors `[..., L]` on a diagonal and `padding_value` elsewhere.

    Args:
        k: the diagonal; > 0 above the main one, < 0 below it.
        num_rows, num_cols: the extents; -1 for both: the smallest square; for one: as small as can be.
        align: how several diagonals would lie; there is one.
    """
    values, k = as_tensor("matrix_diag", x), _one_diagonal("matrix_diag", k, align)
    if not values.ndim:
        raise located(ValueError(f"matrix_diag: expected [..., L], got {values.type}"))
    length = values.shape[-1]
    rows, columns = int(num_rows), int(num_cols)
    if rows == columns == -1:
        rows = columns = length + abs(k)
    rows = length + max(-k, 0) if rows == -1 else rows
    columns = length + max(k, 0) if columns == -1 else columns
    if min(rows - max(-k, 0), columns - max(k, 0)) != length:
        raise located(ValueError(f"matrix_diag: diagonal {k} of [{rows}, {columns}] has no {length} elements"))
    filler = cast(as_tensor("matrix_diag", padding_value), values.dtype)
    return diagonal_scatter(broadcast(filler, (*values.shape[:-1], rows, columns)), values, k, -2, -1)


def matrix_diag_part(x: Any, k: int = 0, padding_value: Any = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """The diagonals `[..., L]` number `k` of matrices. `padding_value` would fill several up; there is one."""
    return diagonal(_matrices("matrix_diag_part", x), _one_diagonal("matrix_diag_part", k, align), -2, -1)


def matrix_set_diag(x: Any, diagonal: Any, k: int = 0, align: str = "RIGHT_LEFT") -> Tensor:
    """Matrices with the vectors `diagonal` in the place of their diagonals number `k`."""
    return diagonal_scatter(
        _matrices("matrix_set_diag", x), diagonal, _one_diagonal("matrix_set_diag", k, align), -2, -1
    )


def _matrices(name: str, x: Any) -> Tensor:
    tensor = as_tensor(name, x)
    if tensor.ndim < 2:
        raise located(ValueError(f"{name}: expected [..., M, N], got {tensor.type}"))
    return tensor


def _one_diagonal(name: str, k: Any, align: str) -> int:
    if align not in ("RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"):
        raise located(ValueError(f"{name}: align must be two of LEFT and RIGHT, got {align!r}"))
    ends = {int(end) for end in (k if isinstance(k, (tuple, list)) else (k,))}
    if len(ends) != 1:
        raise located(ValueError(f"{name}: k must be one diagonal, got {k!r}"))
    return ends.pop()


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
        raise located(ValueError(f"batch_dot: expected [N, ...] and [N, ...], got {a.type} and {b.type}"))
    pair = (a.ndim - 1, max(b.ndim - 2, 1)) if axes is None else as_ints("batch_dot", axes, "axes")
    pair = pair * 2 if len(pair) == 1 else pair
    first, second = axis_of("batch_dot", pair[0], a.ndim), axis_of("batch_dot", pair[1], b.ndim)
    if not first or not second or a.shape[first] != b.shape[second]:
        raise located(ValueError(f"batch_dot: axes {first} of {a.type} and {second} of {b.type} do not fit"))
    left, right = moveaxis(a, first, -1), moveaxis(b, second, -1)
    count, summed = a.shape[0], a.shape[first]
    product = matmul(reshape(left, (count, -1, summed)), swapaxes(reshape(right, (count, -1, summed)), 1, 2))
    shape = (count, *left.shape[1:-1], *right.shape[1:-1])
    return reshape(product, shape if len(shape) > 1 else (count, 1))
