"""Convolution layers over 1, 2 and 3 spatial dimensions, and their transposes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property
from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.initializer import HeUniform, Uniform, initializer
from graphc.nn import check
from graphc.nn.check import float_dtype
from graphc.nn.layer import Layer
from graphc.ops.coerce import as_tensor
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["Conv1d", "Conv1dTranspose", "Conv2d", "Conv2dTranspose", "Conv3d", "Conv3dTranspose"]

PAD_MODES = ("valid", "same", "pad")


class _Conv(Layer):
    """What convolutions share: arguments (see Conv2d), their checks, Parameters and printing."""

    spatial = 0
    leading: tuple[int, ...] = ()  # extents that attributes have besides the spatial ones
    operation: Callable[..., Tensor]
    data_format = ""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False, weight_init: Any = None,
        bias_init: Any = None, dtype: Any = float32,
    ) -> None:
        super().__init__()
        where, count = type(self).__name__, self.spatial
        self.in_channels = check.positive_int(where, "in_channels", in_channels)
        self.out_channels = check.positive_int(where, "out_channels", out_channels)
        self.kernel_size = (*self.leading, *check.extents(where, "kernel_size", kernel_size, count))
        self.stride = (*self.leading, *check.extents(where, "stride", stride, count))
        self.dilation = (*self.leading, *check.extents(where, "dilation", dilation, count))
        self.group = check.positive_int(where, "group", group)
        self.has_bias = check.boolean(where, "has_bias", has_bias)
        mode = pad_mode.lower() if isinstance(pad_mode, str) else pad_mode
        self.pad_mode = check.string(where.replace("d", "D", 1), "pad_mode", mode, PAD_MODES)
        self._ends = _ends(where, padding, count, mode)
        self.padding = (0, 0, *self._ends) if self.leading else padding
        for name, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % group:
                raise ValueError(
                    f"For '{where}', the attr '{name}' must be divisible by attr 'group', "
                    f"but got '{name}': {channels} and 'group': {group}."
                )
        dtype = float_dtype(where, dtype)
        shape = self._weight_shape()
        self.weight_init = HeUniform(math.sqrt(5)) if weight_init is None else weight_init
        start = self.weight_init
        if isinstance(start, Tensor) and start.shape != shape:
            start = self._widened(start)
        self.weight = Parameter(initializer(start, shape, dtype), "weight")
        self.bias, self.bias_init = None, bias_init
        if has_bias:
            self.bias_init = Uniform(1 / math.sqrt(math.prod(shape[1:]))) if bias_init is None else bias_init
            self.bias = Parameter(initializer(self.bias_init, (out_channels,), dtype), "bias")

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.out_channels, self.in_channels // self.group, *self.kernel_size)

    def _widened(self, weight: Tensor) -> Tensor:
        """The weight that a user gives as the Parameter has it."""
        return weight

    def _kernel(self) -> Tensor:
        """The weight as the operation takes it."""
        return self.weight

    def construct(self, x: Tensor) -> Tensor:
        return type(self).operation(
            x, self._kernel(), self.bias, self._along(self.stride), self.pad_mode, self._ends,
            self._along(self.dilation), self.group,
        )

    def _along(self, extents: tuple[int, ...]) -> tuple[int, ...]:
        """Those of the spatial dimensions."""
        return extents[-self.spatial :]

    def _primitive(self) -> Any:
        """The layer's operation as an object that takes a weight, for classes that programs derive."""
        ends = (0,) * (4 - 2 * self.spatial) + self._ends
        kind = ops.Conv3D if self.spatial == 3 else ops.Conv2D
        return kind(
            self.out_channels, self.kernel_size, pad_mode=self.pad_mode, pad=ends, stride=self.stride,
            dilation=self.dilation, group=self.group,
        )

    @cached_property
    def bias_add(self) -> Any:
        """`ops.BiasAdd`, for classes that programs derive."""
        return ops.BiasAdd()

    def extend_repr(self) -> str:
        text = (
            f"input_channels={self.in_channels}, output_channels={self.out_channels}, "
            f"kernel_size={self.kernel_size}, stride={self.stride}, pad_mode={self.pad_mode}, padding={self.padding}, "
            f"dilation={self.dilation}, group={self.group}, has_bias={self.has_bias}, "
            f"weight_init={self.weight_init}, bias_init={self.bias_init}"
        )
        return f"{text}, format={self.data_format}" if self.data_format else text


def _ends(where: str, padding: Any, count: int, mode: str) -> tuple[int, ...]:
    """The padding before and after each spatial dimension, in one flat tuple."""
    if isinstance(padding, int) and not isinstance(padding, bool):
        ends: tuple[Any, ...] = (padding,) * (2 * count)
    else:
        ends = tuple(padding) if isinstance(padding, (tuple, list)) else ()
        ends = ends * 2 if count == len(ends) == 1 else ends
    typed = bool(ends) and all(map(check.is_int, ends))
    if not typed or len(ends) != 2 * count or min(ends) < 0:
        error = ValueError if typed else TypeError
        raise error(
            f"For '{where}', the 'padding' must be an int >= 0 or a tuple of {2 * count} of them, but got {padding!r}."
        )
    if mode != "pad" and any(ends):
        raise ValueError(f"For '{where}', the 'padding' must be zero when 'pad_mode' is '{mode}', but got {padding!r}.")
    return ends


class _OnLines(_Conv):
    """What convolutions over one dimension share: `weight` and attributes have an axis more, as in MindSpore."""

    leading = (1,)

    def _widened(self, weight: Tensor) -> Tensor:
        return ops.expand_dims(weight, 2) if weight.ndim == 3 else weight

    def _kernel(self) -> Tensor:
        return ops.squeeze(self.weight, 2)


class Conv1d(_OnLines):
    """Convolution of `[N, in_channels, L]` with `weight` `[out_channels, in_channels / group, 1, K]`; see Conv2d.

    A Tensor as `weight_init` may lack the axis of extent 1.
    """

    spatial, operation = 1, staticmethod(ops.conv1d)
    conv2d = cached_property(_Conv._primitive)


class Conv2d(_Conv):
    """Convolution of `[N, in_channels, H, W]` with `weight` `[out_channels, in_channels / group, KH, KW]`.

    Args:
        in_channels, out_channels: channels of the input and of the result.
        kernel_size, stride, dilation: an int, or one for each spatial dimension.
        pad_mode: 'same' (the result has the input's extents over the stride, rounded up), 'valid' (none) or 'pad'.
        padding: with 'pad': an int, or (top, bottom, left, right).
        group: into how many groups, without connection, the channels are divided.
        has_bias: whether there is a `bias`.
        weight_init: what initialises `weight`; by default HeUniform(sqrt(5)).
        bias_init: what initialises `bias` `[out_channels]`; by default uniform within 1 / sqrt(fan_in) of 0.
        data_format: 'NCHW'.
        dtype: of the Parameters.
    """

    spatial, operation, data_format = 2, staticmethod(ops.conv2d), "NCHW"
    conv2d = cached_property(_Conv._primitive)

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False, weight_init: Any = None,
        bias_init: Any = None, data_format: str = "NCHW", dtype: Any = float32,
    ) -> None:
        check.only("Conv2d", "data_format", data_format, "NCHW")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias, weight_init,
            bias_init, dtype,
        )


class Conv3d(_Conv):
    """Convolution of `[N, in_channels, D, H, W]`; see Conv2d. 'pad' may have (head, tail, top, bottom, left, right)."""

    spatial, operation, data_format = 3, staticmethod(ops.conv3d), "NCDHW"
    conv3d = cached_property(_Conv._primitive)

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False, weight_init: Any = None,
        bias_init: Any = None, data_format: str = "NCDHW", dtype: Any = float32,
    ) -> None:
        check.only("Conv3d", "data_format", data_format, "NCDHW")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias, weight_init,
            bias_init, dtype,
        )


class _ConvTranspose(_Conv):
    """What transposed convolutions share; `weight` is `[in_channels, out_channels / group, *K]`."""

    output_padding: tuple[int, ...] = ()

    def _weight_shape(self) -> tuple[int, ...]:
        return (self.in_channels, self.out_channels // self.group, *self.kernel_size)

    def construct(self, x: Tensor) -> Tensor:
        where = type(self).__name__
        x = as_tensor(where, x)
        if x.ndim != self.spatial + 2:
            raise located(
                ValueError(f"For '{where}', the input must have {self.spatial + 2} dimensions, but got {x.spec}.")
            )
        return ops.conv_transpose(
            x, self._kernel(), self.bias, self._along(self.stride), self.pad_mode, self._ends,
            self._computed_padding(), self._along(self.dilation), self.group,
        )

    def _computed_padding(self) -> Any:
        """The part of `output_padding` for which there are products."""
        return self.output_padding or 0

    def _set_output_padding(self, output_padding: Any) -> None:
        where = type(self).__name__
        self.output_padding = check.extents(where, "output_padding", output_padding, self.spatial, least=0)
        if self.pad_mode != "pad" and any(self.output_padding):
            raise ValueError(
                f"For '{where}', the 'output_padding' must be zero when 'pad_mode' is '{self.pad_mode}', "
                f"but got {output_padding!r}."
            )


class Conv1dTranspose(_OnLines, _ConvTranspose):
    """Transposed convolution of `[N, in_channels, L]` with `weight` `[in_channels, out_channels / group, 1, K]`.

    See Conv2dTranspose.
    """

    spatial = 1


class Conv2dTranspose(_ConvTranspose):
    """Transposed convolution of `[N, in_channels, H, W]` with `weight` `[in_channels, out_channels / group, KH, KW]`.

    The arguments are those of Conv2d, and say what the convolution in the other direction does.

    Args:
        pad_mode: 'same' (the result has stride times the input's extents), 'valid' or 'pad'.
        output_padding: with 'pad': how many zeros the result has at the end of each dimension (as in MindSpore; the
            further elements of Conv3dTranspose are sums of products).
    """

    spatial, data_format = 2, "NCHW"

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, output_padding: Any = 0, dilation: Any = 1, group: int = 1, has_bias: bool = False,
        weight_init: Any = None, bias_init: Any = None, dtype: Any = float32,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias, weight_init,
            bias_init, dtype,
        )
        self._set_output_padding(output_padding)

    def _computed_padding(self) -> Any:
        return 0

    def construct(self, x: Tensor) -> Tensor:
        result = super().construct(x)
        bottom, right = self.output_padding
        return ops.pad(result, (0, right, 0, bottom)) if bottom or right else result


class Conv3dTranspose(_ConvTranspose):
    """Transposed convolution of `[N, in_channels, D, H, W]`; see Conv2dTranspose."""

    spatial = 3

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: Any, stride: Any = 1, pad_mode: str = "same",
        padding: Any = 0, dilation: Any = 1, group: int = 1, output_padding: Any = 0, has_bias: bool = False,
        weight_init: Any = None, bias_init: Any = None, data_format: str = "NCDHW", dtype: Any = float32,
    ) -> None:
        check.only("Conv3dTranspose", "data_format", data_format, "NCDHW")
        super().__init__(
            in_channels, out_channels, kernel_size, stride, pad_mode, padding, dilation, group, has_bias, weight_init,
            bias_init, dtype,
        )
        self._set_output_padding(output_padding)
