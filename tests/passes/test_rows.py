"""Rows that are looked up only to be added elsewhere: added from where they lie, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import Any

import numpy as np
import pytest
from modes import compiled, eagerly, threads
from reference import assert_same_run
from stages import graph_of, scheduled

import graphc as ms
from graphc import Tensor, ops
from graphc.passes.rows import rows
from graphc.trace import trace


def messages(between: str = "", updates: str = "%0", x: str = "f32[9,4,8]", count: str = "20") -> str:
    """Rows of a tensor, one for each edge, added up for the nodes that edges lead to."""
    rest = x[x.index(",") :]
    return dedent(
        f"""
        graph f(%x: {x}, %a: i32[{count}], %b: i64[{count}], %z: f32[5{rest}, %w: f32[{count},4]) {{
          %0: f32[{count}{rest} = gather(%x, %a, axis=0, batch_dims=0)
          {between}
          %9: f32[5{rest} = scatter_add(%z, %b, {updates})
          return %9
        }}"""
    )


def test_rows_are_added_from_where_they_lie() -> None:
    expected = """
        graph f(%x: f32[9,4,8], %a: i32[20], %b: i64[20], %z: f32[5,4,8], %w: f32[20,4]) {
          %0: i32[9]     = iota(shape=(9,), axis=0, dtype=graphc.int32)
          %1: i32[20]    = gather(%0, %a, axis=0, batch_dims=0)
          %2: f32[5,4,8] = scatter_add_rows(%z, %b, %x, %1, name='scatter_add')
          return %2
        }"""
    assert str(rows(graph_of(messages()))) == dedent(expected).strip()


BY_PART = """
  %1: f32[20,4,1] = reshape(%w, shape=(20, 4, 1))
  %2: f32[20,4,8] = broadcast_to(%1, shape=(20, 4, 8))
  %3: f32[20,4,8] = mul({0}, {1})"""


@pytest.mark.parametrize("sides", [("%0", "%2"), ("%2", "%0")])
def test_factors_come_along(sides: tuple[str, str]) -> None:
    graph = rows(graph_of(messages(BY_PART.format(*sides), "%3")))
    made = graph.outputs[0]
    assert made.op == "scatter_add_rows" and [o.shape for o in made.operands[2:]] == [(9, 4, 8), (20,), (20, 4)]
    inputs = [np.random.default_rng(n).standard_normal(i.shape) for n, i in enumerate(graph.inputs)]
    given = [value.astype(i.dtype.np) for value, i in zip(inputs, graph.inputs, strict=True)]
    given[1:3] = np.arange(20, dtype=np.int32) % 9, np.arange(20) % 5
    original = graph_of(messages(BY_PART.format(*sides), "%3"))
    for number in (1, 2):
        with threads(number):
            assert_same_run(eagerly(original, given), compiled(original, given))


ALONG_COLUMNS = """
  %2: f32[20,4,8] = broadcast_to(%v, shape=(20, 4, 8))
  %3: f32[20,4,8] = mul(%0, %2)"""

OTHER_AXIS = """
    graph f(%x: f32[4,9], %a: i32[20], %b: i64[4], %z: f32[5,20]) {
      %0: f32[4,20] = gather(%x, %a, axis=1, batch_dims=0)
      %9: f32[5,20] = scatter_add(%z, %b, %0)
      return %9
    }"""


@pytest.mark.parametrize(
    "text",
    [
        messages("%3: f32[20,4,8] = mul(%0, %0)", "%3"),
        messages("%3: f32[20,4,8] = add(%0, %0)", "%3"),
        messages(ALONG_COLUMNS, "%3").replace("%w: f32[20,4]", "%v: f32[8]"),
        messages(ALONG_COLUMNS.replace("%v", "2.0"), "%3"),
        OTHER_AXIS,
    ],
)
def test_what_is_left_as_it_is(text: str) -> None:
    graph = graph_of(text)
    assert str(rows(graph)) == str(graph)


def network(h: Tensor, w: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Two rounds of weighted messages along edges from a to b."""
    for _ in range(2):
        h = ops.unsorted_segment_sum(ops.gather(h, a, 0) * w[:, None], b, h.shape[0])
    return (h * h).sum()


@pytest.mark.parametrize("columns", [1, 7, 16, 70])
def test_gradients_of_a_graph_network_have_the_same_bits(columns: int) -> None:
    rng = np.random.default_rng(columns)
    h, w = (Tensor(rng.standard_normal(shape).astype(np.float32)) for shape in ((30, columns), (200,)))
    a, b = Tensor(rng.integers(-30, 30, 200).astype(np.int32)), Tensor(rng.integers(0, 30, 200).astype(np.int32))
    step = ms.value_and_grad(network, (0, 1))
    eager, graph = step(h, w, a, b), ms.jit(lambda *x: step(*x))(h, w, a, b)
    for one, other in zip((eager[0], *eager[1]), (graph[0], *graph[1]), strict=True):
        np.testing.assert_array_equal(one.asnumpy(), other.asnumpy())


def test_messages_are_not_stored() -> None:
    edges, nodes, columns = 500, 30, 16
    operands = Tensor(np.ones((nodes, columns), np.float32)), Tensor(np.ones(edges, np.float32))
    places = [Tensor(np.zeros(edges, np.int32)) for _ in range(2)]
    step: Callable[..., Any] = ms.value_and_grad(network, (0, 1))
    schedule = scheduled(trace(step, (*operands, *places), {}, "f").graph)
    assert all(node.type.size < edges * columns for group in schedule.groups for node in group.stores)


def test_a_row_that_is_not_there_is_reported_of_the_op_that_looks_it_up() -> None:
    step = ms.jit(network)
    h, w = Tensor(np.ones((3, 2), np.float32)), Tensor(np.ones(4, np.float32))
    fine, wrong = Tensor(np.array([0, 1, 2, 0], np.int32)), Tensor(np.array([0, 3, 2, 0], np.int32))
    with pytest.raises(IndexError, match=r"gather: index 3 at position 1 is out of range \[0, 3\)"):
        step(h, w, wrong, fine)
    with pytest.raises(IndexError, match=r"scatter_add: index 3 at position 1 is out of range \[0, 3\)"):
        step(h, w, fine, wrong)
