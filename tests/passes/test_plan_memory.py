"""Memory planning: homes, in-place reuse, and values that are live together in bytes of their own."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from graphc import jit, nn, ops, value_and_grad
from graphc.compiler import GRAPH_PASSES
from graphc.ir import Graph
from graphc.irtext import node_names, parse
from graphc.passes.fuse import fuse
from graphc.passes.layout import layout
from graphc.passes.plan_memory import plan_memory
from graphc.schedule import MemoryPlan, Schedule
from graphc.tensor import Tensor
from graphc.trace import trace


def planned(graph: Graph) -> tuple[Schedule, MemoryPlan, dict[str, str]]:
    """The schedule, its plan, and the home of every value by its name in the text."""
    for graph_pass in GRAPH_PASSES:
        graph = graph_pass(graph)
    graph, layouts = layout(graph)
    schedule = fuse(graph, layouts)
    plan = plan_memory(schedule)
    names = node_names(graph)
    return schedule, plan, {names[node]: str(home) for node, home in plan.homes.items()}


CHAIN = """
graph chain(%x: f32[8,8]; %w: f32[8,8]) {
  %0: f32[8,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
  %1: f32[8,8] = matmul(%0, %w, transpose_a=False, transpose_b=False)
  %2: f32[8,8] = matmul(%1, %w, transpose_a=False, transpose_b=False)
  return %2
}
"""


def test_values_that_are_not_live_together_share_bytes_and_others_do_not() -> None:
    _, plan, homes = planned(parse(CHAIN))
    assert homes["%2"] == "output 0"
    assert {homes["%0"], homes["%1"]} == {"arena+0", "arena+256"}
    assert plan.arena_bytes == plan.bound_bytes == 512


IN_PLACE = """
graph in_place(%x: f32[8,8]; %w: f32[8,8]) {
  %0: f32[8,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
  %1: f32[8,8] = matmul(%x, %0, transpose_a=False, transpose_b=False)
  %2: f32[8,8] = mul(%1, %0)
  %3: f32[8,8] = matmul(%2, %w, transpose_a=False, transpose_b=False)
  return %3
}
"""


def test_an_operand_of_the_contraction_itself_is_not_overwritten() -> None:
    """%2 is the epilogue of %1, which still reads %0 as a matrix: it needs bytes of its own."""
    _, plan, homes = planned(parse(IN_PLACE))
    assert homes["%0"] != homes["%2"]
    assert plan.arena_bytes == 512


EPILOGUE = """
graph epilogue(%x: f32[8,8], %y: f32[8,8]; %w: f32[8,8]) {
  %0: f32[8,8] = matmul(%x, %w, transpose_a=False, transpose_b=False)
  %1: f32[8,8] = matmul(%y, %w, transpose_a=False, transpose_b=False)
  %2: f32[8,8] = mul(%1, %0)
  %3: f32[8,8] = matmul(%2, %w, transpose_a=False, transpose_b=False)
  return %3
}
"""


def test_an_operand_read_in_step_for_the_last_time_is_overwritten() -> None:
    _, plan, homes = planned(parse(EPILOGUE))
    assert homes["%0"] == homes["%2"] == "arena+0"
    assert plan.arena_bytes == 256
    x, y, w = (np.random.default_rng(i).standard_normal((8, 8)).astype(np.float32) for i in range(3))
    run = jit(lambda x, y: ops.matmul(ops.matmul(y, Tensor(w)) * ops.matmul(x, Tensor(w)), Tensor(w)))
    np.testing.assert_allclose(run(Tensor(x), Tensor(y)).asnumpy(), ((y @ w) * (x @ w)) @ w, rtol=1e-4, atol=1e-4)


UPDATE = """
graph update(%x: f32[4]; %p: f32[4], %q: f32[4]) {
  %0: f32[4] = add(%p, %x)
  %1: f32[4] = mul(%q, %p)
  update %p <- %0
  update %q <- %1
  return
}
"""


def test_an_update_is_written_into_its_input_after_the_last_reader() -> None:
    schedule, _, homes = planned(parse(UPDATE))
    written = [str(homes[name]) for name in ("%0", "%1")]
    in_place = [home for home in written if home.startswith("input")]
    assert in_place, "one of the two can be written in place"
    if homes["%0"] == "input 1":  # then q's group, which reads p, came first or shares the loop
        order = [node_names(schedule.graph)[s] for g in schedule.groups for s in g.stores]
        assert order.index("%1") <= order.index("%0")


@pytest.mark.parametrize("batch", [3, 16])
def test_no_two_live_values_overlap_in_a_network(batch: int) -> None:
    net = nn.SequentialCell(nn.Conv2d(2, 4, 3, pad_mode="valid"), nn.ReLU(), nn.Flatten(), nn.Dense(64, 5))
    loss = nn.CrossEntropyLoss()
    optimizer = nn.Momentum(net.trainable_params(), 0.1, 0.9)
    grad = value_and_grad(lambda x, y: loss(net(x), y), None, optimizer.parameters)

    def step(x: Tensor, y: Tensor) -> Tensor:
        value, grads = grad(x, y)
        optimizer(grads)
        return value

    args = (ops.ones((batch, 2, 6, 6)), Tensor(np.zeros(batch, np.int32)))
    schedule, plan, _ = planned(trace(step, args, {}, "step").graph)
    spans = {
        n: (plan.homes[n].at, plan.homes[n].at + schedule.layout(n).elements * n.dtype.itemsize) for n in plan.live
    }
    for x, y in itertools.combinations(plan.live, 2):
        (x0, x1), (y0, y1) = plan.live[x], plan.live[y]
        together = x0 < y1 and y0 < x1  # touching in one group is in-place reuse: then exactly the same bytes
        touching = x0 <= y1 and y0 <= x1
        apart = spans[x][1] <= spans[y][0] or spans[y][1] <= spans[x][0]
        assert apart if together else apart or not touching or spans[x] == spans[y]
    assert plan.arena_bytes <= 1.15 * plan.bound_bytes
