"""Layers that hand their input on, or only move its elements."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import dtype_of, float32
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = [
    "ChannelShuffle", "Flatten", "Identity", "MatrixDiag", "MatrixDiagPart", "MatrixSetDiag", "OneHot", "Roll",
    "TimeDistributed", "Tril", "Triu", "Unflatten",
]  # fmt: skip


class Identity(Layer):
    """Returns its input; takes and ignores any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def construct(self, x: Any) -> Any:
        return x


class Flatten(Layer):
    """The dimensions from `start_dim` to `end_dim` as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        for name, value in (("start_dim", start_dim), ("end_dim", end_dim)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"For 'Flatten', the '{name}' must be int, but got {type(value).__name__}.")
        self.start_dim, self.end_dim = start_dim, end_dim

    def construct(self, x: Tensor) -> Tensor:
        return ops.flatten(x, start_dim=self.start_dim, end_dim=self.end_dim)


class Unflatten(Layer):
    """The dimension `axis` as several, of the extents `unflattened_size`."""

    def __init__(self, axis: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not check.is_int(axis):
            raise TypeError(f"For 'Unflatten', the 'axis' must be an int, but got {axis!r}.")
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"For 'Unflatten', the 'unflattened_size' must be a tuple, but got {unflattened_size!r}.")
        self.axis, self.unflattened_size = axis, tuple(unflattened_size)

    def construct(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"For 'Unflatten', the 'axis' {self.axis} is out of range for {x.spec}.")
        axis = self.axis % x.ndim
        return ops.reshape(x, (*x.shape[:axis], *self.unflattened_size, *x.shape[axis + 1 :]))


class OneHot(Layer):
    """`on_value` at each index along a new dimension `axis` of extent `depth`, `off_value` elsewhere."""

    def __init__(
        self, axis: int = -1, depth: int = 1, on_value: float = 1.0, off_value: float = 0.0, dtype: Any = float32
    ) -> None:
        super().__init__()
        self.axis = axis
        self.depth = check.positive_int("OneHot", "depth", depth)
        self.dtype = dtype_of(dtype)
        self.on_value, self.off_value = on_value, off_value

    def construct(self, indices: Tensor) -> Tensor:
        on, off = Tensor(self.on_value, self.dtype), Tensor(self.off_value, self.dtype)
        return ops.one_hot(indices, self.depth, on, off, self.axis)


class ChannelShuffle(Layer):
    """The channels of `[N, C, ...]` in turn from each of `groups` groups (Zhang et al. 2018)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = check.positive_int("ChannelShuffle", "groups", groups)

    def construct(self, x: Tensor) -> Tensor:
        return ops.channel_shuffle(x, self.groups)

    def extend_repr(self) -> str:
        return f"groups={self.groups}"


class Roll(Layer):
    """x with its elements moved by `shift` along `axis`; those that leave at one end come in at the other."""

    def __init__(self, shift: Any, axis: Any) -> None:
        super().__init__()
        self.shift, self.axis = shift, axis

    def construct(self, x: Tensor) -> Tensor:
        return ops.roll(x, self.shift, self.axis)


class Tril(Layer):
    """x with 0 above its k-th diagonal."""

    def construct(self, x: Tensor, k: int = 0) -> Tensor:
        return ops.tril(x, k)


class Triu(Layer):
    """x with 0 below its k-th diagonal."""

    def construct(self, x: Tensor, k: int = 0) -> Tensor:
        return ops.triu(x, k)


class MatrixDiag(Layer):
    """Matrices `[..., N, N]` with vectors `[..., N]` on their diagonals, and 0 elsewhere."""

    def construct(self, input_x: Tensor) -> Tensor:
        return ops.matrix_diag(input_x)


class MatrixDiagPart(Layer):
    """The diagonals `[..., min(M, N)]` of matrices `[..., M, N]`."""

    def construct(self, input_x: Tensor) -> Tensor:
        return ops.matrix_diag_part(input_x)


class MatrixSetDiag(Layer):
    """Matrices `[..., M, N]` with the vectors `[..., min(M, N)]` in the place of their diagonals."""

    def construct(self, input_x: Tensor, diagonal: Tensor) -> Tensor:
        return ops.matrix_set_diag(input_x, diagonal)


class TimeDistributed(Cell):
    """A layer applied to every slice of an axis by itself.

    Args:
        layer: a Cell.
        time_axis: the axis; the results are stacked along it.
        reshape_with_axis: do so at once, with the slices laid along this axis, which the layer treats as a batch.
    """

    def __init__(self, layer: Any, time_axis: int, reshape_with_axis: int | None = None) -> None:
        super().__init__()
        if not callable(layer):
            raise TypeError(f"For 'TimeDistributed', the 'layer' must be a Cell, but got {type(layer).__name__}.")
        self.layer, self.time_axis, self.reshape_with_axis = layer, time_axis, reshape_with_axis

    def construct(self, inputs: Tensor) -> Tensor:
        time = self.time_axis % inputs.ndim
        if self.reshape_with_axis is None:
            return ops.stack([self.layer(x) for x in ops.unstack(inputs, time)], time)
        batch = self.reshape_with_axis % inputs.ndim
        place = batch - (batch > time)  # of the batch in one slice
        turned = ops.moveaxis(inputs, time, place)  # in front of the batch
        joined = turned.reshape(*turned.shape[:place], -1, *turned.shape[place + 2 :])
        y = self.layer(joined)
        parted = y.reshape(*y.shape[:place], *turned.shape[place : place + 2], *y.shape[place + 1 :])
        return ops.moveaxis(parted, place, time)
