"""Boxes `(x1, y1, x2, y2)` in images, as detection networks use them; both corners are part of a box."""

from __future__ import annotations

import math
from typing import Any

from graphc.ops.coerce import as_tensor
from graphc.ops.elementwise import exp, greater_equal, less_equal, log, logical_and, maximum, minimum
from graphc.ops.shape import expand_dims, stack, unstack
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["bounding_box_decode", "bounding_box_encode", "check_valid", "iou"]


def _corners(name: str, boxes: Any) -> list[Tensor]:
    """x1, y1, x2 and y2 of boxes `[N, 4]`."""
    x = as_tensor(name, boxes)
    if x.ndim != 2 or x.shape[1] != 4 or not x.dtype.is_float:
        raise located(ValueError(f"{name}: expected float boxes [N, 4], got {x.spec}"))
    return list(unstack(x, 1))


def _numbers(name: str, what: str, values: Any) -> tuple[float, ...]:
    given = (float(values),) * 4 if isinstance(values, (int, float)) else tuple(values)
    if len(given) != 4 or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in given):
        raise located(ValueError(f"{name}: {what} must be 4 numbers, got {values!r}"))
    return given


def iou(anchor_boxes: Any, gt_boxes: Any, mode: str = "iou") -> Tensor:
    """The share that pairs of boxes have in common.

    Args:
        anchor_boxes: float `[N, 4]`.
        gt_boxes: float `[M, 4]`.
        mode: `"iou"`: the common area by that of both together; `"iof"`: by that of `gt_boxes`.
    Returns:
        `[M, N]`.
    """
    if mode not in ("iou", "iof"):
        raise located(ValueError(f"iou: mode must be 'iou' or 'iof', got {mode!r}"))
    x1, y1, x2, y2 = (expand_dims(c, 0) for c in _corners("iou", anchor_boxes))
    u1, v1, u2, v2 = (expand_dims(c, 1) for c in _corners("iou", gt_boxes))
    width = maximum(minimum(x2, u2) - maximum(x1, u1) + 1.0, 0.0)
    height = maximum(minimum(y2, v2) - maximum(y1, v1) + 1.0, 0.0)
    common = width * height
    of_gt = (u2 - u1 + 1.0) * (v2 - v1 + 1.0)
    whole = of_gt if mode == "iof" else (x2 - x1 + 1.0) * (y2 - y1 + 1.0) + of_gt - common
    return common / whole


def _centers(name: str, boxes: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The center's x and y, the width and the height."""
    x1, y1, x2, y2 = _corners(name, boxes)
    return (x1 + x2) * 0.5, (y1 + y2) * 0.5, x2 - x1 + 1.0, y2 - y1 + 1.0


def bounding_box_encode(
    anchor_box: Any, groundtruth_box: Any, means: Any = (0.0, 0.0, 0.0, 0.0), stds: Any = (1.0, 1.0, 1.0, 1.0)
) -> Tensor:
    """How boxes differ from their anchors: offsets of the centers in widths and heights, and logarithms of the ratios.

    Args:
        anchor_box, groundtruth_box: float `[N, 4]`.
        means, stds: the four differences are normalised by these.
    Returns:
        `[N, 4]`.
    """
    name = "bounding_box_encode"
    x, y, w, h = _centers(name, anchor_box)
    u, v, s, t = _centers(name, groundtruth_box)
    mean, std = _numbers(name, "means", means), _numbers(name, "stds", stds)
    raw = ((u - x) / w, (v - y) / h, log(s / w), log(t / h))
    return stack([(d - m) / by for d, m, by in zip(raw, mean, std, strict=True)], 1)


def bounding_box_decode(
    anchor_box: Any, deltas: Any, max_shape: Any, means: Any = (0.0, 0.0, 0.0, 0.0), stds: Any = (1.0, 1.0, 1.0, 1.0),
    wh_ratio_clip: float = 0.016,
) -> Tensor:
    """The boxes that differ from their anchors by `deltas`: the inverse of `bounding_box_encode`.

    Args:
        anchor_box, deltas: float `[N, 4]`.
        max_shape: height and width of the image, to which boxes are clipped.
        wh_ratio_clip: no side grows or shrinks by more than a factor of 1 over this.
    Returns:
        `[N, 4]`.
    """
    name = "bounding_box_decode"
    x, y, w, h = _centers(name, anchor_box)
    mean, std = _numbers(name, "means", means), _numbers(name, "stds", stds)
    if not isinstance(max_shape, (tuple, list)) or len(max_shape) != 2:
        raise located(ValueError(f"{name}: max_shape must be (height, width), got {max_shape!r}"))
    if not wh_ratio_clip > 0:
        raise located(ValueError(f"{name}: wh_ratio_clip must be > 0, got {wh_ratio_clip!r}"))
    height, width = map(float, max_shape)
    most = abs(math.log(wh_ratio_clip))
    dx, dy, dw, dh = (d * by + m for d, m, by in zip(_corners(name, deltas), mean, std, strict=True))
    u, v = x + w * dx, y + h * dy
    w, h = w * exp(minimum(maximum(dw, -most), most)), h * exp(minimum(maximum(dh, -most), most))
    sides = (u - w * 0.5 + 0.5, v - h * 0.5 + 0.5, u + w * 0.5 - 0.5, v + h * 0.5 - 0.5)
    limits = (width, height, width, height)
    return stack([minimum(maximum(c, 0.0), limit) for c, limit in zip(sides, limits, strict=True)], 1)


def check_valid(bboxes: Any, img_metas: Any) -> Tensor:
    """Which boxes lie within an image.

    Args:
        bboxes: float `[N, 4]`.
        img_metas: `[3]`: height, width and a ratio that both are multiplied by.
    Returns:
        bool `[N]`.
    """
    x1, y1, x2, y2 = _corners("check_valid", bboxes)
    metas = as_tensor("check_valid", img_metas)
    if metas.shape != (3,):
        raise located(ValueError(f"check_valid: expected img_metas [3], got {metas.spec}"))
    height, width, ratio = unstack(metas, 0)
    begins = logical_and(greater_equal(x1, 0.0), greater_equal(y1, 0.0))
    ends = logical_and(less_equal(x2, width * ratio - 1.0), less_equal(y2, height * ratio - 1.0))
    return logical_and(begins, ends)
