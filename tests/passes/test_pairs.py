"""Pairs: no complex number is left in a graph, and every value is the same to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from modes import Compiled, eagerly
from reference import assert_same
from stages import graph_of

from graphc.ir import Graph, GraphError, verify
from graphc.irtext import graph_text
from graphc.op import infer_node
from graphc.passes.pairs import pairs


def paired(text: str) -> Graph:
    """After the pass, which must leave no complex number."""
    graph = verify(pairs(graph_of(text)), infer_node)
    assert not any(node.dtype.is_complex for node in (*graph.inputs, *graph.nodes))
    return graph


def test_parts_that_are_put_together_and_taken_apart_stay_as_they_are() -> None:
    found = paired(
        """
        graph f(%x: f32[3,4], %y: f32[3,4]) {
          %0: c64[3,4] = complex(%x, %y)
          %1: c64[4,3] = transpose(%0, perm=(1, 0))
          %2: f32[4,3] = imag(%1)
          %3: f32[4,3] = neg(%2)
          return %3
        }"""
    )
    wanted = graph_of(
        """
        graph f(%x: f32[3,4], %y: f32[3,4]) {
          %0: f32[4,3] = transpose(%y, perm=(1, 0))
          %1: f32[4,3] = neg(%0)
          return %1
        }"""
    )
    assert graph_text(found, comments=False) == graph_text(wanted, comments=False)


def test_inputs_outputs_and_updates_hold_parts_side_by_side() -> None:
    found = paired(
        """
        graph f(%z: c64[3]; %w: c64[3]) {
          %0: f32[3] = real(%z)
          %1: f32[3] = imag(%w)
          %2: c64[3] = complex(%0, %1)
          update %w <- %2
          return %0
        }"""
    )
    wanted = graph_of(
        """
        graph f(%z: f32[3,2]; %w: f32[3,2]) {
          %0: f32[3,1] = slice(%z, begin=(0, 0), shape=(3, 1), step=(1, 1))
          %1: f32[3] = reshape(%0, shape=(3,))
          %2: f32[3,1] = reshape(%1, shape=(3, 1))
          %3: f32[3,1] = slice(%w, begin=(0, 1), shape=(3, 1), step=(1, 1))
          %4: f32[3] = reshape(%3, shape=(3,))
          %5: f32[3,1] = reshape(%4, shape=(3, 1))
          %6: f32[3,2] = concat(%2, %5, axis=1)
          update %w <- %6
          return %1
        }"""
    )
    assert graph_text(found, comments=False) == graph_text(wanted, comments=False)


MOVED = """
graph f(%z: c64[3,4], %x: i32[3,4]; %w: c128[4,3]) {
  %0: c128[3,4] = cast(%z, dtype=graphc.complex128)
  %1: c128[3,4] = cast(%x, dtype=graphc.complex128)
  %2: c128[6,4] = concat(%0, %1, axis=0)
  %3: c128[4,6] = transpose(%2, perm=(1, 0))
  %4: c128[] = complex(1.5:f64, -0.0:f64)
  %5: c128[4,7] = pad(%3, %4, low=(0, 1), high=(0, 0), interior=(0, 0))
  %6: c128[4,3] = slice(%5, begin=(0, 0), shape=(4, 3), step=(1, 2))
  %7: c128[4,3] = flip(%w, axes=(0,))
  %8: bool[4,3] = cast(%7, dtype=graphc.bool)
  %9: f32[4,3] = cast(%w, dtype=graphc.float32)
  update %w <- %6
  return %5, %7, %8, %9, %z
}"""


def test_moved_numbers_are_the_same_to_the_bit() -> None:
    graph, rng = graph_of(MOVED), np.random.default_rng(1)
    paired(MOVED)
    z = (rng.normal(size=(3, 4)) + 1j * rng.normal(size=(3, 4))).astype(np.complex64)
    z[0, 0] = complex(-0.0, np.nan)
    w = rng.normal(size=(4, 3)) * np.array([1, 1j, 0])
    inputs = [z, np.arange(12, dtype=np.int32).reshape(3, 4), w]
    outputs, updates = Compiled(graph, inputs)(inputs)
    wanted, changed = eagerly(graph, inputs)
    for got, array in zip((*outputs, updates["w"]), (*wanted, changed["w"]), strict=True):
        assert_same(got, array)


def test_real_graphs_stay_as_they_are() -> None:
    graph = graph_of("graph f(%x: f32[3]) {\n  %0: f32[3] = neg(%x)\n  return %0\n}")
    assert pairs(graph) is graph


def test_ops_that_compute_take_no_complex_numbers() -> None:
    graph = graph_of("graph f(%z: c64[3]) {\n  %0: c64[3] = neg(%z)\n  return %0\n}")
    with pytest.raises(GraphError, match="pairs: neg makes complex numbers"):
        pairs(graph)
