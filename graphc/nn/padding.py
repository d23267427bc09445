"""Layers that pad their input."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = [
    "ConstantPad1d", "ConstantPad2d", "ConstantPad3d", "Pad", "ReflectionPad1d", "ReflectionPad2d", "ReflectionPad3d",
    "ReplicationPad1d", "ReplicationPad2d", "ReplicationPad3d", "ZeroPad2d",
]  # fmt: skip


class Pad(Layer):
    """x with each dimension padded.

    Args:
        paddings: a pair (before, after) for each dimension.
        mode: 'CONSTANT' (zeros), 'REFLECT' (mirrored, without the edge) or 'SYMMETRIC' (mirrored, with it).
    """

    def __init__(self, paddings: Any, mode: str = "CONSTANT") -> None:
        super().__init__()
        self.mode = check.one_of("Pad", "mode", mode, ("CONSTANT", "REFLECT", "SYMMETRIC"))
        valid = isinstance(paddings, (tuple, list)) and all(
            isinstance(pair, (tuple, list)) and len(pair) == 2 and all(map(check.is_int, pair)) for pair in paddings
        )
        if not valid or any(n < 0 for pair in paddings for n in pair):
            error = ValueError if valid else TypeError
            raise error(f"For 'Pad', the 'paddings' must be pairs of ints >= 0, but got {paddings!r}.")
        self.paddings = tuple(tuple(pair) for pair in paddings)

    def construct(self, x: Tensor) -> Tensor:
        if len(self.paddings) != x.ndim:
            raise ValueError(f"For 'Pad', the 'paddings' have {len(self.paddings)} pairs, but the input is {x.spec}.")
        if self.mode == "CONSTANT":
            flat = [n for pair in reversed(self.paddings) for n in pair]
            return ops.pad(x, flat)
        inset = 1 if self.mode == "REFLECT" else 0
        for axis, (before, after) in enumerate(self.paddings):
            x = _mirrored(x, axis, before, after, inset)
        return x

    def extend_repr(self) -> str:
        return f"paddings={self.paddings}, mode={self.mode}"


def _mirrored(x: Tensor, axis: int, before: int, after: int, inset: int) -> Tensor:
    """x with `before` and `after` elements mirrored at its ends; `inset` of 1 leaves the edge itself out."""
    extent = x.shape[axis]
    if max(before, after) > extent - inset:
        raise ValueError(f"For 'Pad', the paddings ({before}, {after}) of axis {axis} are too large for {x.spec}.")
    parts = [x]
    if before:
        parts.insert(0, ops.flip(ops.narrow(x, axis, inset, before), (axis,)))
    if after:
        parts.append(ops.flip(ops.narrow(x, axis, extent - inset - after, after), (axis,)))
    return ops.concat(parts, axis) if len(parts) > 1 else x


class _SpatialPad(Layer):
    """Padding of the last `spatial` dimensions; `padding` is an int, or (left, right, top, bottom, front, back)."""

    spatial = 0
    mode = "constant"

    def __init__(self, padding: Any) -> None:
        super().__init__()
        name, count = type(self).__name__, 2 * self.spatial
        items = (padding,) * count if check.is_int(padding) else padding
        typed = isinstance(items, (tuple, list)) and all(map(check.is_int, items))
        if not typed or len(items) != count:
            error = ValueError if typed else TypeError
            raise error(f"For '{name}', the 'padding' must be an int or {count} ints, but got {padding!r}.")
        self.padding = tuple(items)
        self.value: float | None = None

    def construct(self, x: Tensor) -> Tensor:
        if x.ndim < self.spatial:
            raise ValueError(f"For '{type(self).__name__}', the input must have more dimensions, but got {x.spec}.")
        return ops.pad(x, self.padding, self.mode, self.value)

    def extend_repr(self) -> str:
        return f"padding={self.padding}" + ("" if self.value is None else f", value={self.value}")


class _ConstantPad(_SpatialPad):
    """Padding of the last `spatial` dimensions with `value`."""

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = check.number(type(self).__name__, "value", value)


class ConstantPad1d(_ConstantPad):
    """The last dimension padded with `value`."""

    spatial = 1


class ConstantPad2d(_ConstantPad):
    """The last two dimensions padded with `value`; `padding` is an int or (left, right, top, bottom)."""

    spatial = 2


class ConstantPad3d(_ConstantPad):
    """The last three dimensions padded with `value`; `padding` is an int or (left, right, top, bottom, front, back)."""

    spatial = 3


class ZeroPad1d(_ConstantPad):
    """The last dimension padded with 0; `padding` is an int or (left, right)."""

    spatial = 1

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0)


class ZeroPad2d(_ConstantPad):
    """The last two dimensions padded with 0; `padding` is an int or (left, right, top, bottom)."""

    spatial = 2

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0)


class ZeroPad3d(_ConstantPad):
    """The last three dimensions padded with 0; `padding` is an int or (left, right, top, bottom, front, back)."""

    spatial = 3

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0)


class ReflectionPad1d(_SpatialPad):
    """The last dimension mirrored at its ends, without the edge."""

    spatial, mode = 1, "reflect"


class ReflectionPad2d(_SpatialPad):
    """The last two dimensions mirrored at their ends, without the edge."""

    spatial, mode = 2, "reflect"


class ReflectionPad3d(_SpatialPad):
    """The last three dimensions mirrored at their ends, without the edge."""

    spatial, mode = 3, "reflect"


class ReplicationPad1d(_SpatialPad):
    """The last dimension continued with the values at its ends."""

    spatial, mode = 1, "replicate"


class ReplicationPad2d(_SpatialPad):
    """The last two dimensions continued with the values at their edges."""

    spatial, mode = 2, "replicate"


class ReplicationPad3d(_SpatialPad):
    """The last three dimensions continued with the values at their ends."""

    spatial, mode = 3, "replicate"
