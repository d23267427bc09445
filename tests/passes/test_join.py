"""Joining: what is concatenated is computed in place, and nothing else changes."""

from __future__ import annotations

from textwrap import dedent

import numpy as np
import pytest
from graphs import Made, graphs
from hypothesis import given, settings
from modes import compiled, eagerly
from reference import assert_same, assert_same_graphs, assert_same_run, input_arrays
from stages import check_plan, check_schedule, graph_of, prepared, scheduled
from unrolled import Unrolled

import graphc as ms
from graphc import Tensor, ops
from graphc.ir import verify
from graphc.op import infer_node
from graphc.passes.join import join
from graphc.passes.layout import layout
from graphc.passes.plan_memory import plan_memory
from graphc.schedule import Layout, Window

pytestmark = pytest.mark.usefixtures("free_copies")

UNREAD = """
    graph f(; %x: f32[1], %y: i32[], %z: i32[]) {
      %0: f32[1] = neg(%x)
      %1: f32[2] = concat(%0, %x, axis=0)
      update %z <- %y
      return %1
    }"""

BRANCHES = """
    graph f(%x: f32[3,4]; %w: f32[8,5]) {
      %0: f32[3,4] = tanh(%x)
      %1: f32[3,4] = exp(%x)
      %2: f32[3,8] = concat(%0, %1, axis=1)
      %3: f32[3,5] = matmul(%2, %w, transpose_a=False, transpose_b=False)
      return %3
    }"""


def test_what_is_updated_may_be_read_by_nobody() -> None:
    joined, _ = join(*layout(prepared(graph_of(UNREAD))))
    assert [target for target, _ in joined.updates] == [joined.inputs[2]]


def test_parts_are_computed_inside_the_whole() -> None:
    assert str(scheduled(graph_of(BRANCHES))) == dedent(
        """\
        schedule f {
          group 0 loops tanh {
            computes %0 tanh
            reads    %x
            writes   %0: f32[3,4] rows at [0, 0]
          }
          group 1 loops exp {
            computes %1 exp
            reads    %x
            writes   %1: f32[3,4] rows at [0, 4]
          }
          group 2 joined concat {
            computes %2 concat
            reads    %0, %1
            writes   %2: f32[3,8] rows
          }
          group 3 tiled matmul {
            computes %3 matmul
            reads    %2, %w
            writes   %3: f32[3,5] rows
          }
        }"""
    )


def joined(text: str) -> list[tuple[str, str]]:
    """Of every node that lies inside another: its op and where."""
    changed, layouts = join(graph_of(text), {})
    return [(node.op, str(layouts[node])) for node in changed.nodes if node in layouts]


def test_what_cannot_be_computed_there_is_copied_there() -> None:
    """An input, a view, and what another concatenation has already."""
    assert joined(
        """
        graph f(%x: f32[3,4]; %w: f32[12,5]) {
          %0: f32[3,4] = tanh(%x)
          %1: f32[3,4] = flip(%0, axes=(0,))
          %2: f32[3,12] = concat(%x, %0, %1, axis=1)
          %3: f32[3,5] = matmul(%2, %w, transpose_a=False, transpose_b=False)
          %4: f32[6,4] = concat(%0, %0, axis=0)
          %5: f32[4,4] = matmul(%4, %4, transpose_a=True, transpose_b=False)
          return %3, %5
        }"""
    ) == [
        ("copy", "rows at [0, 0]"), ("tanh", "rows at [0, 4]"),
        ("copy", "rows at [0, 8]"), ("copy", "rows at [0, 0]"),
        ("copy", "rows at [3, 0]"),
    ]  # fmt: skip


def test_what_one_chain_reads_of_two_is_looked_up() -> None:
    """Storing them would cost more than asking which of the two an element belongs to."""
    assert joined(
        """
        graph f(%x: f32[3,4]) {
          %0: f32[3,4] = tanh(%x)
          %1: f32[3,8] = concat(%0, %x, axis=1)
          %2: f32[3,8] = neg(%1)
          return %2
        }"""
    ) == []


def test_hand_made_kernels_read_rows() -> None:
    found = joined(
        """
        graph f(%x: f32[3,4]; %w: f32[12,5]) {
          %0: f32[3,4] = tanh(%x)
          %1: f32[3,4] = cumsum(%0, axis=1)
          %2: f32[3,12] = concat(%0, %1, %x, axis=1)
          %3: f32[3,5] = matmul(%2, %w, transpose_a=False, transpose_b=False)
          return %3
        }"""
    )
    assert [op for op, _ in found] == ["copy"] * 3


@pytest.mark.parametrize(
    ("axis", "blocked"), [(0, False), (1, False), (2, False), (1, True), (2, True)]  # blocks of sixteen are not cut
)
def test_a_part_has_the_addresses_that_the_whole_gives_it(axis: int, blocked: bool) -> None:
    shape = (20, 3, 4)
    parts = [tuple(n if d == axis else m for d, m in enumerate(shape)) for n in (2, 5)]
    whole = Layout(tuple(7 if d == axis else m for d, m in enumerate(shape)), blocked)
    node = graph_of("graph f(%x: f32[2]) {\n  %0: f32[2] = tanh(%x)\n  return %0\n}").outputs[0]
    for start, part in zip((0, 2), parts, strict=True):
        begin = tuple(start * (d == axis) for d in range(3))
        held = Layout(part, blocked, (), Window(node, whole, begin, (1, 1, 1), part))
        for index in np.ndindex(part):
            there = [i + start * (d == axis) for d, i in enumerate(index)]
            assert held.address(index) == whole.address(there)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_random_graphs_mean_the_same(made: Made) -> None:
    graph = prepared(made.graph)
    changed, _ = join(*layout(graph))
    verify(changed, infer_node)
    assert_same_graphs(changed, graph, seeds=(made.seed,))
    schedule = scheduled(made.graph)
    check_schedule(schedule)
    check_plan(schedule, plan_memory(schedule))


DENSE_BLOCK = """
    graph f(%x: f32[{n},3,6,6]; %v: f32[4,3,3,3], %w: f32[5,7,3,3], %u: f32[2,12,1,1]) {{
      %0: f32[{n},4,4,4] = conv(%x, %v, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(4, 4))
      %1: f32[{n},3,4,4] = slice(%x, begin=(0, 0, 1, 1), shape=({n}, 3, 4, 4), step=(1, 1, 1, 1))
      %2: f32[{n},7,4,4] = concat(%1, %0, axis=1)
      %3: f32[{n},7,4,4] = relu(%2)
      %4: f32[{n},7,6,6] = pad(%3, 0.0, low=(0, 0, 1, 1), high=(0, 0, 1, 1), interior=(0, 0, 0, 0))
      %5: f32[{n},5,4,4] = conv(%4, %w, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(4, 4))
      %6: f32[{n},12,4,4] = concat(%2, %5, axis=1)
      %7: f32[{n},2,4,4] = conv(%6, %u, stride=(1, 1), dilation=(1, 1), low=(0, 0), size=(4, 4))
      return %7, %6
    }}"""


@pytest.mark.parametrize("batch", [1, 3, 16, 20])
def test_concatenations_inside_concatenations(batch: int) -> None:
    graph = graph_of(DENSE_BLOCK.format(n=batch))
    schedule = scheduled(graph)
    check_schedule(schedule)
    check_plan(schedule, plan_memory(schedule))
    assert sum(g.joined for g in schedule.groups) == 2
    arrays = input_arrays(graph, 0)
    assert_same_run(compiled(graph, arrays), eagerly(graph, arrays))


@pytest.mark.parametrize("kind", ["RNN", "GRU", "LSTM"])
def test_a_recurrent_step_writes_straight_into_its_sequence(kind: str) -> None:
    """The gates' gradients of all steps lie side by side, for the one product that is the gradient of the weights."""
    net = Unrolled(kind, 3, 5)
    weights = net.trainable_params()

    def gradients(x: Tensor) -> list[Tensor]:
        return ms.grad(lambda x: ops.sum(net(x) ** 2), None, weights)(x)

    x = Tensor(np.random.default_rng(0).normal(size=(6, 4, 3)).astype(np.float32))
    step = ms.jit(gradients)
    for got, wanted in zip(step(x), gradients(x), strict=True):
        assert_same(got.asnumpy(), wanted.asnumpy())
    (entry,) = step.cache.values()
    products = [n for n in entry.traced.graph.nodes if n.op == "matmul" and n.shape == tuple(weights[1].shape)]
    assert len(products) == 1 and products[0].operands[0].shape[0] == 6 * 4


def test_an_update_of_what_nobody_reads() -> None:
    graph = graph_of(
        """
        graph f(%x: f32[3,4]; %seen: f32[3]) {
          %0: f32[3]   = sum(%x, run=(1, 2))
          %1: f32[6,4] = concat(%x, %x, axis=0)
          update %seen <- %0
          return %1
        }"""
    )
    joined, _ = join(graph, {})
    assert_same_graphs(joined, graph)


def test_parts_in_another_order_are_joined_in_that_order() -> None:
    """So gradients of the weights of a transposed convolution are: vectors of its features, phase by phase."""
    graph = graph_of(
        """
        graph f(%x: f32[4,6,5], %y: f32[4,6,5]) {
          %0: f32[4,6,5] = exp(%x)
          %1: f32[4,6,5] = tanh(%y)
          %2: f32[4,6,10] = weave(%0, %1, begins=((0, 0, 0), (0, 0, 1)), step=(1, 1, 2), shape=(4, 6, 10))
          %3: f32[4] = sum(%2, run=(1, 3))
          return %3
        }"""
    )
    first, second, whole = (n for n in graph.nodes if n.op in ("exp", "tanh", "weave"))
    order = (1, 2, 0)
    _, layouts = join(graph, {part: Layout(part.shape, False, order) for part in (first, second)})
    by_op = {node.op: layout for node, layout in layouts.items()}
    assert by_op["weave"] == Layout(whole.shape, False, order)
    for op, begin in (("exp", 0), ("tanh", 1)):
        where = by_op[op].within
        assert by_op[op].order == order and where is not None and (where.begin[2], where.step[2]) == (begin, 2)
        assert by_op[op].address([3, 4, 2]) == by_op["weave"].address([3, 4, 2 * 2 + begin])
    _, layouts = join(graph, {first: Layout(first.shape, False, order)})
    assert "weave" not in {node.op for node in layouts}
