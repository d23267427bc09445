"""Deformable convolution: by its formula, in both modes, with its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from modes import in_both_modes

import graphc as ms
from graphc import Tensor, ops
from graphc.ops import operations as P

_rng = np.random.default_rng(0)


def between(image: np.ndarray, y: float, x: float) -> float:
    """What lies at a place of an image, 0 outside."""
    total, top, left = 0.0, int(np.floor(y)), int(np.floor(x))
    for i in (top, top + 1):
        for j in (left, left + 1):
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                total += image[i, j] * (1 - abs(y - i)) * (1 - abs(x - j))
    return total


def windows(x: np.ndarray, offsets: np.ndarray, case: dict[str, Any]) -> np.ndarray:
    (kh, kw), (sh, sw), (dh, dw) = case["kernel_size"], case["strides"][2:], case["dilations"][2:]
    (top, _, left, _), groups = case["padding"], case["deformable_groups"]
    n, c, oh, ow = *x.shape[:2], *offsets.shape[2:]
    parts = offsets.reshape(n, 3, groups, kh, kw, oh, ow)
    made = np.zeros((n, c, oh * kh, ow * kw))
    for b, ch, i, j, p, q in np.ndindex(n, c, oh, ow, kh, kw):
        across, down, share = parts[b, :, ch // (c // groups), p, q, i, j]
        y, z = i * sh - top + p * dh + down, j * sw - left + q * dw + across
        made[b, ch, i * kh + p, j * kw + q] = between(x[b, ch], y, z) * share
    return made


CASES: list[tuple[dict[str, Any], tuple[int, ...], tuple[int, ...], tuple[int, int]]] = [
    ({"kernel_size": (3, 3), "strides": (1, 1, 1, 1), "padding": (0, 0, 0, 0), "dilations": (1, 1, 1, 1), "groups": 1,
      "deformable_groups": 1}, (2, 3, 5, 6), (4, 3, 3, 3), (3, 4)),
    ({"kernel_size": (3, 2), "strides": (1, 1, 2, 1), "padding": (1, 2, 1, 0), "dilations": (1, 1, 1, 2), "groups": 2,
      "deformable_groups": 2}, (1, 4, 6, 5), (6, 2, 3, 2), (4, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("case", "size", "filters", "places"), CASES)
def test_elements_of_windows_move(
    case: dict[str, Any], size: tuple[int, ...], filters: tuple[int, ...], places: tuple[int, int]
) -> None:
    x, w, bias = _rng.normal(size=size), _rng.normal(size=filters), _rng.normal(size=filters[0])
    kernel, groups = case["kernel_size"], case["groups"]
    offsets = _rng.normal(size=(size[0], 3 * case["deformable_groups"] * kernel[0] * kernel[1], *places)) * 2

    def convolve(x: Tensor, w: Tensor, offsets: Tensor, bias: Tensor) -> Tensor:
        return ops.deformable_conv2d(x, w, offsets, bias=bias, **case)

    made = windows(x, offsets, case)
    blocks = made.reshape(size[0], groups, -1, places[0], kernel[0], places[1], kernel[1])
    grouped = w.reshape(groups, -1, *filters[1:])
    wanted = np.einsum("ngcipjq,gocpq->ngoij", blocks, grouped).reshape(size[0], -1, *places) + bias[:, None, None]
    for found, array in in_both_modes(convolve, [x, w, offsets, bias], wanted):
        np.testing.assert_allclose(found.asnumpy(), array, rtol=1e-10, atol=1e-10)
    primitive = P.DeformableOffsets(
        case["strides"], case["padding"], kernel, case["dilations"], "NCHW", case["deformable_groups"]
    )
    np.testing.assert_allclose(primitive(Tensor(x), Tensor(offsets)).asnumpy(), made, rtol=1e-12, atol=1e-12)


def test_without_moves_it_is_a_convolution() -> None:
    x, w = (Tensor(_rng.normal(size=s).astype("f")) for s in ((2, 3, 6, 6), (4, 3, 3, 3)))
    offsets = np.zeros((2, 27, 4, 4), "f")
    offsets[:, 18:] = 1
    found = ops.deformable_conv2d(x, w, Tensor(offsets), (3, 3), (1, 1, 1, 1), (0, 0, 0, 0))
    np.testing.assert_allclose(found.asnumpy(), ops.conv2d(x, w).asnumpy(), rtol=1e-5, atol=1e-6)
    narrow = [t.astype(ms.float16) for t in (x, w, Tensor(offsets))]
    half = ops.deformable_conv2d(*narrow, (3, 3), (1, 1, 1, 1), (0, 0, 0, 0))
    assert half.dtype == ms.float16
    np.testing.assert_allclose(half.asnumpy(), found.asnumpy(), rtol=2e-2, atol=2e-2)


def test_its_gradient_is_that_of_its_formula() -> None:
    case, size, filters, places = CASES[1]
    x, w = _rng.normal(size=size), _rng.normal(size=filters)
    offsets = _rng.normal(size=(1, 36, *places))
    share = _rng.normal(size=(1, 6, *places))

    def loss(x: Tensor, w: Tensor, offsets: Tensor) -> Tensor:
        return (ops.deformable_conv2d(x, w, offsets, **case) * Tensor(share)).sum()

    operands = [x, w, offsets]
    slopes = ms.grad(loss, (0, 1, 2))(*map(Tensor, operands))
    for k, slope in enumerate(slopes):
        for place in _rng.integers(0, operands[k].size, 12):
            ends = []
            for step in (1e-6, -1e-6):
                moved = [o.copy() for o in operands]
                moved[k].reshape(-1)[place] += step
                ends.append(loss(*map(Tensor, moved)).item())
            assert slope.asnumpy().reshape(-1)[place] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modulated": False}, "modulated must be True, got False"),
        ({"kernel_size": (3, 2)}, r"expected a weight of kernel \(3, 2\), got f32\[4,3,3,3\]"),
        ({"strides": (1, 1)}, r"strides and dilations \(1, 1, H, W\)"),
        ({"padding": (1, 1, 0, 0)}, r"expected offsets \(2, 27, 6, 4\) for f32\[2,3,6,6\], got f32\[2,27,4,4\]"),
        ({"deformable_groups": 2}, "C a multiple of 2"),
    ],
)
def test_what_does_not_fit(change: dict[str, Any], message: str) -> None:
    x, w, offsets = (Tensor(np.ones(s, "f")) for s in ((2, 3, 6, 6), (4, 3, 3, 3), (2, 27, 4, 4)))
    given = {"kernel_size": (3, 3), "strides": (1, 1, 1, 1), "padding": (0, 0, 0, 0), **change}
    with pytest.raises(ValueError, match=message):
        ops.deformable_conv2d(x, w, offsets, **given)
