"""Images read at positions that are data: by a grid, in boxes, or in windows whose elements move."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import prod
from operator import add, mul
from typing import Any

from graphc.dtype import int64
from graphc.ops.axes import as_int, as_ints
from graphc.ops.coerce import as_tensor, cast, full_like, to_float, widely
from graphc.ops.conv import conv2d
from graphc.ops.creation import iota
from graphc.ops.elementwise import (
    floor,
    floor_mod,
    greater_equal,
    less,
    less_equal,
    logical_and,
    maximum,
    minimum,
    round_,
    select,
)
from graphc.ops.gather import gather_
from graphc.ops.linalg import matmul
from graphc.ops.shape import expand_dims, reshape, stack, swapaxes, transpose
from graphc.ops.views import take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["affine_grid", "crop_and_resize", "deformable_conv2d", "grid_sample"]


def grid_sample(
    input: Any, grid: Any, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool | None = None
) -> Tensor:
    """Images, or volumes, read at the positions of a grid (Jaderberg et al. 2015).

    Args:
        input: float `[N, C, H, W]` or `[N, C, D, H, W]`.
        grid: float `[N, H', W', 2]` or `[N, D', H', W', 3]`: positions (x, y) or (x, y, z), -1 to 1 from one edge of
            the image to the other.
        mode: `"bilinear"` (of volumes between eight elements) or `"nearest"` (halves go to the even element).
        padding_mode: what lies outside: `"zeros"`, `"border"` (the nearest element), `"reflection"` (the mirror image).
        align_corners: whether -1 and 1 are the centers of the elements at the edges, or else their outer edges.
    Returns:
        `[N, C, H', W']` or `[N, C, D', H', W']`.
    Raises:
        ValueError: shapes or arguments that do not fit.
    """
    name = "grid_sample"
    x, points = as_tensor(name, input), as_tensor(name, grid)
    count = x.ndim - 2
    if count not in (2, 3) or points.ndim != x.ndim or points.shape[0] != x.shape[0] or points.shape[-1] != count:
        expected = "[N, C, H, W] and grid [N, H', W', 2], or of volumes [N, C, D, H, W] and [N, D', H', W', 3]"
        raise located(ValueError(f"{name}: expected input {expected}, got {x.spec} and {points.spec}"))
    if mode not in ("bilinear", "nearest") or padding_mode not in ("zeros", "border", "reflection"):
        raise located(ValueError(f"{name}: unknown mode {mode!r} or padding_mode {padding_mode!r}"))
    n, c, *size = x.shape
    rows = reshape(transpose(x, (0, *range(2, x.ndim), 1)), (n, prod(size), c))
    flat = reshape(points, (n, prod(points.shape[1:-1]), count))
    numbers = [reshape(take_range(flat, 2, d, 1), flat.shape[:2]) for d in reversed(range(count))]
    along = [
        _placed(number, extent, padding_mode, bool(align_corners)) for number, extent in zip(numbers, size, strict=True)
    ]

    total = _read(rows, size, [round_(at) for at in along]) if mode == "nearest" else _between(rows, size, along)
    made = reshape(total, (n, *points.shape[1:-1], c))
    return transpose(made, (0, made.ndim - 1, *range(1, made.ndim - 1)))


def _read(rows: Tensor, size: Sequence[int], numbers: Sequence[Tensor]) -> Tensor:
    """The elements at whole numbers along each axis, 0 outside: `[N, P, C]`.

    Args:
        rows: the images of a size, `[N, prod(size), C]`.
        numbers: along each axis, floats `[N, P]`.
    """
    within = [
        logical_and(greater_equal(i, 0.0), less(i, float(extent))) for i, extent in zip(numbers, size, strict=True)
    ]
    inside = reduce(logical_and, within)
    place = numbers[0]
    for i, extent in zip(numbers[1:], size[1:], strict=True):
        place = place * float(extent) + i
    place = cast(select(inside, place, 0.0), int64)
    return select(expand_dims(inside, -1), gather_(rows, place, axis=1, batch_dims=1), 0.0)


def _between(rows: Tensor, size: Sequence[int], along: Sequence[Tensor]) -> Tensor:
    """What lies at numbers along each axis, between the elements around, by their distances; see `_read`."""
    first = [floor(at) for at in along]
    rest = [expand_dims(at - begin, -1) for at, begin in zip(along, first, strict=True)]
    parts = []
    for corner in product((0, 1), repeat=len(along)):
        shares = [share if upper else 1.0 - share for share, upper in zip(rest, corner, strict=True)]
        numbers = [begin + 1.0 if upper else begin for begin, upper in zip(first, corner, strict=True)]
        parts.append(_read(rows, size, numbers) * reduce(mul, shares))
    return reduce(add, parts)


@widely
def deformable_offsets(
    x: Any, offsets: Any, strides: Any, padding: Any, kernel_size: Any, dilations: Any = (1, 1, 1, 1),
    deformable_groups: int = 1,
) -> Tensor:
    """What a deformable convolution multiplies with its weights: the windows of all places, one beside the other.

    Args:
        x, offsets, strides, padding, kernel_size, dilations, deformable_groups: as of `deformable_conv2d`.
    Returns:
        `[N, C, OH * KH, OW * KW]`.
    """
    name = "deformable_offsets"
    image, moved = as_tensor(name, x), as_tensor(name, offsets)
    kernel, steps, apart = as_ints(name, kernel_size), as_ints(name, strides), as_ints(name, dilations)
    around, groups = as_ints(name, padding, "padding"), as_int(name, deformable_groups, "deformable_groups", 1)
    if len(kernel) != 2 or any(len(t) != 4 or t[:2] != (1, 1) for t in (steps, apart)) or len(around) != 4:
        expected = "kernel_size (KH, KW), strides and dilations (1, 1, H, W), and padding of four sides"
        raise located(ValueError(f"{name}: expected {expected}, got {kernel}, {steps}, {apart} and {around}"))
    if image.ndim != 4 or image.shape[1] % groups:
        raise located(ValueError(f"{name}: expected [N, C, H, W], C a multiple of {groups}, got {image.spec}"))
    n, c, *size = image.shape
    count = [
        (size[d] + around[2 * d] + around[2 * d + 1] - (kernel[d] - 1) * apart[2 + d] - 1) // steps[2 + d] + 1
        for d in range(2)
    ]
    if moved.shape != (n, 3 * groups * prod(kernel), *count):
        wanted = (n, 3 * groups * prod(kernel), *count)
        raise located(ValueError(f"{name}: expected offsets {wanted} for {image.spec}, got {moved.spec}"))
    parts = reshape(moved, (n, 3, groups, *kernel, *count))
    shape = (n, groups, *kernel, *count)
    along = []
    for d, part in ((0, 1), (1, 0)):  # rows move by the second part of the offsets
        start = iota(shape=shape, axis=4 + d, dtype=moved.dtype) * float(steps[2 + d])
        within = iota(shape=shape, axis=2 + d, dtype=moved.dtype) * float(apart[2 + d])
        place = start + (within - float(around[2 * d])) + reshape(take_range(parts, 1, part, 1), shape)
        along.append(reshape(place, (n * groups, prod(shape[2:]))))
    rows = transpose(reshape(image, (n * groups, c // groups, prod(size))), (0, 2, 1))
    read = reshape(_between(rows, size, along), (*shape, c // groups))
    read = read * expand_dims(reshape(take_range(parts, 1, 2, 1), shape), -1)
    windows = transpose(read, (0, 1, 6, 4, 2, 5, 3))  # [N, groups, C / groups, OH, KH, OW, KW]
    return reshape(windows, (n, c, count[0] * kernel[0], count[1] * kernel[1]))


def deformable_conv2d(
    x: Any, weight: Any, offsets: Any, kernel_size: Any, strides: Any, padding: Any, bias: Any = None,
    dilations: Any = (1, 1, 1, 1), groups: int = 1, deformable_groups: int = 1, modulated: bool = True,
) -> Tensor:
    """A convolution that reads the elements of its windows at other places, between elements (Zhu et al. 2019).

    Args:
        x: `[N, Cin, H, W]`; what lies outside is 0.
        weight: `[Cout, Cin / groups, KH, KW]`.
        offsets: `[N, 3 * deformable_groups * KH * KW, OH, OW]`: by how much each element of a window moves in x, then
            in y, then what it is multiplied by.
        kernel_size: (KH, KW).
        strides, dilations: (1, 1, rows, columns).
        padding: above, below, left and right.
        bias: `[Cout]` or None.
        groups: as of `conv2d`; `deformable_groups`: groups of channels that have offsets of their own.
        modulated: must be True: offsets have a third part.
    Returns:
        `[N, Cout, OH, OW]`.
    Raises:
        ValueError: shapes or arguments that do not fit.
    """
    if modulated is not True:
        raise located(ValueError(f"deformable_conv2d: modulated must be True, got {modulated!r}"))
    kernel = as_ints("deformable_conv2d", kernel_size)
    filters = as_tensor("deformable_conv2d", weight)
    if filters.ndim != 4 or filters.shape[2:] != kernel:
        raise located(ValueError(f"deformable_conv2d: expected a weight of kernel {kernel}, got {filters.spec}"))
    windows = deformable_offsets(x, offsets, strides, padding, kernel, dilations, deformable_groups)
    return conv2d(windows, filters, bias, kernel, "valid", 0, 1, groups)


def affine_grid(theta: Any, size: Any, align_corners: bool = False) -> Tensor:
    """The grid with which `grid_sample` applies affine maps to images.

    Args:
        theta: the maps, from positions in the result to positions in the image: `[N, 2, 3]`, or of volumes `[N, 3, 4]`.
        size: the shape of the result: `[N, C, H, W]` or `[N, C, D, H, W]`.
        align_corners: as in `grid_sample`.
    Returns:
        `[N, H, W, 2]` or `[N, D, H, W, 3]`.
    """
    maps, shape = as_tensor("affine_grid", theta), as_ints("affine_grid", size, "size")
    count = len(shape) - 2
    if count not in (2, 3) or maps.shape != (shape[0], count, count + 1):
        raise located(ValueError(f"affine_grid: expected maps [N, 2, 3] or [N, 3, 4] for {shape}, got {maps.spec}"))
    extents = shape[2:]
    axes = []
    for axis in reversed(range(count)):
        n = extents[axis]
        at = iota(shape=extents, axis=axis, dtype=maps.dtype)
        ends = max(n - 1, 1) / 2 if align_corners else n / 2
        axes.append(full_like(at, 0) if n == 1 else (at - (n - 1) / 2) / ends)
    points = reshape(stack([*axes, full_like(axes[0], 1)], -1), (1, -1, count + 1))
    grid = matmul(points, swapaxes(maps, 1, 2))
    return reshape(grid, (shape[0], *extents, count))


def crop_and_resize(
    image: Any, boxes: Any, box_indices: Any, crop_size: Any, method: str = "bilinear", extrapolation_value: float = 0.0
) -> Tensor:
    """Boxes cut out of images and brought to one size.

    Args:
        image: `[N, H, W, C]`.
        boxes: `[B, 4]`: (top, left, bottom, right), 0 and 1 the centers of the first and the last element.
        box_indices: `[B]`: the image of each box.
        crop_size: (rows, columns) of the result.
        method: `"bilinear"` or `"nearest"`.
        extrapolation_value: what lies outside an image.
    Returns:
        float `[B, *crop_size, C]`.
    Raises:
        ValueError: shapes or arguments that do not fit.
    """
    name = "crop_and_resize"
    x, edges, owners = as_tensor(name, image), as_tensor(name, boxes), as_tensor(name, box_indices)
    rows, columns = as_ints(name, crop_size, "crop_size")
    if x.ndim != 4 or edges.ndim != 2 or edges.shape[1] != 4 or owners.shape != edges.shape[:1]:
        got = f"{x.spec}, {edges.spec} and {owners.spec}"
        raise located(ValueError(f"{name}: expected [N, H, W, C], [B, 4] and [B], got {got}"))
    if method not in ("bilinear", "nearest"):
        raise located(ValueError(f"{name}: method must be 'bilinear' or 'nearest', got {method!r}"))
    x = cast(x, to_float(x.dtype))
    n, h, w, c = x.shape
    down, across = expand_dims(_along(edges, 0, h, rows), 2), expand_dims(_along(edges, 1, w, columns), 1)
    inside = logical_and(
        logical_and(greater_equal(down, 0.0), less_equal(down, float(h - 1))),
        logical_and(greater_equal(across, 0.0), less_equal(across, float(w - 1))),
    )
    base = reshape(cast(owners, int64), (*owners.shape, 1, 1)) * (h * w)
    flat = reshape(x, (n * h * w, c))

    def read(i: Tensor, j: Tensor) -> Tensor:
        row, column = (minimum(maximum(p, 0.0), top - 1.0) for p, top in ((i, h), (j, w)))
        place = select(inside, cast(row, int64) * w + cast(column, int64), 0) + base
        return gather_(flat, place, axis=0)

    if method == "nearest":
        total = read(floor(down + 0.5), floor(across + 0.5))
    else:
        top, left = floor(down), floor(across)
        v, u = expand_dims(down - top, -1), expand_dims(across - left, -1)
        upper = read(top, left) + (read(top, left + 1.0) - read(top, left)) * u
        lower = read(top + 1.0, left) + (read(top + 1.0, left + 1.0) - read(top + 1.0, left)) * u
        total = upper + (lower - upper) * v
    return select(expand_dims(inside, -1), total, float(extrapolation_value))


def _along(boxes: Tensor, axis: int, extent: int, size: int) -> Tensor:
    """Where along an axis of the image each of `size` elements of each box lies: `[B, size]`."""
    first, last = take_range(boxes, 1, axis, 1), take_range(boxes, 1, axis + 2, 1)
    if size == 1:
        return (first + last) * ((extent - 1) / 2)
    step = (last - first) * ((extent - 1) / (size - 1))
    return first * float(extent - 1) + iota(shape=(1, size), axis=1, dtype=boxes.dtype) * step


def _placed(position: Tensor, extent: int, padding_mode: str, align_corners: bool) -> Tensor:
    """Grid positions as element numbers along an axis, brought inside where the padding mode says how."""
    at = (position + 1.0) * ((extent - 1) / 2) if align_corners else (position + 1.0) * (extent / 2) - 0.5
    if padding_mode == "zeros":
        return at
    if padding_mode == "reflection":
        low, span = (0.0, extent - 1) if align_corners else (-0.5, extent)
        if span == 0:
            return full_like(at, 0)
        folded = floor_mod(at - low, 2.0 * span)
        at = minimum(folded, 2.0 * span - folded) + low
    return minimum(maximum(at, 0.0), extent - 1.0)
