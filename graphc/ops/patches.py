"""Images cut into patches and put together again: windows as columns, blocks as batches."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, scalar
from graphc.ops.conv import margins, per_dimension
from graphc.ops.elementwise import add
from graphc.ops.shape import pad_constant, reshape, stack, transpose
from graphc.ops.views import pad_, take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["batch_to_space_nd", "col2im", "fold", "space_to_batch_nd", "unfold"]


def unfold(input: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Tensor:
    """The elements of every window of images as columns.

    Args:
        input: `[N, C, H, W]`.
        kernel_size, dilation, stride: an int, or (rows, columns).
        padding: as in `conv2d`.
    Returns:
        `[N, C * KH * KW, L]`, L the number of windows, row by row.
    """
    x = as_tensor("unfold", input)
    if x.ndim != 4:
        raise located(ValueError(f"unfold: expected [N, C, H, W], got {x.spec}"))
    kernel = per_dimension("unfold", "kernel_size", kernel_size, 2)
    steps = per_dimension("unfold", "stride", stride, 2)
    dilations = per_dimension("unfold", "dilation", dilation, 2)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    around = margins("unfold", x.shape[2:], spans, steps, "pad", padding)
    x = pad_constant(x, (0, 0, *(lo for lo, _ in around)), (0, 0, *(hi for _, hi in around)))
    count = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[2:], spans, steps, strict=True))
    if min(count) < 1:
        raise located(ValueError(f"unfold: the window {kernel_size!r} is larger than the padded input {x.spec}"))
    taps = [
        take_range(take_range(x, 2, i * dilations[0], count[0], steps[0]), 3, j * dilations[1], count[1], steps[1])
        for i in range(kernel[0])
        for j in range(kernel[1])
    ]
    return reshape(stack(taps, 2), (x.shape[0], x.shape[1] * prod(kernel), prod(count)))


def fold(
    input: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Images that are the sums of windows given as columns: what `unfold` cut, put back where it was.

    Args:
        input: `[N, C * KH * KW, L]` or `[N, C, KH * KW, L]`, L the number of windows.
        output_size: the images' extents: an int or (rows, columns).
        kernel_size, dilation, stride: an int, or (rows, columns).
        padding: an int, or (rows, columns): how far windows reach beyond the images on each side.
    Returns:
        `[N, C, *output_size]`.
    """
    x = as_tensor("fold", input)
    kernel = per_dimension("fold", "kernel_size", kernel_size, 2)
    steps = per_dimension("fold", "stride", stride, 2)
    dilations = per_dimension("fold", "dilation", dilation, 2)
    beyond = per_dimension("fold", "padding", padding, 2, 0)
    size = per_dimension("fold", "output_size", output_size, 2)
    whole = tuple(n + 2 * b for n, b in zip(size, beyond, strict=True))
    count = tuple(
        (n - d * (k - 1) - 1) // s + 1 for n, k, d, s in zip(whole, kernel, dilations, steps, strict=True)
    )
    taps = prod(kernel)
    if x.ndim not in (3, 4):
        raise located(ValueError(f"fold: expected [N, C * taps, L] or [N, C, taps, L], got {x.spec}"))
    columns = x.shape[1] // taps if x.ndim == 3 else x.shape[1]
    if x.size != x.shape[0] * columns * taps * prod(count):
        raise located(ValueError(f"fold: {x.spec} is not {count} windows of {kernel} in images of {size}"))
    windows = reshape(x, (x.shape[0], columns, taps, *count))
    total: Tensor | None = None
    for tap in range(taps):
        at = tuple(i * d for i, d in zip(divmod(tap, kernel[1]), dilations, strict=True))
        spans = tuple((n - 1) * s + 1 for n, s in zip(count, steps, strict=True))
        placed = pad_(
            reshape(take_range(windows, 2, tap, 1), (x.shape[0], columns, *count)), scalar(0, x.dtype),
            low=(0, 0, *at), high=(0, 0, *(n - a - k for n, a, k in zip(whole, at, spans, strict=True))),
            interior=(0, 0, *(s - 1 for s in steps)),
        )  # fmt: skip
        total = placed if total is None else add(total, placed)
    assert total is not None
    cut = tuple(-b for b in beyond)
    return pad_constant(total, (0, 0, *cut), (0, 0, *cut))


def col2im(
    input_x: Any, output_size: Any, kernel_size: Any, dilation: Any, padding_value: Any, stride: Any
) -> Tensor:
    """As `fold`."""
    return fold(input_x, output_size, kernel_size, dilation, padding_value, stride)


def _blocks(name: str, block: Any, around: Any, ndim: int) -> tuple[tuple[int, ...], list[tuple[int, int]]]:
    pairs = [(int(low), int(high)) for low, high in around]
    extents = as_ints(name, block, "block_shape")
    extents = extents * len(pairs) if len(extents) == 1 else extents
    if len(extents) != len(pairs) or len(pairs) > ndim or min((*extents, 1)) < 1 or min(map(min, pairs)) < 0:
        raise located(ValueError(f"{name}: blocks {extents} and margins {pairs} do not fit {ndim} dimensions"))
    return extents, pairs


def space_to_batch_nd(input_x: Any, block_size: Any, paddings: Any) -> Tensor:
    """Each position of a block as an image of its own.

    Args:
        input_x: `[N, ..., *S]`.
        block_size: the extents of a block: an int, or one for each of the axes S.
        paddings: (before, after) for each of the axes S: zeros that are added first.
    Returns:
        `[prod(block) * N, ..., *(S / block)]`.
    """
    x = as_tensor("space_to_batch_nd", input_x)
    block, pairs = _blocks("space_to_batch_nd", block_size, paddings, x.ndim - 1)
    lead = x.ndim - len(block)
    x = pad_constant(x, (*[0] * lead, *(lo for lo, _ in pairs)), (*[0] * lead, *(hi for _, hi in pairs)))
    if any(n % b for n, b in zip(x.shape[lead:], block, strict=True)):
        raise located(ValueError(f"space_to_batch_nd: blocks {block} do not divide {x.spec} with its padding"))
    split = [part for n, b in zip(x.shape[lead:], block, strict=True) for part in (n // b, b)]
    parts = reshape(x, (*x.shape[:lead], *split))
    inner, outer = range(lead + 1, parts.ndim, 2), range(lead, parts.ndim, 2)
    turned = transpose(parts, (*inner, *range(lead), *outer))
    counts = tuple(n // b for n, b in zip(x.shape[lead:], block, strict=True))
    return reshape(turned, (prod(block) * x.shape[0], *x.shape[1:lead], *counts))


def batch_to_space_nd(input_x: Any, block_shape: Any, crops: Any) -> Tensor:
    """Images whose blocks have one element from each of several: the inverse of `space_to_batch_nd`.

    Args:
        input_x: `[prod(block) * N, ..., *S]`.
        block_shape: the extents of a block: an int, or one for each of the axes S.
        crops: (before, after) for each of the axes S: what is cut off at last.
    Returns:
        `[N, ..., *(S * block - crops)]`.
    """
    x = as_tensor("batch_to_space_nd", input_x)
    block, pairs = _blocks("batch_to_space_nd", block_shape, crops, x.ndim - 1)
    lead, count = x.ndim - len(block), x.shape[0] // prod(block)
    if count * prod(block) != x.shape[0]:
        raise located(ValueError(f"batch_to_space_nd: blocks {block} do not divide the batch of {x.spec}"))
    parts = reshape(x, (*block, count, *x.shape[1:]))
    depth = len(block)
    order = [*range(depth, depth + lead)]
    for d in range(depth):
        order += [depth + lead + d, d]
    whole = tuple(n * b for n, b in zip(x.shape[lead:], block, strict=True))
    joined = reshape(transpose(parts, order), (count, *x.shape[1:lead], *whole))
    return pad_constant(joined, (*[0] * lead, *(-lo for lo, _ in pairs)), (*[0] * lead, *(-hi for _, hi in pairs)))
