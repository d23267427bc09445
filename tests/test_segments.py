"""The greatest and smallest elements of segments against NumPy, in both modes, with gradients."""

from __future__ import annotations

import numpy as np
import pytest
from modes import mode

import graphc as ms
from graphc import GRAPH_MODE, PYNATIVE_MODE, Tensor, ops
from graphc.trace import trace

X = np.random.default_rng(0).permutation(24).astype(np.float32).reshape(4, 3, 2)
IDS = np.array([2, 0, 2, 5], np.int32)


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_as_numpy(each: int) -> None:
    with mode(each):
        for dtype in (np.float32, np.int32):
            x, limits = X.astype(dtype), np.finfo(dtype) if dtype is np.float32 else np.iinfo(dtype)
            most = ops.unsorted_segment_max(Tensor(x), Tensor(IDS), 4).asnumpy()
            least = ops.UnsortedSegmentMin()(Tensor(x), Tensor(IDS), 4).asnumpy()
            assert most.dtype == least.dtype == dtype
            np.testing.assert_array_equal(most[2], np.maximum(x[0], x[2]))
            np.testing.assert_array_equal(least[2], np.minimum(x[0], x[2]))
            np.testing.assert_array_equal(most[0], x[1])
            assert (most[[1, 3]] == limits.min).all() and (least[[1, 3]] == limits.max).all()
        flat = ops.unsorted_segment_max(Tensor(X[..., 0]), Tensor(np.array([[0, 1, 0]] * 4)), 2).asnumpy()
        np.testing.assert_array_equal(flat, [X[:, [0, 2], 0].max(), X[:, 1, 0].max()])


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_the_gradient_goes_to_the_greatest(each: int) -> None:
    with mode(each):
        slope = ms.grad(lambda x: ops.unsorted_segment_max(x, Tensor(IDS), 4)[2].sum())(Tensor(X)).asnumpy()
    wanted = np.zeros_like(X)
    wanted[0], wanted[2] = X[0] > X[2], X[2] > X[0]
    np.testing.assert_array_equal(slope, wanted)


@pytest.mark.parametrize("each", [PYNATIVE_MODE, GRAPH_MODE])
def test_equal_ones_share_the_gradient_and_what_is_in_no_segment_has_none(each: int) -> None:
    x, ids = Tensor([3.0, 1.0, 3.0, 9.0, 2.0, np.nan], ms.float32), Tensor([1, 1, 1, -1, 7, 3])
    with mode(each):
        slope = ms.grad(lambda x: (ops.unsorted_segment_max(x, ids, 3) ** 2)[1])(x)
        second = ms.grad(lambda x: ms.grad(lambda x: (ops.unsorted_segment_min(x, ids, 3) ** 3)[1])(x)[1])(x)
        np.testing.assert_array_equal(ops.unsorted_segment_max(x, ids, 4)[3].asnumpy(), np.float32(np.nan))
    np.testing.assert_array_equal(slope.asnumpy(), [3, 0, 3, 0, 0, 0])
    np.testing.assert_array_equal(second.asnumpy(), [0, 6, 0, 0, 0, 0])


def test_the_cost_does_not_grow_with_the_number_of_segments() -> None:
    def largest(x: Tensor, ids: Tensor) -> Tensor:
        return ms.grad(lambda x: ops.unsorted_segment_max(x, ids, 100).sum())(x)

    x = ops.ones((200, 4))
    graph = trace(largest, (x, ops.zeros((200,), ms.int32)), {}, "largest").graph
    assert all(node.type.size <= x.size for node in graph.nodes)


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(TypeError, match=r"expected numbers .* and integers .*, got f32\[4,3,2\] and i32\[3\]"):
        ops.unsorted_segment_max(Tensor(X), Tensor(IDS[:3]), 4)
    with pytest.raises(ValueError, match="num_segments must be an int >= 1, got 0"):
        ops.unsorted_segment_min(Tensor(X), Tensor(IDS), 0)
