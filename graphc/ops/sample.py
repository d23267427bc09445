"""Images read at positions that are data: by a grid, or in boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product
from math import prod
from operator import add, mul
from typing import Any

from graphc.dtype import int64
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, cast, full_like, to_float
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

__all__ = ["affine_grid", "crop_and_resize", "grid_sample"]


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

    def read(numbers: Sequence[Tensor]) -> Tensor:
        """The elements at whole numbers along each axis, 0 outside."""
        within = [
            logical_and(greater_equal(i, 0.0), less(i, float(extent))) for i, extent in zip(numbers, size, strict=True)
        ]
        inside = reduce(logical_and, within)
        place = numbers[0]
        for i, extent in zip(numbers[1:], size[1:], strict=True):
            place = place * float(extent) + i
        place = cast(select(inside, place, 0.0), int64)
        return select(expand_dims(inside, -1), gather_(rows, place, axis=1, batch_dims=1), 0.0)

    if mode == "nearest":
        total = read([round_(at) for at in along])
    else:
        first = [floor(at) for at in along]
        rest = [expand_dims(at - begin, -1) for at, begin in zip(along, first, strict=True)]
        parts = []
        for corner in product((0, 1), repeat=count):
            shares = [share if upper else 1.0 - share for share, upper in zip(rest, corner, strict=True)]
            numbers = [begin + 1.0 if upper else begin for begin, upper in zip(first, corner, strict=True)]
            parts.append(read(numbers) * reduce(mul, shares))
        total = reduce(add, parts)
    made = reshape(total, (n, *points.shape[1:-1], c))
    return transpose(made, (0, made.ndim - 1, *range(1, made.ndim - 1)))


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
