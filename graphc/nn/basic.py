"""Fully connected layers, dropout and layers that reshape, pad or upsample."""

from __future__ import annotations

import math
from typing import Any

from graphc import ops
from graphc.dtype import DType, dtype_of, float32, int32
from graphc.initializer import HeUniform, Uniform, initializer
from graphc.nn import check
from graphc.nn.activation import get_activation
from graphc.nn.cell import Cell
from graphc.tensor import Parameter, Tensor


def float_dtype(where: str, dtype: Any) -> DType:
    """`dtype`, which must be float32 or float64."""
    found = dtype_of(dtype)
    if not found.is_float:
        raise TypeError(f"For '{where}', the 'dtype' must be float32 or float64, but got {dtype!r}.")
    return found


class Dense(Cell):
    """x @ weight.T + bias: the fully connected layer.

    Args:
        in_channels, out_channels: features of the input `[..., in_channels]` and the result `[..., out_channels]`.
        weight_init: what initialises `weight` `[out_channels, in_channels]`; by default HeUniform(sqrt(5)).
        bias_init: what initialises `bias` `[out_channels]`; by default uniform within 1 / sqrt(in_channels) of 0.
        has_bias: whether there is a `bias`.
        activation: the name of an activation, or a Cell, applied to the result.
        dtype: of the Parameters.
    """

    def __init__(
        self, in_channels: int, out_channels: int, weight_init: Any = None, bias_init: Any = None,
        has_bias: bool = True, activation: Any = None, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self.in_channels = check.positive_int("Dense", "in_channels", in_channels)
        self.out_channels = check.positive_int("Dense", "out_channels", out_channels)
        self.has_bias = check.boolean("Dense", "has_bias", has_bias)
        dtype = float_dtype("Dense", dtype)
        weight_init = HeUniform(math.sqrt(5)) if weight_init is None else weight_init
        self.weight = Parameter(initializer(weight_init, (out_channels, in_channels), dtype), "weight")
        self.bias = None
        if has_bias:
            bias_init = Uniform(1 / math.sqrt(in_channels)) if bias_init is None else bias_init
            self.bias = Parameter(initializer(bias_init, (out_channels,), dtype), "bias")
        self.activation = get_activation(activation, "Dense") if isinstance(activation, str) else activation
        if activation is not None and not callable(self.activation):
            raise TypeError(f"For 'Dense', the 'activation' must be str or Cell, but got {type(activation).__name__}.")

    def construct(self, x: Tensor) -> Tensor:
        y = ops.dense(x, self.weight, self.bias)
        return y if self.activation is None else self.activation(y)

    def extend_repr(self) -> str:
        text = f"input_channels={self.in_channels}, output_channels={self.out_channels}"
        text += ", has_bias=True" if self.has_bias else ""
        return text if self.activation is None else f"{text}, activation={self.activation!r}"


class BiDense(Cell):
    """x1 @ weight @ x2 + bias for each of `out_channels`: the bilinear layer.

    Args:
        in1_channels, in2_channels: features of the inputs `[..., in1_channels]` and `[..., in2_channels]`.
        out_channels: features of the result.
        weight_init, bias_init: by default uniform within 1 / sqrt(in1_channels) of 0.
    """

    def __init__(
        self, in1_channels: int, in2_channels: int, out_channels: int, weight_init: Any = None, bias_init: Any = None,
        has_bias: bool = True, dtype: Any = float32,
    ) -> None:
        super().__init__()
        self.in1_channels = check.positive_int("BiDense", "in1_channels", in1_channels)
        self.in2_channels = check.positive_int("BiDense", "in2_channels", in2_channels)
        self.out_channels = check.positive_int("BiDense", "out_channels", out_channels)
        self.has_bias = check.boolean("BiDense", "has_bias", has_bias)
        dtype = float_dtype("BiDense", dtype)
        default = Uniform(1 / math.sqrt(in1_channels))
        shape = (out_channels, in1_channels, in2_channels)
        self.weight = Parameter(initializer(default if weight_init is None else weight_init, shape, dtype), "weight")
        self.bias = None
        if has_bias:
            self.bias = Parameter(initializer(default if bias_init is None else bias_init, out_channels, dtype), "bias")

    def construct(self, input1: Tensor, input2: Tensor) -> Tensor:
        rows = [ops.reshape(x, (-1, x.shape[-1])) for x in (input1, input2)]
        left = ops.matmul(rows[0], ops.reshape(ops.transpose(self.weight, (1, 0, 2)), (self.in1_channels, -1)))
        products = ops.reshape(left, (-1, self.out_channels, self.in2_channels)) * ops.expand_dims(rows[1], 1)
        y = ops.reshape(ops.sum(products, -1), (*input1.shape[:-1], self.out_channels))
        return y if self.bias is None else y + self.bias

    def extend_repr(self) -> str:
        return (
            f"in1_channels={self.in1_channels}, in2_channels={self.in2_channels}, out_channels={self.out_channels}, "
            f"has_bias={self.has_bias}"
        )


class Identity(Cell):
    """Returns its input; takes and ignores any arguments, so that it can stand in for any layer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def construct(self, x: Any) -> Any:
        return x


class Flatten(Cell):
    """The dimensions from `start_dim` to `end_dim` as one."""

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        for name, value in (("start_dim", start_dim), ("end_dim", end_dim)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"For 'Flatten', the '{name}' must be int, but got {type(value).__name__}.")
        self.start_dim, self.end_dim = start_dim, end_dim

    def construct(self, x: Tensor) -> Tensor:
        return ops.flatten(x, start_dim=self.start_dim, end_dim=self.end_dim)


class Unflatten(Cell):
    """The dimension `axis` as several, of the extents `unflattened_size`."""

    def __init__(self, axis: int, unflattened_size: tuple[int, ...]) -> None:
        super().__init__()
        if not isinstance(unflattened_size, (tuple, list)):
            raise TypeError(f"For 'Unflatten', the 'unflattened_size' must be a tuple, but got {unflattened_size!r}.")
        self.axis, self.unflattened_size = axis, tuple(unflattened_size)

    def construct(self, x: Tensor) -> Tensor:
        if not -x.ndim <= self.axis < x.ndim:
            raise ValueError(f"For 'Unflatten', the 'axis' {self.axis} is out of range for {x.type}.")
        axis = self.axis % x.ndim
        return ops.reshape(x, (*x.shape[:axis], *self.unflattened_size, *x.shape[axis + 1 :]))


class Dropout(Cell):
    """In training sets elements to 0, each with probability `p`, and divides the others by 1 - p.

    In evaluation (`training` is False, as at first) it returns its input.

    Args:
        keep_prob: 1 - p, MindSpore's older argument; counts only where `p` is None.
        p: at least 0 and below 1.
        dtype: kept for MindSpore's programs: the result has the input's type.
    """

    def __init__(self, keep_prob: float = 0.5, p: float | None = None, dtype: Any = float32) -> None:
        super().__init__()
        float_dtype("Dropout", dtype)
        if p is None:
            check.between("Dropout", "keep_prob", keep_prob, 0.0, 1.0, "(]")
        else:
            check.between("Dropout", "p", p, 0.0, 1.0, "[)")
        self.keep_prob, self.p = keep_prob, p
        self._probability = 1 - keep_prob if p is None else p

    def construct(self, x: Tensor) -> Tensor:
        if not self.training or self._probability == 0:
            return x
        return ops.dropout(x, self._probability, True)

    def extend_repr(self) -> str:
        return f"keep_prob={self.keep_prob}" if self.p is None else f"p={self.p}"


class _ChannelDropout(Cell):
    """What dropouts of whole channels share."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = check.between(type(self).__name__, "p", p, 0.0, 1.0, "[]")

    def extend_repr(self) -> str:
        return f"p={self.p}"


class Dropout1d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, L]` or `[C, L]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout1d(x, self.p, self.training)


class Dropout2d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, H, W]` or `[C, H, W]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout2d(x, self.p, self.training)


class Dropout3d(_ChannelDropout):
    """In training, dropout of whole channels of `[N, C, D, H, W]` or `[C, D, H, W]`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.dropout3d(x, self.p, self.training)


class OneHot(Cell):
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


class Norm(Cell):
    """The Euclidean norm over `axis` (all axes for `()`)."""

    def __init__(self, axis: Any = (), keep_dims: bool = False) -> None:
        super().__init__()
        self.axis = axis
        self.keep_dims = check.boolean("Norm", "keep_dims", keep_dims)

    def construct(self, x: Tensor) -> Tensor:
        axes = None if isinstance(self.axis, (tuple, list)) and not self.axis else self.axis
        return ops.sqrt(ops.sum(x * x, axes, self.keep_dims))

    def extend_repr(self) -> str:
        return f"axis={self.axis}, keep_dims={self.keep_dims}"


class ClipByNorm(Cell):
    """x scaled down to the norm `clip_norm` where its norm is larger; norms are taken over `axis` (None: all)."""

    def __init__(self, axis: Any = None) -> None:
        super().__init__()
        self.axis = axis

    def construct(self, x: Tensor, clip_norm: Any) -> Tensor:
        norm = ops.sqrt(ops.sum(x * x, self.axis, True))
        factor: Tensor = clip_norm / ops.maximum(norm, clip_norm)
        return x * factor


class MatMul(Cell):
    """x1 @ x2, each transposed (its last two dimensions exchanged) first where asked for."""

    def __init__(self, transpose_x1: bool = False, transpose_x2: bool = False) -> None:
        super().__init__()
        self.transpose_x1 = check.boolean("MatMul", "transpose_x1", transpose_x1)
        self.transpose_x2 = check.boolean("MatMul", "transpose_x2", transpose_x2)

    def construct(self, x1: Tensor, x2: Tensor) -> Tensor:
        x1 = ops.swapaxes(x1, -2, -1) if self.transpose_x1 and x1.ndim > 1 else x1
        x2 = ops.swapaxes(x2, -2, -1) if self.transpose_x2 and x2.ndim > 1 else x2
        return ops.matmul(x1, x2)


class Range(Cell):
    """The numbers from `start` to before `limit` in steps of `delta`, as a constant; from 0 if `limit` is None.

    int32 if all three are ints (as in MindSpore), otherwise float32.
    """

    def __init__(self, start: float, limit: float | None = None, delta: float = 1) -> None:
        super().__init__()
        if delta == 0:
            raise ValueError("For 'Range', the 'delta' must not be 0.")
        begin, end = (0, start) if limit is None else (start, limit)
        whole = all(isinstance(n, int) for n in (begin, end, delta))
        self.result = ops.arange(begin, end, delta, dtype=int32 if whole else float32)

    def construct(self) -> Tensor:
        result: Tensor = self.result
        return result


class Moments(Cell):
    """Mean and (biased) variance over `axis`."""

    def __init__(self, axis: Any = None, keep_dims: bool | None = None) -> None:
        super().__init__()
        self.axis = tuple(axis) if isinstance(axis, list) else axis
        self.keep_dims = check.boolean("Moments", "keep_dims", False if keep_dims is None else keep_dims)

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        variance, mean = ops.var_mean(x, self.axis, 0, self.keep_dims)
        return mean, variance


class ReduceLogSumExp(Cell):
    """log(sum(exp(x))) over `axis`, without overflow."""

    def __init__(self, axis: Any, keep_dims: bool = False) -> None:
        super().__init__()
        self.axis = tuple(axis) if isinstance(axis, list) else axis
        self.keep_dims = check.boolean("ReduceLogSumExp", "keep_dims", keep_dims)

    def construct(self, x: Tensor) -> Tensor:
        return ops.logsumexp(x, self.axis, self.keep_dims)


class L1Regularizer(Cell):
    """`scale` (above 0) times the sum of the absolute values of the weights."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = check.positive_float("L1Regularizer", "scale", scale)

    def construct(self, weights: Tensor) -> Tensor:
        return ops.sum(ops.abs(weights)) * self.scale


class LGamma(Cell):
    """log |Gamma(x)|; see `ops.lgamma`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.lgamma(x)


class DiGamma(Cell):
    """The derivative of log |Gamma(x)|; see `ops.digamma`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.digamma(x)


class MatInverse(Cell):
    """The inverse of square matrices `[..., N, N]`; see `ops.inverse`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.inverse(x)


class MatDet(Cell):
    """The determinant of square matrices `[..., N, N]`; see `ops.det`."""

    def construct(self, x: Tensor) -> Tensor:
        return ops.det(x)


class ChannelShuffle(Cell):
    """The channels of `[N, C, ...]` in turn from each of `groups` groups (Zhang et al. 2018)."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = check.positive_int("ChannelShuffle", "groups", groups)

    def construct(self, x: Tensor) -> Tensor:
        return ops.channel_shuffle(x, self.groups)

    def extend_repr(self) -> str:
        return f"groups={self.groups}"


class Unfold(Cell):
    """The windows of images `[N, C, H, W]` as channels: `[N, KH * KW * C, H', W']`.

    Channels are grouped by their place in the window, row by row. For columns `[N, C * KH * KW, L]`, see `ops.unfold`.

    Args:
        ksizes: `[1, KH, KW, 1]`, the window.
        strides: `[1, rows, columns, 1]`, the distance from one window to the next.
        rates: `[1, rows, columns, 1]`, that from one element of a window to the next.
        padding: `"valid"`: windows lie within the image; `"same"`: there are H / rows x W / columns windows, rounded
            up, with zeros beyond the edges.
    """

    def __init__(self, ksizes: Any, strides: Any, rates: Any, padding: str = "valid") -> None:
        super().__init__()
        self.ksizes, self.strides = _rows_and_columns("ksize", ksizes), _rows_and_columns("stride", strides)
        self.rates = _rows_and_columns("rate", rates)
        self.padding = check.one_of("Unfold", "padding", str(padding).lower(), ["valid", "same"])

    def construct(self, x: Tensor) -> Tensor:
        n, c, *sizes = x.shape
        spans = [r * (k - 1) + 1 for k, r in zip(self.ksizes, self.rates, strict=True)]
        if self.padding == "same":
            counts = [-(-size // step) for size, step in zip(sizes, self.strides, strict=True)]
            missing = [
                max((count - 1) * step + span - size, 0)
                for count, step, span, size in zip(counts, self.strides, spans, sizes, strict=True)
            ]
            (top, left), (down, right) = [m // 2 for m in missing], [m - m // 2 for m in missing]
            x = ops.pad(x, (left, right, top, down))
        columns = ops.unfold(x, self.ksizes, self.rates, 0, self.strides)
        rows, wide = [
            (size - span) // step + 1 for size, span, step in zip(x.shape[2:], spans, self.strides, strict=True)
        ]
        by_place = ops.reshape(columns, (n, c, self.ksizes[0] * self.ksizes[1], rows * wide)).transpose(0, 2, 1, 3)
        return ops.reshape(by_place, (n, -1, rows, wide))


def _rows_and_columns(name: str, value: Any) -> tuple[int, int]:
    """The two numbers in the middle of `[1, rows, columns, 1]`."""
    if not isinstance(value, (tuple, list)):
        raise TypeError(f"For 'Unfold', the type of '{name}s' must be tuple or list, but got {type(value).__name__}.")
    if len(value) != 4 or value[0] != 1 or value[3] != 1:
        raise ValueError(
            f"For 'Unfold', the format of '{name}s' must be [1, {name}_row, {name}_col, 1], but got {value}."
        )
    return check.positive_int("Unfold", f"{name}_row", value[1]), check.positive_int("Unfold", f"{name}_col", value[2])


class ResizeBilinear(Cell):
    """Images `[N, C, H, W]` resized by linear interpolation, as in MindSpore 1; later programs use `ops.interpolate`.

    Called with the images and either `size`, (H', W'), or `scale_factor`, an int.

    Args:
        half_pixel_centers: positions count from the elements' centers rather than from their corners.
    """

    def __init__(self, half_pixel_centers: bool = False) -> None:
        super().__init__()
        self.half_pixel_centers = check.boolean("ResizeBilinear", "half_pixel_centers", half_pixel_centers)

    def construct(
        self, x: Tensor, size: Any = None, scale_factor: int | None = None, align_corners: bool = False
    ) -> Tensor:
        if (size is None) == (scale_factor is None):
            raise ValueError(
                f"For 'ResizeBilinear', either 'size' or 'scale_factor' must be given, but got {size} and "
                f"{scale_factor}."
            )
        if scale_factor is not None:
            factor = check.positive_int("ResizeBilinear", "scale_factor", scale_factor)
            size = tuple(n * factor for n in x.shape[2:])
        check.boolean("ResizeBilinear", "align_corners", align_corners)
        resized: Tensor = ops.ResizeBilinear(tuple(size), align_corners, self.half_pixel_centers)(x)
        return resized


class Roll(Cell):
    """x with its elements moved by `shift` along `axis`; those that leave at one end come in at the other."""

    def __init__(self, shift: Any, axis: Any) -> None:
        super().__init__()
        self.shift, self.axis = shift, axis

    def construct(self, x: Tensor) -> Tensor:
        return ops.roll(x, self.shift, self.axis)


class Tril(Cell):
    """x with 0 above its k-th diagonal."""

    def construct(self, x: Tensor, k: int = 0) -> Tensor:
        return ops.tril(x, k)


class Triu(Cell):
    """x with 0 below its k-th diagonal."""

    def construct(self, x: Tensor, k: int = 0) -> Tensor:
        return ops.triu(x, k)


class Pad(Cell):
    """x with each dimension padded.

    Args:
        paddings: a pair (before, after) for each dimension.
        mode: 'CONSTANT' (zeros), 'REFLECT' (mirrored, without the edge) or 'SYMMETRIC' (mirrored, with it).
    """

    def __init__(self, paddings: Any, mode: str = "CONSTANT") -> None:
        super().__init__()
        self.mode = check.one_of("Pad", "mode", mode, ("CONSTANT", "REFLECT", "SYMMETRIC"))
        valid = isinstance(paddings, (tuple, list)) and all(
            isinstance(pair, (tuple, list)) and len(pair) == 2 and all(isinstance(n, int) and n >= 0 for n in pair)
            for pair in paddings
        )
        if not valid:
            raise ValueError(f"For 'Pad', the 'paddings' must be pairs of ints >= 0, but got {paddings!r}.")
        self.paddings = tuple(tuple(pair) for pair in paddings)

    def construct(self, x: Tensor) -> Tensor:
        if len(self.paddings) != x.ndim:
            raise ValueError(f"For 'Pad', the 'paddings' have {len(self.paddings)} pairs, but the input is {x.type}.")
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
        raise ValueError(f"For 'Pad', the paddings ({before}, {after}) of axis {axis} are too large for {x.type}.")
    parts = [x]
    if before:
        parts.insert(0, ops.flip(ops.narrow(x, axis, inset, before), (axis,)))
    if after:
        parts.append(ops.flip(ops.narrow(x, axis, extent - inset - after, after), (axis,)))
    return ops.concat(parts, axis) if len(parts) > 1 else x


class _SpatialPad(Cell):
    """Padding of the last `spatial` dimensions; `padding` is an int, or (left, right, top, bottom, front, back)."""

    spatial = 0
    mode = "constant"

    def __init__(self, padding: Any, value: float | None = None) -> None:
        super().__init__()
        name, count = type(self).__name__, 2 * self.spatial
        items = (padding,) * count if isinstance(padding, int) else padding
        if not isinstance(items, (tuple, list)) or len(items) != count or not all(isinstance(n, int) for n in items):
            raise ValueError(f"For '{name}', the 'padding' must be an int or {count} ints, but got {padding!r}.")
        self.padding, self.value = tuple(items), value

    def construct(self, x: Tensor) -> Tensor:
        if x.ndim < self.spatial:
            raise ValueError(f"For '{type(self).__name__}', the input must have more dimensions, but got {x.type}.")
        return ops.pad(x, self.padding, self.mode, self.value)

    def extend_repr(self) -> str:
        return f"padding={self.padding}" + ("" if self.value is None else f", value={self.value}")


class ConstantPad1d(_SpatialPad):
    """The last dimension padded with `value`."""

    spatial = 1

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding, value)


class ConstantPad2d(_SpatialPad):
    """The last two dimensions padded with `value`; `padding` is an int or (left, right, top, bottom)."""

    spatial = 2

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding, value)


class ConstantPad3d(_SpatialPad):
    """The last three dimensions padded with `value`; `padding` is an int or (left, right, top, bottom, front, back)."""

    spatial = 3

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding, value)


class ZeroPad2d(_SpatialPad):
    """The last two dimensions padded with 0; `padding` is an int or (left, right, top, bottom)."""

    spatial = 2

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0)


class ReflectionPad1d(_SpatialPad):
    """The last dimension mirrored at its ends, without the edge."""

    spatial, mode = 1, "reflect"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class ReflectionPad2d(_SpatialPad):
    """The last two dimensions mirrored at their ends, without the edge."""

    spatial, mode = 2, "reflect"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class ReflectionPad3d(_SpatialPad):
    """The last three dimensions mirrored at their ends, without the edge."""

    spatial, mode = 3, "reflect"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class ReplicationPad1d(_SpatialPad):
    """The last dimension continued with the values at its ends."""

    spatial, mode = 1, "replicate"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class ReplicationPad2d(_SpatialPad):
    """The last two dimensions continued with the values at their edges."""

    spatial, mode = 2, "replicate"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class ReplicationPad3d(_SpatialPad):
    """The last three dimensions continued with the values at their ends."""

    spatial, mode = 3, "replicate"

    def __init__(self, padding: Any) -> None:
        super().__init__(padding)


class PixelShuffle(Cell):
    """`[..., C * r * r, H, W]` as `[..., C, H * r, W * r]` (Shi et al. 2016), r = `upscale_factor`."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = check.positive_int("PixelShuffle", "upscale_factor", upscale_factor)

    def construct(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Cell):
    """The inverse of PixelShuffle."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = check.positive_int("PixelUnshuffle", "downscale_factor", downscale_factor)

    def construct(self, x: Tensor) -> Tensor:
        return ops.pixel_unshuffle(x, self.downscale_factor)


class Upsample(Cell):
    """x `[N, C, *S]` at another size, as `ops.interpolate` does it.

    Args:
        size: the new spatial extents; or `scale_factor`: new extents over old ones.
        mode: 'nearest', 'linear', 'bilinear', ... .
    """

    def __init__(
        self, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
        recompute_scale_factor: bool | None = None,
    ) -> None:
        super().__init__()
        self.size, self.scale_factor, self.mode = size, scale_factor, mode
        self.align_corners, self.recompute_scale_factor = align_corners, recompute_scale_factor

    def construct(self, x: Tensor) -> Tensor:
        return ops.interpolate(
            x, self.size, self.scale_factor, self.mode, self.align_corners, self.recompute_scale_factor
        )

    def extend_repr(self) -> str:
        return (
            f"size={self.size}, scale_factor={self.scale_factor}, mode={self.mode}, "
            f"align_corners={self.align_corners}, recompute_scale_factor={self.recompute_scale_factor}"
        )


class MatrixDiag(Cell):
    """Matrices `[..., N, N]` with vectors `[..., N]` on their diagonals, and 0 elsewhere."""

    def construct(self, input_x: Tensor) -> Tensor:
        return ops.matrix_diag(input_x)


class MatrixDiagPart(Cell):
    """The diagonals `[..., min(M, N)]` of matrices `[..., M, N]`."""

    def construct(self, input_x: Tensor) -> Tensor:
        return ops.matrix_diag_part(input_x)


class MatrixSetDiag(Cell):
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
