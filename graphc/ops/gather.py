"""Reading and writing at positions that are data: gather, scatter, and what is made of them.

Every position is checked when it is used; one outside its axis raises IndexError, and nothing is read or written there.
The functions take negative positions, which count from the end; the table's ops do not.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from graphc.dtype import int64
from graphc.ir import TensorType
from graphc.op import Op, define_op
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, cast, element, full_like, scalar
from graphc.ops.creation import iota
from graphc.ops.elementwise import (
    add,
    equal,
    floor_mod,
    greater_equal,
    less,
    logical_and,
    maximum,
    minimum,
    mul,
    select,
)
from graphc.ops.shape import moveaxis, reshape, transpose, unstack
from graphc.ops.views import reshape_
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "gather", "gather_d", "gather_elements", "gather_nd", "index_add", "index_fill", "index_select", "reverse_sequence",
    "scatter", "scatter_nd", "take", "tensor_scatter_add", "tensor_scatter_elements", "tensor_scatter_sub",
    "tensor_scatter_update", "unsorted_segment_sum",
]  # fmt: skip


def check_positions(name: str, positions: np.ndarray, extent: int, what: str = "index") -> None:
    """Raises IndexError for the first position outside [0, extent): what compiled kernels report, said by NumPy."""
    wrong = (positions < 0) | (positions >= extent)
    if wrong.any():
        place = int(np.flatnonzero(wrong.reshape(-1))[0])
        value = int(positions.reshape(-1)[place])
        raise located(IndexError(f"{name}: {what} {value} at position {place} is out of range [0, {extent})"))


def from_end(positions: Tensor, extent: int) -> Tensor:
    """Positions in [0, extent) for those in [-extent, extent); any others as they are, to be reported."""
    counted = logical_and(less(positions, 0), greater_equal(positions, -extent))
    return select(counted, add(positions, extent), positions)


def check_integers(name: str, types: tuple[TensorType, ...]) -> None:
    """Raises TypeError unless all are types of integers."""
    for type_ in types:
        if not type_.dtype.is_int:
            raise TypeError(f"{name}: expected integer positions, got {type_}")


# The table: gather


def _gather_type(x: TensorType, *positions: TensorType, axis: int, batch_dims: int = 0) -> TensorType:
    check_integers("gather", positions)
    count = len(positions)
    if not count or any(p.shape != positions[0].shape for p in positions):
        raise ValueError(f"gather: expected positions of one shape, got {' and '.join(map(str, positions))}")
    own = positions[0].shape
    if not 0 <= batch_dims <= axis <= x.ndim - count or own[:batch_dims] != x.shape[:batch_dims]:
        raise ValueError(
            f"gather: {count} positions from axis {axis} with {batch_dims} batch dimensions do not fit {x} and "
            f"{positions[0]}"
        )
    return TensorType((*x.shape[:axis], *own[batch_dims:], *x.shape[axis + count :]), x.dtype)


@define_op(infer=_gather_type, traits="checks looks_up", name="gather")
def gather_(x: np.ndarray, *positions: np.ndarray, axis: int, batch_dims: int = 0) -> np.ndarray:
    """The elements of `x` at `positions`, one tensor for each of the axes from `axis` on.

    The result has the axes of the positions in place of these axes. The first `batch_dims` axes of `x` and of the
    positions are the same: each entry of a batch is read at its own positions.

    Raises:
        IndexError: a position outside its axis.
    """
    for k, p in enumerate(positions):
        check_positions("gather", p, x.shape[axis + k])
    if batch_dims == 0:
        return x[(slice(None),) * axis + positions]
    batch = x.shape[:batch_dims]
    rows = [x[i][(slice(None),) * (axis - batch_dims) + tuple(p[i] for p in positions)] for i in np.ndindex(batch)]
    if not rows:
        own = positions[0].shape[batch_dims:]
        return np.empty((*x.shape[:axis], *own, *x.shape[axis + len(positions) :]), x.dtype)
    return np.stack(rows).reshape(*batch, *rows[0].shape)


@gather_.def_vjp
def gather_vjp(ct: Tensor, y: Tensor, x: Tensor, *positions: Tensor, axis: int, batch_dims: int = 0) -> Any:
    """The cotangent, added up at the positions of a flat first axis, where the axes that were read are one."""

    def to_x() -> Tensor:
        count, own = len(positions), positions[0].ndim - batch_dims
        batch, read = x.shape[:batch_dims], x.shape[axis : axis + count]
        flat = _flat_positions(positions, read)
        if batch_dims:
            lead = reshape_(iota(shape=(prod(batch),), axis=0, dtype=int64), shape=(*batch, *(1,) * own))
            flat = add(flat, broadcast(mul(lead, prod(read)), flat.shape))
        kept = tuple(range(batch_dims, axis)) + tuple(range(axis + own, ct.ndim))
        first = tuple(range(batch_dims)) + tuple(range(axis, axis + own))
        updates = transpose(ct, first + kept)
        rest = x.shape[batch_dims:axis] + x.shape[axis + count :]
        zeros = broadcast(scalar(0, ct.dtype), (prod(batch) * prod(read), *rest))
        summed = reshape(scatter_add_(zeros, flat, updates), (*batch, *read, *rest))
        # [batch, read, before, after] back to [batch, before, read, after]
        before = axis - batch_dims
        order = [
            *range(batch_dims), *(batch_dims + count + d for d in range(before)),
            *(batch_dims + d for d in range(count)), *range(axis + count, x.ndim),
        ]  # fmt: skip
        return transpose(summed, order)

    return (to_x, *(None for _ in positions))


@gather_.def_lower
def gather_lower(b: Any, index: Any, x: Any, *positions: Any, axis: int, batch_dims: int = 0) -> Any:
    own = len(positions[0].shape) - batch_dims
    at = [*index[:batch_dims], *index[axis : axis + own]]
    read = [b.gathered(p, at, x.shape[axis + k]) for k, p in enumerate(positions)]
    return x([*index[:axis], *read, *index[axis + own :]])


def _flat_positions(positions: tuple[Tensor, ...], extents: tuple[int, ...]) -> Tensor:
    """The row-major positions in one axis that several axes make."""
    flat = cast(positions[0], int64)
    for position, extent in zip(positions[1:], extents[1:]):
        flat = add(mul(flat, extent), cast(position, int64))
    return flat


def _gather_elements_type(x: TensorType, positions: TensorType, *, axis: int) -> TensorType:
    check_integers("gather_elements", (positions,))
    fits = x.ndim == positions.ndim and all(
        m <= n for d, (m, n) in enumerate(zip(positions.shape, x.shape)) if d != axis
    )
    if not fits or not 0 <= axis < x.ndim:
        raise ValueError(f"gather_elements: positions {positions} reach outside {x} on another axis than {axis}")
    return TensorType(positions.shape, x.dtype)


@define_op(infer=_gather_elements_type, traits="checks looks_up", name="gather_elements")
def gather_elements_(x: np.ndarray, positions: np.ndarray, *, axis: int) -> np.ndarray:
    """`x` at each element's own index, but with its position along `axis` replaced by the element.

    Raises:
        IndexError: a position outside the axis.
    """
    check_positions("gather_elements", positions, x.shape[axis])
    index: list[Any] = list(np.indices(positions.shape, sparse=True))
    index[axis] = positions
    return np.asarray(x[tuple(index)])


@gather_elements_.def_vjp
def gather_elements_vjp(ct: Tensor, y: Tensor, x: Tensor, positions: Tensor, *, axis: int) -> Any:
    def to_x() -> Tensor:
        return _write_elements(scatter_elements_add_, scatter_add_, full_like(x, 0), positions, ct, axis)

    return to_x, None


def _write_elements(op: Op, flat_op: Op, x: Tensor, positions: Tensor, updates: Tensor, axis: int) -> Tensor:
    """`op` along an axis; where positions do not reach all of `x` along the others, the other op on flat tensors."""
    if _same_but(positions.shape, x.shape, axis):
        return op(x, positions, updates, axis=axis)
    checked = _checked(from_end(positions, x.shape[axis]), x.shape[axis])
    flat = reshape(_element_positions(checked, x.shape, axis), (updates.size,))
    return reshape(flat_op(reshape(x, (x.size,)), flat, reshape(updates, (updates.size,))), x.shape)


def _same_but(a: tuple[int, ...], b: tuple[int, ...], axis: int) -> bool:
    return a[:axis] == b[:axis] and a[axis + 1 :] == b[axis + 1 :]


def _element_positions(positions: Tensor, shape: tuple[int, ...], axis: int) -> Tensor:
    """The row-major positions in a tensor of `shape` that `gather_elements` reads."""
    along = [iota(shape=positions.shape, axis=d, dtype=int64) for d in range(len(shape))]
    along[axis] = cast(positions, int64)
    return _flat_positions(tuple(along), shape)


@gather_elements_.def_lower
def gather_elements_lower(b: Any, index: Any, x: Any, positions: Any, *, axis: int) -> Any:
    return x([*index[:axis], b.gathered(positions, index, x.shape[axis]), *index[axis + 1 :]])


# The table: scatter


def _scatter_type(x: TensorType, positions: TensorType, updates: TensorType) -> TensorType:
    check_integers("scatter", (positions,))
    if x.dtype is not updates.dtype or x.ndim == 0 or updates.shape != positions.shape + x.shape[1:]:
        raise ValueError(f"scatter: updates {updates} do not fit {x} at positions {positions}")
    return x


def _scatter(name: str, write: Any, doc: str) -> Op:
    def meaning(x: np.ndarray, positions: np.ndarray, updates: np.ndarray) -> np.ndarray:
        check_positions(name, positions, x.shape[0])
        result = x.copy()
        write(result, positions, updates)
        return result

    op = define_op(infer=_scatter_type, traits="checks", name=name)(meaning)
    op.__doc__ = f"""`x` with {doc}, in the row-major order of the positions.

    Args:
        x: `[N, ...]`; positions: integers `[P...]` in [0, N); updates: `[P..., ...]`.
    Raises:
        IndexError: a position outside the first axis of `x`.
    """
    op.def_kernel(name)
    return op


def _assign(result: np.ndarray, positions: np.ndarray, updates: np.ndarray) -> None:
    result[positions] = updates


scatter_add_ = _scatter("scatter_add", np.add.at, "`updates` added to its rows at `positions`")
scatter_set_ = _scatter("scatter_set", _assign, "its rows at `positions` replaced by `updates` (of several, the last)")


@scatter_add_.def_vjp
def scatter_add_vjp(ct: Tensor, y: Tensor, x: Tensor, positions: Tensor, updates: Tensor) -> Any:
    return ct, None, lambda: gather_(ct, positions, axis=0)


@scatter_set_.def_vjp
def scatter_set_vjp(ct: Tensor, y: Tensor, x: Tensor, positions: Tensor, updates: Tensor) -> Any:
    def to_updates() -> Tensor:  # the last one at each position is the one that stays
        count = positions.size
        order = reshape(iota(shape=(count,), axis=0, dtype=int64), positions.shape)
        last = scatter_set_(broadcast(scalar(-1, int64), x.shape[:1]), positions, order)
        stays = equal(gather_(last, positions, axis=0), order)
        wide = reshape(stays, (*positions.shape, *(1,) * (updates.ndim - positions.ndim)))
        return select(wide, gather_(ct, positions, axis=0), full_like(updates, 0))

    return lambda: scatter_set_(ct, positions, full_like(updates, 0)), None, to_updates



# The table: scatter along an axis


def _scatter_elements_type(x: TensorType, positions: TensorType, updates: TensorType, *, axis: int) -> TensorType:
    check_integers("scatter_elements", (positions,))
    fits = positions.ndim == x.ndim and 0 <= axis < x.ndim and _same_but(positions.shape, x.shape, axis)
    if not fits or x.dtype is not updates.dtype or updates.shape != positions.shape:
        raise ValueError(f"scatter_elements: {positions} and {updates} do not fit {x} along axis {axis}")
    return x


def _scatter_elements(name: str, write: Any, doc: str) -> Op:
    def meaning(x: np.ndarray, positions: np.ndarray, updates: np.ndarray, *, axis: int) -> np.ndarray:
        wide, extent = positions.astype(np.int64), x.shape[axis]
        wrapped = np.where((wide < 0) & (wide >= -extent), wide + extent, wide)
        check_positions(name, wrapped, extent)
        index: list[Any] = list(np.indices(positions.shape, sparse=True))
        index[axis] = wrapped
        result = x.copy()
        write(result, tuple(index), updates)
        return result

    op = define_op(infer=_scatter_elements_type, traits="checks", name=name)(meaning)
    op.__doc__ = f"""`x` with {doc}, in row-major order.

    Args:
        x: `[..., N, ...]`; positions, updates: of one shape, that of `x` but along `axis`; integers in [-N, N).
    Raises:
        IndexError: a position outside the axis.
    """
    op.def_kernel(name)
    return op


scatter_elements_add_ = _scatter_elements(
    "scatter_elements_add", np.add.at, "each of `updates` added at its own index, its place along `axis` a position"
)
scatter_elements_set_ = _scatter_elements(
    "scatter_elements_set", _assign, "each of `updates` at its own index, its place along `axis` a position (the last)"
)


def _read_back(ct: Tensor, positions: Tensor, axis: int) -> Tensor:
    return gather_elements_(ct, from_end(positions, ct.shape[axis]), axis=axis)


@scatter_elements_add_.def_vjp
def scatter_elements_add_vjp(
    ct: Tensor, y: Tensor, x: Tensor, positions: Tensor, updates: Tensor, *, axis: int
) -> Any:
    return ct, None, lambda: _read_back(ct, positions, axis)


@scatter_elements_set_.def_vjp
def scatter_elements_set_vjp(
    ct: Tensor, y: Tensor, x: Tensor, positions: Tensor, updates: Tensor, *, axis: int
) -> Any:
    def to_updates() -> Tensor:  # the last one at each place is the one that stays
        order = iota(shape=positions.shape, axis=axis, dtype=int64)
        last = scatter_elements_set_(broadcast(scalar(-1, int64), x.shape), positions, order, axis=axis)
        stays = equal(_read_back(last, positions, axis), order)
        return select(stays, _read_back(ct, positions, axis), full_like(updates, 0))

    return lambda: scatter_elements_set_(ct, positions, full_like(updates, 0), axis=axis), None, to_updates


# Functions: reading


def gather(input_params: Any, input_indices: Any, axis: int, batch_dims: int = 0) -> Tensor:
    """The slices of `input_params` along `axis` at `input_indices`, whose axes come in place of that axis.

    Args:
        input_indices: integers in [-n, n), n the extent of the axis.
        batch_dims: how many leading axes the two share; each entry of that batch is read at its own indices.
    Raises:
        IndexError: an index out of range.
    """
    x = as_tensor("gather", input_params)
    axis = axis_of("gather", axis, x.ndim)
    positions = from_end(as_tensor("gather", input_indices), x.shape[axis])
    return gather_(x, positions, axis=axis, batch_dims=int(batch_dims))


def index_select(input: Any, axis: int, index: Any) -> Tensor:
    """The slices of `input` along `axis` at the vector (or scalar) `index`."""
    return gather(input, index, axis)


def take(input: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Tensor:
    """The slices of `input` along `axis` (None: of the flat tensor) at `indices`.

    Args:
        mode: what an index out of range does: `"raise"` an IndexError, `"wrap"` around, or be `"clip"`ped.
    """
    x = as_tensor("take", input)
    if axis is None:
        x, axis = reshape(x, (x.size,)), 0
    axis = axis_of("take", axis, x.ndim)
    positions, extent = as_tensor("take", indices), x.shape[axis]
    if mode == "wrap":
        return gather_(x, floor_mod(positions, extent), axis=axis)
    if mode == "clip":
        return gather_(x, minimum(maximum(positions, 0), extent - 1), axis=axis)
    if mode != "raise":
        raise located(ValueError(f"take: mode must be 'raise', 'wrap' or 'clip', got {mode!r}"))
    return gather(x, positions, axis)


def gather_elements(input: Any, dim: int, index: Any) -> Tensor:
    """`input[..., index[..., i, ...], ...]` along `dim`, in the shape of `index`."""
    x = as_tensor("gather_elements", input)
    dim = axis_of("gather_elements", dim, x.ndim)
    return gather_elements_(x, from_end(as_tensor("gather_elements", index), x.shape[dim]), axis=dim)


def gather_d(x: Any, dim: int, index: Any) -> Tensor:
    """As `gather_elements`."""
    return gather_elements(x, dim, index)


def gather_nd(input_x: Any, indices: Any) -> Tensor:
    """The slices of `input_x` at `indices[..., k]`, whose last axis holds positions along the first k axes."""
    x, positions = as_tensor("gather_nd", input_x), as_tensor("gather_nd", indices)
    return gather_(x, *_split_positions("gather_nd", positions, x.shape), axis=0)


def _split_positions(name: str, indices: Tensor, shape: tuple[int, ...]) -> list[Tensor]:
    """One tensor of positions for each of the axes that the last axis of `indices` counts."""
    if indices.ndim == 0 or not 1 <= indices.shape[-1] <= len(shape):
        raise located(ValueError(f"{name}: indices {indices.spec} do not end in positions in shape {shape}"))
    return [from_end(p, n) for p, n in zip(unstack(indices, -1), shape)]


def reverse_sequence(x: Any, seq_lengths: Any, seq_dim: int, batch_dim: int = 0) -> Tensor:
    """`x` with the first `seq_lengths[b]` slices along `seq_dim` in the opposite order, for each b of `batch_dim`."""
    x, lengths = as_tensor("reverse_sequence", x), as_tensor("reverse_sequence", seq_lengths)
    along, batch = axis_of("reverse_sequence", seq_dim, x.ndim), axis_of("reverse_sequence", batch_dim, x.ndim)
    if along == batch or lengths.shape != (x.shape[batch],):
        wanted = f"{x.shape[batch]} lengths for axis {batch} of {x.spec}"
        raise located(ValueError(f"reverse_sequence: expected {wanted}, got {lengths.spec}"))
    steps = iota(shape=x.shape, axis=along, dtype=int64)
    lengths = reshape(cast(lengths, int64), tuple(-1 if d == batch else 1 for d in range(x.ndim)))
    return gather_elements_(x, select(less(steps, lengths), lengths - 1 - steps, steps), axis=along)


# Functions: writing


def _write_rows(op: Op, name: str, x: Tensor, indices: Any, updates: Any) -> Tensor:
    """`op` on the slices at `indices[..., k]` along the first k axes."""
    updates = cast(as_tensor(name, updates), x.dtype)
    positions = _split_positions(name, as_tensor(name, indices), x.shape)
    count = len(positions)
    wanted = positions[0].shape + x.shape[count:]
    if updates.shape != wanted:
        raise located(ValueError(f"{name}: expected updates of shape {wanted} for {x.spec}, got {updates.spec}"))
    checked = [_checked(p, n) for p, n in zip(positions, x.shape)] if count > 1 else positions
    flat = reshape(x, (prod(x.shape[:count]), *x.shape[count:]))
    return reshape(op(flat, _flat_positions(tuple(checked), x.shape), updates), x.shape)


def _checked(positions: Tensor, extent: int) -> Tensor:
    """The same positions, read from a table of the axis: so that each is checked against its own axis."""
    return gather_(iota(shape=(extent,), axis=0, dtype=int64), positions, axis=0)


def tensor_scatter_add(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with `updates` added to its slices at `indices[..., k]`, along the first k axes."""
    return _write_rows(scatter_add_, "tensor_scatter_add", as_tensor("tensor_scatter_add", input_x), indices, updates)


def tensor_scatter_sub(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with `updates` subtracted from its slices at `indices[..., k]`, along the first k axes."""
    return tensor_scatter_add(input_x, indices, -as_tensor("tensor_scatter_sub", updates))


def tensor_scatter_update(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with its slices at `indices[..., k]` replaced by `updates`; of several for one slice, by the last."""
    x = as_tensor("tensor_scatter_update", input_x)
    return _write_rows(scatter_set_, "tensor_scatter_update", x, indices, updates)


def scatter_nd(indices: Any, updates: Any, shape: Any) -> Tensor:
    """Zeros of a shape, with `updates` added at `indices[..., k]`, along the first k axes."""
    updates = as_tensor("scatter_nd", updates)
    return tensor_scatter_add(broadcast(scalar(0, updates.dtype), as_ints("scatter_nd", shape)), indices, updates)


def tensor_scatter_elements(
    input_x: Any, indices: Any, updates: Any, axis: int = 0, reduction: str = "none"
) -> Tensor:
    """`input_x` with each of `updates` written at its own index, its position along `axis` taken from `indices`.

    Args:
        reduction: `"none"` replaces (of several for one element the last stays), `"add"` adds.
    """
    x = as_tensor("tensor_scatter_elements", input_x)
    updates = cast(as_tensor("tensor_scatter_elements", updates), x.dtype)
    axis = axis_of("tensor_scatter_elements", axis, x.ndim)
    positions = as_tensor("tensor_scatter_elements", indices)
    if reduction not in ("none", "add"):
        raise located(ValueError(f"tensor_scatter_elements: reduction must be 'none' or 'add', got {reduction!r}"))
    if positions.ndim != x.ndim or positions.shape != updates.shape:
        raise located(
            ValueError(f"tensor_scatter_elements: {positions.spec} and {updates.spec} do not fit {x.spec}")
        )
    ops = (scatter_elements_add_, scatter_add_) if reduction == "add" else (scatter_elements_set_, scatter_set_)
    return _write_elements(*ops, x, positions, updates, axis)


def scatter(input: Any, axis: int, index: Any, src: Any) -> Tensor:
    """`input` with each element of `src` written at its own index, its position along `axis` taken from `index`."""
    source = as_tensor("scatter", src)
    positions = as_tensor("scatter", index)
    return tensor_scatter_elements(input, positions, broadcast(source, positions.shape), axis)


def index_add(
    x: Any, indices: Any, y: Any, axis: int, use_lock: bool = True, check_index_bound: bool = True
) -> Tensor:
    """`x` with the slices of `y` along `axis` added to its slices at the vector `indices`.

    Slices are always added one after the other, and positions always checked, whatever the two options say.
    """
    x = as_tensor("index_add", x)
    axis = axis_of("index_add", axis, x.ndim)
    updates = moveaxis(cast(as_tensor("index_add", y), x.dtype), axis, 0)
    positions = from_end(as_tensor("index_add", indices), x.shape[axis])
    return moveaxis(scatter_add_(moveaxis(x, axis, 0), positions, updates), 0, axis)


def index_fill(x: Any, axis: int, index: Any, value: Any) -> Tensor:
    """`x` with its slices along `axis` at the vector `index` filled with a number."""
    x = as_tensor("index_fill", x)
    axis = axis_of("index_fill", axis, x.ndim)
    rows = moveaxis(x, axis, 0)
    positions = reshape(from_end(as_tensor("index_fill", index), x.shape[axis]), (-1,))
    filled = broadcast(element("index_fill", value, x.dtype), (positions.size, *rows.shape[1:]))
    return moveaxis(scatter_set_(rows, positions, filled), 0, axis)


def unsorted_segment_sum(input_x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The sums of the slices of `input_x` that have the same number, below `num_segments`, in `segment_ids`."""
    x, ids = as_tensor("unsorted_segment_sum", input_x), as_tensor("unsorted_segment_sum", segment_ids)
    count = as_int("unsorted_segment_sum", num_segments, "num_segments", 0)
    zeros = broadcast(scalar(0, x.dtype), (count, *x.shape[ids.ndim :]))
    return scatter_add_(zeros, ids, x)
