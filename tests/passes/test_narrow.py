"""Narrowing: slices move to where less is computed, and every value is the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import compiled, eagerly
from reference import assert_rewrites, assert_same, assert_same_graphs, assert_same_run
from stages import graph_of

import graphc as ms
from graphc import Tensor, nn, ops
from graphc.ir import verify
from graphc.op import infer_node
from graphc.passes.narrow import narrow

pytestmark = pytest.mark.usefixtures("free_copies")


def test_a_convolution_is_not_computed_where_it_is_cut_away() -> None:
    assert_rewrites(
        narrow,
        """
        graph f(%x: f32[2,3,8,8]; %w: f32[4,3,3,3]) {
          %0: f32[2,4,8,6] = conv(%x, %w, stride=(1, 1), dilation=(1, 1), low=(1, 0), size=(8, 6), groups=1)
          %1: f32[2,4,8,6] = relu(%0)
          %2: f32[2,4,2,3] = slice(%1, begin=(0, 0, 0, 1), shape=(2, 4, 2, 3), step=(1, 1, 2, 1))
          return %2
        }""",
        """
        graph f(%x: f32[2,3,8,8]; %w: f32[4,3,3,3]) {
          %0: f32[2,3,4,5] = slice(%x, begin=(0, 0, 0, 1), shape=(2, 3, 4, 5), step=(1, 1, 1, 1))
          %1: f32[2,4,2,3] = conv(%0, %w, stride=(2, 1), dilation=(1, 1), low=(1, 0), size=(2, 3), groups=1)
          %2: f32[2,4,2,3] = relu(%1)
          return %2
        }""",
    )


def test_what_lies_in_a_margin_is_its_value() -> None:
    """Whoever reads the rest of it, and through a transposition."""
    assert_rewrites(
        narrow,
        """
        graph f(%x: f32[2,1,3], %v: f32[]) {
          %0: f32[2,4,3] = pad(%x, %v, low=(0, 3, 0), high=(0, 0, 0), interior=(0, 0, 0))
          %1: f32[4,2,3] = transpose(%0, perm=(1, 0, 2))
          %2: f32[1,2,3] = slice(%1, begin=(2, 0, 0), shape=(1, 2, 3), step=(1, 1, 1))
          %3: f32[1,2,3] = slice(%1, begin=(3, 0, 0), shape=(1, 2, 3), step=(1, 1, 1))
          return %2, %3
        }""",
        """
        graph f(%x: f32[2,1,3], %v: f32[]) {
          %0: f32[1,2,3] = broadcast_to(%v, shape=(1, 2, 3))
          %1: f32[2,4,3] = pad(%x, %v, low=(0, 3, 0), high=(0, 0, 0), interior=(0, 0, 0))
          %2: f32[4,2,3] = transpose(%1, perm=(1, 0, 2))
          %3: f32[1,2,3] = slice(%2, begin=(3, 0, 0), shape=(1, 2, 3), step=(1, 1, 1))
          return %0, %3
        }""",
    )


def test_margins_shrink_first() -> None:
    assert_rewrites(
        narrow,
        """
        graph f(%x: f32[5]) {
          %0: f32[10] = pad(%x, 0.5, low=(2,), high=(3,), interior=(0,))
          %1: f32[6]  = slice(%0, begin=(1,), shape=(6,), step=(1,))
          return %1
        }""",
        """
        graph f(%x: f32[5]) {
          %0: f32[6] = pad(%x, 0.5, low=(1,), high=(0,), interior=(0,))
          return %0
        }""",
    )


def test_phases_are_cut_apart() -> None:
    assert_rewrites(
        narrow,
        """
        graph f(%x: f32[4], %y: f32[3]) {
          %0: f32[4] = tanh(%x)
          %1: f32[3] = tanh(%y)
          %2: f32[7] = weave(%0, %1, begins=((0,), (1,)), step=(2,), shape=(7,))
          %3: f32[4] = slice(%2, begin=(1,), shape=(4,), step=(1,))
          return %3
        }""".replace("tanh", "neg"),
        """
        graph f(%x: f32[4], %y: f32[3]) {
          %0: f32[2] = slice(%x, begin=(1,), shape=(2,), step=(1,))
          %1: f32[2] = neg(%0)
          %2: f32[2] = slice(%y, begin=(0,), shape=(2,), step=(1,))
          %3: f32[2] = neg(%2)
          %4: f32[4] = weave(%1, %3, begins=((1,), (0,)), step=(2,), shape=(4,))
          return %4
        }""",
    )


def test_what_others_read_is_computed_whole() -> None:
    text = """
        graph f(%x: f32[6]) {
          %0: f32[6] = neg(%x)
          %1: f32[2] = slice(%0, begin=(1,), shape=(2,), step=(1,))
          return %0, %1
        }"""
    graph = graph_of(text)
    assert str(narrow(graph)) == str(graph)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    changed = verify(narrow(made.graph), infer_node)
    assert_same_graphs(changed, made.graph, seeds=(made.seed,))


@pytest.mark.parametrize("dilation", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("batch", [1, 2, 3, 16])
def test_causal_convolutions(batch: int, dilation: int) -> None:
    """Of which only the last step is asked for: windows far apart, vectors that are not full."""
    layers = [
        nn.Conv1d(c, 7, 3, pad_mode="pad", padding=2 * dilation, dilation=dilation, has_bias=True) for c in (3, 7)
    ]

    def last(x: Tensor) -> Tensor:
        for layer in layers:
            x = ops.relu(layer(x)[:, :, : -2 * dilation])
        return x[:, :, -1]

    x = Tensor(np.random.default_rng(0).normal(size=(batch, 3, 40)).astype(np.float32))
    weights = [p for layer in layers for p in layer.trainable_params()]
    gradient = ms.grad(lambda x: ops.sum(last(x) ** 2), 0, weights)
    before = ms.get_context("pynative_synchronize")
    ms.set_context(pynative_synchronize=True)
    try:
        assert_same(ms.jit(last)(x).asnumpy(), last(x).asnumpy())
        (dx, slopes), (wanted, others) = ms.jit(gradient)(x), gradient(x)
        for got, one in zip((dx, *slopes), (wanted, *others), strict=True):
            assert_same(got.asnumpy(), one.asnumpy())
    finally:
        ms.set_context(pynative_synchronize=before)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("batch", [2, 16])
def test_gradients_of_convolutions_padded_by_hand(batch: int, stride: int) -> None:
    graph = graph_of(
        f"""
        graph f(%x: f32[{batch},3,7,9]; %w: f32[4,3,3,3]) {{
          %0: f32[{batch},3,9,11] = pad(%x, 0.0, low=(0, 0, 1, 1), high=(0, 0, 1, 1), interior=(0, 0, 0, 0))
          %1: f32[{batch},4,{6 // stride + 1},{8 // stride + 1}] = conv(%0, %w, stride=({stride}, {stride}), dilation=(1, 1), low=(0, 0), size=({6 // stride + 1}, {8 // stride + 1}))
          return %1
        }}"""  # noqa: E501
    )
    rng = np.random.default_rng(0)
    arrays = [rng.normal(size=node.shape).astype(np.float32) for node in graph.inputs]
    assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))
