"""Boxes: the numbers that MindSpore 2.10 returns for the same calls, both ways, modes and errors."""

from __future__ import annotations

import numpy as np
import pytest

import graphc
from graphc import Tensor, ops

ANCHORS = Tensor([[0.0, 0, 3, 3], [1, 1, 2, 4], [5, 6, 29, 22]])
MEANS, STDS = (0.1, 0.0, 0.0, 0.2), (1.0, 1.0, 0.5, 2.0)


pytestmark = pytest.mark.usefixtures("each_mode")


def close(found: Tensor, wanted: object) -> None:
    np.testing.assert_allclose(found.asnumpy(), wanted, rtol=1e-5, atol=1e-6)


def test_common_area() -> None:
    anchors, gt = ANCHORS[:2], Tensor([[0.0, 0, 1, 1], [1, 1, 5, 5], [2, 2, 3, 3]])
    close(ops.IOU()(anchors, gt), [[0.25, 0.09090909], [0.28125, 0.32], [0.25, 0.2]])
    close(ops.iou(anchors, gt, mode="iof"), [[1, 0.25], [0.36, 0.32], [1, 0.5]])
    with pytest.raises(ValueError, match=r"iou: expected float boxes \[N, 4\], got f32\[2,3\]"):
        ops.IOU()(anchors[:, :3], gt)
    with pytest.raises(ValueError, match="mode must be 'iou' or 'iof'"):
        ops.IOU("giou")(anchors, gt)


def test_encoding_and_decoding() -> None:
    encode, decode = ops.BoundingBoxEncode(MEANS, STDS), ops.BoundingBoxDecode((20, 30), MEANS, STDS, 0.016)
    gt = Tensor([[1.0, 1, 5, 5], [2, 2, 3, 3]])
    close(encode(ANCHORS[:2], gt), [[0.275, 0.375, 0.4462871, 0.01157177], [0.4, 0, 0, -0.4465736]])
    close(decode(ANCHORS[:2], encode(ANCHORS[:2], gt)), gt.asnumpy())
    deltas = Tensor([[1.0, 1, 0.5, 0.5], [2, 2, 3, 3], [-1, -7, 5, 9]])
    close(
        decode(ANCHORS, deltas),
        [[3.8319492, 0, 7.968051, 11.640234], [1.7183108, 0, 9.681688, 20], [0, 0, 30, 20]],
    )
    gt, one, four = ANCHORS[1:] * 1.5, ops.BoundingBoxEncode(0.5, 2.0), ops.BoundingBoxEncode((0.5,) * 4, (2.0,) * 4)
    np.testing.assert_array_equal(one(ANCHORS[1:], gt).asnumpy(), four(ANCHORS[1:], gt).asnumpy())
    with pytest.raises(ValueError, match="means must be 4 numbers, got"):
        ops.BoundingBoxEncode((0.5, 0.5, 0.5))(ANCHORS[1:], gt)
    with pytest.raises(ValueError, match=r"max_shape must be \(height, width\), got \(20,\)"):
        ops.BoundingBoxDecode((20,))(ANCHORS, deltas)


def test_boxes_within_an_image() -> None:
    boxes = Tensor([[0.0, 0, 3, 3], [1, 1, 2, 4], [-1, 2, 3, 4], [5, 5, 4000, 6]])
    assert ops.CheckValid()(boxes, Tensor([100.0, 200.0, 1.0])).asnumpy().tolist() == [True, True, False, False]
    corners = Tensor([[0.0, 0, 39, 19], [0, 0, 40, 19], [0, 0, 39, 20], [0, -1, 39, 19]])
    assert ops.check_valid(corners, Tensor([10.0, 20.0, 2.0])).asnumpy().tolist() == [True, False, False, False]


def test_the_loss_of_a_detector_has_a_gradient() -> None:
    def loss(boxes: Tensor) -> Tensor:
        return (1.0 - ops.iou(ANCHORS, boxes)).sum()

    gradient = graphc.grad(loss)(Tensor([[0.5, 0.5, 2.5, 3.5]])).asnumpy()
    assert np.isfinite(gradient).all() and gradient.any()
