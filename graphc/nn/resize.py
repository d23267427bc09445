"""Layers that give images another size: resampled, or with channels for pixels."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.nn import check
from graphc.nn.cell import Cell
from graphc.nn.layer import Layer
from graphc.tensor import Tensor

__all__ = ["PixelShuffle", "PixelUnshuffle", "ResizeBilinear", "Unfold", "Upsample"]


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
        mode = padding.lower() if isinstance(padding, str) else padding
        self.padding = check.string("Unfold", "padding", mode, ["valid", "same"])

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


class ResizeBilinear(Layer):
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


class PixelShuffle(Layer):
    """`[..., C * r * r, H, W]` as `[..., C, H * r, W * r]` (Shi et al. 2016), r = `upscale_factor`."""

    def __init__(self, upscale_factor: int) -> None:
        super().__init__()
        self.upscale_factor = check.positive_int("PixelShuffle", "upscale_factor", upscale_factor)

    def construct(self, x: Tensor) -> Tensor:
        return ops.pixel_shuffle(x, self.upscale_factor)


class PixelUnshuffle(Layer):
    """The inverse of PixelShuffle."""

    def __init__(self, downscale_factor: int) -> None:
        super().__init__()
        self.downscale_factor = check.positive_int("PixelUnshuffle", "downscale_factor", downscale_factor)

    def construct(self, x: Tensor) -> Tensor:
        return ops.pixel_unshuffle(x, self.downscale_factor)


class Upsample(Layer):
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
