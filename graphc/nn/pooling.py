"""Pooling layers; `graphc.ops.pool` says how windows are placed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.conv import PAD_MODES
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = [
    "AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d", "AdaptiveMaxPool1d", "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d", "AvgPool1d", "AvgPool2d", "AvgPool3d", "FractionalMaxPool2d", "FractionalMaxPool3d",
    "LPPool1d", "LPPool2d", "MaxPool1d", "MaxPool2d", "MaxPool3d", "MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d",
]  # fmt: skip


class _Pool(Layer):
    """What poolings share: the window, its checks and printing."""

    spatial = 0

    def __init__(self, kernel_size: Any, stride: Any, pad_mode: str, padding: Any, ceil_mode: bool) -> None:
        super().__init__()
        where = type(self).__name__
        check.extents(where, "kernel_size", kernel_size, self.spatial)
        check.extents(where, "stride", stride, self.spatial)
        check.extents(where, "padding", padding, self.spatial, least=0)
        mode = pad_mode.lower() if isinstance(pad_mode, str) else pad_mode
        self.pad_mode = check.string(where, "pad_mode", mode, PAD_MODES)
        if mode != "pad" and padding not in (0, (0,) * self.spatial):
            raise ValueError(
                f"For '{where}', the 'padding' must be zero when 'pad_mode' is '{mode}', but got {padding!r}."
            )
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.ceil_mode = check.boolean(where, "ceil_mode", ceil_mode)

    def extend_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, pad_mode={self.pad_mode.upper()}"


class _MaxPool(_Pool):
    operation: Callable[..., Any]

    def __init__(
        self, kernel_size: Any = 1, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False,
    ) -> None:
        super().__init__(kernel_size, stride, pad_mode, padding, ceil_mode)
        check.extents(type(self).__name__, "dilation", dilation, self.spatial)
        self.dilation = dilation
        self.return_indices = check.boolean(type(self).__name__, "return_indices", return_indices)

    def construct(self, x: Tensor) -> Any:
        return type(self).operation(
            x, self.kernel_size, self.stride, self.padding, self.dilation, return_indices=self.return_indices,
            ceil_mode=self.ceil_mode, pad_mode=self.pad_mode,
        )


class MaxPool1d(_MaxPool):
    """The maximum of every window of `[N, C, L]`; see MaxPool2d."""

    spatial, operation = 1, staticmethod(ops.max_pool1d)


class MaxPool2d(_MaxPool):
    """The maximum of every window of images `[N, C, H, W]`.

    Args:
        kernel_size, stride, dilation: an int, or one for each spatial dimension.
        pad_mode: 'valid' (none), 'same' (the result has the input's extents over the stride, rounded up) or 'pad'.
        padding: with 'pad': an int, or (rows, columns); padding never is a maximum.
        return_indices: also return where in `[H, W]` (row-major) each maximum was.
        ceil_mode: keep a last window that is not whole.
        data_format: 'NCHW'.
    """

    spatial, operation = 2, staticmethod(ops.max_pool2d)

    def __init__(
        self, kernel_size: Any = 1, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0, dilation: Any = 1,
        return_indices: bool = False, ceil_mode: bool = False, data_format: str = "NCHW",
    ) -> None:
        check.only("MaxPool2d", "data_format", data_format, "NCHW")
        super().__init__(kernel_size, stride, pad_mode, padding, dilation, return_indices, ceil_mode)


class MaxPool3d(_MaxPool):
    """The maximum of every window of `[N, C, D, H, W]`; see MaxPool2d."""

    spatial, operation = 3, staticmethod(ops.max_pool3d)


class _AvgPool(_Pool):
    operation: Callable[..., Tensor]

    def __init__(
        self, kernel_size: Any = 1, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, pad_mode, padding, ceil_mode)
        where = type(self).__name__
        self.count_include_pad = check.boolean(where, "count_include_pad", count_include_pad)
        if divisor_override is not None:
            check.positive_int(where, "divisor_override", divisor_override)
        self.divisor_override = divisor_override

    def construct(self, x: Tensor) -> Tensor:
        own = {} if self.spatial == 1 else {"divisor_override": self.divisor_override}
        return type(self).operation(
            x, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad,
            pad_mode=self.pad_mode, **own,
        )


class AvgPool1d(_AvgPool):
    """The mean of every window of `[N, C, L]`; see AvgPool2d."""

    spatial, operation = 1, staticmethod(ops.avg_pool1d)

    def __init__(
        self, kernel_size: Any = 1, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True,
    ) -> None:
        super().__init__(kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad)


class AvgPool2d(_AvgPool):
    """The mean of every window of images `[N, C, H, W]`.

    Args:
        kernel_size, stride, pad_mode, padding, ceil_mode, data_format: as in MaxPool2d.
        count_include_pad: with 'pad': whether the mean counts padding, as zeros.
        divisor_override: divide by this instead of by the number of elements.
    """

    spatial, operation = 2, staticmethod(ops.avg_pool2d)

    def __init__(
        self, kernel_size: Any = 1, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
        ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: int | None = None,
        data_format: str = "NCHW",
    ) -> None:
        check.only("AvgPool2d", "data_format", data_format, "NCHW")
        super().__init__(kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad, divisor_override)


class AvgPool3d(_AvgPool):
    """The mean of every window of `[N, C, D, H, W]`; see AvgPool2d."""

    spatial, operation = 3, staticmethod(ops.avg_pool3d)


def _output_size(where: str, output_size: Any, spatial: int) -> Any:
    """An int, or one or None for each of several spatial dimensions."""
    several = isinstance(output_size, (tuple, list)) and spatial > 1
    items = output_size if several else (output_size,)
    typed = all(check.is_int(n) or (n is None and several) for n in items)
    if not typed or (several and len(items) != spatial) or any(n is not None and n < 1 for n in items):
        error = ValueError if typed else TypeError
        wanted = "an int" if spatial == 1 else f"an int or {spatial} of them or of None"
        raise error(f"For '{where}', the 'output_size' must be {wanted}, all >= 1, but got {output_size!r}.")
    return output_size


class _AdaptiveAvgPool(Layer):
    spatial = 0
    operation: Callable[..., Tensor]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = _output_size(type(self).__name__, output_size, self.spatial)

    def construct(self, x: Tensor) -> Tensor:
        return type(self).operation(x, self.output_size)

    def extend_repr(self) -> str:
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Means of `output_size` windows of `[N, C, L]`."""

    spatial, operation = 1, staticmethod(ops.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Means of `output_size` windows (an int, or (rows, columns), None for the input's extent) of `[N, C, H, W]`."""

    spatial, operation = 2, staticmethod(ops.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Means of `output_size` windows of `[N, C, D, H, W]`."""

    spatial, operation = 3, staticmethod(ops.adaptive_avg_pool3d)


class _AdaptiveMaxPool(Layer):
    spatial = 0
    operation: Callable[..., Any]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = _output_size(type(self).__name__, output_size, self.spatial)
        self.return_indices = check.boolean(type(self).__name__, "return_indices", return_indices)

    def construct(self, x: Tensor) -> Any:
        return type(self).operation(x, self.output_size, self.return_indices)

    def extend_repr(self) -> str:
        return f"output_size={self.output_size}, return_indices={self.return_indices}"


class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Maxima of `output_size` windows of `[N, C, L]`."""

    spatial, operation = 1, staticmethod(ops.adaptive_max_pool1d)

    def __init__(self, output_size: Any) -> None:
        super().__init__(output_size)


class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Maxima of `output_size` windows of `[N, C, H, W]`; with `return_indices` also where in `[H, W]` they were."""

    spatial, operation = 2, staticmethod(ops.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Maxima of `output_size` windows of `[N, C, D, H, W]`; with `return_indices` also where they were."""

    spatial, operation = 3, staticmethod(ops.adaptive_max_pool3d)


class _LPPool(Layer):
    operation: Callable[..., Tensor]

    def __init__(self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> None:
        super().__init__()
        self.norm_type, self.kernel_size, self.stride = norm_type, kernel_size, stride
        self.ceil_mode = check.boolean(type(self).__name__, "ceil_mode", ceil_mode)

    def construct(self, x: Tensor) -> Tensor:
        return type(self).operation(x, self.norm_type, self.kernel_size, self.stride, self.ceil_mode)


class LPPool1d(_LPPool):
    """The root `norm_type` of the sum of the powers `norm_type` of every window of `[N, C, L]`; see LPPool2d."""

    operation = staticmethod(ops.lp_pool1d)


class LPPool2d(_LPPool):
    """The root `norm_type` of the sum of the powers `norm_type` of every window of images `[N, C, H, W]`.

    Args:
        norm_type: the power, not 0.
        kernel_size, stride: an int, or (rows, columns); the stride is by default the window's extents.
        ceil_mode: keep a last window that is not whole.
    """

    operation = staticmethod(ops.lp_pool2d)


class _MaxUnpool(Cell):
    spatial = 0
    operation: Callable[..., Tensor]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        where = type(self).__name__
        check.extents(where, "kernel_size", kernel_size, self.spatial)
        if stride is not None:
            check.extents(where, "stride", stride, self.spatial)
        check.extents(where, "padding", padding, self.spatial, least=0)
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding

    def construct(self, x: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        return type(self).operation(x, indices, self.kernel_size, self.stride, self.padding, output_size)


class MaxUnpool1d(_MaxUnpool):
    """The maxima of MaxPool1d where they were in `[N, C, L]`, and 0 elsewhere; see MaxUnpool2d."""

    spatial, operation = 1, staticmethod(ops.max_unpool1d)


class MaxUnpool2d(_MaxUnpool):
    """The maxima of MaxPool2d where they were in images, and 0 elsewhere.

        pooled, indices = nn.MaxPool2d(2, 2, return_indices=True)(x)
        nn.MaxUnpool2d(2, 2)(pooled, indices)  # the shape of x; output_size=x.shape where rows were left over

    Args:
        kernel_size, stride, padding: of the pooling; the stride is by default the kernel's extents.
    """

    spatial, operation = 2, staticmethod(ops.max_unpool2d)


class MaxUnpool3d(_MaxUnpool):
    """The maxima of MaxPool3d where they were in `[N, C, D, H, W]`, and 0 elsewhere; see MaxUnpool2d."""

    spatial, operation = 3, staticmethod(ops.max_unpool3d)


class _FractionalMaxPool(Cell):
    operation: Callable[..., Any]

    def __init__(
        self, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
        _random_samples: Any = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.output_size, self.output_ratio = kernel_size, output_size, output_ratio
        self.return_indices = check.boolean(type(self).__name__, "return_indices", return_indices)
        self._random_samples = _random_samples

    def construct(self, x: Tensor) -> Any:
        return type(self).operation(
            x, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )

    def extend_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, output_size={self.output_size}, output_ratio={self.output_ratio}"


class FractionalMaxPool2d(_FractionalMaxPool):
    """The maxima of windows of `[N, C, H, W]` that are placed at random in each call.

    Args:
        kernel_size, output_size, output_ratio, return_indices, _random_samples: see `ops.fractional_max_pool2d`.
    """

    operation = staticmethod(ops.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPool):
    """The maxima of windows of `[N, C, D, H, W]` that are placed at random; see FractionalMaxPool2d."""

    operation = staticmethod(ops.fractional_max_pool3d)
